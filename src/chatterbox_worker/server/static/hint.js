// Hints that are shown on demand.

import { el, icon } from "./dom.js";
import { t } from "./i18n.js";

/** {button, hint}: the button shows and hides the hint, which describes its field also while it is hidden. */
export function hintOnDemand(id, name, words) {
  const hint = el("p", { class: "hint", id, hidden: true }, words);
  const button = el("button", { type: "button", class: "icon-button small", "aria-expanded": "false", "aria-controls": id, "aria-label": t("hint.more", { name }) }, icon("help"));
  button.addEventListener("click", () => {
    hint.hidden = !hint.hidden;
    button.setAttribute("aria-expanded", !hint.hidden);
  });
  return { button, hint };
}

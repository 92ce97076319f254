// The first visit: an example in the page's language that is spoken with one click, in place of the empty player and history.

import { $ } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

export class Welcome {
  /** `isFirst`: nothing was generated in this browser. `onSpeak(text)` is called for the example. */
  constructor({ isFirst, onSpeak }) {
    document.body.dataset.first = isFirst;
    $("welcome-play").addEventListener("click", () => onSpeak(t("example.warm")));
    onLanguage(() => this.#draw());
    this.#draw();
  }

  #draw() {
    $("welcome-text").textContent = t("example.warm");
  }

  /** There is something else to do: a text was written, or a speech generated. */
  update({ hasText, hasSpeech }) {
    if (hasSpeech) document.body.dataset.first = false;
    $("welcome").hidden = hasText || document.body.dataset.first !== "true";
    $("player-empty").hidden = !$("welcome").hidden;
  }
}

// The first visit: an example in the page's language that is spoken with one click, in place of the empty player and history.

import { $ } from "./dom.js";
import * as history from "./history.js";
import { onLanguage, t } from "./i18n.js";

export class Welcome {
  /** A visit is the first while nothing was generated in this browser, in no tab. `onSpeak(text)` is called for the example. */
  constructor({ onSpeak }) {
    document.body.dataset.first = !history.items().length;
    history.onHistory(() => history.items().length && this.#end());
    $("welcome-play").addEventListener("click", () => onSpeak(t("example.warm")));
    onLanguage(() => this.#draw());
    this.#draw();
  }

  #draw() {
    $("welcome-text").textContent = t("example.warm");
  }

  /** There is something else to do: a text was written, or a speech generated. */
  update({ hasText, hasSpeech }) {
    if (hasSpeech) this.#end();
    $("welcome").hidden = hasText || document.body.dataset.first !== "true";
    $("player-empty").hidden = !$("welcome").hidden;
  }

  #end() {
    document.body.dataset.first = false;
    $("welcome").hidden = true;
    $("player-empty").hidden = false;
  }
}

// The parts in which a speech was generated, what the checks found in each, and "say this again": one part is spoken with other noise, the others stay.

import { $, clock, el, icon } from "./dom.js";
import { langOf, languageName, onLanguage, t } from "./i18n.js";
import { foundLanguages } from "./words.js";

const MOST = 400; // rows; a longer speech has its parts elsewhere, too

export class Parts {
  #speech = null;

  /** `onPlay(seconds)` plays from there; `onAgain(order, reference)` generates the order. */
  constructor({ onPlay, onAgain }) {
    Object.assign(this, { onPlay, onAgain });
    $("parts").addEventListener("toggle", () => this.#draw());
    onLanguage(() => this.show(this.#speech));
  }

  /** null for none; a speech of one part is generated again as a whole, and one that was stopped early has no whole. */
  show(speech) {
    const n = speech?.chunks.length ?? 0;
    this.#speech = n > 1 && n <= MOST && !speech.partial ? speech : null;
    $("parts").hidden = !this.#speech;
    $("part-list").replaceChildren();
    if (!this.#speech) return;
    const doubtful = speech.chunks.filter(({ reasons }) => reasons).length;
    $("parts-title").textContent = t("parts.title", { n });
    $("parts-doubtful").hidden = !doubtful;
    $("parts-doubtful").textContent = t("parts.doubtful", { n: doubtful });
    this.#draw();
  }

  #draw() {
    if (!this.#speech || !$("parts").open || $("part-list").children.length) return;
    $("part-list").replaceChildren(...this.#speech.chunks.map((chunk, i) => this.#row(chunk, i)));
  }

  #row(chunk, i) {
    const n = i + 1;
    const play = el("button", { type: "button", class: "icon-button small", "aria-label": t("parts.play", { n }) }, icon("play"));
    play.addEventListener("click", () => this.onPlay(chunk.start_s));
    const again = el("button", { type: "button", class: "quiet", "aria-label": t("parts.again_n", { n }) }, icon("undo"), el("span", {}, t("parts.again")));
    again.addEventListener("click", () => this.onAgain(respoken(this.#speech.order, this.#speech.chunks, i), this.#speech.reference));
    const doubts = chunk.reasons ? el("p", { class: "note warn" }, icon("alert"), el("span", {}, chunk.reasons.map((reason) => t(`reason.${reason}`)).join(", "))) : null;
    return el("li", {}, play, el("div", { class: "part-words" }, el("p", { lang: chunk.language ?? langOf(this.#speech.order.language), dir: "auto" }, chunk.text), doubts), el("span", { class: "part-time" }, foundLanguages(this.#speech).length > 1 ? `${languageName(chunk.language)} · ` : null, clock(chunk.start_s)), again);
  }
}

/** The order with other noise for one more chunk. */
function respoken(order, chunks, i) {
  const { turn, index = i - chunks.findIndex((other) => other.turn === turn) } = chunks[i]; // none from an older page
  return { ...order, respeak: [...(order.respeak ?? []), { turn, index }] };
}

// Reading along: the words of the speech in the player. The one that is spoken is lit; a click on one plays from there.
//
// To a screen reader and the keyboard it is one list box: the arrow keys move a cursor through the words, Enter plays.

import { $, el } from "./dom.js";
import { langOf, onLanguage, t } from "./i18n.js";
import { nameOf } from "./voices.js";
import { placeIn, timedWords, wordAt } from "./words.js";

const LINGER_S = 0.35; // a word stays lit in the short silence after it
const FREE_MS = 4_000; // after the reader has scrolled, the box does not follow for so long

export class ReadAlong {
  #box = $("words");
  #order = null;
  #words = [];
  #nodes = [];
  #place = { turn: undefined, end: 0 }; // in the text that was written
  #lit = -1;
  #cursor = -1;
  #free_until = 0;

  /** `onPlay(seconds)` is called for a word that was chosen. */
  constructor({ onPlay }) {
    this.onPlay = onPlay;
    this.#box.addEventListener("click", ({ target }) => {
      const index = this.#nodes.indexOf(target.closest(".word"));
      if (index >= 0) this.#play(index);
    });
    this.#box.addEventListener("keydown", (event) => this.#onKey(event));
    this.#box.addEventListener("focus", () => this.#cursor < 0 && this.#moveTo(Math.max(0, this.#lit)));
    for (const type of ["wheel", "touchmove"]) this.#box.addEventListener(type, () => (this.#free_until = performance.now() + FREE_MS), { passive: true });
    onLanguage(() => this.#order?.mode === "dialogue" && this.#draw(this.#order, this.#words));
  }

  /** Shows the words of a finished speech; null for none. */
  show(speech) {
    const words = speech ? timedWords(speech) : [];
    const isShown = speech?.order === this.#order && words.length === this.#words.length && words.every(({ text }, i) => text === this.#words[i].text);
    if (!isShown) this.#draw(speech?.order ?? null, words);
  }

  /** Adds words of the order that is being spoken. */
  add(order, words) {
    if (order !== this.#order) this.#draw(order, []);
    for (const word of words) this.#append(word);
    $("along").hidden = false;
  }

  /** Lights the word that is spoken at `at_s`. */
  follow(at_s) {
    const index = wordAt(this.#words, at_s);
    const lit = index >= 0 && at_s < this.#words[index].end_s + LINGER_S ? index : -1;
    if (lit === this.#lit) return;
    this.#mark(this.#lit, false);
    this.#mark(lit, true);
    this.#lit = lit;
    if (lit >= 0 && performance.now() > this.#free_until) this.#scrollTo(this.#nodes[lit]);
  }

  #mark(index, isLit) {
    const node = this.#nodes[index];
    if (!node) return;
    node.classList.toggle("lit", isLit);
    node.setAttribute("aria-selected", isLit);
  }

  #draw(order, words) {
    this.#order = order;
    this.#words = [];
    this.#nodes = [];
    this.#place = { turn: undefined, end: 0 };
    this.#lit = this.#cursor = -1;
    this.#box.replaceChildren();
    this.#box.removeAttribute("aria-activedescendant");
    this.#box.lang = langOf(order?.language);
    for (const word of words) this.#append(word);
    $("along").hidden = !words.length;
  }

  #append(word) {
    const order = this.#order;
    const isDialogue = order.mode === "dialogue";
    if (isDialogue && word.turn !== this.#place.turn) this.#beginTurn(word.turn);
    const text = isDialogue ? (order.turns[word.turn]?.text ?? "") : order.text;
    const { before, end } = placeIn(text, word.text, this.#place.end, isDialogue || order.format !== "markdown");
    this.#place.end = end;
    const node = el("span", { class: word.text.includes(" ") ? "word line" : "word", id: `word-${this.#nodes.length}`, role: "option", "aria-selected": "false" }, word.text);
    (isDialogue ? this.#box.lastElementChild.lastElementChild : this.#box).append(before, node);
    this.#words.push(word);
    this.#nodes.push(node);
  }

  #beginTurn(turn) {
    const who = nameOf(this.#order.turns[turn]?.voice ?? "default");
    this.#place = { turn, end: 0 };
    this.#box.append(el("div", { role: "group", "aria-label": t("along.turn", { n: turn + 1, who }), class: "along-turn" },
      el("span", { class: "along-who", "aria-hidden": "true" }, who), el("span", { role: "presentation" })));
  }

  #play(index) {
    this.#moveTo(index);
    this.onPlay(this.#words[index].start_s);
  }

  #onKey(event) {
    const target = this.#target(event.key);
    const plays = event.key === "Enter" || event.key === " ";
    if (event.ctrlKey || event.metaKey || event.altKey || (target === null && !plays)) return;
    event.preventDefault();
    if (plays) this.#play(Math.max(0, this.#cursor));
    else this.#moveTo(Math.min(Math.max(0, target), this.#nodes.length - 1));
  }

  #target(key) {
    const forward = getComputedStyle(this.#box).direction === "rtl" ? -1 : 1;
    const moves = {
      ArrowRight: () => this.#cursor + forward, ArrowLeft: () => this.#cursor - forward,
      ArrowDown: () => this.#inLine(1), ArrowUp: () => this.#inLine(-1),
      Home: () => 0, End: () => this.#nodes.length - 1,
    };
    return moves[key]?.() ?? null;
  }

  /** The word under or above the cursor. */
  #inLine(step) {
    const here = this.#nodes[Math.max(0, this.#cursor)];
    const line = (node) => Math.round(node.offsetTop);
    let index = this.#cursor;
    while (this.#nodes[index] && line(this.#nodes[index]) === line(here)) index += step;
    if (!this.#nodes[index]) return index;
    const next = line(this.#nodes[index]);
    let nearest = index;
    for (; this.#nodes[index] && line(this.#nodes[index]) === next; index += step) {
      const distance = (node) => Math.abs(node.offsetLeft - here.offsetLeft);
      if (distance(this.#nodes[index]) < distance(this.#nodes[nearest])) nearest = index;
    }
    return nearest;
  }

  #moveTo(index) {
    this.#nodes[this.#cursor]?.classList.remove("cursor");
    this.#cursor = index;
    const node = this.#nodes[index];
    if (!node) return;
    node.classList.add("cursor");
    this.#box.setAttribute("aria-activedescendant", node.id);
    this.#scrollTo(node);
  }

  /** Scrolls the box, and not the page, if the word is not in sight. */
  #scrollTo(node) {
    const box = this.#box.getBoundingClientRect();
    const { top, bottom, height } = node.getBoundingClientRect();
    if (top >= box.top && bottom + height <= box.bottom) return;
    this.#box.scrollTop += top - box.top - box.height / 3;
  }
}

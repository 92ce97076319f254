// Several turns, each with a voice, a text and the pause after it.

import { $, el, icon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { DEFAULT_PAUSE_S, isTurn, LONGEST_PAUSE_S } from "./order.js";
import { recall, remember } from "./store.js";
import { nameOf } from "./voices.js";

const MOST_TURNS = 200; // cards; the server takes more
const MANY_VOICES = 40; // from here on a turn's list is filled when it is reached: hundreds of lists of hundreds take seconds

export class Dialogue {
  #turns = storedTurns();
  #voices;
  #offered = "";

  constructor({ voices, onChange }) {
    this.#voices = voices;
    this.onChange = onChange;
    $("turn-add").addEventListener("click", () => this.#add());
    onLanguage(() => this.draw());
  }

  get turns() {
    return this.#turns.map(({ voice, text, pause_s }) => ({ voice, text: text.trim(), pause_s }));
  }

  restore(turns) {
    this.#turns = turns.map((one) => ({ ...one }));
    this.#save();
    this.draw();
  }

  /** Index of the first turn whose voice cannot be had, or -1. */
  get firstWithoutVoice() {
    const { choices } = this.#voices;
    return this.#turns.findIndex(({ voice }) => isGone(voice, choices));
  }

  /** Draws again if there are other voices than before. */
  update() {
    if (JSON.stringify(this.#voices.choices) === this.#offered) return;
    const { id } = document.activeElement;
    this.draw();
    if (id.startsWith("turn-")) $(id)?.focus();
  }

  draw() {
    const { choices } = this.#voices;
    this.#offered = JSON.stringify(choices);
    $("turns").replaceChildren(...this.#turns.map((one, index) => this.#card(one, index, choices)));
    $("turn-add").disabled = this.#turns.length >= MOST_TURNS;
  }

  #add() {
    const last = this.#turns[this.#turns.length - 2] ?? this.#turns[this.#turns.length - 1];
    this.#turns.push({ ...turn(), voice: last?.voice ?? "default" }); // speakers take turns
    this.#save();
    const { choices } = this.#voices;
    const [before, added] = [this.#turns.length - 2, this.#turns.length - 1];
    $(`turn-${before}`).replaceWith(this.#card(this.#turns[before], before, choices)); // it has a pause now
    $("turns").append(this.#card(this.#turns[added], added, choices));
    $("turn-add").disabled = this.#turns.length >= MOST_TURNS;
    $(`turn-${this.#turns.length - 1}-text`).focus();
  }

  #card(one, index, choices) {
    const n = index + 1;
    const id = `turn-${index}`;
    const change = (name, read) => (event) => {
      one[name] = read(event.target);
      this.#save();
    };
    const isMissing = this.#voices.isKnown && isGone(one.voice, choices);
    const name = nameOf(one.voice);
    const other = isGone(one.voice, choices) ? [{ id: one.voice, name: isMissing ? t("dialogue.voice_gone", { name }) : name }] : [];
    const voice = el("select", { id: `${id}-voice`, "aria-invalid": isMissing ? "true" : null, "aria-label": t("dialogue.voice", { n }), on: { change: (event) => {
      change("voice", (at) => at.value)(event);
      if (isMissing) this.draw();
    } } });
    const offer = (offered) => voice.replaceChildren(...offered.map((choice) => el("option", { value: choice.id, selected: choice.id === one.voice }, choice.name)));
    const all = [...other, ...choices];
    offer(all.length < MANY_VOICES ? all : all.filter(({ id: offered }) => offered === one.voice));
    if (all.length >= MANY_VOICES) for (const type of ["pointerdown", "focus"]) voice.addEventListener(type, () => voice.options.length < all.length && offer(all));
    const text = el("textarea", { id: `${id}-text`, rows: 2, value: one.text, lang: $("text").lang, placeholder: t("dialogue.placeholder"), "aria-label": t("dialogue.text", { n }),
      on: { input: change("text", (at) => at.value) } });
    const pause = el("input", { type: "number", min: 0, max: LONGEST_PAUSE_S, step: 0.1, value: one.pause_s, "aria-label": t("dialogue.pause", { n }),
      on: { change: change("pause_s", (at) => (at.value !== "" && at.checkValidity() ? Number(at.value) : DEFAULT_PAUSE_S)) } });
    const move = (by, name, symbol) => {
      const button = el("button", { type: "button", class: "icon-button small", disabled: !this.#turns[index + by], "aria-label": t(name, { n }) }, icon(symbol));
      button.addEventListener("click", () => this.#move(index, by));
      return button;
    };
    const remove = el("button", { type: "button", class: "icon-button small", disabled: this.#turns.length < 2, "aria-label": t("dialogue.remove", { n }) }, icon("trash"));
    remove.addEventListener("click", () => this.#remove(index));
    return el("li", { class: "turn", id },
      el("div", { class: "turn-head" }, el("span", { class: "turn-number", "aria-hidden": "true" }, String(n)), voice,
        el("span", { class: "spacer" }), move(-1, "dialogue.up", "up"), move(1, "dialogue.down", "down"), remove),
      text,
      index < this.#turns.length - 1 ? el("div", { class: "turn-pause" }, icon("pause"), el("span", { "aria-hidden": "true" }, t("dialogue.pause_short")), pause, el("span", { "aria-hidden": "true" }, "s")) : null);
  }

  #move(index, by) {
    const [one] = this.#turns.splice(index, 1);
    this.#turns.splice(index + by, 0, one);
    this.#save();
    this.draw();
    $(`turn-${index + by}-text`).focus();
  }

  #remove(index) {
    this.#turns.splice(index, 1);
    this.#save();
    this.draw();
    $(`turn-${Math.max(0, index - 1)}-text`).focus();
  }

  #save() {
    remember("turns", this.#turns);
    this.onChange();
  }
}

/** There are no choices before the server has answered. */
const isGone = (voice, choices) => choices.length > 0 && !choices.some(({ id }) => id === voice);

function storedTurns() {
  const turns = recall("turns", []).filter(isTurn);
  return turns.length ? turns : [turn(), turn()];
}

function turn() {
  return { voice: "default", text: "", pause_s: DEFAULT_PAUSE_S };
}

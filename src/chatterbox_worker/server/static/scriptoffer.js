// The offer to make turns of a text that looks like a script, with a voice for each of its names.

import { $, announce, askToConfirm, el, toast } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { DEFAULT_PAUSE_S } from "./order.js";
import { parseScript, plainName } from "./script.js";

export class ScriptOffer {
  #turns = null;
  #refused = ""; // the text for which there is to be no offer
  #pasted = null; // {index, text} of the turn into which a script was pasted
  #shown = "";

  constructor({ composer, voices }) {
    Object.assign(this, { composer, voices });
    $("script-yes").addEventListener("click", () => this.#accept());
    $("script-no").addEventListener("click", () => this.#refuse());
    $("turns").addEventListener("input", ({ target, inputType }) => {
      if (inputType === "insertFromPaste" && target.matches("textarea")) this.#pasted = { index: Number(target.id.split("-")[1]), text: target.value };
      else this.#pasted = null;
      this.update();
    });
    onLanguage(() => this.#turns && this.#draw());
  }

  /** Looks at the text again. */
  update() {
    const { mode, dialogue } = this.composer;
    const at = this.#pasted && dialogue.turns[this.#pasted.index];
    if (mode === "text" || at?.text !== this.#pasted?.text.trim()) this.#pasted = null; // the turn is elsewhere, or gone
    const text = mode === "text" ? this.composer.text : (this.#pasted?.text ?? "");
    const ids = this.#idsByName();
    this.#turns = text && text !== this.#refused ? parseScript(text, (name) => ids.has(plainName(name))) : null;
    $("script-offer").hidden = !this.#turns;
    if (this.#turns) this.#draw();
    else this.#shown = "";
  }

  #idsByName() {
    return new Map(this.voices.choices.map(({ id, name }) => [plainName(name), id]).reverse());
  }

  /** Each name once, as it is first written. */
  get #names() {
    return [...new Map(this.#turns.map(({ name }) => [plainName(name), name]).reverse()).values()].reverse();
  }

  /** An id for each name: the voice that is called so, or else one that no other name has, as long as there are any. */
  #voicesFor(names) {
    const ids = this.#idsByName();
    const called = names.map((name) => ids.get(plainName(name)));
    const all = this.voices.choices.map(({ id }) => id);
    const free = all.filter((id) => !called.includes(id));
    const strangers = names.filter((name, i) => !called[i]);
    const offered = free.length ? free : all;
    return names.map((name, i) => called[i] ?? offered[strangers.indexOf(name) % offered.length]);
  }

  #draw() {
    const names = this.#names;
    const { choices } = this.voices;
    const title = t("script.title", { turns: this.#turns.length, names: names.length });
    $("script-title").textContent = title;
    $("script-yes").textContent = t("script.yes", { turns: this.#turns.length });
    const shown = JSON.stringify([names, choices]);
    if (shown === this.#shown) return; // keeps what was chosen while the text is written
    if (!this.#shown) announce(title);
    this.#shown = shown;
    const voices = this.#voicesFor(names);
    $("script-names").replaceChildren(...names.map((name, i) => {
      const voice = voices[i];
      return el("li", {}, el("label", { for: `script-voice-${i}` }, name),
        el("select", { id: `script-voice-${i}`, class: "field" }, ...choices.map(({ id, name: words }) => el("option", { value: id, selected: id === voice }, words))));
    }));
  }

  async #accept() {
    const { dialogue } = this.composer;
    const voices = new Map(this.#names.map((name, i) => [plainName(name), $(`script-voice-${i}`).value]));
    const made = this.#turns.map(({ name, text }) => ({ voice: voices.get(plainName(name)), text, pause_s: DEFAULT_PAUSE_S }));
    const old = dialogue.turns;
    const index = this.#pasted?.index;
    const turns = index === undefined ? made : [...old.slice(0, index), ...made, ...old.slice(index + 1)].filter(({ text }) => text);
    const isLost = index === undefined && old.some(({ text }) => text);
    if (isLost && !(await askToConfirm(t("script.replace"), t("composer.replace.yes")))) return;
    this.#refused = this.composer.text;
    this.#pasted = null;
    this.composer.restore({ mode: "dialogue", turns });
    toast(t("script.done", { turns: made.length }));
    $("turn-0-text").focus();
  }

  #refuse() {
    this.#refused = this.#pasted?.text ?? this.composer.text;
    this.update();
    (this.composer.mode === "text" ? $("text") : $(`turn-${this.#pasted?.index ?? 0}-text`)).focus();
  }
}

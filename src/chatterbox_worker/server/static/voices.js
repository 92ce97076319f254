// The list of voices: the model's own, those of the library, and a recording that is used once.

import * as api from "./api.js";
import { $, askToConfirm, el, icon, setIcon, toast } from "./dom.js";
import { languageName, onLanguage, t } from "./i18n.js";
import { ONCE } from "./order.js";
import { SAMPLES } from "./samples.js";
import { recall, remember } from "./store.js";

const SAMPLE_SEED = 1; // so that the server's cache has it the second time
const FILTER_FROM = 7; // voices; fewer need no filter
const names = new Map(); // of the library's voices, by id

export class Voices {
  #list = [{ id: "default", built_in: true }]; // the model's own is there without the server's disk
  #ids = new Set();
  #rows = []; // {id, name, node, radio}: as `#draw` made them
  #chosen = recall("voice", "default");
  #model = null;
  #once = null; // {name, blob, words}
  #filter = "";
  #audio = new Audio();
  #playing = null; // {id, button}

  /** `onListen` is called before a voice is played. */
  constructor({ onChange, onError, onListen, settings }) {
    Object.assign(this, { onChange, onError, onListen, settings });
    this.#audio.addEventListener("ended", () => this.stop());
    $("voice-filter").addEventListener("input", (event) => {
      this.#filter = event.target.value;
      this.#showMatching();
    });
    onLanguage(() => this.#model && this.#draw());
  }

  get chosen() {
    return this.#usable(this.#chosen) ? this.#chosen : "default";
  }

  /** Whether the server has listed them, and what its model can use of them. */
  get isKnown() {
    return this.#model !== null;
  }

  /** That of the chosen voice's recording; null if it is not known. */
  get language() {
    return this.#list.find(({ id }) => id === this.chosen)?.language ?? null;
  }

  /** Ids and names for other pickers. */
  get choices() {
    const own = this.#list.filter(({ id }) => this.#usable(id)).map(({ id }) => ({ id, name: nameOf(id) }));
    return this.#once && this.#model.speaks_references ? [{ id: ONCE, name: t("voice.once") }, ...own] : own;
  }

  get ids() {
    return this.#list.map(({ id }) => id);
  }

  /** Those that are saved on the server, and not the model's. */
  get own() {
    return this.#list.filter(({ built_in: builtIn }) => !builtIn).map(({ id }) => id);
  }

  get reference() {
    return this.#once?.blob ?? null;
  }

  get referenceName() {
    return this.#once?.name ?? null;
  }

  get referenceWords() {
    return this.#once?.words ?? null;
  }

  async load() {
    this.#list = await api.voices();
    this.#ids = new Set(this.ids);
    for (const { id, name } of this.#list) names.set(id, name);
    if (this.#model) this.#draw();
  }

  setModel(model) {
    if (model === this.#model) return;
    this.#model = model;
    this.#draw();
  }

  choose(id) {
    this.#chosen = id;
    if (id !== ONCE) remember("voice", id);
    if (this.#rows.some((row) => row.id === id)) this.#mark();
    else this.#draw();
    this.onChange();
  }

  useOnce(blob, name, words) {
    this.#once = { blob, name, words };
    this.#draw();
    this.choose(ONCE);
  }

  #usable(id) {
    if (id === "default") return true;
    if (!this.#model?.speaks_references) return false;
    return id === ONCE ? this.#once !== null : this.#ids.has(id);
  }

  #draw() {
    const rows = [...(this.#once ? [{ id: ONCE }] : []), ...this.#list];
    const focused = document.activeElement?.name === "voice";
    this.#rows = rows.map((voice) => this.#row(voice));
    $("voices").replaceChildren(...this.#rows.map(({ node }) => node));
    if (focused) $("voices").querySelector("input:checked")?.focus();
    $("voice-filter").hidden = rows.length < FILTER_FROM;
    this.#showMatching();
    this.#mark();
    const hasOwnVoiceOnly = !this.#model.speaks_references;
    $("voice-refusal").hidden = !hasOwnVoiceOnly;
    $("voices-empty").hidden = hasOwnVoiceOnly || rows.length > 1;
  }

  /** Shows the voices whose names have all words of the filter, and the chosen one. */
  #showMatching() {
    const words = plain($("voice-filter").hidden ? "" : this.#filter).split(/\s+/);
    let count = 0;
    for (const { id, name, node } of this.#rows) {
      const matches = words.every((word) => name.includes(word));
      count += matches;
      node.hidden = !matches && id !== this.chosen;
    }
    $("voices-none").hidden = count > 0;
  }

  #mark() {
    const { chosen } = this;
    for (const { id, radio } of this.#rows) radio.checked = id === chosen;
    const { node } = this.#rows.find(({ id }) => id === chosen) ?? {};
    if (node) $("voices").scrollTop = node.offsetTop - $("voices").clientHeight / 3; // the box, and not the page
  }

  #row({ id, built_in: builtIn, language }) {
    const usable = this.#usable(id);
    const name = nameOf(id);
    const radio = el("input", { type: "radio", name: "voice", value: id, checked: id === this.chosen, disabled: !usable });
    radio.addEventListener("change", () => this.choose(id));
    const about = id === ONCE ? this.#once.name : builtIn ? t("voice.built_in") : language ? languageName(language) : null;
    const label = el("label", { class: "voice" },
      radio,
      el("span", { class: "avatar", "aria-hidden": "true", data: { tone: toneOf(id) } }, initials(name)),
      el("span", { class: "voice-words" }, el("span", { class: "voice-name" }, name), about ? el("span", { class: "voice-about" }, about) : null));
    const play = el("button", { type: "button", class: "icon-button", "aria-label": t("voice.listen", { name }) }, icon("play"));
    play.addEventListener("click", () => this.#play(id, play));
    const row = el("div", { class: "voice-row" }, label, play);
    if (id === ONCE || !builtIn) {
      const remove = el("button", { type: "button", class: "icon-button remove", "aria-label": t("voice.delete", { name }) }, icon("trash"));
      remove.addEventListener("click", () => this.#remove(id, name));
      play.before(remove); // the play buttons stay in one column
    }
    return { id, name: plain(name), node: row, radio };
  }

  async #play(id, button) {
    if (this.#playing?.id === id) {
      this.stop();
      return;
    }
    this.stop();
    this.onListen();
    this.#playing = { id, button };
    button.classList.add("busy");
    try {
      const blob = id === ONCE ? this.#once.blob : id === "default" ? await this.#sample() : await api.voiceAudio(id);
      if (this.#playing?.button !== button) return;
      this.#audio.src = URL.createObjectURL(blob);
      await this.#audio.play();
      setIcon(button, "stop");
    } catch (error) {
      if (this.#playing?.button !== button) return; // stopped while it was loaded
      this.stop();
      this.onError(error instanceof api.ApiError ? error : new api.ApiError("file_unreadable"));
    } finally {
      button.classList.remove("busy");
    }
  }

  /** The model's own voice has no recording, so it speaks a sample sentence. */
  #sample() {
    const { model, language } = this.settings.order();
    const text = SAMPLES[language.slice(0, 2)] ?? SAMPLES.en;
    return api.speak({ input: text, model, language, seed: SAMPLE_SEED, response_format: "wav" });
  }

  stop() {
    this.#audio.pause();
    if (this.#audio.src.startsWith("blob:")) URL.revokeObjectURL(this.#audio.src);
    if (this.#playing) setIcon(this.#playing.button, "play");
    this.#playing = null;
  }

  async #remove(id, name) {
    if (id === ONCE) {
      this.#once = null;
      this.choose("default");
      return;
    }
    if (!(await askToConfirm(t("voice.delete.sure", { name }), t("voice.delete.yes")))) return;
    try {
      await api.deleteVoice(id);
      if (this.#chosen === id) this.#chosen = "default";
      await this.load();
      this.onChange();
      toast(t("voice.deleted", { name }));
      $("voices").querySelector("input:checked")?.focus();
    } catch (error) {
      this.onError(error);
    }
  }
}

export function nameOf(id) {
  if (id === "default") return t("voice.default");
  if (id === ONCE) return t("voice.once");
  return names.get(id) ?? id;
}

const plain = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[._-]+/g, " ").trim();

const initials = (name) => [...name.replace(/[._-]+/g, " ").trim().split(/\s+/)].slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();

/** One of six muted colours, always the same for a name. */
const toneOf = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % 6;


// Words and how they are said: a list for every text, of which a request gets the words that its text has.

import { $, el, icon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { isObject, isPronunciations } from "./order.js";
import { isNewer, onStored, recall, remember } from "./store.js";
import { offerUndo } from "./undo.js";

const VERSION = 1; // earlier pages begin with an empty list without it; the version of all that is stored is in store.js
const MOST = 1000; // what the server takes
const LONGEST_WORD = 100;
const LONGEST_SPOKEN = 300;

export class Pronunciations {
  #rows = []; // {word, spoken}
  #unread = {}; // entries of a newer page, which stay as they are
  #within = { text: null, entries: {} }; // the latest answer of `within`
  #selected = "";
  #audio = new Audio();
  #asked = null; // the latest call of `#hear`

  /** `speak(word, spoken)` resolves to the sound as a blob; `onListen` is called before it plays; `describe(error)` is an error in words. */
  constructor({ speak, onChange, onListen, describe }) {
    Object.assign(this, { speak, onChange, onListen, describe });
    this.#load();
    onStored("pronunciations", () => {
      this.#load();
      this.#draw();
      this.onChange();
    });
    $("pron-open").addEventListener("click", () => this.#setOpen($("pron-box").hidden));
    $("pron-add").addEventListener("click", () => this.#edit(""));
    $("pron-say").addEventListener("click", () => this.#edit(this.#selected));
    document.addEventListener("selectionchange", () => this.#look());
    $("composer").addEventListener("select", () => this.#look()); // of a text box, in browsers where the document gets no event
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** {word: spoken}: all that is complete. */
  get entries() {
    return Object.fromEntries(this.#complete.map(({ word, spoken }) => [word.trim(), spoken.trim()]));
  }

  /** The entries that the text can have; the server decides whether a word is found as a whole. */
  within(text) {
    if (text === this.#within.text) return this.#within.entries;
    const rows = this.#complete;
    const all = rows.length === 0 || /&#?\w+;/.test(text); // entities become characters on the server
    const letters = all ? "" : lettersOf(text);
    const found = all ? rows : rows.filter(({ word }) => letters.includes(lettersOf(word)));
    this.#within = { text, entries: Object.fromEntries(found.map(({ word, spoken }) => [word.trim(), spoken.trim()])) };
    return this.#within.entries;
  }

  /** Says how many words of the text are said otherwise. */
  count(text) {
    const n = Object.keys(this.within(text)).length;
    $("pron-used").hidden = n === 0;
    $("pron-used").textContent = t("pron.used", { n });
  }

  /** Adds entries, and replaces those of the same words: how many have changed. */
  merge(entries) {
    const before = this.entries;
    const changed = Object.entries(entries).filter(([word, spoken]) => spoken.trim() && before[word] !== spoken);
    if (changed.length) this.replace({ ...before, ...Object.fromEntries(changed) });
    return changed.length;
  }

  replace(entries) {
    this.#rows = rowsOf(entries);
    this.#save();
    this.#draw();
  }

  /** Takes what is in a settings file. */
  adopt(stored) {
    if (isPronunciations(stored.entries)) this.merge(stored.entries);
    this.#save();
  }

  /** Shows a refusal at the row that it is about, and returns whether there is one. */
  mark(message) {
    const isLong = ({ word, spoken }) => word.trim().length > LONGEST_WORD || spoken.trim().length > LONGEST_SPOKEN;
    const named = this.#rows.filter(({ word }) => word && (message.includes(`'${word}'`) || message.includes(`"${word}"`)));
    const row = this.#rows.find(isLong) ?? named.sort((a, b) => b.word.length - a.word.length)[0];
    if (!row) return false;
    this.#setOpen(true);
    this.#note(row, isLong(row) ? t("pron.long") : t("error.invalid_request.pronunciations"));
    row.input.focus();
    return true;
  }

  get #complete() {
    const seen = new Set();
    return this.#rows.filter(({ word, spoken }) => word.trim() && spoken.trim() && !seen.has(word.trim()) && seen.add(word.trim()));
  }

  #load() {
    const { entries } = recall("pronunciations", {});
    const all = Object.entries(isObject(entries) ? entries : {});
    const isRead = ([, spoken]) => typeof spoken === "string";
    this.#rows = rowsOf(Object.fromEntries(all.filter(isRead)));
    this.#unread = isNewer() ? Object.fromEntries(all.filter((entry) => !isRead(entry))) : {};
    this.#within.text = null;
  }

  #save() {
    this.#within.text = null;
    remember("pronunciations", { version: VERSION, entries: { ...this.#unread, ...this.entries } });
    this.onChange();
  }

  #setOpen(isOpen) {
    $("pron-box").hidden = !isOpen;
    $("pron-open").setAttribute("aria-expanded", isOpen);
  }

  /** Goes to the row of the word; a new one if there is none. */
  #edit(word) {
    this.#setOpen(true);
    $("pron-say").hidden = true;
    let row = this.#rows.find((one) => one.word.trim() === word);
    if (!row) {
      row = { word, spoken: "" };
      this.#rows.push(row);
      this.#draw();
    }
    row.input.scrollIntoView({ block: "nearest" });
    (word ? row.input : row.wordInput).focus();
  }

  /** Offers to say the word that is selected in a text otherwise. */
  #look() {
    const box = document.activeElement;
    if (!box?.matches("#text, #turns textarea")) return; // the button keeps its word while it has the focus
    const selected = box.value.slice(box.selectionStart, box.selectionEnd).trim();
    this.#selected = selected.length <= LONGEST_WORD && !selected.includes("\n") && /[\p{L}\p{N}]/u.test(selected) ? selected : "";
    $("pron-say").hidden = !this.#selected;
    if (this.#selected) $("pron-say-text").textContent = t("pron.say", { word: this.#selected });
  }

  #draw() {
    $("pron-list").replaceChildren(...this.#rows.map((row, i) => this.#item(row, i)));
    $("pron-list").hidden = !this.#rows.length;
    const n = Object.keys(this.#unread).length;
    $("pron-unread").hidden = n === 0;
    $("pron-unread").textContent = t("pron.unread", { n });
    $("pron-add").disabled = this.#rows.length >= MOST;
  }

  #item(row, i) {
    const n = i + 1;
    const field = (name, label, maxLength) => el("input", {
      class: "field", value: row[name], maxLength, placeholder: t(`pron.${name}`), "aria-label": label, autocomplete: "off", spellcheck: false, dir: "auto", lang: $("text").lang,
      on: { input: ({ target }) => {
        row[name] = target.value;
        this.#note(row, this.#isTwice(row) ? t("pron.twice") : "");
        this.#save();
      } },
    });
    row.wordInput = field("word", t("pron.word_n", { n }), LONGEST_WORD);
    row.input = field("spoken", t("pron.spoken_n", { n }), LONGEST_SPOKEN);
    row.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) this.#hear(row);
    });
    row.hear = el("button", { type: "button", class: "icon-button small", title: t("pron.hear"), "aria-label": t("pron.hear_n", { n }) }, icon("play"));
    row.hear.addEventListener("click", () => this.#hear(row));
    const remove = el("button", { type: "button", class: "icon-button small", "aria-label": t("pron.remove_n", { n }) }, icon("trash"));
    remove.addEventListener("click", () => this.#remove(row));
    row.note = el("p", { class: "note bad", role: "alert", id: `pron-note-${i}`, hidden: true });
    return el("li", {}, row.wordInput, el("span", { class: "pron-arrow", "aria-hidden": "true" }, "→"), row.input, el("span", { class: "pron-actions" }, row.hear, remove), row.note);
  }

  #isTwice(row) {
    return row.word.trim() !== "" && this.#rows.some((one) => one !== row && one.word.trim() === row.word.trim());
  }

  #note(row, words) {
    row.note.textContent = words;
    row.note.hidden = !words;
    for (const input of [row.wordInput, row.input]) {
      if (words) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (words) input.setAttribute("aria-errormessage", row.note.id);
    }
  }

  async #hear(row) {
    const [word, spoken] = [row.word.trim(), row.spoken.trim()];
    if (!word) {
      row.wordInput.focus();
      return;
    }
    const asked = (this.#asked = {});
    this.onListen();
    this.#audio.pause();
    this.#note(row, "");
    row.hear.classList.add("busy");
    try {
      const blob = await this.speak(word, spoken || word);
      if (this.#asked !== asked) return; // another one was asked for meanwhile
      URL.revokeObjectURL(this.#audio.src);
      this.#audio.src = URL.createObjectURL(blob);
      await this.#audio.play();
    } catch (error) {
      if (this.#asked === asked && error.name !== "AbortError") this.#note(row, this.describe(error));
    } finally {
      row.hear.classList.remove("busy");
    }
  }

  #remove(row) {
    const at = this.#rows.indexOf(row);
    this.#rows.splice(at, 1);
    this.#save();
    this.#draw();
    (this.#rows[Math.min(at, this.#rows.length - 1)]?.wordInput ?? $("pron-add")).focus();
    if (!row.word.trim()) return;
    offerUndo(t("pron.removed", { word: row.word.trim() }), () => {
      this.#rows.splice(at, 0, row);
      this.#save();
      this.#draw();
    });
  }
}

const rowsOf = (entries) => Object.entries(entries).map(([word, spoken]) => ({ word, spoken })).slice(0, MOST);

/** Letters and digits alone, without accents and capitals: a word may be written in many ways, with markup inside. */
const lettersOf = (text) => text.normalize("NFKD").toUpperCase().toLowerCase().replaceAll("ς", "σ").replace(/[^\p{L}\p{N}]/gu, "");

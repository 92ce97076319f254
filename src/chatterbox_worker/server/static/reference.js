// The dialog for a new voice: choose a file or record one, get advice about it, then save it or use it once.

import { advise } from "./advice.js";
import * as api from "./api.js";
import { $, announce, el, icon, toast } from "./dom.js";
import { languageName, number, onLanguage, t } from "./i18n.js";
import { SoundInput } from "./soundinput.js";

export class Reference {
  #input;
  #file = null; // {blob, name, advice}
  #url = null;

  /** `languages`: the codes of those that a voice may have. */
  constructor({ voices, model, languages, onError }) {
    Object.assign(this, { voices, model, languages, onError });
    this.dialog = $("reference");
    $("reference-open").addEventListener("click", () => this.open());
    this.#input = new SoundInput(this.dialog, {
      onBegin: () => this.#clear(),
      onSound: (blob, name, sound) => this.#show(blob, name, sound),
      onRefuse: (words) => this.#refuse(words),
    });
    $("reference-again").addEventListener("click", () => this.#clear());
    $("reference-once").addEventListener("click", () => this.#useOnce());
    $("reference-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.dialog.addEventListener("close", () => this.#clear());
    onLanguage(() => {
      if (!this.#file) return;
      this.#showAdvice();
      this.#drawLanguages($("reference-language").value);
    });
  }

  open() {
    this.#clear();
    this.dialog.showModal();
  }

  #show(blob, name, sound) {
    const min_s = this.model().reference_min_s;
    const advice = sound
      ? advise(sound.samples, sound.rate, { min_s })
      : { duration_s: null, notes: [{ grade: "warn", key: "advice.unreadable", values: {} }] };
    this.#file = { blob, name, advice };
    this.#url = URL.createObjectURL(blob);
    $("reference-audio").src = this.#url;
    $("reference-name").value = idFrom(name);
    $("reference-words").value = "";
    this.#drawLanguages("");
    this.dialog.dataset.stage = "review";
    this.#showAdvice();
    $("reference-name").focus();
    $("reference-name").select();
  }

  #showAdvice() {
    const { name, advice } = this.#file;
    $("reference-facts").textContent = advice.duration_s === null ? name : `${name} · ${t("seconds", { n: number(advice.duration_s, { maximumFractionDigits: 1 }) })}`;
    const notes = advice.notes.map(({ grade, key, values }) =>
      el("li", { class: `note ${grade}` }, icon(grade === "good" ? "check" : "alert"), el("span", {}, t(key, values))));
    $("advice").replaceChildren(...notes);
    $("reference-once").disabled = !this.model().speaks_references;
    $("reference-deaf").hidden = this.model().speaks_references;
    $("reference-words-box").hidden = !this.model().needs_transcript;
    $("reference-words").required = this.model().needs_transcript;
    announce(advice.notes.map(({ key, values }) => t(key, values)).join(" "));
  }

  #drawLanguages(chosen) {
    const named = this.languages().map((code) => [code, languageName(code)]).sort(([, a], [, b]) => a.localeCompare(b));
    const options = [["", t("reference.language_unknown")], ...named].map(([value, name]) => el("option", { value, selected: value === chosen }, name));
    $("reference-language").replaceChildren(...options);
  }

  /** The recording's transcript, for a model that needs one. */
  get #words() {
    return this.model().needs_transcript ? $("reference-words").value.trim() : null;
  }

  #useOnce() {
    if (!$("reference-words").reportValidity()) return;
    this.voices.useOnce(this.#file.blob, this.#file.name, this.#words);
    this.dialog.close();
    toast(t("reference.used_once"));
  }

  async #save() {
    const id = $("reference-name").value.trim();
    if (this.voices.ids.includes(id)) {
      this.#refuse(t("reference.taken", { name: id }));
      return;
    }
    $("reference-save").classList.add("busy");
    $("reference-save").disabled = true;
    try {
      await api.saveVoice(id, this.#file.blob, { words: this.#words, language: $("reference-language").value || null });
      await this.voices.load();
      this.voices.choose(id);
      this.dialog.close();
      toast(t("reference.saved", { name: id }));
    } catch (error) {
      this.#refuse(this.onError(error));
    } finally {
      $("reference-save").classList.remove("busy");
      $("reference-save").disabled = false;
    }
  }

  #refuse(message) {
    $("reference-error").textContent = message;
    $("reference-error").hidden = false;
  }

  #clear() {
    this.#input.clear();
    this.#file = null;
    $("reference-error").hidden = true;
    $("reference-audio").removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }
}

/** "Ana María (2).wav" → "Ana-Maria-2": the server accepts letters, digits, '.', '_' and '-'. */
function idFrom(name) {
  const plain = name.replace(/\.[a-z0-9]{2,4}$/i, "").normalize("NFD").replace(/\p{M}/gu, "");
  return plain.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "").slice(0, 64) || "voice";
}

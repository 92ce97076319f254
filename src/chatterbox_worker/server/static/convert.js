// The dialog that says a recording in another voice: choose or record it, choose the voice, listen, download.

import * as api from "./api.js";
import { $, announce, el, saveFile } from "./dom.js";
import { number, t } from "./i18n.js";
import { ONCE } from "./order.js";
import { SoundInput } from "./soundinput.js";
import { nameOf } from "./voices.js";

const UNPLAYABLE = ["pcm"]; // by itself: it has no header

export class Convert {
  #input;
  #file = null; // {blob, name}
  #abort = null;
  #result = null; // {blob, name}
  #urls = new Map(); // of the two audio elements

  /** `format()` is the one of the latest download; `describe(error)` is an error in words. */
  constructor({ voices, format, describe }) {
    Object.assign(this, { voices, format, describe });
    this.dialog = $("convert");
    this.#input = new SoundInput(this.dialog, {
      onBegin: () => this.#clear(),
      onSound: (blob, name, sound) => this.#show(blob, name, sound),
      onRefuse: (words) => this.#refuse(words),
    });
    $("convert-open").addEventListener("click", () => this.#open());
    $("convert-again").addEventListener("click", () => this.#clear());
    $("convert-cancel").addEventListener("click", () => this.#abort?.abort());
    $("convert-save").addEventListener("click", () => saveFile(this.#result.blob, this.#result.name));
    $("convert-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#convert();
    });
    this.dialog.addEventListener("close", () => {
      if (this.dialog.dataset.stage === "recording") this.#clear();
      for (const audio of this.dialog.querySelectorAll("audio")) audio.pause();
    });
  }

  /** What the server can do. */
  setModels(models) {
    const able = models.find(({ converts_speech: converts }) => converts);
    $("convert-lacking").hidden = Boolean(able);
    $("convert-box").hidden = !able;
    const formats = Object.keys(able?.formats ?? {}).filter((name) => !UNPLAYABLE.includes(name));
    $("convert-format").replaceChildren(...formats.map((name) => el("option", { value: name }, name.toUpperCase())));
  }

  #open() {
    const { value } = $("convert-voice");
    const ids = [...(this.voices.reference ? [ONCE] : []), ...this.voices.ids];
    const chosen = ids.includes(value) ? value : this.voices.chosen;
    $("convert-voice").replaceChildren(...ids.map((id) => el("option", { value: id, selected: id === chosen }, nameOf(id))));
    if (!this.#result) {
      $("convert-format").value = this.format();
      $("convert-format").value ||= "wav"; // the latest download's may not be in this list
    }
    this.dialog.showModal();
  }

  #show(blob, name, sound) {
    this.#file = { blob, name };
    const length = sound ? ` · ${t("seconds", { n: number(sound.samples.length / sound.rate, { maximumFractionDigits: 1 }) })}` : "";
    $("convert-facts").textContent = name + length;
    this.#play($("convert-source"), blob);
    this.dialog.dataset.stage = "review";
    $("convert-voice").focus();
  }

  async #convert() {
    if (this.#abort) return;
    const [voice, format] = [$("convert-voice").value, $("convert-format").value];
    const { signal } = (this.#abort = new AbortController());
    this.#setBusy(true);
    try {
      const blob = await api.convertVoice(this.#file.blob, voice === ONCE ? { reference: this.voices.reference } : { voice }, format, signal);
      this.#result = { blob, name: `${this.#file.name.replace(/\.\w{2,4}$/, "")}-${voice === ONCE ? "voice" : voice}.${format}` };
      $("convert-done").textContent = t("convert.done", { name: nameOf(voice) });
      $("convert-result").hidden = false;
      this.#play($("convert-audio"), blob);
      if (this.dialog.open) $("convert-audio").play().catch(() => {}); // where a browser does not play by itself
      announce(t("convert.done", { name: nameOf(voice) }));
    } catch (error) {
      if (error.name !== "AbortError") this.#refuse(this.describe(error));
    } finally {
      this.#abort = null;
      this.#setBusy(false);
    }
  }

  #setBusy(isBusy) {
    $("convert-error").hidden ||= isBusy;
    $("convert-progress").hidden = $("convert-cancel").hidden = !isBusy;
    $("convert-do").disabled = isBusy;
    if (isBusy) {
      $("convert-result").hidden = true;
      announce(t("convert.running"));
    }
  }

  #play(audio, blob) {
    if (this.#urls.has(audio)) URL.revokeObjectURL(this.#urls.get(audio));
    this.#urls.set(audio, URL.createObjectURL(blob));
    audio.src = this.#urls.get(audio);
  }

  #refuse(words) {
    $("convert-error").textContent = words;
    $("convert-error").hidden = false;
  }

  #clear() {
    this.#abort?.abort();
    this.#input.clear();
    this.#file = this.#result = null;
    $("convert-error").hidden = $("convert-result").hidden = true;
    for (const [audio, url] of this.#urls) {
      audio.removeAttribute("src");
      URL.revokeObjectURL(url);
    }
    this.#urls.clear();
  }
}

// The dialog for a new voice: choose a file or record one, get advice about it, then save it or use it once.

import { advise, db } from "./advice.js";
import * as api from "./api.js";
import { $, announce, clock, el, icon, toast } from "./dom.js";
import { number, onLanguage, t } from "./i18n.js";
import { decode, LONGEST_S, MicrophoneError, Recorder } from "./recorder.js";
import { hasFiles } from "./textfile.js";

const MOST_BYTES = 25_000_000; // the server's limit of an upload
const METER_FLOOR_DB = -60;
const FALL = 0.994; // of the meter, each block of 128 samples: it rises at once and falls by half in a third of a second

export class Reference {
  #recorder = null;
  #level = 0;
  #file = null; // {blob, name, advice}
  #url = null;

  constructor({ voices, model, onError }) {
    Object.assign(this, { voices, model, onError });
    this.dialog = $("reference");
    $("reference-open").addEventListener("click", () => this.open());
    $("reference-file").addEventListener("change", (event) => event.target.files[0] && this.#accept(event.target.files[0]));
    $("record").addEventListener("click", () => (this.#recorder ? this.#stop() : this.#start()));
    $("reference-again").addEventListener("click", () => this.#clear());
    $("reference-once").addEventListener("click", () => this.#useOnce());
    $("reference-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.dialog.addEventListener("close", () => this.#clear());
    this.#acceptDrops();
    onLanguage(() => this.#file && this.#showAdvice());
  }

  open() {
    this.#clear();
    this.dialog.showModal();
  }

  #acceptDrops() {
    const zone = $("drop");
    const over = (on) => (event) => {
      event.preventDefault();
      zone.classList.toggle("over", on);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer.files[0]) this.#accept(event.dataTransfer.files[0]);
    });
    for (const type of ["dragover", "drop"]) addEventListener(type, (event) => hasFiles(event) && event.preventDefault()); // a file dropped elsewhere must not replace the page
  }

  async #start() {
    this.#clear();
    try {
      this.#recorder = await Recorder.start((peak, seconds) => this.#meter(peak, seconds));
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.#refuse(t(`microphone.${error.reason}`));
      return;
    }
    this.dialog.dataset.stage = "recording";
    $("record-label").textContent = t("reference.stop");
    announce(t("reference.recording"));
  }

  async #stop() {
    const recorder = this.#recorder;
    this.#recorder = null;
    $("record-label").textContent = t("reference.record");
    const { samples, rate, blob } = await recorder.stop();
    this.#show(blob, t("reference.recorded_name"), { samples, rate });
  }

  #meter(peak, seconds) {
    this.#level = Math.max(peak, this.#level * FALL);
    const level = Math.max(0, 1 - db(this.#level) / METER_FLOOR_DB);
    $("meter-fill").style.setProperty("--level", level.toFixed(3));
    $("meter").dataset.hot = peak >= 0.99;
    $("record-time").textContent = `${clock(seconds, true)} / ${clock(LONGEST_S)}`;
    if (seconds >= LONGEST_S && this.#recorder) this.#stop();
  }

  async #accept(file) {
    this.#clear();
    if (file.size > MOST_BYTES) {
      this.#refuse(t("reference.too_big", { megabytes: number(MOST_BYTES / 1e6) }));
      return;
    }
    this.#show(file, file.name, await decode(file));
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
      await api.saveVoice(id, this.#file.blob, this.#words);
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
    if (this.#recorder) this.#recorder.stop();
    this.#recorder = null;
    this.#file = null;
    this.#level = 0;
    $("record-label").textContent = t("reference.record");
    $("reference-file").value = "";
    $("reference-error").hidden = true;
    $("reference-audio").removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.dialog.dataset.stage = "choose";
  }
}

/** "Ana María (2).wav" → "Ana-Maria-2": the server accepts letters, digits, '.', '_' and '-'. */
function idFrom(name) {
  const plain = name.replace(/\.[a-z0-9]{2,4}$/i, "").normalize("NFD").replace(/\p{M}/gu, "");
  return plain.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "").slice(0, 64) || "voice";
}

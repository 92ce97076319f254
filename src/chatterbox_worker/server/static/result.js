// The speech in the player: its facts, its downloads and its captions.

import * as api from "./api.js";
import { captions, KINDS as CAPTIONS } from "./captions.js";
import { $, el, icon, saveFile, toast } from "./dom.js";
import { recall, remember } from "./store.js";
import { base64, wavParts } from "./wav.js";
import { number, onLanguage, readIn, t } from "./i18n.js";
import { dialogueBody, requests, textOf, usesOnce } from "./order.js";
import { foundLanguages } from "./words.js";

export class Result {
  #converting = null; // the AbortController of a download that takes long
  #speech = null; // {order, blob, chunks, words, warnings, duration_s, reference, partial}

  constructor({ model, onError, onSeed, onShow }) {
    Object.assign(this, { model, onError, onSeed, onShow });
    $("download").addEventListener("click", () => this.download(this.#speech, this.format, $("download")));
    $("captions").addEventListener("click", () => this.#captions(this.#captionsKind));
    $("seed-keep").addEventListener("click", () => this.onSeed(this.#speech.order.seed));
    $("converting-cancel").addEventListener("click", () => this.#converting?.abort());
    for (const menu of document.querySelectorAll("details.menu")) closeWhenLeft(menu);
    onLanguage(() => this.draw());
  }

  get speech() {
    return this.#speech;
  }

  clear() {
    this.#speech = null;
    this.onShow(null);
    this.draw();
  }

  show(speech) {
    this.#speech = speech;
    this.onShow(speech);
    this.draw();
  }

  draw() {
    const speech = this.#speech;
    $("takeaway").hidden = speech === null;
    $("warnings").replaceChildren();
    if (speech === null) return;
    const formats = Object.keys(this.model()?.formats ?? { wav: null }); // nothing else without the server
    $("download-list").replaceChildren(...formats.map((format) => this.#choice(t(`format.${format}`), format.toUpperCase(), () => this.download(speech, format, $("download")))));
    $("caption-list").replaceChildren(...Object.keys(CAPTIONS).map((kind) => this.#choice(t(`captions.${kind}`), kind.toUpperCase(), () => this.#captions(kind))));
    $("captions-box").hidden = !speech.chunks.length;
    $("download-label").textContent = t("download.as", { format: this.format.toUpperCase() });
    $("captions-label").textContent = t("captions.as", { format: this.#captionsKind.toUpperCase() });
    $("download-about").textContent = t(!isTooLong(speech) ? "download.same" : this.#isWhole(speech) ? "download.again" : "download.parts");
    $("result-facts").textContent = [readIn(foundLanguages(speech)), t("result.seed", { seed: speech.order.seed })].filter(Boolean).join(" · ");
    const warnings = [...(speech.partial ? [t("result.partial")] : []), ...speech.warnings];
    $("warnings").replaceChildren(...warnings.map((words) => el("li", { class: "note warn" }, icon("alert"), el("span", {}, words))));
  }

  /** The format of the latest download, if the server has it. */
  get format() {
    const format = recall("download", "wav");
    return Object.hasOwn(this.model()?.formats ?? {}, format) ? format : "wav";
  }

  /** The kind of the latest captions. */
  get #captionsKind() {
    const kind = recall("captions", "srt");
    return Object.hasOwn(CAPTIONS, kind) ? kind : "srt";
  }

  #choice(words, short, action) {
    const button = el("button", { type: "button" }, el("b", {}, short), el("span", {}, words));
    button.addEventListener("click", () => {
      const menu = button.closest("details");
      menu.open = false;
      menu.querySelector("summary").focus();
      action();
    });
    return el("li", {}, button);
  }

  #captions(kind) {
    remember("captions", kind);
    this.draw(); // the buttons name what was chosen last
    const { chunks, duration_s } = this.#speech;
    saveFile(new Blob([captions(kind, chunks, duration_s)], { type: CAPTIONS[kind] }), `${slug(this.#speech)}.${kind}`);
  }

  /** Saves a speech as a file; `button` shows that it is at work. */
  async download(speech, format, button) {
    remember("download", format);
    this.draw();
    button.classList.add("busy");
    this.#converting?.abort();
    const { signal } = (this.#converting = new AbortController());
    let bytes = 0;
    try {
      for await (const { blob, part } of this.#files(speech, format, signal)) {
        saveFile(blob, `${slug(speech)}${part}.${format}`);
        bytes += blob.size;
      }
      toast(t("download.done", { format: format.toUpperCase(), megabytes: number(bytes / 1e6, { maximumFractionDigits: 1 }) }));
    } catch (error) {
      if (error.name !== "AbortError") this.onError(error);
    } finally {
      if (this.#converting.signal === signal) $("converting").hidden = true;
      button.classList.remove("busy");
    }
  }

  /** The speech in a format: one file, or several of what is too long for one request and was never complete. */
  async *#files(speech, format, signal) {
    const name = format.toUpperCase();
    if (format === "wav") yield { blob: speech.blob, part: "" };
    else if (!isTooLong(speech)) yield { blob: await api.convert(speech.blob, format, signal), part: "" };
    else if (this.#isWhole(speech)) {
      this.#showConverting(t("download.regenerating", { format: name }));
      yield { blob: await this.#regenerate(speech, format, signal), part: "" };
    } else {
      const parts = await wavParts(speech.blob, api.UPLOAD_BYTES);
      for (const [i, part] of parts.entries()) {
        this.#showConverting(t("download.converting", { format: name, part: i + 1, parts: parts.length }));
        yield { blob: await api.convert(part, format, signal), part: `-${i + 1}` };
      }
    }
  }

  #showConverting(words) {
    $("converting-text").textContent = words;
    $("converting").hidden = false;
  }

  /** Whether one request gives the same again. */
  #isWhole({ partial, order }) {
    return !partial && (order.mode === "text" || !order.respeak); // POST /dialogue says no part again
  }

  async #regenerate({ order, reference }, format, signal) {
    const encoded = usesOnce(order) && reference ? await base64(reference) : null;
    if (order.mode === "dialogue") return api.speakDialogue({ ...dialogueBody(order, encoded), format }, signal);
    return api.speak({ ...requests(order, encoded)[0].fields, response_format: format }, signal);
  }
}

const isTooLong = ({ blob }) => blob.size > api.UPLOAD_BYTES;

/** A file's name: that of the take, or the text's first words; and which take it is of several. */
function slug({ order, name, group, number }) {
  const words = (name ?? textOf(order)).normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const short = words.slice(0, 6).join("-").slice(0, 60) || "speech";
  return group && !name ? `${short}-${number}` : short;
}

function closeWhenLeft(menu) {
  menu.addEventListener("toggle", () => menu.open && menu.querySelector(".menu-box").scrollIntoView({ block: "nearest" }));
  document.addEventListener("pointerdown", (event) => menu.contains(event.target) || (menu.open = false));
  menu.addEventListener("focusout", (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && (menu.open = false));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

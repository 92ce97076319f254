// One generation at a time: its start, its progress and its end, complete or not.

import { $, announce, clock } from "./dom.js";
import { generate, newSeed } from "./generation.js";
import * as history from "./history.js";
import { onLanguage, t } from "./i18n.js";
import { showTitle } from "./mediakeys.js";
import { estimate_s, textOf, usesOnce } from "./order.js";
import { nameOf } from "./voices.js";
import { base64, wavSamples } from "./wav.js";

const QUIET_S = 20; // a chunk takes a few seconds; after this one may wonder
const LOOK_MS = 5_000;
const TITLE_CHARS = 80;

export class Studio {
  #abort = null;
  #shown = null;
  #latest = 0; // when the server sent something, on performance.now's clock
  #timer = 0;
  #before = null; // {speech, id, at_s}: what was in the player when the generation began

  constructor({ player, result, historyList, voices, order, check, onWords, onError }) {
    Object.assign(this, { player, result, historyList, voices, order, check, onWords, onError });
    $("generate").addEventListener("click", () => this.start());
    $("cancel").addEventListener("click", () => this.#abort?.abort());
    onLanguage(() => this.#shown && this.#showProgress(this.#shown));
  }

  get busy() {
    return this.#abort !== null;
  }

  /** Puts a speech into the player; `id` is its entry in the history. */
  async show(speech, id) {
    const running = this.#abort;
    const samples = await wavSamples(speech.blob);
    if (this.#abort !== running) return; // a generation has begun meanwhile
    this.#setStage(true);
    $("play").disabled = false;
    this.#title(speech.order);
    this.player.load(speech.blob, samples);
    this.result.show(speech);
    this.historyList.mark(id);
  }

  async start() {
    if (this.busy || !this.check()) return;
    const order = this.order();
    order.seed ??= newSeed();
    const expected_s = estimate_s(order, history.pace(order.model, order.language));
    this.#begin(expected_s);
    this.#title(order);
    const speech = { chunks: [], words: [], warnings: [], partial: true };
    let failure = null;
    const reference = usesOnce(order) ? this.voices.reference : null;
    try {
      const encoded = reference ? await base64(reference) : null;
      await generate(order, encoded, { speech, signal: this.#abort.signal, onAudio: (data) => this.#append(data), onWords: (words) => this.onWords(order, words), onProgress: (now) => this.#update(now) });
      speech.partial = false;
    } catch (error) {
      if (error.name !== "AbortError") failure = error;
      else announce(t("studio.cancelled"));
    }
    await this.#end({ ...speech, order, reference }, failure);
  }

  #begin(expected_s) {
    this.#abort = new AbortController();
    addEventListener("beforeunload", askToStay);
    this.#latest = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    const { speech } = this.result;
    this.#before = speech && { speech, id: this.historyList.current, at_s: this.player.position_s };
    this.expected_s = expected_s;
    this.onError(null);
    this.result.clear();
    this.historyList.mark(null);
    document.body.dataset.stage = "busy";
    $("generate").setAttribute("aria-disabled", "true");
    $("cancel").hidden = false;
    $("progress").removeAttribute("value");
    $("progress-box").hidden = false;
    this.#setStage(true);
    $("play").disabled = true;
    this.player.begin(expected_s);
    this.#showProgress({ turns: 1, turn: 0, done: 0, total: 0, audio_s: 0 });
    $("stage").scrollIntoView({ block: "nearest" });
  }

  #title(order) {
    showTitle(textOf(order).slice(0, TITLE_CHARS), order.mode === "text" ? nameOf(order.voice) : t("history.turns", { n: order.turns.length }));
  }

  /** Says so when nothing arrives. */
  #look() {
    const quiet_s = Math.round((performance.now() - this.#latest) / 1000);
    if (quiet_s < QUIET_S) return;
    const words = t("studio.quiet", { seconds: quiet_s });
    $("progress-text").textContent = words;
    if (quiet_s < QUIET_S + LOOK_MS / 1000) announce(words);
  }

  #arrived() {
    const wasQuiet = performance.now() - this.#latest >= 1000 * QUIET_S;
    this.#latest = performance.now();
    if (wasQuiet) this.#showProgress(this.#shown);
  }

  #append(data) {
    this.#arrived();
    $("play").disabled = false;
    this.player.append(data);
  }

  #update(now) {
    this.#arrived();
    const { turn, turns, done, total, audio_s } = now;
    const part = (turn + (total ? done / total : 0)) / turns;
    if (part > 0) $("progress").value = part;
    // the measured length is better than the estimate, once enough is done
    if (part > 0.2) this.player.waveform.expect(audio_s / part);
    this.#showProgress(now);
  }

  #showProgress(now) {
    const { turn, turns, done, total, audio_s } = now;
    const before = this.#shown;
    this.#shown = now;
    const values = { turn: turn + 1, turns, done: Math.min(done + 1, total), total, time: clock(audio_s) };
    const words = t(!total && !audio_s ? "studio.waiting" : turns > 1 ? "studio.turn" : "studio.part", values);
    $("progress-text").textContent = words;
    const moved = !before || before.turn !== turn || before.done !== done || before.total !== total;
    if (moved) announce(words);
  }

  async #end(ended, failure) {
    try {
      await (this.player.duration_s ? this.#keep(ended) : this.#putBack());
    } finally {
      this.#setIdle();
    }
    if (failure) this.onError(failure);
  }

  async #keep(ended) {
    const speech = { ...ended, blob: this.player.finish(), duration_s: ended.duration_s ?? this.player.duration_s };
    this.result.show(speech);
    if (!speech.partial) announce(t("studio.done", { time: clock(speech.duration_s) }));
    await this.#store(speech);
  }

  /** Nothing was generated: shows what was in the player before. */
  async #putBack() {
    this.player.clear();
    this.#setStage(false);
    if (!this.#before) return;
    const { speech, id, at_s } = this.#before;
    await this.show(speech, id);
    this.player.seek(at_s);
  }

  #setStage(isShown) {
    $("stage").hidden = !isShown;
    $("stage-empty").hidden = isShown;
  }

  #setIdle() {
    this.#abort = null;
    this.#shown = null;
    this.#before = null;
    removeEventListener("beforeunload", askToStay);
    clearInterval(this.#timer);
    document.body.dataset.stage = "idle";
    $("generate").removeAttribute("aria-disabled");
    $("cancel").hidden = true;
    $("progress-box").hidden = true;
  }

  async #store({ blob, reference, words, ...facts }) {
    const item = await history.add({ ...facts, at: Date.now() }, { wav: blob, reference, words });
    $("history-full").hidden = item !== null;
    if (item) this.historyList.mark(item.id);
  }
}

/** The browser's own question before a page is left in mid-take. */
const askToStay = (event) => {
  event.preventDefault();
  event.returnValue = true; // for Chromium before 119
};

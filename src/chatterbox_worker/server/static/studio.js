// One generation at a time: its start, its progress and its end, complete or not.

import { $, announce, clock } from "./dom.js";
import { generate, newSeed } from "./generation.js";
import * as history from "./history.js";
import { onLanguage, t } from "./i18n.js";
import { estimate_s, usesOnce } from "./order.js";
import { base64 } from "./wav.js";

export class Studio {
  #abort = null;
  #shown = null;

  constructor({ player, result, historyList, voices, order, check, onError }) {
    Object.assign(this, { player, result, historyList, voices, order, check, onError });
    $("generate").addEventListener("click", () => this.start());
    $("cancel").addEventListener("click", () => this.#abort?.abort());
    onLanguage(() => this.#shown && this.#showProgress(this.#shown));
  }

  get busy() {
    return this.#abort !== null;
  }

  async start() {
    if (this.busy || !this.check()) return;
    const order = this.order();
    order.seed ??= newSeed();
    const expected_s = estimate_s(order, history.pace(order.model, order.language));
    this.#begin(expected_s);
    let speech = { chunks: [], warnings: [], partial: true };
    let failure = null;
    const reference = usesOnce(order) ? this.voices.reference : null;
    try {
      const encoded = reference ? await base64(reference) : null;
      speech = await generate(order, encoded, { signal: this.#abort.signal, onAudio: (data) => this.#append(data), onProgress: (now) => this.#update(now) });
    } catch (error) {
      if (error.name !== "AbortError") failure = error;
      else announce(t("studio.cancelled"));
    }
    await this.#end({ ...speech, order, reference }, failure);
  }

  #begin(expected_s) {
    this.#abort = new AbortController();
    this.expected_s = expected_s;
    this.onError(null);
    this.result.clear();
    this.historyList.mark(null);
    document.body.dataset.stage = "busy";
    $("generate").setAttribute("aria-disabled", "true");
    $("cancel").hidden = false;
    $("progress").removeAttribute("value");
    $("progress-box").hidden = false;
    $("stage-empty").hidden = true;
    $("stage").hidden = false;
    $("play").disabled = true;
    this.player.begin(expected_s);
    this.#showProgress({ turns: 1, turn: 0, done: 0, total: 0, audio_s: 0 });
    $("stage").scrollIntoView({ block: "nearest" });
  }

  #append(data) {
    $("play").disabled = false;
    this.player.append(data);
  }

  #update(now) {
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
    this.#abort = null;
    this.#shown = null;
    document.body.dataset.stage = "idle";
    $("generate").removeAttribute("aria-disabled");
    $("cancel").hidden = true;
    $("progress-box").hidden = true;
    if (failure) this.onError(failure);
    if (!this.player.duration_s) {
      this.player.clear();
      $("stage").hidden = true;
      $("stage-empty").hidden = false;
      return;
    }
    const speech = { ...ended, blob: this.player.finish(), duration_s: ended.duration_s ?? this.player.duration_s };
    this.result.show(speech);
    if (speech.partial) return;
    announce(t("studio.done", { time: clock(speech.duration_s) }));
    await this.#store(speech);
  }

  async #store({ order, chunks, warnings, duration_s, blob, reference }) {
    const item = await history.add({ at: Date.now(), order, duration_s, chunks, warnings }, blob, reference);
    if (item) this.historyList.mark(item.id);
    else $("history-full").hidden = false;
  }
}

// From the button to the sound: one generation at a time, its progress, its end, whichever it is.

import { $, announce, clock } from "./dom.js";
import { generate, newSeed } from "./generation.js";
import * as history from "./history.js";
import { onLanguage, t } from "./i18n.js";
import { estimate_s, usesOnce } from "./order.js";
import { base64 } from "./wav.js";

export class Studio {
  #abort = null;
  #told = null;

  constructor({ player, result, shelf, voices, order, check, onError }) {
    Object.assign(this, { player, result, shelf, voices, order, check, onError });
    $("generate").addEventListener("click", () => this.start());
    $("cancel").addEventListener("click", () => this.#abort?.abort());
    onLanguage(() => this.#told && this.#tell(this.#told));
  }

  get busy() {
    return this.#abort !== null;
  }

  async start() {
    if (this.busy || !this.check()) return;
    const order = this.order();
    const made = { ...order, seed: order.seed ?? newSeed() };
    const expected_s = estimate_s(made, history.pace(made.model, made.language));
    this.#begin(expected_s);
    let told = { chunks: [], warnings: [], partial: true };
    let failure = null;
    const reference = usesOnce(made) ? this.voices.reference : null;
    try {
      const encoded = reference ? await base64(reference) : null;
      told = await generate(made, encoded, { signal: this.#abort.signal, hear: (data) => this.#hear(data), progress: (now) => this.#progress(now) });
    } catch (error) {
      if (error.name !== "AbortError") failure = error;
      else announce(t("studio.cancelled"));
    }
    await this.#end({ ...told, order: made, reference }, failure);
  }

  #begin(expected_s) {
    this.#abort = new AbortController();
    this.expected_s = expected_s;
    this.onError(null);
    this.result.clear();
    this.shelf.mark(null);
    document.body.dataset.stage = "busy";
    $("generate").setAttribute("aria-disabled", "true");
    $("cancel").hidden = false;
    $("progress").removeAttribute("value");
    $("progress-box").hidden = false;
    $("stage-empty").hidden = true;
    $("stage").hidden = false;
    $("play").disabled = true;
    this.player.begin(expected_s);
    this.#tell({ turns: 1, turn: 0, done: 0, total: 0, audio_s: 0 });
    $("stage").scrollIntoView({ block: "nearest" });
  }

  #hear(data) {
    $("play").disabled = false;
    this.player.append(data);
  }

  #progress(now) {
    const { turn, turns, done, total, audio_s } = now;
    const part = (turn + (total ? done / total : 0)) / turns;
    if (part > 0) $("progress").value = part;
    // what is done tells more than any guess, once there is enough of it
    if (part > 0.2) this.player.waveform.expect(audio_s / part);
    this.#tell(now);
  }

  #tell(now) {
    const { turn, turns, done, total, audio_s } = now;
    const before = this.#told;
    this.#told = now;
    const values = { turn: turn + 1, turns, done: Math.min(done + 1, total), total, time: clock(audio_s) };
    const words = t(!total && !audio_s ? "studio.waiting" : turns > 1 ? "studio.turn" : "studio.part", values);
    $("progress-text").textContent = words;
    const moved = !before || before.turn !== turn || before.done !== done || before.total !== total;
    if (moved) announce(words);
  }

  async #end(told, failure) {
    this.#abort = null;
    this.#told = null;
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
    const made = { ...told, blob: this.player.finish(), duration_s: told.duration_s ?? this.player.duration_s };
    this.result.show(made);
    if (made.partial) return;
    announce(t("studio.done", { time: clock(made.duration_s) }));
    await this.#keep(made);
  }

  async #keep({ order, chunks, warnings, duration_s, blob, reference }) {
    const item = await history.add({ at: Date.now(), order, duration_s, chunks, warnings }, blob, reference);
    if (item) this.shelf.mark(item.id);
    else $("history-full").hidden = false;
  }
}

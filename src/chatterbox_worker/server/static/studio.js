// Generates what is sent, one text at a time, and decides what is in the player: a take while it arrives, or one of the history.

import { ApiError } from "./api.js";
import { $, announce, clock, toast } from "./dom.js";
import * as history from "./history.js";
import { onLanguage, t, translate } from "./i18n.js";
import { showTitle } from "./mediakeys.js";
import { estimate_s, shortTitle, textOf, usesOnce } from "./order.js";
import { Queue } from "./queue.js";
import { samePlace, takesOf } from "./take.js";
import { isSame, sourceOf, TakeList } from "./takes.js";
import { offerUndo } from "./undo.js";
import { nameOf } from "./voices.js";
import { base64, wavSamples } from "./wav.js";

const QUIET_S = 20; // a chunk takes a few seconds; after this one may wonder
const LOOK_MS = 5_000;
const TITLE_CHARS = 80;
const STOPPING = new Set(["offline", "broken_off", "invalid_api_key", "busy", "rate_limit_exceeded", "not_ready", "device_failed"]); // the next one would fail, too
const AGAIN = new Set(["busy", "rate_limit_exceeded"]); // when the other takes are complete

export class Studio {
  #job = null; // what is being generated: {takes, reference, abort, waited, expected_s, step}
  #takes = []; // of the latest job, which may have ended
  #waited = false; // whether that job was in the queue
  #current = null; // what is in the player: a source, see takes.js
  #other = null; // what was in it before
  #opening = null; // the latest call of `open`
  #before = null; // {source, at_s}: what was in the player when the job began
  #latest = 0; // when the server sent something, on performance.now's clock
  #timer = 0;

  /** `check` resolves to whether the form can be generated. `onWords(order, words)` is called for words of what is in the player, while it is generated; `onUpcoming` is called when `upcoming` has changed. */
  constructor({ player, result, historyList, voices, order, check, onWords, onError, onUpcoming }) {
    Object.assign(this, { player, result, historyList, voices, order, check, onWords, onError, onUpcoming });
    this.takeList = new TakeList({ onPlay: (source) => this.open(source), onKeep: (item) => this.#keepBest(item) });
    this.queue = new Queue({ onGo: () => this.#next(), onChange: () => {
      this.#guard();
      onUpcoming();
    } });
    player.onEnd = () => this.#goOn();
    $("generate").addEventListener("click", () => this.start());
    $("cancel").addEventListener("click", () => this.#job?.abort.abort());
    $("progress-listen").addEventListener("click", () => this.open(sourceOf(this.#job.takes.find(({ hasSound, isRunning }) => hasSound || isRunning))));
    $("compare").addEventListener("click", () => this.compare());
    document.addEventListener("keydown", (event) => this.#onKey(event));
    history.onHistory(() => this.#forgetDeleted());
    onLanguage(() => {
      this.#drawButton();
      if (this.#job) this.#showProgress();
    });
    this.#drawButton();
  }

  get busy() {
    return this.#job !== null;
  }

  /** Takes that will be added to the history. */
  get upcoming() {
    return (this.#job?.takes.filter(({ isRunning }) => isRunning).length ?? 0) + this.queue.takes;
  }

  /** Generates the text in the form, or adds it to the queue. */
  async start() {
    const shown = $("generate").classList;
    if (shown.contains("busy")) return; // the page is still loading: the first click counts
    shown.add("busy");
    const isRight = await this.check().finally(() => shown.remove("busy"));
    if (!isRight) return;
    const order = this.order();
    const reference = usesOnce(order) ? this.voices.reference : null;
    this.generate(order, reference, Number(document.querySelector("[name=takes]:checked").value));
  }

  /** Generates takes of an order, or adds them to the queue. */
  async generate(order, reference, count = 1) {
    const takes = await takesOf(order, count, reference);
    const job = { takes, reference, abort: new AbortController(), waited: this.busy || this.queue.length > 0 };
    if (!job.waited) {
      this.#run(job);
      return;
    }
    this.queue.add(job);
    if (this.busy) toast(t("queue.added", { n: this.queue.length }));
    else {
      this.queue.start();
      this.#next();
    }
  }

  /** Puts a take into the player and plays it, from where `placeIn(speech)` says, in seconds. */
  async open(source, { placeIn = () => 0, plays = true } = {}) {
    const opening = (this.#opening = {});
    const { take } = source;
    if (take?.isRunning) {
      this.#follow(take, placeIn(take.facts));
      return;
    }
    const speech = source.item ? await history.speech(source.item) : take.speech;
    const samples = speech && (await wavSamples(speech.blob).catch(() => null));
    if (this.#opening !== opening) return; // something else was opened meanwhile
    if (!samples) {
      this.onError(new ApiError("sound_gone"));
      return;
    }
    this.#setStage(true);
    $("play").disabled = false;
    this.#title(speech.order);
    this.player.load(speech.blob, samples);
    this.result.show(speech);
    this.#mark(source);
    this.player.seek(placeIn(speech));
    if (plays) this.player.play();
  }

  openItem(item) {
    return this.open({ item, take: this.#takes.find((take) => take.item?.id === item.id) });
  }

  /** Goes to what was in the player before, at the same place of the text. */
  async compare() {
    const to = this.#other;
    const from = this.result.speech ?? this.#current?.take?.facts;
    if (!to || !from) return;
    const at_s = this.player.position_s;
    await this.open(to, { placeIn: (speech) => samePlace(from, speech, at_s), plays: this.player.playing });
    if (isSame(to, this.#current)) announce(t("takes.switched", { title: labelOf(to) }));
  }

  #forgetDeleted() {
    if (isGone(this.#other)) this.#other = null;
    this.#takes = this.#takes.filter((take) => !isGone(sourceOf(take)));
    this.#drawTakes();
    this.onUpcoming();
  }

  async #run(job) {
    const [first] = job.takes;
    const { order } = first;
    job.expected_s = estimate_s(order, history.pace(order.model, order.language));
    this.#job = job;
    this.#takes = job.takes;
    this.#waited = job.waited;
    this.#begin();
    this.#before = null;
    if (!job.waited || this.#isFree) {
      this.#before = this.#current && { source: this.#current, at_s: this.player.position_s };
      this.#follow(first);
    }
    this.#showProgress();
    try {
      await this.#speakAll(job, job.reference ? await base64(job.reference) : null);
    } catch {
      for (const take of job.takes) take.fail(new ApiError("file_unreadable", { field: "reference_audio" })); // moved or deleted since it was chosen
    }
    await this.#end(job);
  }

  async #speakAll(job, encoded) {
    const speak = (take) => this.#speak(take, encoded, job);
    await Promise.all(job.takes.map(speak));
    for (const take of job.takes.filter(({ error }) => AGAIN.has(error?.code))) {
      if (job.takes.some(({ hasSound }) => hasSound) && !take.hasSound && !job.abort.signal.aborted) await speak(take);
    }
  }

  /** Never rejects, or the job would never end. */
  async #speak(take, encoded, job) {
    try {
      await take.run(encoded, {
        signal: job.abort.signal,
        onAudio: (from, data) => this.#append(from, data),
        onWords: (from, words) => this.#isFollowed(from) && this.onWords(from.order, words),
        onChange: (from) => this.#update(from),
      });
      if (take.hasSound) await this.#keep(take);
      this.#drawTakes();
    } catch (error) {
      take.error ??= error;
    }
  }

  /** Puts a take that is being generated into the player. */
  #follow(take, at_s = 0) {
    this.#opening = {};
    take.isPlayed = true;
    this.#setStage(true);
    $("play").disabled = !take.hasSound;
    this.result.clear();
    this.player.begin(this.#job.expected_s);
    for (const data of take.pieces) this.player.append(data);
    if (at_s) this.player.seek(at_s);
    if (take.facts?.words.length) this.onWords(take.order, take.facts.words);
    this.#title(take.order);
    this.#mark(sourceOf(take));
    $("stage").scrollIntoView({ block: "nearest" });
  }

  #isFollowed(take) {
    return this.#current?.take === take;
  }

  /** Nothing that is in the player is still to be heard. */
  get #isFree() {
    return !this.player.duration_s || (!this.player.playing && this.player.position_s >= this.player.duration_s - 0.05);
  }

  #mark(source) {
    if (!isSame(source, this.#current)) this.#other = isGone(this.#current) ? null : this.#current;
    this.#current = source;
    if (source?.take) source.take.isPlayed = true;
    this.#showProblem(source?.take?.problem);
    this.historyList.mark(source?.item?.id ?? null);
    this.#drawTakes();
  }

  #drawTakes() {
    const { item, take } = this.#current ?? {};
    this.takeList.show({ group: (item ?? take)?.group, takes: this.#takes, current: this.#current, other: this.#other });
    $("compare").hidden = !this.#other;
    $("progress-listen").hidden = !this.busy || this.#takes.includes(this.#current?.take);
  }

  #begin() {
    this.#guard();
    this.#latest = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    document.body.dataset.stage = "busy";
    this.#drawButton();
    $("cancel").hidden = false;
    $("progress").removeAttribute("value");
    $("progress-box").hidden = false;
  }

  #drawButton() {
    $("generate-label").textContent = t(this.busy ? "queue.add" : "studio.generate");
  }

  #title(order) {
    showTitle(textOf(order).slice(0, TITLE_CHARS), order.mode === "text" ? nameOf(order.voice) : t("history.turns", { n: order.turns.length }));
  }

  /** Says so when nothing arrives. */
  #look() {
    const quiet_s = Math.round((performance.now() - this.#latest) / 1000);
    if (quiet_s < QUIET_S) return;
    const words = t("studio.quiet", { seconds: quiet_s, hasSound: this.#job.takes.some(({ hasSound }) => hasSound) });
    $("progress-text").textContent = words;
    if (quiet_s < QUIET_S + LOOK_MS / 1000) announce(words);
  }

  #arrived() {
    const wasQuiet = performance.now() - this.#latest >= 1000 * QUIET_S;
    this.#latest = performance.now();
    if (wasQuiet) this.#showProgress();
  }

  #append(take, data) {
    this.#arrived();
    if (take.pieces.length === 1) this.#drawTakes(); // it can be played from now on
    if (!this.#isFollowed(take)) return;
    $("play").disabled = false;
    this.player.append(data);
  }

  #update(take) {
    this.#arrived();
    const { takes } = this.#job;
    const part = takes.reduce((sum, one) => sum + one.part, 0) / takes.length;
    if (part > 0) $("progress").value = part;
    // the measured length is better than the estimate, once enough is done
    if (take.isRunning && take.part > 0.2 && this.#isFollowed(take)) this.player.waveform.expect(take.progress.audio_s / take.part);
    this.#showProgress();
    if (takes.length > 1) this.#drawTakes();
  }

  #showProgress() {
    const { takes } = this.#job;
    const { turn, turns, done, total, audio_s } = takes[0].progress;
    const values = { turn: turn + 1, turns, done: Math.min(done + 1, total), total, time: clock(audio_s) };
    const complete = takes.filter(({ isRunning }) => !isRunning).length;
    const words =
      takes.length > 1
        ? t("studio.takes", { n: takes.length, done: complete })
        : t(!total && !audio_s ? "studio.waiting" : turns > 1 ? "studio.turn" : "studio.part", values);
    $("progress-text").textContent = words;
    const step = [turn, done, total, complete].join(); // the seconds change too often to be announced
    if (step !== this.#job.step) announce(words);
    this.#job.step = step;
  }

  /** A take has ended: it is in the history before anything else happens. */
  async #keep(take) {
    const { speech } = take;
    if (this.#isFollowed(take)) {
      this.player.finish(speech.blob);
      this.result.show(speech);
    }
    if (!speech.partial) announce(t("studio.done", { time: clock(speech.duration_s) }));
    const { blob, reference, words, ...facts } = speech;
    const { entry = null, problem } = await history.add({ ...facts, at: Date.now() }, { wav: blob, reference, words });
    take.stored(entry, problem);
    if (problem) announce(t(`history.unsaved.${problem}`));
    if (this.#isFollowed(take)) this.#mark(this.#current);
  }

  /** Why the speech in the player is not in the history; null if it is. */
  #showProblem(problem) {
    $("history-unsaved").hidden = !problem;
    if (problem) $("history-unsaved-text").dataset.t = `history.unsaved.${problem}`;
    translate($("history-unsaved"));
  }

  async #end(job) {
    const failures = job.takes.map(({ error }) => error).filter(Boolean);
    const isSilent = !job.takes.some(({ hasSound }) => hasSound);
    const unsaved = job.takes.find((take) => take.hasSound && !take.item);
    if (job.abort.signal.aborted) announce(t("studio.cancelled"));
    if (this.#other?.take && !this.#other.take.hasSound) this.#other = null;
    this.#setIdle();
    if (this.#current?.take && !this.#current.take.hasSound) await this.#replaceSilent(job);
    if (isSilent && failures.some(({ code }) => STOPPING.has(code))) {
      if (job.waited || textOf(job.takes[0].order) !== textOf(this.order())) this.#putBack(job);
      this.queue.stop();
    }
    if (failures.length && (isSilent || job.takes.length === 1)) this.#explain(failures[0], job);
    if (unsaved) await this.#holdUnsaved(unsaved, job);
    this.#next();
  }

  /** The form has another text by now: that of the job would be lost. */
  #putBack(job) {
    job.waited = true;
    this.queue.addFirst({ ...job, takes: job.takes.map((take) => take.fresh()), abort: new AbortController() });
  }

  /** A take could not be stored: none follows that would replace it, and it is in the player, where it can be downloaded. */
  async #holdUnsaved(take, job) {
    this.queue.stop();
    if (!job.takes.includes(this.#current?.take)) await this.open(sourceOf(take), { plays: false });
  }

  /** The take in the player has no sound: shows another one, or what was there before. */
  async #replaceSilent(job) {
    const take = job.takes.find(({ hasSound }) => hasSound);
    const other = this.#other;
    this.player.clear();
    this.#setStage(false);
    this.#current = null;
    this.#drawTakes();
    if (take) await this.open(sourceOf(take));
    else {
      const back = this.#before ?? (other && { source: other, at_s: 0 });
      if (back) await this.open(back.source, { placeIn: () => back.at_s, plays: false });
    }
    this.#other = isSame(other, this.#current) ? null : other;
    this.#drawTakes();
  }

  #explain(error, job) {
    if (job.waited) Object.assign(error, { about: shortTitle(job.takes[0].order) });
    this.onError(error);
  }

  #next() {
    if (this.busy) return;
    const job = this.queue.shift();
    if (job) this.#run(job);
  }

  /** At the end of a take: the next one that was not played yet. */
  #goOn() {
    const at = this.#takes.indexOf(this.#current?.take);
    const next = this.#takes[at + 1]; // with another speech in the player, the first one of a job that waited
    if (next?.hasSound && !next.isPlayed && (at >= 0 || this.#waited)) this.open(sourceOf(next));
  }

  async #keepBest(item) {
    const others = history.items().filter(({ id, group }) => group === item.group && id !== item.id);
    const back = await history.remove(others.map(({ id }) => id));
    if (!isSame({ item }, this.#current)) await this.open({ item }, { plays: false });
    offerUndo(t("takes.kept", { n: item.number, others: others.length }), back);
    $("play").focus();
  }

  /** B compares, where nothing is being written. */
  #onKey(event) {
    const isFree = !event.target.matches("input:not([type=radio], [type=range]), textarea, select") && !document.querySelector("dialog[open]");
    if (event.key.toLowerCase() !== "b" || event.repeat || !isFree || event.ctrlKey || event.metaKey || event.altKey) return;
    this.compare();
  }

  #setStage(isShown) {
    $("stage").hidden = !isShown;
    $("stage-empty").hidden = isShown;
  }

  /** The browser asks before the page is left while there is anything to be generated. */
  #guard() {
    (this.busy || this.queue.length ? addEventListener : removeEventListener)("beforeunload", askToStay);
  }

  #setIdle() {
    this.#job = null;
    this.#guard();
    clearInterval(this.#timer);
    document.body.dataset.stage = "idle";
    this.#drawButton();
    $("cancel").hidden = true;
    $("progress-box").hidden = true;
    this.#drawTakes();
  }
}

/** Whether it was in the history and is no longer. */
const isGone = (source) => Boolean(source?.item) && !history.items().some(({ id }) => id === source.item.id);

const labelOf = ({ item, take }) => item?.name ?? ((item ?? take).group ? t("takes.n", { n: (item ?? take).number }) : shortTitle((item ?? take).order));

/** The browser's own question before a page is left in mid-take. */
const askToStay = (event) => {
  event.preventDefault();
  event.returnValue = true; // for Chromium before 119
};

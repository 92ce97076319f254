// Plays samples while they arrive, through Web Audio; can pause and seek within what has arrived.

import { RATE, toFloat } from "./wav.js";

const AHEAD_S = 10; // scheduled in advance: a hidden tab's timers fire once a second
const START_S = 0.12; // between scheduling and playing, so that the first piece is not late
const PUMP_MS = 400;

export class LivePlayback {
  #context;
  #output;
  #pieces = []; // {at, data}: first sample's index, Int16Array
  #samples = 0;
  #finished = false;
  #nodes = new Set();
  #next = 0; // first sample not yet scheduled
  #nextTime = 0; // when it is to play, on the context's clock
  #anchor = { time: 0, offset_s: 0 };
  #paused_s = 0; // position while not playing
  #timer = 0;
  playing = false;

  /** `output` is the AudioNode that it plays into; `onEnd` is called when everything has been played. */
  constructor(output, { onEnd }) {
    this.#output = output;
    this.#context = output.context;
    this.onEnd = onEnd;
  }

  get duration_s() {
    return this.#samples / RATE;
  }

  get position_s() {
    if (!this.playing) return this.#paused_s;
    const at = this.#anchor.offset_s + (this.#context.currentTime - this.#anchor.time);
    return Math.max(this.#anchor.offset_s, Math.min(at, this.#next / RATE));
  }

  /** Whether it is playing, but waits for more samples. */
  get starved() {
    return this.playing && !this.#finished && this.#context.currentTime >= this.#nextTime;
  }

  append(data) {
    this.#pieces.push({ at: this.#samples, data });
    this.#samples += data.length;
    this.#pump();
  }

  finish() {
    this.#finished = true;
    this.#pump();
  }

  play() {
    if (this.playing) return;
    this.playing = true;
    this.#from(this.#paused_s);
    this.#timer = setInterval(() => this.#pump(), PUMP_MS);
  }

  pause() {
    if (!this.playing) return;
    this.#paused_s = this.position_s;
    this.#stop();
  }

  seek(seconds) {
    const to = Math.max(0, Math.min(seconds, this.duration_s));
    this.#paused_s = to;
    if (this.playing) this.#from(to);
  }

  close() {
    this.#paused_s = this.position_s;
    this.#stop();
    this.#pieces = [];
  }

  #from(seconds) {
    this.#silence();
    this.#next = Math.round(seconds * RATE);
    this.#nextTime = 0;
    this.#anchor = { time: this.#context.currentTime, offset_s: seconds };
    this.#pump();
  }

  #stop() {
    this.playing = false;
    clearInterval(this.#timer);
    this.#silence();
  }

  #silence() {
    for (const node of this.#nodes) node.stop();
    this.#nodes.clear();
  }

  #pump() {
    if (!this.playing) return;
    const now = this.#context.currentTime;
    while (this.#next < this.#samples && this.#nextTime < now + AHEAD_S) {
      if (this.#nextTime < now) {
        this.#nextTime = now + START_S;
        this.#anchor = { time: this.#nextTime, offset_s: this.#next / RATE };
      }
      this.#schedule();
    }
    if (this.#finished && this.#next >= this.#samples && now >= this.#nextTime) {
      this.#paused_s = this.duration_s;
      this.#stop();
      this.onEnd();
    }
  }

  #schedule() {
    const piece = this.#pieces.findLast(({ at }) => at <= this.#next);
    const floats = toFloat(piece.data.subarray(this.#next - piece.at));
    const buffer = this.#context.createBuffer(1, floats.length, RATE);
    buffer.copyToChannel(floats, 0);
    const node = this.#context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.#output);
    node.addEventListener("ended", () => this.#nodes.delete(node));
    node.start(this.#nextTime);
    this.#nodes.add(node);
    this.#next += floats.length;
    this.#nextTime += buffer.duration;
  }
}

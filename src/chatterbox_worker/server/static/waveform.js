// Draws the waveform of a speech; also the slider that seeks in it, by pointer, arrow keys, Home and End.

import { clock, setAttributes } from "./dom.js";
import { t } from "./i18n.js";
import { RATE } from "./wav.js";

const BUCKET = RATE / 50; // 20 ms for one value of the envelope
const BAR = 3;
const GAP = 2; // CSS pixels
const SMALL_STEP_S = 1;
const LARGE_STEP_S = 5;

export class Waveform {
  #canvas;
  #peaks = [];
  #pending = { count: 0, peak: 0 };
  #samples = 0;
  #expected_s = 0;
  #position_s = 0;
  #hover = null;
  #frame = 0; // in which it is drawn, 0 if it need not be
  #bars = 0; // as drawn last, and how many of them were played
  #played = 0;

  /** `box` is the focusable slider; it contains a canvas. */
  constructor(box, onSeek) {
    this.box = box;
    this.#canvas = box.querySelector("canvas");
    this.onSeek = onSeek;
    this.#addListeners();
    new ResizeObserver(() => this.draw()).observe(box);
  }

  get duration_s() {
    return this.#samples / RATE;
  }

  clear(expected_s = 0) {
    this.#peaks = [];
    this.#pending = { count: 0, peak: 0 };
    this.#samples = 0;
    this.#expected_s = expected_s;
    this.show(0);
    this.draw();
  }

  append(data) {
    let { count, peak } = this.#pending;
    for (let i = 0; i < data.length; i++) {
      const size = Math.abs(data[i]);
      if (size > peak) peak = size;
      if (++count === BUCKET) {
        this.#peaks.push(peak / 32768);
        count = peak = 0;
      }
    }
    this.#pending = { count, peak };
    this.#samples += data.length;
    this.draw();
  }

  /** The expected length; what is still missing is drawn as a line. */
  expect(seconds) {
    this.#expected_s = seconds;
    this.draw();
  }

  show(position_s) {
    this.#position_s = position_s;
    setAttributes(this.box, {
      "aria-valuemax": this.duration_s.toFixed(1),
      "aria-valuenow": position_s.toFixed(1),
      "aria-valuetext": t("player.position", { at: clock(position_s), of: clock(this.duration_s) }),
    });
    if (this.#playedOf(this.#bars) !== this.#played) this.draw();
  }

  /** Draws it with the next frame, once. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { width, height } = this.box.getBoundingClientRect();
    if (!width) return;
    const scale = devicePixelRatio;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.box);
    const colours = { played: style.getPropertyValue("--accent"), ahead: style.getPropertyValue("--wave"), none: style.getPropertyValue("--line") };
    const total_s = this.#total_s();
    const bars = (this.#bars = Math.floor(width / (BAR + GAP)));
    this.#played = this.#playedOf(bars);
    const loudest = Math.max(0.05, ...this.#sampled());
    for (let bar = 0; bar < bars; bar++) {
      const from_s = (bar / bars) * total_s;
      const isPresent = from_s < this.duration_s;
      const peak = isPresent ? this.#peak(from_s, ((bar + 1) / bars) * total_s) / loudest : 0;
      const tall = Math.max(2, Math.pow(peak, 0.8) * (height - 8));
      const isPlayed = this.#hover === null ? from_s < this.#position_s : from_s < this.#hover;
      pen.fillStyle = !isPresent ? colours.none : isPlayed ? colours.played : colours.ahead;
      pen.globalAlpha = isPresent && this.#hover !== null && isPlayed !== from_s < this.#position_s ? 0.55 : 1;
      pen.beginPath();
      pen.roundRect(bar * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  /** How many of so many bars begin before the position. */
  #playedOf(bars) {
    return Math.ceil((this.#position_s / this.#total_s()) * bars);
  }

  #total_s() {
    return Math.max(this.duration_s, this.#expected_s, 0.001);
  }

  /** Few enough values to spread over arguments. */
  #sampled() {
    const step = Math.max(1, Math.ceil(this.#peaks.length / 2000));
    return this.#peaks.filter((_, i) => i % step === 0);
  }

  #peak(from_s, to_s) {
    const first = Math.floor((from_s * RATE) / BUCKET);
    const last = Math.max(first + 1, Math.ceil((to_s * RATE) / BUCKET));
    let peak = 0;
    for (let i = first; i < last && i < this.#peaks.length; i++) peak = Math.max(peak, this.#peaks[i]);
    return peak;
  }

  #addListeners() {
    const { box } = this;
    const at = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.min(Math.max(0, ((event.clientX - left) / width) * this.#total_s()), this.duration_s);
    };
    box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      box.setPointerCapture(event.pointerId);
      this.onSeek(at(event));
    });
    box.addEventListener("pointermove", (event) => {
      this.#hover = at(event);
      if (event.buttons & 1) this.onSeek(this.#hover);
      this.draw();
    });
    box.addEventListener("pointerleave", () => {
      this.#hover = null;
      this.draw();
    });
    box.addEventListener("keydown", (event) => {
      const to = this.#targetOf(event.key);
      if (to === null) return;
      event.preventDefault();
      this.onSeek(Math.min(Math.max(0, to), this.duration_s));
    });
  }

  #targetOf(key) {
    const here = this.#position_s;
    const steps = {
      ArrowRight: here + SMALL_STEP_S, ArrowUp: here + SMALL_STEP_S,
      ArrowLeft: here - SMALL_STEP_S, ArrowDown: here - SMALL_STEP_S,
      PageUp: here + LARGE_STEP_S, PageDown: here - LARGE_STEP_S,
      Home: 0, End: this.duration_s,
    };
    return steps[key] ?? null;
  }
}

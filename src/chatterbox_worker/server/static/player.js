// Plays one speech: while it arrives through Web Audio, and afterwards from its file, seekable and at any speed.

import { $, clock, setIcon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { LivePlayback } from "./live.js";
import { onTheme } from "./theme.js";
import { RATE, wavBlob, wavSamples } from "./wav.js";
import { Waveform } from "./waveform.js";

let context = null;

/** The page's only AudioContext; the first call must come from a click, or browsers mute it. */
export function audioContext() {
  context ??= new AudioContext({ latencyHint: "playback" });
  if (context.state === "suspended") context.resume();
  return context;
}

export class Player {
  #audio = new Audio();
  #live = null;
  #parts = [];
  #url = null;
  #frame = 0;

  constructor() {
    this.waveform = new Waveform($("wave"), (to) => this.seek(to));
    this.#audio.preservesPitch = true;
    this.#audio.addEventListener("ended", () => this.#refresh());
    $("play").addEventListener("click", () => this.toggle());
    $("rate").addEventListener("change", () => this.#setRate());
    onLanguage(() => this.#refresh());
    onTheme(() => this.waveform.draw());
  }

  get playing() {
    return this.#live ? this.#live.playing : !this.#audio.paused && !this.#audio.ended;
  }

  get position_s() {
    return this.#live ? this.#live.position_s : this.#audio.currentTime;
  }

  get duration_s() {
    return this.waveform.duration_s;
  }

  /** Clears the player for `append`; plays as soon as there is audio. */
  begin(expected_s) {
    this.#reset();
    this.waveform.clear(expected_s);
    const live = new LivePlayback(audioContext(), { onEnd: () => this.#switchToFile(false) });
    this.#live = live;
    live.play();
    $("rate").disabled = true;
    this.#tick();
  }

  append(data) {
    this.#parts.push(data);
    this.#live.append(data);
    this.waveform.append(data);
  }

  /** No more audio follows. Returns the whole as a file. */
  finish() {
    const blob = wavBlob(this.#parts, RATE);
    this.#setFile(blob);
    this.waveform.expect(0);
    $("rate").disabled = false;
    if ($("rate").value !== "1") this.#switchToFile(this.#live.playing);
    else this.#live.finish();
    return blob;
  }

  clear() {
    this.#reset();
    this.waveform.clear();
  }

  async load(blob) {
    this.#reset();
    this.waveform.clear();
    this.waveform.append(await wavSamples(blob));
    this.#setFile(blob);
    $("rate").disabled = false;
    this.#setRate();
    this.#refresh();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    audioContext();
    if (this.#live) this.#live.play();
    else {
      if (this.#audio.currentTime >= this.#audio.duration) this.#audio.currentTime = 0;
      this.#audio.play();
    }
    this.#tick();
  }

  pause() {
    if (this.#live) this.#live.pause();
    else this.#audio.pause();
    this.#refresh();
  }

  seek(seconds) {
    if (this.#live) this.#live.seek(seconds);
    else this.#audio.currentTime = seconds;
    this.#refresh();
  }

  /** Switches from the stream to the file, at the same position. */
  #switchToFile(keepPlaying) {
    const at = this.#live.position_s;
    this.#live.close();
    this.#live = null;
    this.#audio.currentTime = at;
    this.#setRate();
    if (keepPlaying) this.play();
    else this.#refresh();
  }

  #setRate() {
    const rate = Number($("rate").value);
    if (this.#live && this.#url && rate !== 1) this.#switchToFile(this.#live.playing);
    this.#audio.playbackRate = this.#audio.defaultPlaybackRate = rate;
  }

  #setFile(blob) {
    this.#url = URL.createObjectURL(blob);
    this.#audio.src = this.#url;
  }

  #reset() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.#live?.close();
    this.#live = null;
    this.#parts = [];
  }

  #tick() {
    cancelAnimationFrame(this.#frame);
    this.#refresh();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #refresh() {
    const playing = this.playing;
    setIcon($("play"), playing ? "pause" : "play");
    $("play").setAttribute("aria-label", t(playing ? "player.pause" : "player.play"));
    $("time").textContent = `${clock(this.position_s, true)} / ${clock(this.duration_s, true)}`;
    this.waveform.show(this.position_s);
  }
}

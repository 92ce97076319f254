// Plays one speech: while it arrives through Web Audio, and afterwards from its file, seekable and at any speed.

import { $, clock, setAttributes, setIcon } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { LivePlayback } from "./live.js";
import { onMediaKeys, showState } from "./mediakeys.js";
import { recall, remember } from "./store.js";
import { onTheme } from "./theme.js";
import { Waveform } from "./waveform.js";

const SKIP_S = 5;
let context = null;

/** The page's only AudioContext; the first call must come from a click, or browsers mute it. */
function audioContext() {
  context ??= new AudioContext({ latencyHint: "playback" });
  if (context.state === "suspended") context.resume();
  return context;
}

export class Player {
  #audio = new Audio();
  #output = null; // the live playback's volume
  #live = null;
  #url = null;
  #frame = 0;

  onEnd = () => {}; // called when it has played all there is

  /** `onPlay` is called when it starts to play, `onMove` with each new position in seconds. */
  constructor({ onPlay, onMove }) {
    Object.assign(this, { onPlay, onMove });
    this.waveform = new Waveform($("wave"), (to) => this.seek(to));
    this.#audio.preservesPitch = true;
    this.#audio.addEventListener("ended", () => {
      this.#refresh();
      this.onEnd();
    });
    $("play").addEventListener("click", () => this.toggle());
    $("rate").addEventListener("change", () => this.#setRate());
    $("volume").value = recall("volume", 1);
    $("volume").addEventListener("input", () => this.#setVolume());
    this.#setVolume();
    document.addEventListener("keydown", (event) => this.#onKey(event));
    onMediaKeys(this);
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
    this.onPlay();
    this.waveform.clear(expected_s);
    const live = new LivePlayback(this.#liveOutput(), { onEnd: () => {
      this.#switchToFile(false);
      this.onEnd();
    } });
    this.#live = live;
    live.play();
    $("rate").disabled = true;
    this.#tick();
  }

  append(data) {
    this.#live.append(data);
    this.waveform.append(data);
  }

  /** No more audio follows; `blob` is the whole as a file. */
  finish(blob) {
    this.#setFile(blob);
    this.waveform.expect(0);
    $("rate").disabled = false;
    if ($("rate").value !== "1") this.#switchToFile(this.#live.playing);
    else this.#live.finish();
  }

  clear() {
    this.#reset();
    this.waveform.clear();
  }

  load(blob, samples) {
    this.#reset();
    this.waveform.clear();
    this.waveform.append(samples);
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
    this.onPlay();
    audioContext();
    if (this.#live) this.#live.play();
    else {
      if (this.#audio.currentTime >= this.#audio.duration) this.#audio.currentTime = 0;
      this.#audio.play().catch(() => this.#refresh()); // paused or replaced before it began
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

  /** Space and the arrow keys, where nothing else takes them. */
  #onKey(event) {
    const { key, target } = event;
    const isFree = [document.body, this.waveform.box, $("play")].includes(target);
    if (!isFree || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.duration_s) return;
    if (key === " " && target !== $("play")) this.toggle();
    else if (key === "ArrowLeft" || key === "ArrowRight") this.skip(key === "ArrowLeft" ? -SKIP_S : SKIP_S);
    else return;
    event.preventDefault();
  }

  skip(seconds) {
    this.seek(Math.min(Math.max(0, this.position_s + seconds), this.duration_s));
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

  #liveOutput() {
    const context = audioContext();
    if (!this.#output) {
      this.#output = new GainNode(context);
      this.#output.connect(context.destination);
      this.#setVolume();
    }
    return this.#output;
  }

  #setVolume() {
    const volume = Number($("volume").value);
    remember("volume", volume);
    this.#audio.volume = volume;
    if (this.#output) this.#output.gain.value = volume;
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
  }

  #tick() {
    cancelAnimationFrame(this.#frame);
    this.#refresh();
    if (this.playing) this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #refresh() {
    const playing = this.playing;
    setIcon($("play"), playing ? "pause" : "play");
    setAttributes($("play"), { "aria-label": t(playing ? "player.pause" : "player.play") });
    const time = `${clock(this.position_s, true)} / ${clock(this.duration_s, true)}`;
    if ($("time").textContent !== time) $("time").textContent = time;
    this.waveform.show(this.position_s);
    this.onMove(this.position_s);
    showState(playing, this.#live && { position_s: this.position_s, duration_s: this.duration_s });
  }
}

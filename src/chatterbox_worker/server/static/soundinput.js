// A recording from the user: a file that is chosen or dropped, or one from the microphone with its level.

import { db } from "./advice.js";
import { UPLOAD_BYTES } from "./api.js";
import { announce, clock, hasFiles, onDroppedFile } from "./dom.js";
import { number, t } from "./i18n.js";
import { decode, LONGEST_S, MicrophoneError, Recorder } from "./recorder.js";

const METER_FLOOR_DB = -60;
const FALL = 0.994; // of the meter, each block of 128 samples: it rises at once and falls by half in a third of a second

for (const type of ["dragover", "drop"]) addEventListener(type, (event) => hasFiles(event) && event.preventDefault()); // a file dropped elsewhere must not replace the page

export class SoundInput {
  #recorder = null;
  #starting = null; // the latest start that is still wanted
  #level = 0;

  /**
   * `root` is a dialog with .drop and .recorder. `onBegin()` is called when the earlier recording is no longer wanted, then
   * `onSound(blob, name, sound)`, where `sound` is {samples, rate}, or null if this browser cannot read the file;
   * `onRefuse(words)` if there is none.
   */
  constructor(root, { onBegin, onSound, onRefuse }) {
    Object.assign(this, { root, onBegin, onSound, onRefuse });
    this.#find(".drop input").addEventListener("change", ({ target }) => target.files[0] && this.#accept(target.files[0]));
    this.#find(".record").addEventListener("click", () => (this.#recorder ? this.#stop() : this.#start()));
    onDroppedFile(this.#find(".drop"), (file) => this.#accept(file));
    root.addEventListener("close", () => (this.#starting = null));
    this.clear();
  }

  /** Ends a recording that runs, and forgets the chosen file. */
  clear() {
    this.#recorder?.stop();
    this.#recorder = this.#starting = null;
    this.#level = 0;
    this.#find(".record span").textContent = t("reference.record");
    this.#find(".drop input").value = "";
    this.root.dataset.stage = "choose";
  }

  #find(selector) {
    return this.root.querySelector(selector);
  }

  async #start() {
    this.onBegin();
    const starting = (this.#starting = {});
    let recorder;
    try {
      recorder = await Recorder.start((peak, seconds) => this.#meter(peak, seconds));
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      if (this.#starting === starting) this.onRefuse(t(`microphone.${error.reason}`));
      return;
    }
    if (this.#starting !== starting) {
      await recorder.stop(); // the dialog was closed, or it began again, while the browser asked for the microphone
      return;
    }
    this.#recorder = recorder;
    this.root.dataset.stage = "recording";
    this.#find(".record span").textContent = t("reference.stop");
    announce(t("reference.recording"));
  }

  async #stop() {
    const recorder = this.#recorder;
    this.#recorder = null;
    this.#find(".record span").textContent = t("reference.record");
    const { samples, rate, blob } = await recorder.stop();
    this.onSound(blob, t("reference.recorded_name"), { samples, rate });
  }

  #meter(peak, seconds) {
    this.#level = Math.max(peak, this.#level * FALL);
    const level = Math.max(0, 1 - db(this.#level) / METER_FLOOR_DB);
    this.#find(".meter span").style.setProperty("--level", level.toFixed(3));
    this.#find(".meter").dataset.hot = peak >= 0.99;
    this.#find(".record-time").textContent = `${clock(seconds, true)} / ${clock(LONGEST_S)}`;
    if (seconds >= LONGEST_S && this.#recorder) this.#stop();
  }

  async #accept(file) {
    this.onBegin();
    if (file.size > UPLOAD_BYTES) {
      this.onRefuse(t("reference.too_big", { megabytes: number(UPLOAD_BYTES / 1e6) }));
      return;
    }
    this.onSound(file, file.name, await decode(file));
  }
}

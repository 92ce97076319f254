// A recording from the microphone, as samples: through an AudioWorklet, so that no codec changes it.

import { toInt16, wavBlob } from "./wav.js";

export const LONGEST_S = 60;

export class MicrophoneError extends Error {
  /** `reason`: "insecure", "refused", "missing" or "busy". */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const REASONS = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing", NotReadableError: "busy" };

export class Recorder {
  #context;
  #stream;
  #blocks = [];
  #count = 0;

  /** Asks for the microphone and starts to record; `onBlock(peak, seconds)` is called a few hundred times a second. */
  static async start(onBlock) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("insecure");
    const recorder = new Recorder();
    try {
      // the effects of such processing would be cloned along with the voice
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
      recorder.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new MicrophoneError(REASONS[error.name] ?? "missing");
    }
    try {
      await recorder.#capture(onBlock);
    } catch (error) {
      await recorder.#free();
      throw error;
    }
    return recorder;
  }

  get seconds() {
    return this.#count / this.#context.sampleRate;
  }

  async #capture(onBlock) {
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule("recorder-worklet.js");
    const tap = new AudioWorkletNode(this.#context, "tap", { numberOfOutputs: 0 });
    this.#context.createMediaStreamSource(this.#stream).connect(tap);
    tap.port.addEventListener("message", ({ data }) => {
      if (this.seconds >= LONGEST_S) return;
      this.#blocks.push(data);
      this.#count += data.length;
      onBlock(data.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0), this.seconds);
    });
    tap.port.start();
  }

  /** {samples, rate, blob}; frees the microphone. */
  async stop() {
    const rate = this.#context.sampleRate;
    await this.#free();
    const samples = new Float32Array(this.#count);
    let at = 0;
    for (const block of this.#blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return { samples, rate, blob: wavBlob([toInt16(samples)], rate) };
  }

  async #free() {
    for (const track of this.#stream.getTracks()) track.stop();
    await this.#context?.close();
  }
}

/** The samples of a file, mono, or null if this browser cannot read it (the server may). */
export async function decode(file) {
  const context = new OfflineAudioContext(1, 1, 48_000);
  try {
    const buffer = await context.decodeAudioData(await file.arrayBuffer());
    const mono = buffer.getChannelData(0).slice();
    for (let channel = 1; channel < buffer.numberOfChannels; channel++) {
      const other = buffer.getChannelData(channel);
      for (let i = 0; i < mono.length; i++) mono[i] += other[i];
    }
    if (buffer.numberOfChannels > 1) for (let i = 0; i < mono.length; i++) mono[i] /= buffer.numberOfChannels;
    return { samples: mono, rate: buffer.sampleRate };
  } catch {
    return null;
  }
}

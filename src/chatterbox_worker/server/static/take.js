// Takes of one order: each has a seed of its own, and its samples as they arrive.

import { generate, newSeed } from "./generation.js";
import { RATE, wavBlob } from "./wav.js";

const CHECK = "sound"; // of several takes, so that they can be compared by it; a single one plays sooner without

/** One take. `onAudio(take, samples)`, `onWords(take, words)` and `onChange(take)` are called until it has ended. */
export class Take {
  state = "waiting"; // then "running", and in the end "complete", "partial" or "failed"
  error = null;
  item = null; // its entry in the history
  problem = null; // why it is not there: see history.add
  isPlayed = false;
  progress = { turns: 1, turn: 0, done: 0, total: 0, audio_s: 0 };
  pieces = []; // Int16Arrays
  facts = null; // {chunks, words, warnings, checks}, and at the end duration_s
  #samples = 0;

  constructor({ order, number, group, reference }) {
    Object.assign(this, { order, number, group, reference });
  }

  get isRunning() {
    return this.state === "waiting" || this.state === "running";
  }

  get hasSound() {
    return this.#samples > 0;
  }

  /** How much of it is done, 0 to 1. */
  get part() {
    const { turn, turns, done, total } = this.progress;
    return this.isRunning ? (turn + (total ? done / total : 0)) / turns : 1;
  }

  /** What the player and the history take. */
  get speech() {
    const { order, number, group, reference, facts } = this;
    const duration_s = facts.duration_s ?? this.#samples / RATE;
    return { ...facts, duration_s, order, number, group, reference, partial: this.state !== "complete", blob: wavBlob(this.pieces, RATE) };
  }

  /** `item` is its entry in the history, which has its samples from now on; null if it was not stored, and `problem` says why. */
  stored(item, problem = null) {
    this.item = item;
    this.problem = problem;
    if (item) this.pieces = [];
  }

  /** The same take, to be generated from the beginning. */
  fresh() {
    return new Take(this);
  }

  /** It ends without having begun. */
  fail(error) {
    this.error = error;
    this.state = "failed";
  }

  /** Resolves when it has ended, whatever came of it; `encoded` is the reference in base64. */
  async run(encoded, { signal, onAudio, onWords, onChange }) {
    this.facts = { chunks: [], words: [], warnings: [], checks: [] };
    this.error = null;
    this.state = "running";
    const receive = (data) => {
      this.pieces.push(data);
      this.#samples += data.length;
      onAudio(this, data);
    };
    const report = (progress) => {
      this.progress = progress;
      onChange(this);
    };
    try {
      await generate(this.order, encoded, { speech: this.facts, signal, onAudio: receive, onWords: (words) => onWords(this, words), onProgress: report });
      this.state = "complete";
    } catch (error) {
      if (error.name !== "AbortError") this.error = error;
      this.state = this.hasSound ? "partial" : "failed";
    }
    onChange(this);
  }
}

/** So many takes of an order. The first has the order's seed; the seeds of the others follow from it. */
export async function takesOf(order, count, reference) {
  const group = count > 1 ? (crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`) : undefined;
  const seeds = await seedsFrom(order.seed ?? newSeed(), count);
  const checked = count > 1 ? { ...order, check: CHECK } : order;
  return seeds.map((seed, i) => new Take({ order: { ...checked, seed }, number: i + 1, group, reference }));
}

/** The seeds that the server's `candidates` have, where the page may compute SHA-256 (https and localhost); else the next ones. */
async function seedsFrom(first, count) {
  const seeds = [first];
  for (let n = 1; n < count; n++) {
    const text = `[${first}, "candidate", ${n}]`;
    const digest = await crypto.subtle?.digest("SHA-256", new TextEncoder().encode(text));
    seeds.push(digest ? new DataView(digest).getUint32(0) : (first + n) % 2 ** 32);
  }
  return seeds;
}

/**
 * Where a second take of a text is, in seconds, when the first is at `at_s`: at the same part of the same word, or of the
 * same chunk where the times of words are not known. Takes of different texts have the same second.
 */
export function samePlace(one, two, at_s) {
  const [from, to] = one.words?.length && two.words?.length ? [one.words, two.words] : [one.chunks, two.chunks];
  const i = from.findLastIndex(({ start_s }) => start_s <= at_s);
  if (i < 0 || from.length !== to.length || from.some(({ text }, n) => text !== to[n].text)) return at_s;
  const [a, b] = [from[i], to[i]];
  const part = a.end_s > a.start_s ? Math.min(1, (at_s - a.start_s) / (a.end_s - a.start_s)) : 0;
  return b.start_s + part * (b.end_s - b.start_s);
}

// Generates an order: turn after turn, each as a stream, with the pauses between them.

import * as api from "./api.js";
import { requests } from "./order.js";
import { base64, RATE, wavBlob } from "./wav.js";

const CONTEXT_TURNS = 8; // that come before a turn, as in POST /dialogue

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/**
 * Generates the order's speech. `onAudio(Int16Array)` is called for each piece, `onWords` for words that begin in it,
 * and also `onProgress({turn, turns, done, total, audio_s})`.
 * Adds to `speech`, turn by turn, so that what is complete stays when the next one fails: {chunks, words, warnings,
 * checks}, and at the end `duration_s`. The times of chunks and words are those of the whole.
 */
export async function generate(order, reference, { speech: whole, signal, onAudio, onWords, onProgress }) {
  const parts = requests(order, reference);
  const earlier = []; // turns, for a model that uses context
  let samples = 0;
  let pieces = [];
  const receive = (data) => {
    samples += data.length;
    if (order.converses) pieces.push(data);
    onAudio(data);
  };
  for (const [turn, { fields, pause_s }] of parts.entries()) {
    const start_s = samples / RATE;
    const report = (done, total) => onProgress({ turn, turns: parts.length, done, total, audio_s: samples / RATE });
    report(0, 0);
    pieces = [];
    const speaker = order.converses ? speakerOf(order, turn) : null;
    const place = order.mode === "dialogue" ? { turn } : {};
    const receiveWords = (words) => {
      const moved = words.map((word) => ({ ...later(word, start_s), ...place }));
      whole.words.push(...moved);
      onWords(moved);
    };
    const complete = order.converses ? { ...fields, speaker, context: earlier.slice(-CONTEXT_TURNS) } : fields;
    const speech = await withTurn(turn, order, () =>
      api.speakStream(complete, { signal, onAudio: receive, onWords: receiveWords, onProgress: (event) => report(event.chunks_done, event.chunks_total) }),
    );
    for (const chunk of speech.chunks) {
      const moved = { ...later(chunk, start_s), cues: chunk.cues.map((cue) => later(cue, Math.round(start_s * 1000) / 1000)) };
      whole.chunks.push(order.mode === "dialogue" ? { ...moved, turn, voice: speech.voice } : moved);
    }
    whole.warnings.push(...speech.warnings);
    whole.checks.push(...(speech.checks ?? []));
    if (order.converses) earlier.push({ text: order.turns[turn].text, audio: await base64(wavBlob(pieces, RATE)), speaker });
    if (pause_s) receive(new Int16Array(Math.round(pause_s * RATE)));
  }
  whole.duration_s = round(samples / RATE);
}

/** Voices are speakers, in the order in which they first speak. */
const speakerOf = (order, turn) => [...new Set(order.turns.map(({ voice }) => voice))].indexOf(order.turns[turn].voice);

/** Adds the turn to an error of a dialogue. */
async function withTurn(turn, order, work) {
  try {
    return await work();
  } catch (error) {
    if (order.mode === "dialogue") error.turn = turn;
    throw error;
  }
}

const later = (timed, s) => ({ ...timed, start_s: round(timed.start_s + s), end_s: round(timed.end_s + s) });
const round = (seconds) => Math.round(seconds * 10_000) / 10_000;

// One order being spoken: turn after turn, each as a stream, with what is between them.

import * as api from "./api.js";
import { requests } from "./order.js";
import { base64, RATE, wavBlob } from "./wav.js";

const HEARD = 8; // turns before it that a turn hears, as POST /dialogue does

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/**
 * Speaks the order. `hear(Int16Array)` as the sound comes; `progress({turn, turns, done, total, audio_s})`.
 * Resolves to {chunks, duration_s, warnings}; the chunks' times are those of the whole.
 */
export async function generate(order, reference, { signal, hear, progress }) {
  const asked = requests(order, reference);
  const chunks = [];
  const warnings = [];
  const said = []; // turns, for a model that hears what was said before
  let samples = 0;
  let pieces = [];
  const listen = (data) => {
    samples += data.length;
    if (order.converses) pieces.push(data);
    hear(data);
  };
  for (const [turn, { fields, pause_s }] of asked.entries()) {
    const start_s = samples / RATE;
    const tell = (done, total) => progress({ turn, turns: asked.length, done, total, audio_s: samples / RATE });
    tell(0, 0);
    pieces = [];
    const speaker = order.converses ? speakerOf(order, turn) : null;
    const told = order.converses ? { ...fields, speaker, context: said.slice(-HEARD) } : fields;
    const speech = await withTurn(turn, order, () =>
      api.speakStream(told, { signal, onAudio: listen, onProgress: (event) => tell(event.chunks_done, event.chunks_total) }),
    );
    for (const chunk of speech.chunks) {
      const times = { start_s: round(chunk.start_s + start_s), end_s: round(chunk.end_s + start_s) };
      chunks.push(order.mode === "dialogue" ? { ...chunk, ...times, turn, voice: speech.voice } : { ...chunk, ...times });
    }
    warnings.push(...speech.warnings);
    if (order.converses) said.push({ text: order.turns[turn].text, audio: await base64(wavBlob(pieces, RATE)), speaker });
    if (pause_s) listen(new Int16Array(Math.round(pause_s * RATE)));
  }
  return { chunks, warnings, duration_s: round(samples / RATE) };
}

/** Voices are speakers, in the order in which they first speak. */
const speakerOf = (order, turn) => [...new Set(order.turns.map(({ voice }) => voice))].indexOf(order.turns[turn].voice);

/** An error of a dialogue knows its turn. */
async function withTurn(turn, order, work) {
  try {
    return await work();
  } catch (error) {
    if (order.mode === "dialogue") error.turn = turn;
    throw error;
  }
}

const round = (seconds) => Math.round(seconds * 10_000) / 10_000;

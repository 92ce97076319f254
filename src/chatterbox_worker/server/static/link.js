// An order as the fragment of an address, which a browser sends to no server: #speech= and deflated JSON in base64url. Pure.

import { isOrder, ONCE } from "./order.js";

const PREFIX = "#speech=";
const MOST_BYTES = 2_000_000; // of JSON: what a small link unpacks to is bounded
const FIELDS = ["mode", "text", "format", "turns", "model", "language", "voice", "speed", "seed", "chunk_size", "loudness_lufs", "pronunciations", "sampling"];

/** A recording that is used once is not in a link: its voice is left out. */
export async function linkTo(order) {
  const { turns, ...fields } = Object.fromEntries(FIELDS.map((name) => [name, order[name]]));
  const sent = { ...fields, voice: named(order.voice), ...(order.mode === "dialogue" ? { text: undefined, turns: turns.map((turn) => ({ ...turn, voice: named(turn.voice) })) } : {}) };
  const packed = new Blob([JSON.stringify(sent)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return PREFIX + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const named = (voice) => (voice === ONCE ? "default" : voice);

export const isLink = (fragment) => fragment.startsWith(PREFIX);

/** The order of a link, or null if it is damaged. */
export async function orderOf(fragment) {
  try {
    const binary = atob(fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const packed = new Blob([Uint8Array.from(binary, (letter) => letter.charCodeAt(0))]).stream();
    const order = JSON.parse(await unpacked(packed));
    return isOrder(order) && isSettings(order) ? { words: null, ...order } : null;
  } catch {
    return null;
  }
}

async function unpacked(packed) {
  const reader = packed.pipeThrough(new DecompressionStream("deflate-raw")).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length > MOST_BYTES) {
      await reader.cancel();
      throw new RangeError("too long");
    }
  }
}

const isNumberOrNull = (value) => value === null || Number.isFinite(value);
const isSettings = ({ seed, chunk_size, sampling }) =>
  isNumberOrNull(seed) && isNumberOrNull(chunk_size) && typeof sampling === "object" && sampling !== null && Object.values(sampling).every(Number.isFinite);

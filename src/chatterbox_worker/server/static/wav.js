// 16-bit mono PCM and its wav file. Pure.

export const RATE = 24_000; // every model's own

/** A wav file of Int16Arrays, without copying them. */
export function wavBlob(parts, rate) {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((letter, i) => head.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true); // PCM
  head.setUint16(22, 1, true); // mono
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  text(36, "data");
  head.setUint32(40, bytes, true);
  return new Blob([head.buffer, ...parts], { type: "audio/wav" });
}

const HEAD_BYTES = 44;

/** Whether it is a file as `wavBlob` writes it, whose beginning can be read. */
export async function isWav(blob) {
  if (!(blob instanceof Blob) || blob.size < HEAD_BYTES || blob.size % 2) return false;
  return (await blob.slice(0, 4).text()) === "RIFF";
}

/** The samples of a file that `wavBlob` wrote. Rejects if it cannot be read any more. */
export async function wavSamples(blob) {
  return new Int16Array(await blob.slice(HEAD_BYTES).arrayBuffer());
}

const QUIET_S = 0.05;
const SEARCHED_S = 10;

/** The same audio as files of at most `bytes` each, cut at a quiet place. */
export async function wavParts(blob, bytes) {
  const samples = await wavSamples(blob);
  const most = Math.floor((bytes - 44) / 2);
  const parts = [];
  for (let from = 0; from < samples.length; ) {
    const last = from + most;
    const to = last >= samples.length ? samples.length : quietest(samples, Math.max(last - SEARCHED_S * RATE, from + most / 2), last);
    parts.push(wavBlob([samples.subarray(from, to)], RATE));
    from = to;
  }
  return parts;
}

/** The middle of the quietest piece between two samples. */
function quietest(samples, from, to) {
  const size = Math.round(QUIET_S * RATE);
  let [least, place] = [Infinity, to];
  for (let at = Math.ceil(from); at + size <= to; at += size) {
    let sum = 0;
    for (let i = at; i < at + size; i++) sum += Math.abs(samples[i]);
    if (sum < least) [least, place] = [sum, at + size / 2];
  }
  return place;
}

export function toInt16(floats) {
  const out = new Int16Array(floats.length);
  for (let i = 0; i < floats.length; i++) out[i] = Math.round(Math.max(-1, Math.min(1, floats[i])) * 32767);
  return out;
}

export function toFloat(int16) {
  const out = new Float32Array(int16.length);
  for (let i = 0; i < int16.length; i++) out[i] = int16[i] / 32768;
  return out;
}

export async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

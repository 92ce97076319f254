// The page's requests to the server. Every failure is an ApiError with the server's code and field.

import { recall } from "./store.js";

export const UPLOAD_BYTES = 25_000_000; // the server takes no larger file

export class ApiError extends Error {
  constructor(code, { message = "", field = null, status = 0, retryAfter = null } = {}) {
    super(message);
    this.code = code;
    this.field = field;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const ABOUT_WORDS = /\bin words$|\bin words is\b/; // warnings that an entry of `words` is longer than a word: the page's lines are then, too
const BY_STATUS = { 401: "invalid_api_key", 403: "forbidden", 413: "body_too_large", 429: "rate_limit_exceeded" }; // a proxy's answers have no code
const OUR_NAMES = { input: "text", response_format: "format" }; // of OpenAI's fields

async function call(path, options = {}) {
  const key = recall("key", "");
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("offline", { message: error.message });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The body as "json" or as a "blob". One that breaks off, or is the page of a proxy, is "offline". */
async function bodyOf(answer, kind) {
  const response = await answer;
  try {
    return await response[kind]();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("offline", { message: error.message });
  }
}

async function refusal(response) {
  const text = await response.text().catch(() => "");
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // a proxy's page, not the server's answer
  }
  const error = typeof body.error === "object" && body.error !== null ? body.error : body;
  const field = error.param ?? error.field ?? null;
  return new ApiError(error.code ?? BY_STATUS[response.status] ?? (response.status >= 502 ? "offline" : "internal_error"), {
    message: error.message ?? error.error ?? `HTTP ${response.status}`,
    field: OUR_NAMES[field] ?? field,
    status: response.status,
    retryAfter: Number(response.headers.get("Retry-After")) || null,
  });
}

const post = (path, body, options = {}) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

export async function health() {
  try {
    const response = await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    return await response.json(); // 503 has a body too
  } catch {
    return { status: "offline" };
  }
}

const isAlias = ({ alias_of }) => alias_of !== undefined;
export const models = async () => {
  const listed = await bodyOf(call("v1/models"), "json");
  return { ...listed, data: listed.data.filter((model) => !isAlias(model)) };
};
export const voices = async () => (await bodyOf(call("v1/voices"), "json")).data.filter((voice) => !isAlias(voice));
export const voiceAudio = async (id) => bodyOf(call(`voices/${encodeURIComponent(id)}/audio`), "blob");
/** The whole voice, as `saveVoice` takes it on any server. */
export const voiceFile = async (id) => bodyOf(call(`voices/${encodeURIComponent(id)}/file`), "blob");
export const deleteVoice = (id) => call(`voices/${encodeURIComponent(id)}`, { method: "DELETE" });

/** `language`: its code; null if it is not known, or in a voice's own file. */
export async function saveVoice(id, file, { words = null, language = null } = {}) {
  const form = new FormData();
  form.append("voice_id", id);
  form.append("file", file, "reference");
  if (words) form.append("reference_transcript", words);
  if (language) form.append("language", language);
  return bodyOf(call("voices", { method: "POST", body: form }), "json");
}

/** How a text would be read: {text, chunks, warnings}. */
export const preview = async (fields, signal) => bodyOf(post("text", fields, { signal }), "json");

/** The speech as one file. */
export const speak = async (fields, signal) => bodyOf(post("v1/audio/speech", fields, { signal }), "blob");
export const speakDialogue = async (body, signal) => bodyOf(post("dialogue", body, { signal }), "blob");

/** `blob` in another format; nothing is generated again. */
export async function convert(blob, format, signal) {
  const form = new FormData();
  form.append("file", blob, "speech.wav");
  form.append("format", format);
  return bodyOf(call("transcode", { method: "POST", body: form, signal }), "blob");
}

/** A recording said by another voice: `by` is {voice}, or {reference}, a recording of it. */
export async function convertVoice(recording, { voice, reference }, format, signal) {
  const form = new FormData();
  form.append("audio", recording, "recording");
  if (reference) form.append("reference_audio", reference, "reference");
  else form.append("voice", voice);
  form.append("format", format);
  return bodyOf(call("voice-conversion", { method: "POST", body: form, signal }), "blob");
}

/**
 * The speech while it is generated: `onAudio(Int16Array)` for each piece, `onWords` for words that begin in it, and
 * `onProgress({chunks_done, chunks_total})`. Resolves to the facts of the whole speech; its chunks have their captions
 * in `cues`.
 */
export async function speakStream(fields, { signal, onAudio, onWords, onProgress }) {
  const body = { ...fields, response_format: "pcm", stream_format: "sse", progress: true, captions: "json", timestamps: "word" };
  const response = await post("v1/audio/speech", body, { signal });
  const pcm = new PcmBytes();
  for await (const event of events(response.body)) {
    if (event.type === "speech.audio.delta") {
      const samples = pcm.add(event.audio);
      if (samples.length) onAudio(samples);
    } else if (event.type === "speech.words") onWords(event.words);
    else if (event.type === "speech.progress") onProgress(event);
    else if (event.type === "error") throw new ApiError(event.error.code, { message: event.error.message, field: event.error.param });
    else if (event.type === "speech.audio.done") return { ...event.speech, chunks: withCues(event.speech), warnings: event.speech.warnings.filter((words) => !ABOUT_WORDS.test(words)) };
  }
  throw new ApiError("broken_off", { message: "the answer ended without its last event" });
}

/** The chunks that have sound, with their cues, their index in the request, and the reasons why the check doubts them. */
function withCues({ captions, chunks, checks }) {
  const places = new Map(chunks.map(({ start }, index) => [start, index]));
  return JSON.parse(captions).chunks.map((chunk) => {
    const index = places.get(chunk.start);
    const reasons = checks?.[index]?.reasons ?? [];
    return { ...chunk, index, ...(reasons.length ? { reasons } : {}) };
  });
}

/** Server-sent events of a response's body, parsed. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (buffered + value).split("\n\n");
      buffered = blocks.pop();
      for (const block of blocks) {
        if (block.startsWith("data: ")) yield JSON.parse(block.slice(6));
      }
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof SyntaxError) throw error;
    throw new ApiError("broken_off", { message: error.message });
  } finally {
    reader.cancel().catch(() => {}); // frees the server's take when the loop is left early
  }
}

/** Base64 pieces to samples; a sample may be cut between two pieces. */
class PcmBytes {
  #odd = new Uint8Array(0);

  add(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(this.#odd.length + binary.length);
    bytes.set(this.#odd);
    for (let i = 0; i < binary.length; i++) bytes[this.#odd.length + i] = binary.charCodeAt(i);
    const even = bytes.length & ~1;
    this.#odd = bytes.slice(even);
    return new Int16Array(bytes.buffer.slice(0, even)); // little-endian, as every browser's machine is
  }
}

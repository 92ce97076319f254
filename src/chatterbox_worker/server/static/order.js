// An order: everything that a speech depends on, as one plain object that the history stores and the form restores.
//
// {mode: "text" | "dialogue", text, format: "plain" | "markdown", turns: [{voice, text, pause_s}], model, language, voice, once, speed, seed,
//  chunk_size, loudness_lufs, pronunciations, sampling, check, respeak}. `pronunciations` is {word: how it is said}. `respeak`: [{turn, index}] of chunks that are spoken with other noise, once for each time. `check`, of several takes, is how each chunk is judged. `voice` is an id or ONCE; with ONCE, `once` is the name of a recording that is sent along, and
// `words` its transcript if the model needs one. `converses`: the model uses a dialogue's earlier turns. Pure.

export const DEFAULT_PAUSE_S = 0.4;
export const LONGEST_PAUSE_S = 10;
export const ONCE = "\u0000once"; // cannot be a voice's id: ids are letters, digits, '.', '_' and '-'

/** The fields of POST /v1/audio/speech that are the same for all turns. */
function shared(order) {
  const fields = { model: order.model, language: order.language };
  if (order.speed !== 1) fields.speed = order.speed;
  if (order.seed !== null) fields.seed = order.seed;
  if (order.chunk_size !== null) fields.chunk_size = order.chunk_size;
  if (order.check) fields.check = order.check;
  if (order.loudness_lufs) fields.loudness_lufs = order.loudness_lufs;
  if (Object.keys(order.pronunciations ?? {}).length) fields.pronunciations = order.pronunciations;
  return { ...fields, ...order.sampling };
}

const markup = ({ format }) => (format === "markdown" ? { text_format: format } : {});

function voiceField(voice, reference, words) {
  if (voice !== ONCE) return { voice };
  return words ? { reference_audio: reference, reference_transcript: words } : { reference_audio: reference };
}

/** The field for the chunks of a request that are spoken with other noise; `turn` is undefined in a text. */
function respoken({ respeak = [] }, turn) {
  const indices = respeak.filter((one) => one.turn === turn).map(({ index }) => index);
  return indices.length ? { respeak: indices } : {};
}

/** One request for each turn: [{fields, pause_s}]; `reference` is base64, for the turns that use it. */
export function requests(order, reference) {
  if (order.mode === "text") {
    return [{ fields: { input: order.text, ...markup(order), ...shared(order), ...respoken(order), ...voiceField(order.voice, reference, order.words) }, pause_s: 0 }];
  }
  return order.turns.map((turn, i) => ({
    fields: { input: turn.text, ...shared(order), ...respoken(order, i), ...voiceField(turn.voice, reference, order.words) },
    pause_s: i === order.turns.length - 1 ? 0 : turn.pause_s,
  }));
}

/** The body of POST /text: all that decides how a text is read, and no recording. */
export const previewBody = (order) => {
  const { seed, check, loudness_lufs, ...fields } = shared(order);
  return { text: order.text, ...markup(order), ...fields };
};

/** The body of POST /dialogue. */
export function dialogueBody(order, reference) {
  return {
    ...shared(order),
    turns: order.turns.map((turn) => ({ text: turn.text, ...voiceField(turn.voice, reference, order.words), pause_s: turn.pause_s })),
  };
}

export const isTurn = (turn) => typeof turn?.voice === "string" && typeof turn.text === "string" && turn.pause_s >= 0 && turn.pause_s <= LONGEST_PAUSE_S;

/** null is as the model speaks. */
export const isLoudness = (lufs) => lufs === null || (Number.isFinite(lufs) && lufs >= -40 && lufs <= -10); // what the server takes

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isPronunciations = (entries) => isObject(entries) && Object.values(entries).every((spoken) => typeof spoken === "string");

/** Whether a stored value can be shown and restored. */
export const isOrder = (order) =>
  (order?.mode === "text" ? typeof order.text === "string" && typeof order.voice === "string" : order?.mode === "dialogue" && Array.isArray(order.turns) && order.turns.length > 0 && order.turns.every(isTurn)) &&
  typeof order.model === "string" && typeof order.language === "string" && Number.isFinite(order.speed) && isLoudness(order.loudness_lufs ?? null) && isPronunciations(order.pronunciations ?? {});

export function textOf(order) {
  return order.mode === "text" ? order.text : order.turns.map((turn) => turn.text).join("\n");
}

const TITLE_CHARS = 90;

/** The beginning of the text, in one line. */
export function shortTitle(order) {
  const text = textOf(order).replace(/\s+/g, " ");
  return text.length > TITLE_CHARS ? `${text.slice(0, TITLE_CHARS)}…` : text;
}

export function usesOnce(order) {
  return order.mode === "text" ? order.voice === ONCE : order.turns.some((turn) => turn.voice === ONCE);
}

/** Seconds that the text takes, roughly: `perChar` as measured here, or typical reading by script. */
export function estimate_s(order, perChar) {
  const pauses_s = order.mode === "dialogue" ? order.turns.slice(0, -1).reduce((sum, turn) => sum + turn.pause_s, 0) : 0;
  const chars = order.mode === "text" ? order.text.trim().length : order.turns.reduce((sum, turn) => sum + turn.text.trim().length, 0);
  return (chars * (perChar ?? typical(order.language))) / order.speed + pauses_s;
}

// Seconds a character: about 15 characters a second in alphabetic scripts, 4 to 7 where one is a syllable or a word
const DENSE = { zh: 0.22, ja: 0.14, ko: 0.15 };
const typical = (language) => DENSE[language?.slice(0, 2)] ?? 0.066;

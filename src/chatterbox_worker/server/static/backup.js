// Settings and voices as one file: JSON, with each voice as the server exports it, in base64.

import * as api from "./api.js";
import { recall, remember } from "./store.js";
import { base64 } from "./wav.js";

const KIND = "chatterbox-studio";
const VERSION = 1;
const MOST_BYTES = 500_000_000; // that a browser can hold as text
/** What is stored by which name, with a value of its kind. The key is not among them. */
const VALUES = { settings: {}, pronunciations: {}, voice: "", language: "", theme: "", volume: 1 };
const VOICE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The file. `onVoice(n, of)` is called before each voice is fetched. */
export async function save(ids, onVoice) {
  const values = Object.fromEntries(Object.entries(VALUES).map(([name, none]) => [name, recall(name, none)]).filter(([name, value]) => value !== VALUES[name]));
  const head = JSON.stringify({ kind: KIND, version: VERSION, values }).slice(0, -1);
  const parts = [`${head},"voices":[`];
  for (const [i, id] of ids.entries()) {
    onVoice(i + 1, ids.length);
    parts.push(`${i ? "," : ""}\n{"id":${JSON.stringify(id)},"file":"${await base64(await api.voiceFile(id))}"}`);
  }
  return new Blob([...parts, "]}\n"], { type: "application/json" });
}

/** {values, voices: [{id, blob}]} of a file that `save` wrote; null of any other. */
export async function read(file) {
  try {
    if (file.size > MOST_BYTES) return null;
    const { kind, version, values, voices } = JSON.parse(await file.text());
    if (kind !== KIND || version !== VERSION) return null;
    const isKnown = ([name, value]) => Object.hasOwn(VALUES, name) && typeof value === typeof VALUES[name] && value !== null && !Array.isArray(value);
    if (!Object.entries(values).every(isKnown)) return null;
    return { values, voices: voices.map(({ id, file: text }) => ({ id: checked(id), blob: decoded(text) })) };
  } catch {
    return null;
  }
}

function checked(id) {
  if (!VOICE.test(id)) throw new TypeError("not a voice's id");
  return id;
}

const decoded = (text) => new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);

/** Stores the values, and on the server those voices that it does not have: [id]. If one is refused, nothing changes. */
export async function restore({ values, voices }, present, onVoice) {
  const missing = voices.filter(({ id }) => !present.includes(id));
  const saved = [];
  try {
    for (const [i, { id, blob }] of missing.entries()) {
      onVoice(i + 1, missing.length);
      await api.saveVoice(id, blob);
      saved.push(id);
    }
  } catch (error) {
    for (const id of saved) await api.deleteVoice(id).catch(() => {});
    throw error;
  }
  for (const [name, value] of Object.entries(values)) remember(name, value);
  return saved;
}

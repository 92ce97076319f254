// The speeches generated in this browser: facts in localStorage, audio and words in IndexedDB. Bounded; the oldest are deleted first.

import { isOrder } from "./order.js";
import { recall, remember } from "./store.js";

const MOST_ITEMS = 40;
const MOST_BYTES = 200_000_000; // about 70 minutes of 24 kHz wav
const DATABASE = "chatterbox";
const SOUNDS = "sounds";
const LATEST_MS = 8.64e15; // that a Date can have

const promiseOf = (request) =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });

async function sounds(mode) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(SOUNDS));
  const database = await promiseOf(opening);
  return database.transaction(SOUNDS, mode).objectStore(SOUNDS);
}

/** Newest first: {id, at, order, duration_s, chunks, warnings, bytes, partial}; `partial` if it was stopped early. */
export const items = () => recall("history", []).filter(isItem);

/** An entry that is damaged is left out; the others stay. */
const isItem = (item) =>
  typeof item?.id === "string" && [item.at, item.duration_s, item.bytes].every(Number.isFinite) && Math.abs(item.at) < LATEST_MS &&
  Array.isArray(item.chunks) && Array.isArray(item.warnings) && isOrder(item.order);

/** Stores the item and returns its entry; null if this browser has no space for the sound: {wav, reference, words}. */
export async function add(item, sound) {
  const { wav } = sound;
  const entry = { ...item, id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, bytes: wav.size };
  if (wav.size > MOST_BYTES) return null;
  try {
    await promiseOf((await sounds("readwrite")).put(sound, entry.id));
  } catch {
    return null; // private browsing, or the disk is full
  }
  const stored = [];
  let bytes = 0;
  for (const old of [entry, ...items()]) {
    bytes += old.bytes;
    if (stored.length < MOST_ITEMS && bytes <= MOST_BYTES) stored.push(old);
    else await forgetSound(old.id);
  }
  remember("history", stored);
  return entry;
}

/** {wav, reference, words}, or undefined if the browser has deleted it. */
export async function sound(id) {
  try {
    const stored = await promiseOf((await sounds("readonly")).get(id));
    return stored?.wav instanceof Blob ? stored : undefined;
  } catch {
    return undefined;
  }
}

export async function remove(id) {
  remember("history", items().filter((item) => item.id !== id));
  await forgetSound(id);
}

export async function clear() {
  for (const item of items()) await forgetSound(item.id);
  remember("history", []);
}

async function forgetSound(id) {
  try {
    await promiseOf((await sounds("readwrite")).delete(id));
  } catch {
    // without a database nothing is stored
  }
}

/** Seconds per character in the latest speeches with this model and language; undefined without any. */
export function pace(model, language) {
  const similar = items().filter(({ order, partial }) => !partial && order.mode === "text" && order.model === model && order.language === language).slice(0, 5);
  const chars = similar.reduce((sum, { order }) => sum + order.text.length, 0);
  return chars < 40 ? undefined : similar.reduce((sum, { order, duration_s }) => sum + duration_s * order.speed, 0) / chars;
}

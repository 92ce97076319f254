// What was made in this browser: facts in localStorage, sound in IndexedDB. Bounded; the oldest goes first.

import { recall, remember } from "./store.js";

const MOST_ITEMS = 40;
const MOST_BYTES = 200_000_000; // about 70 minutes of 24 kHz wav
const DATABASE = "chatterbox";
const SOUNDS = "sounds";

const promised = (request) =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });

async function sounds(mode) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(SOUNDS));
  const database = await promised(opening);
  return database.transaction(SOUNDS, mode).objectStore(SOUNDS);
}

/** Newest first: {id, at, order, duration_s, chunks, warnings, bytes}. */
export const items = () => recall("history", []);

/** Keeps it; false where this browser has no room for the sound. */
export async function add(item, wav, reference) {
  const entry = { ...item, id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, bytes: wav.size };
  if (wav.size > MOST_BYTES) return null;
  try {
    await promised((await sounds("readwrite")).put({ wav, reference }, entry.id));
  } catch {
    return null; // private browsing, or the disk is full
  }
  const kept = [];
  let bytes = 0;
  for (const old of [entry, ...items()]) {
    bytes += old.bytes;
    if (kept.length < MOST_ITEMS && bytes <= MOST_BYTES) kept.push(old);
    else await forgetSound(old.id);
  }
  remember("history", kept);
  return entry;
}

/** {wav, reference}, or undefined if the browser let go of it. */
export async function sound(id) {
  try {
    return await promised((await sounds("readonly")).get(id));
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
    await promised((await sounds("readwrite")).delete(id));
  } catch {
    // nothing is kept where there is no database
  }
}

/** Seconds a character, as the latest speeches with this model and language took; undefined before the first. */
export function pace(model, language) {
  const like = items().filter(({ order }) => order.mode === "text" && order.model === model && order.language === language).slice(0, 5);
  const chars = like.reduce((sum, { order }) => sum + order.text.length, 0);
  return chars < 40 ? undefined : like.reduce((sum, { order, duration_s }) => sum + duration_s * order.speed, 0) / chars;
}

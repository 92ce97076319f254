// The speeches generated in this browser: facts in localStorage, audio and words in IndexedDB. Bounded; the oldest are deleted first.

import { isOrder } from "./order.js";
import { isNewer, onStored, recall, remember } from "./store.js";
import { isWav } from "./wav.js";

const MOST_ITEMS = 40;
const MOST_BYTES = 200_000_000; // about 70 minutes of 24 kHz wav
const DATABASE = "chatterbox";
const SOUNDS = "sounds";
const OPEN_MS = 5_000; // then the database counts as one that does not answer: a broken profile, or an upgrade in another tab that never ends
const READ_MS = 10_000;
const WRITE_MS = 30_000; // 200 MB at 7 MB/s
const LATEST_MS = 8.64e15; // that a Date can have
const listeners = new Set();
let adding = Promise.resolve();
let connection = null; // a promise of the database

class Stuck extends Error {}

const within = (ms, promise) => Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Stuck("the database does not answer")), ms))]);

const promiseOf = (request) =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });

function connect() {
  connection ??= within(OPEN_MS, open());
  return connection;
}

async function open() {
  try {
    const opening = indexedDB.open(DATABASE); // of any version: a newer page's has this store, too
    opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(SOUNDS));
    const database = await promiseOf(opening);
    database.addEventListener("close", () => (connection = null));
    database.addEventListener("versionchange", () => {
      database.close(); // or a newer page in another tab could not change it
      connection = null;
    });
    connection = Promise.resolve(database); // also when it comes late
    return database;
  } catch (error) {
    connection = null; // the next one may succeed
    throw error;
  }
}

async function sounds(mode) {
  return (await connect()).transaction(SOUNDS, mode).objectStore(SOUNDS);
}

/** Resolves when what `change(store)` asks for is stored. A disk that is full may be found only then, after the request's success. */
async function write(change) {
  const store = await sounds("readwrite");
  const { transaction } = store;
  const stored = new Promise((resolve, reject) => {
    transaction.addEventListener("complete", resolve);
    transaction.addEventListener("abort", () => reject(transaction.error));
  });
  change(store);
  const timer = setTimeout(() => transaction.abort(), WRITE_MS); // its answer is no longer waited for: nothing may be stored afterwards
  await within(WRITE_MS, stored).finally(() => clearTimeout(timer));
}

/** `listener` is called after every change, also of another tab's. */
export const onHistory = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());
onStored("history", changed);

/** Returns whether the browser keeps them. */
function store(entries) {
  const unread = isNewer() ? recall("history", []).filter((item) => !isItem(item)) : [];
  const isStored = remember("history", [...entries, ...unread]);
  changed();
  return isStored;
}

/**
 * Newest first: {id, at, order, duration_s, chunks, warnings, bytes, partial}; `partial` if it was stopped early. Of several
 * takes of a text also {group, number, checks}; `name` if it was given one.
 */
export const items = () => recall("history", []).filter(isItem);

/** An entry that is damaged is left out; the others stay. */
const isItem = (item) =>
  typeof item?.id === "string" && [item.at, item.duration_s, item.bytes].every(Number.isFinite) && Math.abs(item.at) < LATEST_MS &&
  [item.chunks, item.warnings, item.checks ?? []].every(Array.isArray) && (item.checks ?? []).every(isCheck) && item.chunks.every(isChunk) &&
  item.warnings.every((words) => typeof words === "string") && isOrder(item.order);

const isTimed = (part) => typeof part?.text === "string" && [part.start_s, part.end_s].every(Number.isFinite);
const areTimed = (parts) => Array.isArray(parts) && parts.every(isTimed);
const isChunk = (chunk) => isTimed(chunk) && areTimed(chunk.cues ?? []) && Array.isArray(chunk.reasons ?? []);
const isCheck = (check) => Array.isArray(check?.reasons) && Number.isFinite(check.attempts);

/**
 * Stores the item and its sound, {wav, reference, words}. Resolves to {entry}, or to {problem} if the browser keeps neither:
 * "long" for more than the history holds, "stuck" if its database does not answer, "full" if it has no space or refuses.
 */
export function add(item, sound) {
  const added = adding.then(() => addNext(item, sound)); // one after another: each reads what is stored before it writes
  adding = added;
  return added;
}

async function addNext(item, sound) {
  const { wav } = sound;
  if (wav.size > MOST_BYTES) return { problem: "long" };
  const entry = { ...item, id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, bytes: wav.size };
  let dropped = [];
  try {
    await connect();
    dropped = dropsFor(1, wav.size);
    const kept = items().filter((old) => !dropped.some(({ id }) => id === old.id));
    const at = kept.findIndex((old) => !(old.number < entry.number && old.group === entry.group)); // takes of a text stay in order
    if (!store(kept.toSpliced(at < 0 ? kept.length : at, 0, entry))) throw new Error("the entry cannot be stored");
    await write((store) => store.put(sound, entry.id)); // after its entry: a page closed in between leaves no sound without one
  } catch (error) {
    const others = items().filter(({ id }) => id !== entry.id);
    if (others.length < items().length) store([...others, ...dropped]);
    return { problem: error instanceof Stuck ? "stuck" : "full" };
  }
  for (const { id } of dropped) await forgetSound(id);
  return { entry };
}

/** What is deleted when `count` items of `bytes` together are added. */
export function dropsFor(count, bytes) {
  let sum = bytes;
  return items().filter((item, i) => (sum += item.bytes) > MOST_BYTES || i >= MOST_ITEMS - count);
}

/** {wav, reference, words}, or undefined if the browser has deleted it, or it cannot be read. */
export async function sound(id) {
  try {
    const { wav, reference, words } = await within(READ_MS, promiseOf((await sounds("readonly")).get(id)));
    if (!(await isWav(wav))) return undefined;
    return { wav, reference: reference instanceof Blob ? reference : undefined, words: Array.isArray(words) ? words.filter(isTimed) : [] };
  } catch {
    return undefined;
  }
}

/** What the player and a download take; undefined if there is no sound that can be read. */
export async function speech(item) {
  const stored = await sound(item.id);
  return stored && { ...item, blob: stored.wav, reference: stored.reference, words: stored.words };
}

/** Deletes items; the function that it resolves to brings them back. */
export async function remove(ids) {
  const before = items();
  const reading = Promise.all(ids.map(sound));
  store(items().filter(({ id }) => !ids.includes(id)));
  const deleted = reading.then(() => Promise.all(ids.map(forgetSound)));
  return async () => {
    await deleted;
    for (const [i, audio] of (await reading).entries()) {
      if (audio) await keepSound(audio, ids[i]);
    }
    const now = new Map(items().map((item) => [item.id, item]));
    const old = before.filter(({ id }) => ids.includes(id) || now.has(id)).map((item) => now.get(item.id) ?? item);
    store([...[...now.values()].filter(({ id }) => !before.some((item) => item.id === id)), ...old]);
  };
}

/** An empty name takes the name away. */
export function rename(id, name) {
  store(items().map((item) => (item.id === id ? { ...item, name: name || undefined } : item)));
}

/** Without space, or a database, an entry has no sound. */
async function keepSound(sound, id) {
  try {
    await write((store) => store.put(sound, id));
  } catch {
    // the text and the settings are back
  }
}

async function forgetSound(id) {
  try {
    await write((store) => store.delete(id));
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

// Values stored in localStorage; where that is full or forbidden, in memory until the page is closed.

const PREFIX = "chatterbox.";
const VERSION = 1; // of the values' forms; a page that changes one converts what has an earlier version, and gives a new name to what earlier pages cannot keep
const memory = new Map();
const listeners = new Set();

const kindOf = (value) => (Array.isArray(value) ? "list" : value === null ? "null" : typeof value);

/** The stored value; `fallback` if there is none, or one of another kind than `fallback`: it is damaged. */
export function recall(name, fallback) {
  if (memory.has(name)) return memory.get(name);
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + name));
    return kindOf(value) === kindOf(fallback) ? value : fallback;
  } catch {
    return fallback; // no storage, or not JSON
  }
}

/** Calls `listener` when another tab has stored the value. */
export function onStored(name, listener) {
  addEventListener("storage", ({ key }) => key === PREFIX + name && listener());
}

/** Stores the value; where that fails it is in memory. Returns whether it is stored. */
export function remember(name, value) {
  memory.set(name, value);
  storeAll();
  return !memory.has(name);
}

/** All that is in memory only: what was refused before may have space by now. */
function storeAll() {
  for (const [name, value] of [...memory]) {
    try {
      localStorage.setItem(PREFIX + name, JSON.stringify(value));
      memory.delete(name);
    } catch {
      // full or forbidden
    }
  }
  listeners.forEach((listener) => listener(memory.size > 0));
}

/** `listener(isLost)` is called now and after every change: whether some value will be lost when the page is closed. */
export function onUnstored(listener) {
  listeners.add(listener);
  listener(memory.size > 0);
}

export function forget(name) {
  memory.delete(name);
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // nothing was stored there
  }
  storeAll();
}

/** Whether a newer page has been here, perhaps in another tab and a moment ago: what this one cannot read is not damaged. */
export const isNewer = () => recall("version", 0) > VERSION;
if (!isNewer()) remember("version", VERSION);

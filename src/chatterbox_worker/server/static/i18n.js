// The page's texts: a table for each language, and the chosen one, which is stored. Markup names its texts with data-t and
// data-t-<attribute>.

import { recall, remember } from "./store.js";

export const LANGUAGES = ["en", "es", "pt"]; // each is a file, all with the same keys
const tables = {};
const ATTRIBUTES = ["placeholder", "aria-label", "title"];
const isApple = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform ?? navigator.platform);
const EVERYWHERE = { modifier: isApple ? "⌘" : "Ctrl" }; // values that any text may name
const listeners = new Set();
let current = choose();

const load = async (tag) => (tables[tag] ??= (await import(`./i18n/${tag}.js`)).default);

await load(current).catch(() => load((current = "en")));

function choose() {
  const stored = recall("language", "");
  if (LANGUAGES.includes(stored)) return stored;
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag));
  return preferred ?? "en";
}

export const language = () => current;

/** The text of `key`, with {name} filled in; a table may contain a function of the values instead. */
export function t(key, values = {}) {
  const words = tables[current][key];
  if (words === undefined) throw new Error(`no text for ${key}`);
  const all = { ...EVERYWHERE, ...values };
  if (typeof words === "function") return words(all);
  return words.replace(/\{(\w+)\}/g, (_, name) => all[name]);
}

export const has = (key) => key in tables[current];

export function number(value, options = {}) {
  return new Intl.NumberFormat(current, options).format(value);
}

/** "es-MX" → "Spanish (Mexico)", in the page's language. */
export function languageName(tag) {
  const name = tag === "auto" ? t("language.auto") : nameInText(tag);
  return name.charAt(0).toLocaleUpperCase(current) + name.slice(1);
}

function nameInText(tag) {
  try {
    return new Intl.DisplayNames([current], { type: "language", languageDisplay: "standard" }).of(tag);
  } catch {
    return tag; // not a language's
  }
}

/** "Read in Spanish and English"; empty for no languages. */
export const readIn = (tags) => (tags.length ? t("language.read_in", { names: new Intl.ListFormat(current).format(tags.map(nameInText)) }) : "");

/** What `lang` says of a text in this language; nothing if it is yet to be found. */
export const langOf = (tag) => (tag === "auto" ? "" : (tag ?? ""));

export function onLanguage(listener) {
  listeners.add(listener);
}

/** Rejects if the table cannot be fetched. */
export async function setLanguage(tag) {
  await load(tag);
  current = tag;
  remember("language", tag);
  translate();
  for (const listener of listeners) listener();
}

/** Sets the texts of all elements under `root` that name one. */
export function translate(root = document) {
  document.documentElement.lang = current;
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const attribute of ATTRIBUTES) {
    for (const node of root.querySelectorAll(`[data-t-${attribute}]`)) {
      node.setAttribute(attribute, t(node.getAttribute(`data-t-${attribute}`)));
    }
  }
}

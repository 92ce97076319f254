// Light, dark or the system's theme; the colours are in the stylesheet.

import { recall, remember } from "./store.js";

const CHOICES = ["system", "light", "dark"];
const listeners = new Set();

export function theme() {
  const stored = recall("theme", "");
  return CHOICES.includes(stored) ? stored : "system";
}

export function setTheme(choice) {
  remember("theme", choice);
  applyTheme();
}

export function nextTheme() {
  setTheme(CHOICES[(CHOICES.indexOf(theme()) + 1) % CHOICES.length]);
}

export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

export function onTheme(listener) {
  listeners.add(listener);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);

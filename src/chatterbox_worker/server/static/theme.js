// Light, dark, or whatever the system says; the stylesheet does the rest.

import { recall, remember } from "./store.js";

const CHOICES = ["system", "light", "dark"];
const listeners = new Set();

export function theme() {
  const kept = recall("theme");
  return CHOICES.includes(kept) ? kept : "system";
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

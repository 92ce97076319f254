// One step back after a deletion or a replaced draft: a bar with a button, and Ctrl+Z where no text is being edited.

import { $, announce } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = 12_000; // longer while the bar has the pointer or the focus
let action = null;
let timer = 0;

/** Shows `words` and a button that calls `back`; replaces an earlier offer. */
export function offerUndo(words, back) {
  action = back;
  $("undo-text").textContent = words;
  $("undo").hidden = false;
  announce(`${words} ${t("undo.how")}`);
  wait();
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => ($("undo").matches(":hover, :focus-within") ? wait() : close()), SHOWN_MS);
}

function close() {
  clearTimeout(timer);
  action = null;
  $("undo").hidden = true;
}

async function undo() {
  const back = action;
  close();
  await back?.();
  announce(t("undo.done"));
}

$("undo-do").addEventListener("click", undo);
$("undo-close").addEventListener("click", close);
document.addEventListener("keydown", (event) => {
  const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (!action || !isUndo || event.target.matches("input:not([type=radio], [type=range]), textarea") || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  undo();
});

// Small helpers for the document. They have no state; announcements and toasts are elements of index.html.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** An element: `props` are properties, except `class`, `data`, names with a hyphen (attributes) and `on` (listeners). */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A symbol of index.html; decorative, so hidden from assistive technology. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(button, name) {
  setAttributes(button.querySelector("use"), { href: `#icon-${name}` });
}

/** Those that change, as each one is a new layout: the player shows its state in every frame. */
export function setAttributes(node, values) {
  for (const [name, value] of Object.entries(values)) if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** The focus stays on the element with the same data-focus, if there is one. */
export function replaceKeepingFocus(box, nodes) {
  const { focus } = box.contains(document.activeElement) ? document.activeElement.dataset : {};
  box.replaceChildren(...nodes);
  if (focus) [...box.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === focus)?.focus({ preventScroll: true });
}

export const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;

/** Calls `open` with a file that is dropped on `zone`. Text that is dragged is left to the browser. */
export function onDroppedFile(zone, open) {
  const over = (isOver) => (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    zone.classList.toggle("over", isOver);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
}

/** Announces the text to a screen reader, politely (aria-live). */
export function announce(text) {
  $("announcer").textContent = text;
}

/** A short note in the corner that disappears by itself. */
export function toast(text) {
  const note = el("div", { class: "toast" }, text);
  $("toasts").replaceChildren(note);
  setTimeout(() => note.remove(), 3500);
  announce(text);
}

/** Offers `blob` as a file. */
export function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun by then
}

/** 75.3 → "1:15"; with tenths "1:15.3". */
export function clock(seconds, tenths = false) {
  const whole = tenths ? Math.floor(seconds * 10) / 10 : Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const remainder = (whole - minutes * 60).toFixed(tenths ? 1 : 0);
  return `${minutes}:${remainder.padStart(tenths ? 4 : 2, "0")}`;
}

/** Asks with the page's own dialog; resolves to true when it was confirmed. */
export function askToConfirm(message, action) {
  const dialog = $("confirm");
  $("confirm-text").textContent = message;
  $("confirm-yes").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

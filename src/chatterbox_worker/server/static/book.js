// The dialog in which a chapter of a book is chosen.

import { $, el } from "./dom.js";
import { number, t } from "./i18n.js";

/** Resolves to {name, text} of what was chosen, or to null. A chapter of more than `most` characters is offered in parts. */
export function chooseChapter({ title, chapters }, { name, most, replaces }) {
  const dialog = $("book");
  if (dialog.open) return Promise.resolve(null);
  const sections = chapters.flatMap((chapter, i) => sectionsOf(chapter, i + 1, most));
  const whole = chapters.flatMap(({ blocks }) => blocks).join("\n\n");
  const isTooLong = whole.length > most;
  $("book-title").textContent = title || name;
  $("book-about").textContent = t("book.about", { chapters: number(chapters.length), n: number(whole.length) });
  $("book-long").hidden = !isTooLong;
  $("book-long-text").textContent = t("book.too_long", { n: number(whole.length), most: number(most) });
  $("book-replaces").hidden = !replaces;
  let chosen = null;
  const button = (section, kind) => el("li", {}, el("button", { type: "button", class: kind, on: { click: () => {
    chosen = section;
    dialog.close();
  } } }, el("span", { class: "book-name", dir: "auto" }, section.name), el("span", { class: "book-chars" }, t("book.chars", { n: number(section.text.length) }))));
  const all = isTooLong || sections.length < 2 ? [] : [button({ name: t("book.whole"), text: whole }, "book-whole")];
  $("book-list").replaceChildren(...all, ...sections.map((section) => button(section, "")));
  dialog.showModal();
  $("book-list").scrollTop = 0;
  $("book-list").querySelector("button").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(chosen), { once: true });
  });
}

function sectionsOf({ title, blocks }, n, most) {
  const name = title || t("book.untitled", { n });
  const parts = partsOf(blocks, most);
  return parts.map((text, i) => ({ name: parts.length > 1 ? t("book.part", { title: name, part: i + 1, parts: parts.length }) : name, text }));
}

function partsOf(blocks, most) {
  const parts = [];
  for (const piece of blocks.flatMap((block) => piecesOf(block, most))) {
    if (parts.length && parts.at(-1).length + 2 + piece.length <= most) parts.push(`${parts.pop()}\n\n${piece}`);
    else parts.push(piece);
  }
  return parts;
}

/** A paragraph whole, or cut after a line, a sentence or a word if it is longer. */
function piecesOf(block, most) {
  const pieces = [];
  let rest = block;
  while (rest.length > most) {
    const ends = ["\n", ". ", " "].map((mark) => rest.lastIndexOf(mark, most - mark.length) + mark.length);
    const cut = ends.find((end) => end > most / 2) ?? most;
    pieces.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut).trim();
  }
  return rest ? [...pieces, rest] : pieces;
}

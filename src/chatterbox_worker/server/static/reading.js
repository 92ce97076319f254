// The panel "as it will be read": the chunks of the text as the server would give them to the model.

import * as api from "./api.js";
import { $, el } from "./dom.js";
import { explain } from "./errors.js";
import { number, onLanguage, t } from "./i18n.js";
import { previewBody } from "./order.js";
import { recall, remember } from "./store.js";

const WAIT_MS = 350; // after the last key, so that a word is not asked for letter by letter

export class Reading {
  #timer = null;
  #abort = null;
  #asked = null; // the body of what is shown or on its way

  /** `order()` is the current order, or null before the server has answered. */
  constructor({ order }) {
    this.order = order;
    $("reading").open = recall("reading", false);
    $("reading").addEventListener("toggle", () => {
      remember("reading", $("reading").open);
      this.update();
    });
    onLanguage(() => this.#ask(true));
  }

  /** Asks again if something that the reading depends on has changed. */
  update() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), WAIT_MS);
  }

  async #ask(again = false) {
    const order = this.order();
    if (!$("reading").open || !order || order.mode !== "text") return;
    const body = order.text ? JSON.stringify(previewBody(order)) : "";
    if (body === this.#asked && !again) return;
    this.#asked = body;
    this.#abort?.abort();
    if (!body) {
      this.#show([el("p", { class: "hint" }, t("reading.empty"))]);
      return;
    }
    this.#abort = new AbortController();
    $("reading-box").setAttribute("aria-busy", "true");
    try {
      this.#show(rows(await api.preview(JSON.parse(body), this.#abort.signal)));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#asked = null; // the next change asks again
      const { title, detail } = explain(error);
      this.#show([el("p", { class: "note bad" }, detail ? `${title} (${detail})` : title)]);
    }
  }

  #show(nodes) {
    $("reading-box").replaceChildren(...nodes);
    $("reading-box").removeAttribute("aria-busy");
  }
}

function rows({ text, chunks, warnings }) {
  const notes = warnings.map((warning) => el("p", { class: "note warn", lang: "en" }, warning));
  return [...notes, el("ol", { class: "reading-list" }, ...chunks.map((chunk) => row(chunk, text)))];
}

function row(chunk, text) {
  const pause = chunk.pause_s ? el("span", { class: "reading-pause" }, t("reading.pause", { s: number(chunk.pause_s) })) : null;
  return el("li", {}, el("p", { lang: chunk.language, dir: "auto" }, ...words(chunk, text)), pause);
}

/** What is read, with each part that is read otherwise than written marked by what is written. */
function words({ start, end, spans }, text) {
  const nodes = [];
  let place = start;
  for (const span of spans) {
    const written = text.slice(span.start, span.end);
    nodes.push(text.slice(place, span.start));
    const mark = el("mark", { title: t("reading.written", { written }) }, span.spoken || "∅");
    nodes.push(mark, el("span", { class: "sr" }, ` (${t("reading.written", { written })})`));
    place = span.end;
  }
  return [...nodes, text.slice(place, end)];
}

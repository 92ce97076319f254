// The list of the history: play an item again, restore its settings, or delete it.

import { $, clock, askToConfirm, el, icon } from "./dom.js";
import * as history from "./history.js";
import { language, languageName, onLanguage, t } from "./i18n.js";
import { ONCE, textOf } from "./order.js";
import { modelName } from "./settings.js";
import { onStored } from "./store.js";
import { nameOf } from "./voices.js";

const TITLE_CHARS = 90;

export class HistoryList {
  #current = null;

  constructor({ onOpen, onRestore }) {
    Object.assign(this, { onOpen, onRestore });
    $("history-clear").addEventListener("click", () => this.#clear());
    onLanguage(() => this.draw());
    onStored("history", () => this.draw());
  }

  get current() {
    return this.#current;
  }

  mark(id) {
    this.#current = id;
    this.draw();
  }

  draw() {
    const items = history.items();
    $("history-list").replaceChildren(...items.map((item) => this.#row(item)));
    $("history-empty").hidden = items.length > 0;
    $("history-clear").hidden = items.length === 0;
  }

  #row(item) {
    const { order } = item;
    const text = textOf(order).replace(/\s+/g, " ");
    const title = text.length > TITLE_CHARS ? `${text.slice(0, TITLE_CHARS)}…` : text;
    const when = new Date(item.at);
    const format = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" });
    const voice = order.mode === "dialogue" ? t("history.turns", { n: order.turns.length }) : order.voice === ONCE ? t("voice.once") : nameOf(order.voice);
    const button = (name, symbol, action) => {
      const node = el("button", { type: "button", class: "icon-button", "aria-label": t(name, { title }), title: t(`${name}.short`) }, icon(symbol));
      node.addEventListener("click", action);
      return node;
    };
    return el("li", { class: `history-item${item.id === this.#current ? " current" : ""}` },
      button("history.open", "play", () => this.onOpen(item)),
      el("div", { class: "history-words" },
        el("p", { class: "history-title", dir: "auto" }, title),
        el("p", { class: "history-facts" },
          el("span", {}, clock(item.duration_s)), el("span", {}, voice), el("span", {}, modelName(order.model)),
          el("span", {}, languageName(order.language)), el("time", { dateTime: when.toISOString() }, format.format(when)),
          item.partial ? el("span", { class: "badge" }, t("history.partial")) : null)),
      button("history.restore", "sliders", () => this.onRestore(item)),
      button("history.remove", "trash", () => this.#remove(item)));
  }

  async #remove(item) {
    await history.remove(item.id);
    this.draw();
    ($("history-list").querySelector("button") ?? $("history-title")).focus();
  }

  async #clear() {
    if (!(await askToConfirm(t("history.clear.sure"), t("history.clear.yes")))) return;
    await history.clear();
    this.draw();
    $("history-title").focus();
  }
}

// The list of the history: play an item again, name it, download it, restore its settings, or delete it.

import { $, clock, askToConfirm, el, icon, replaceKeepingFocus } from "./dom.js";
import * as history from "./history.js";
import { has, language, languageName, onLanguage, readIn, t } from "./i18n.js";
import { ONCE, shortTitle } from "./order.js";
import { formatSetting, modelName } from "./settings.js";
import { offerUndo } from "./undo.js";
import { nameOf } from "./voices.js";
import { foundLanguages } from "./words.js";

const LONGEST_NAME = 80;

export class HistoryList {
  #current = null;
  #isNaming = false; // the list is not drawn again meanwhile

  constructor({ onOpen, onRestore, onDownload }) {
    Object.assign(this, { onOpen, onRestore, onDownload });
    $("history-clear").addEventListener("click", () => this.#clear());
    onLanguage(() => this.draw());
    history.onHistory(() => this.draw());
  }

  mark(id) {
    this.#current = id;
    this.draw();
  }

  draw() {
    if (this.#isNaming) return;
    const items = history.items();
    replaceKeepingFocus($("history-list"), items.map((item) => this.#row(item)));
    $("history-empty").hidden = items.length > 0;
    $("history-clear").hidden = items.length === 0;
  }

  #row(item) {
    const title = titleOf(item);
    const button = (name, symbol, action, data = {}) => {
      const node = el("button", { type: "button", class: "icon-button", "aria-label": t(name, { title }), title: t(`${name}.short`), data: { focus: `${name} ${item.id}`, ...data } }, icon(symbol));
      node.addEventListener("click", () => action(node));
      return node;
    };
    return el("li", { class: `history-item${item.id === this.#current ? " current" : ""}`, "aria-current": item.id === this.#current ? "true" : null },
      button("history.open", "play", () => this.onOpen(item)),
      el("div", { class: "history-words" },
        el("p", { class: "history-title", dir: "auto" }, title),
        el("p", { class: "history-facts" }, ...factsOf(item))),
      el("div", { class: "history-actions" },
        button("history.rename", "pencil", () => this.#name(item)),
        button("history.download", "download", (node) => this.onDownload(item, node)),
        button("history.restore", "sliders", () => this.onRestore(item), { needsLists: "" }),
        button("history.remove", "trash", () => this.#remove(item))));
  }

  /** The title becomes a field: Enter or leaving it keeps the name, Escape does not, and without letters there is none. */
  #name(item) {
    this.#isNaming = true;
    const row = $("history-list").children[history.items().findIndex(({ id }) => id === item.id)];
    const input = el("input", { class: "field", value: item.name ?? "", maxLength: LONGEST_NAME, placeholder: titleOf(item), "aria-label": t("history.name", { title: titleOf(item) }) });
    row.querySelector(".history-title").replaceChildren(input);
    input.focus();
    input.select();
    const listening = new AbortController();
    const end = (keeps) => {
      if (!this.#isNaming) return;
      listening.abort();
      const hadFocus = input.contains(document.activeElement);
      this.#isNaming = false;
      if (keeps) history.rename(item.id, input.value.trim());
      else this.draw();
      if (hadFocus) $("history-list").querySelector(`[data-focus="history.rename ${item.id}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault(); // or Enter would press the button that has the focus next
      end(event.key === "Enter");
    });
    input.addEventListener("blur", () => end(true));
    // a button that is pressed must not be replaced before its click: the field keeps the focus until then
    $("history-list").addEventListener("mousedown", (event) => event.target !== input && event.preventDefault(), { signal: listening.signal });
    $("history-list").addEventListener("click", ({ target }) => target !== input && end(true), { capture: true, signal: listening.signal });
  }

  async #remove(item) {
    const at = history.items().findIndex(({ id }) => id === item.id);
    const back = await history.remove([item.id]);
    const rows = $("history-list").children;
    (rows[Math.min(at, rows.length - 1)]?.querySelector(".history-actions button:last-child") ?? $("history-title")).focus();
    offerUndo(t("history.removed", { title: titleOf(item) }), back);
  }

  async #clear() {
    if (!(await askToConfirm(t("history.clear.sure"), t("history.clear.yes")))) return;
    const ids = history.items().map(({ id }) => id);
    const back = await history.remove(ids);
    $("history-title").focus();
    offerUndo(t("history.cleared"), back);
  }
}

export const titleOf = ({ name, order }) => (typeof name === "string" ? name : shortTitle(order));

function factsOf(item) {
  const { name, number, group, at, order, duration_s, partial, checks } = item;
  const when = new Date(at);
  const format = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" });
  const voice = order.mode === "dialogue" ? t("history.turns", { n: order.turns.length }) : order.voice === ONCE ? t("voice.once") : nameOf(order.voice);
  const fact = (text, kind = "minor") => (text ? el("span", { class: kind }, text) : null);
  return [
    fact(clock(duration_s), ""), fact(typeof name === "string" ? shortTitle(order) : null, "history-text"), fact(group ? t("takes.n", { n: number }) : null, ""), fact(voice, ""),
    fact(modelName(order.model)), fact(readIn(foundLanguages(item)) || languageName(order.language)), fact(t("result.seed", { seed: order.seed }), ""), ...settingsOf(order).map((text) => fact(text)),
    el("time", { dateTime: when.toISOString() }, format.format(when)),
    fact(partial ? t("history.partial") : null, "badge"), fact(checks?.some(({ reasons }) => reasons.length) ? t("history.not_passed") : null, "badge"),
  ];
}

/** What differs from the model's own settings. */
function settingsOf({ speed, chunk_size: chunkSize, loudness_lufs, pronunciations = {}, sampling }) {
  const set = { ...(speed === 1 ? {} : { speed }), ...sampling, loudness_lufs };
  const words = Object.entries(set).filter(([name, value]) => has(`field.${name}`) && Number.isFinite(value)).map(([name, value]) => `${t(`field.${name}`)} ${formatSetting(name, value)}`);
  if (chunkSize) words.push(`${t("field.chunk_size")} ${chunkSize}`);
  const n = Object.keys(pronunciations).length;
  return n ? [...words, t("pron.count", { n })] : words;
}

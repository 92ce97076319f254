// The input: one text or a dialogue, with a character count and an estimate that follow every edit.

import { ApiError } from "./api.js";
import { chooseChapter } from "./book.js";
import { Dialogue } from "./dialogue.js";
import { $, askToConfirm, clock, el, onDroppedFile, toast } from "./dom.js";
import { pace } from "./history.js";
import { number, onLanguage, t } from "./i18n.js";
import { estimate_s } from "./order.js";
import { recall, remember } from "./store.js";
import { readTextFile } from "./textfile.js";
import { offerUndo } from "./undo.js";

const FIELDS = "input:not([type=radio], [type=range], [type=checkbox]), textarea";
const EXAMPLES = ["story", "news", "warm"];

export class Composer {
  #model = null;

  /** `order()` is the current order; `onChange` is called after every edit. */
  constructor({ voices, order, onChange, onSubmit, onError }) {
    Object.assign(this, { order, onChange, onError });
    this.dialogue = new Dialogue({ voices, onChange });
    $("text").value = recall("draft", "");
    $("text").addEventListener("input", () => {
      remember("draft", $("text").value);
      onChange();
    });
    for (const radio of document.querySelectorAll("[name=mode]")) radio.addEventListener("change", () => this.#setMode(radio.value));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.repeat && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) onSubmit();
    });
    $("plain").addEventListener("click", () => {
      this.#setFormat("plain");
      $("text").focus();
    });
    this.#acceptFiles();
    document.addEventListener("paste", (event) => this.#paste(event));
    onLanguage(() => this.#drawExamples());
    this.#drawExamples();
    $("examples").hidden = $("text").value !== "";
    this.#showFormat();
    this.#showMode(recall("mode", "") === "dialogue" ? "dialogue" : "text");
  }

  get mode() {
    return document.querySelector("[name=mode]:checked").value;
  }

  get text() {
    return $("text").value.trim();
  }

  /** How the text is marked up: "plain" or "markdown". */
  get format() {
    return recall("format", "plain");
  }

  setModel(model) {
    this.#model = model;
    this.dialogue.draw();
    $("tags").hidden = !model.tags.length;
    $("tag-list").replaceChildren(...model.tags.map((tag) => {
      const chip = el("button", { type: "button", class: "chip", "aria-label": t("composer.tag", { tag }) }, `[${tag}]`);
      chip.addEventListener("click", () => this.#insert(`[${tag}] `));
      return chip;
    }));
  }

  restore(order) {
    if (order.mode === "text") this.#setText(order.text, order.format);
    else this.dialogue.restore(order.turns);
    this.#setMode(order.mode);
  }

  /** Shows the count and the estimate of the current order. */
  count() {
    if (!this.#model) return;
    const order = this.order();
    const isText = order.mode === "text";
    const chars = isText ? $("text").value.length : order.turns.reduce((sum, { text }) => sum + text.length, 0);
    const most = this.#model.max_text_chars;
    $("count").textContent = t("composer.count", { n: number(chars), most: number(most) });
    $("count").classList.toggle("over", chars > most);
    const seconds = estimate_s(order, pace(order.model, order.language));
    $("estimate").textContent = chars ? t("composer.estimate", { time: clock(Math.max(1, seconds)) }) : "";
    $("examples").hidden = !isText || $("text").value !== "";
  }

  #setMode(mode) {
    remember("mode", mode);
    this.#showMode(mode);
    this.onChange();
  }

  #showMode(mode) {
    for (const radio of document.querySelectorAll("[name=mode]")) radio.checked = radio.value === mode;
    $("text-pane").hidden = mode !== "text";
    $("dialogue-pane").hidden = mode !== "dialogue";
    document.body.dataset.mode = mode;
  }

  #setText(text, format = "plain") {
    this.#setFormat(format);
    $("text").value = text;
    $("text").dispatchEvent(new Event("input"));
  }

  #setFormat(format) {
    remember("format", format);
    this.#showFormat();
    this.onChange();
  }

  #showFormat() {
    $("markup").hidden = this.format !== "markdown";
  }

  /** A file is opened where it is dropped, or with the button. */
  #acceptFiles() {
    onDroppedFile($("composer"), (file) => this.#open(file));
    $("file-open").addEventListener("click", () => $("text-file").click());
    $("text-file").addEventListener("change", async (event) => {
      if (event.target.files[0]) await this.#open(event.target.files[0]);
      event.target.value = ""; // so that the same file can be chosen again
    });
  }

  async #open(file) {
    this.onError(null);
    try {
      const { book, text, format } = await readTextFile(file);
      if (book) {
        const most = this.#model?.max_text_chars ?? Infinity;
        const chapter = await chooseChapter(book, { name: file.name, most, replaces: this.text !== "" });
        if (chapter) this.#put(chapter.text, "markdown", chapter.name);
      } else if (!this.text || (await askToConfirm(t("composer.replace"), t("composer.replace.yes")))) this.#put(text, format, file.name);
    } catch (error) {
      this.onError(error instanceof ApiError ? error : new ApiError("file_unreadable"));
    }
  }

  /** Puts what was opened into the box; what was there can be had back. */
  #put(text, format, name) {
    const before = { mode: this.mode, text: $("text").value, format: this.format };
    this.restore({ mode: "text", text, format });
    $("text").scrollTop = 0;
    if (!before.text) {
      toast(t("composer.opened", { name }));
      return;
    }
    offerUndo(t("composer.opened", { name }), () => {
      this.#setText(before.text, before.format);
      this.#setMode(before.mode);
    });
  }

  #insert(text) {
    const box = $("text");
    box.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
    box.dispatchEvent(new Event("input"));
    box.focus();
  }

  /** What is pasted outside of all fields goes to the text, or to the first empty turn. */
  #paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!text || event.target.matches?.(FIELDS) || document.querySelector("dialog[open]")) return;
    const box = this.mode === "text" ? $("text") : [...document.querySelectorAll("#turns textarea")].find(({ value }) => !value);
    if (!box) return;
    event.preventDefault();
    box.focus();
    document.execCommand("insertText", false, text); // as typed, so that Ctrl+Z takes it back
    box.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
  }

  #drawExamples() {
    $("example-list").replaceChildren(...EXAMPLES.map((name) => {
      const chip = el("button", { type: "button", class: "chip" }, t(`example.${name}.name`));
      chip.addEventListener("click", () => {
        this.#setText(t(`example.${name}`));
        $("text").focus();
      });
      return chip;
    }));
  }
}

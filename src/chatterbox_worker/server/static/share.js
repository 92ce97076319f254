// The dialog from which a text goes to others as a link, and settings and voices as a file, and the way back.

import { ApiError } from "./api.js";
import * as backup from "./backup.js";
import { $, askToConfirm, saveFile, toast } from "./dom.js";
import { t } from "./i18n.js";
import { isLink, linkTo, orderOf } from "./link.js";
import { usesOnce } from "./order.js";

const LONG_LINK = 8_000; // characters; longer ones are cut by some mail programs and messengers

export class Share {
  #busy = false;

  /** `order()` is null before the server has answered; `turns()` are the dialogue's, shown or not; `describe(error)` is an error in words; `onOrder` gets that of a link, `onValues` is called after a file was opened. */
  constructor({ order, turns, voices, isBusy, describe, onOrder, onValues, onError }) {
    Object.assign(this, { order, turns, voices, isBusy, describe, onOrder, onValues, onError });
    $("share-open").addEventListener("click", () => this.#open());
    $("share-copy").addEventListener("click", () => this.#copy());
    $("share-save").addEventListener("click", () => this.#work(() => this.#save()));
    $("share-load").addEventListener("click", () => $("share-file").click());
    $("share-file").addEventListener("change", async ({ target }) => {
      if (target.files[0]) await this.#work(() => this.#load(target.files[0]));
      target.value = ""; // so that the same file can be chosen again
    });
    addEventListener("hashchange", () => this.openLink());
  }

  /** Opens the link that the page was called with. */
  async openLink() {
    if (!isLink(location.hash) || !this.order()) return; // without the server's answer it cannot be in the form
    const order = await orderOf(location.hash);
    history.replaceState(null, "", location.pathname + location.search); // a reload does not open it again
    if (!order) this.onError(new ApiError("link_damaged"));
    else if (await this.#mayReplace(order)) this.onOrder(order);
  }

  async #mayReplace(order) {
    const now = this.order();
    const has = order.mode === "text" ? now.text && now.text !== order.text : this.turns().some(({ text }) => text);
    return !has || askToConfirm(t("share.replace"), t("composer.replace.yes"));
  }

  async #open() {
    const order = this.order();
    const link = location.origin + location.pathname + (await linkTo(order));
    $("share-link").value = link;
    $("share-long").hidden = link.length <= LONG_LINK;
    $("share-once").hidden = !usesOnce(order);
    $("share-voices-text").textContent = t("share.voices", { n: this.#own.length });
    $("share-voices").hidden = !this.#own.length;
    this.#say("");
    $("share").showModal();
  }

  get #own() {
    return this.voices.own;
  }

  async #copy() {
    $("share-link").select();
    try {
      await navigator.clipboard.writeText($("share-link").value);
      toast(t("copy.done"));
    } catch {
      toast(t("copy.selected")); // there is no clipboard without https
    }
  }

  async #work(action) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await action();
    } catch (error) {
      this.#say(this.describe(error), true);
    } finally {
      this.#busy = false;
    }
  }

  async #save() {
    const ids = $("share-voices").checked && !$("share-voices").hidden ? this.#own : [];
    const blob = await backup.save(ids, (n, of) => this.#say(t("share.voice", { n, of })));
    saveFile(blob, "chatterbox-studio.json");
    this.#say(t("share.saved"));
  }

  async #load(file) {
    if (this.isBusy()) throw new ApiError("busy_here");
    const read = await backup.read(file);
    if (!read) throw new ApiError("file_damaged");
    const saved = await backup.restore(read, this.voices.ids, (n, of) => this.#say(t("share.voice", { n, of })));
    await this.voices.load();
    this.onValues(read.values);
    $("share").close();
    toast(t("share.loaded", { n: saved.length }));
  }

  #say(words, isBad = false) {
    $("share-state").textContent = words;
    $("share-state").classList.toggle("bad", isBad);
  }
}

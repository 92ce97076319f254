// What waits while a text is spoken: visible, each entry removable, in the order in which it was sent.

import { $, el, icon, replaceKeepingFocus } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { shortTitle } from "./order.js";
import { offerUndo } from "./undo.js";

export class Queue {
  #jobs = [];
  #isStopped = false;

  /** `onGo` is called when the next one may start: a queue goes on that stopped after an error, or an entry is back; `onChange` after every change. */
  constructor({ onGo, onChange }) {
    Object.assign(this, { onGo, onChange });
    $("queue-go").addEventListener("click", () => {
      this.#isStopped = false;
      this.#draw();
      onGo();
    });
    onLanguage(() => this.#draw());
  }

  get length() {
    return this.#jobs.length;
  }

  /** How many takes wait. */
  get takes() {
    return this.#jobs.reduce((sum, { takes }) => sum + takes.length, 0);
  }

  add(job) {
    this.#jobs.push(job);
    this.#draw();
  }

  /** It is the next one. */
  addFirst(job) {
    this.#jobs.unshift(job);
    this.#draw();
  }

  /** The next one, which no longer waits; undefined if there is none, or if the queue has stopped. */
  shift() {
    if (this.#isStopped) return undefined;
    const job = this.#jobs.shift();
    this.#draw();
    return job;
  }

  /** Nothing starts until the user says so: what failed would fail again. */
  stop() {
    this.#isStopped = this.#jobs.length > 0;
    this.#draw();
  }

  start() {
    this.#isStopped = false;
    this.#draw();
  }

  #draw() {
    if (!this.#jobs.length) this.#isStopped = false;
    $("queue").hidden = !this.#jobs.length;
    $("queue-stopped").hidden = !this.#isStopped;
    replaceKeepingFocus($("queue-list"), this.#jobs.map((job) => this.#row(job)));
    this.onChange();
  }

  #row(job) {
    const { order } = job.takes[0];
    const title = shortTitle(order);
    const remove = el("button", { type: "button", class: "icon-button small", "aria-label": t("queue.remove", { title }), title: t("queue.remove.short") }, icon("close"));
    remove.addEventListener("click", () => this.#remove(job, title));
    return el("li", { class: "queue-item" },
      el("span", { class: "queue-title", dir: "auto" }, title),
      job.takes.length > 1 ? el("span", { class: "badge calm" }, t("queue.takes", { n: job.takes.length })) : null,
      remove);
  }

  #remove(job, title) {
    const at = this.#jobs.indexOf(job);
    this.#jobs.splice(at, 1);
    const stays = this.#isStopped && !this.#jobs.length; // an empty queue forgets that it has stopped
    this.#draw();
    ($("queue-list").querySelector("button") ?? $("generate")).focus();
    offerUndo(t("queue.removed", { title }), () => {
      this.#jobs.splice(at, 0, job);
      this.#isStopped ||= stays;
      this.#draw();
      if (!this.#isStopped) this.onGo(); // what it waited for may have ended
    });
  }
}

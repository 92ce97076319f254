// The server's state, polled regularly; more often while it loads its models or cannot be reached.

import { $, setIcon } from "./dom.js";
import { health } from "./api.js";
import { onLanguage, t } from "./i18n.js";

const SLOW_MS = 15_000;
const FAST_MS = 2_000;
const STATES = ["ok", "starting", "asleep", "waking", "failed", "offline"];

export class Status {
  #timer = 0;
  #polling = null; // the latest `poll`
  state = "connecting";
  reason = "";

  /** `onBack` is called when the server can be reached again. */
  constructor({ onBack }) {
    this.onBack = onBack;
    onLanguage(() => this.#show());
    document.addEventListener("visibilitychange", () => document.hidden || this.poll());
    addEventListener("online", () => this.poll());
    addEventListener("offline", () => this.poll());
  }

  async poll() {
    clearTimeout(this.#timer);
    const polling = (this.#polling = {});
    const before = this.state;
    const answer = await health();
    if (this.#polling !== polling) return; // an older answer than that of a request which was sent meanwhile
    this.state = STATES.includes(answer.status) ? answer.status : "offline";
    this.reason = answer.reason ?? "";
    this.#show();
    if (before === "offline" && this.state !== "offline") this.onBack();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.poll(), this.state === "ok" || this.state === "asleep" ? SLOW_MS : FAST_MS);
  }

  #show() {
    const pill = $("status");
    if (pill.dataset.state !== this.state || pill.dataset.words !== t(`status.${this.state}`)) {
      pill.dataset.state = this.state;
      pill.dataset.words = t(`status.${this.state}`);
      $("status-text").textContent = t(`status.${this.state}`);
      pill.title = t(`status.${this.state}.about`);
    }
    const notice = $("server-notice");
    notice.hidden = ["ok", "connecting"].includes(this.state);
    notice.dataset.state = this.state;
    setIcon(notice, ["offline", "failed"].includes(this.state) ? "alert" : "clock");
    const words = notice.hidden ? "" : [t(`status.${this.state}.about`), this.reason].filter(Boolean).join(" ");
    if ($("server-notice-text").textContent !== words) $("server-notice-text").textContent = words;
  }
}

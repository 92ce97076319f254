// How the server is doing, asked now and then; faster while it is waking up or out of reach.

import { $ } from "./dom.js";
import { health } from "./api.js";
import { onLanguage, t } from "./i18n.js";

const CALM_MS = 15_000;
const EAGER_MS = 2_000;
const STATES = ["ok", "starting", "asleep", "waking", "failed", "offline"];

export class Status {
  #timer = 0;
  state = "connecting";
  reason = "";

  /** `onBack` when the server can be reached again after it could not. */
  constructor({ onBack }) {
    this.onBack = onBack;
    onLanguage(() => this.#show());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    addEventListener("online", () => this.look());
    addEventListener("offline", () => this.look());
  }

  async look() {
    clearTimeout(this.#timer);
    const before = this.state;
    const told = await health();
    this.state = STATES.includes(told.status) ? told.status : "offline";
    this.reason = told.reason ?? "";
    this.#show();
    if (before === "offline" && this.state !== "offline") this.onBack();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), this.state === "ok" || this.state === "asleep" ? CALM_MS : EAGER_MS);
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
    const words = notice.hidden ? "" : [t(`status.${this.state}.about`), this.reason].filter(Boolean).join(" ");
    if ($("server-notice-text").textContent !== words) $("server-notice-text").textContent = words;
  }
}

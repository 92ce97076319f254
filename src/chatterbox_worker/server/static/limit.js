// Says before a speech is generated which of the oldest a full history will delete for it.

import { $ } from "./dom.js";
import * as history from "./history.js";
import { titleOf } from "./historylist.js";
import { onLanguage, t } from "./i18n.js";
import { estimate_s } from "./order.js";
import { RATE } from "./wav.js";

export class HistoryLimit {
  /** `order()` is what the form says, or null; `count()` is how many takes will be added. */
  constructor({ order, count }) {
    Object.assign(this, { order, count });
    history.onHistory(() => this.draw());
    onLanguage(() => this.draw());
  }

  draw() {
    const order = this.order();
    if (!order) return;
    const count = this.count();
    const bytes = 2 * RATE * estimate_s(order, history.pace(order.model, order.language));
    const dropped = history.dropsFor(count, count * bytes);
    $("history-drops").hidden = !dropped.length;
    if (dropped.length) $("history-drops").textContent = t("history.drops", { n: dropped.length, title: titleOf(dropped.at(-1)) });
  }
}

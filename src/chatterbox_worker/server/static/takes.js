// The takes of the text that is in the player: listen to each, compare them, keep the best.

import { $, clock, el, icon, replaceKeepingFocus } from "./dom.js";
import { explain } from "./errors.js";
import * as history from "./history.js";
import { onLanguage, t } from "./i18n.js";

export class TakeList {
  #shown = null; // {group, takes, current, other}

  /** `onPlay(source)` and `onKeep(item)` are called for a row's buttons. */
  constructor({ onPlay, onKeep }) {
    Object.assign(this, { onPlay, onKeep });
    onLanguage(() => this.#shown && this.show(this.#shown));
  }

  /**
   * `group`: the takes' id, undefined if there is one take only; `takes`: those of the latest job, of which some may not
   * be in the history; `current`, `other`: the sources in the player and before it.
   */
  show({ group, takes, current, other }) {
    this.#shown = { group, takes, current, other };
    const sources = group ? sourcesOf(group, takes) : [];
    $("takes").hidden = sources.length < 2;
    const isBusy = sources.some(({ take }) => take?.isRunning);
    replaceKeepingFocus($("take-list"), sources.map((source) => this.#row(source, isBusy)));
  }

  #row(source, isBusy) {
    const { take, item } = source;
    const { number, order } = item ?? take;
    const isCurrent = isSame(source, this.#shown.current);
    const play = el("button", { type: "button", class: "icon-button", disabled: !item && !take.hasSound, "aria-label": t("takes.play", { n: number }), data: { focus: `take-${number}` } }, icon("play"));
    play.addEventListener("click", () => this.onPlay(source));
    const keep = item && !isBusy ? el("button", { type: "button", class: "quiet", "aria-label": t("takes.keep_n", { n: number }), data: { focus: `keep-${number}` } }, t("takes.keep")) : null;
    keep?.addEventListener("click", () => this.onKeep(item));
    return el("li", { class: `take${isCurrent ? " current" : ""}`, "aria-current": isCurrent ? "true" : null },
      play,
      el("div", { class: "take-words" },
        el("p", {}, el("b", {}, t("takes.n", { n: number })), el("span", { class: "take-facts" }, `${t("result.seed", { seed: order.seed })} · ${item ? clock(item.duration_s, true) : stateOf(take)}`),
          isSame(source, this.#shown.other) ? el("span", { class: "badge calm" }, t("takes.other")) : null),
        verdictOf(item ?? take)),
      keep);
  }
}

/** Where the sound of a take is: {item} in the history, or {take} while it is generated, or if it could not be stored. */
export const sourceOf = (take) => ({
  take,
  get item() {
    return take.item;
  },
});
export const isSame = (a, b) => Boolean(a && b) && (a.item && b.item ? a.item.id === b.item.id : Boolean(a.take) && a.take === b.take);

function sourcesOf(group, takes) {
  const own = takes.filter((take) => take.group === group);
  const stored = history.items().filter((item) => item.group === group && !own.some((take) => take.item?.id === item.id));
  return [...stored.map((item) => ({ item })), ...own.map(sourceOf)].sort((a, b) => (a.item ?? a.take).number - (b.item ?? b.take).number);
}

function stateOf(take) {
  if (!take.isRunning) return take.hasSound ? clock(take.speech.duration_s, true) : t("takes.failed");
  return take.hasSound ? t("takes.running", { time: clock(take.progress.audio_s) }) : t("takes.waiting");
}

/** What the checks found, in a line. */
function verdictOf({ checks, partial, error }) {
  const line = (kind, symbol, words) => el("p", { class: `note ${kind}` }, icon(symbol), el("span", {}, words));
  if (error) return line("bad", "alert", explain(error).title);
  if (partial) return line("warn", "alert", t("history.partial"));
  if (!checks?.length) return null;
  const attempts = checks.reduce((sum, check) => sum + check.attempts, 0) - checks.length;
  const reasons = [...new Set(checks.flatMap((check) => check.reasons))];
  if (reasons.length) return line("warn", "alert", t("takes.not_passed", { reasons: reasons.map((reason) => t(`reason.${reason}`)).join(", ") }));
  return line("good", "check", attempts ? t("takes.passed_after", { n: attempts }) : t("takes.passed"));
}

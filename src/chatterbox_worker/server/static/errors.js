// A failure in plain words, in the page's language: what happened, which field it is about, what to do.

import { ApiError } from "./api.js";
import { has, t } from "./i18n.js";

/** {title, detail, field}: `detail` is the server's own message, in English, or empty. */
export function explain(error) {
  if (!(error instanceof ApiError)) return { title: t("error.internal_error"), detail: String(error.message ?? error), field: null };
  const field = fieldOf(error.field);
  const known = field && has(`error.${error.code}.${field}`) ? `error.${error.code}.${field}` : `error.${error.code}`;
  const values = { ...error.values, field: field && has(`field.${field}`) ? t(`field.${field}`) : field, seconds: error.retryAfter ?? 5 };
  let title = has(known) ? t(known, values) : t("error.internal_error");
  if (error.code === "invalid_request") title = has(known) && known !== "error.invalid_request" ? t(known, values) : invalidField(field, values);
  if (error.turn !== undefined) title = t("error.in_turn", { turn: error.turn + 1, title });
  const isExplained = ["offline", "invalid_api_key"].includes(error.code);
  return { title, detail: isExplained ? "" : error.message, field };
}

const invalidField = (field, values) => (field && has(`field.${field}`) ? t("error.invalid_field", values) : t("error.invalid_request"));

const fieldOf = (name) => (name ? name.replace(/^turns\[\d+\]\.?/, "") || "turns" : null);

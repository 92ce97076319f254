// Puts the page together: who tells whom. Everything else is in the module that its noun names.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { CopyAs } from "./copyas.js";
import { $, setIcon, toast } from "./dom.js";
import { explain } from "./errors.js";
import * as history from "./history.js";
import { language, onLanguage, setLanguage, t, translate } from "./i18n.js";
import { ONCE } from "./order.js";
import { Player } from "./player.js";
import { Reference } from "./reference.js";
import { Result } from "./result.js";
import { Settings } from "./settings.js";
import { Shelf } from "./shelf.js";
import { Status } from "./status.js";
import { forget, recall, remember } from "./store.js";
import { Studio } from "./studio.js";
import { applyTheme, nextTheme, onTheme, theme } from "./theme.js";
import { Voices } from "./voices.js";

const THEME_ICONS = { system: "auto", light: "sun", dark: "moon" };
const FIELDS = { text: "text", turns: "turn-0-text", voice: "voices", voice_id: "voices", reference_audio: "voices", reference_transcript: "voices", seed: "seed", chunk_size: "chunk-size" };

let loaded = false;
let lastError = null;
let shownModel = null;

const settings = new Settings(changed);
const voices = new Voices({ settings, onChange: changed, onError: show });
const composer = new Composer({ voices, order, onChange: changed, onSubmit: () => studio.start() });
const player = new Player();
const model = () => settings.model;
const result = new Result({ model, onError: show, onSeed: keepSeed });
const shelf = new Shelf({ onOpen: open, onRestore: restore });
const studio = new Studio({ player, result, shelf, voices, order, check, onError: show });
const status = new Status({ onBack: load });
new Reference({ voices, model, onError: sentence });
new CopyAs({ order });

function order() {
  return {
    mode: composer.mode,
    text: composer.text,
    turns: composer.mode === "dialogue" ? composer.dialogue.turns : [],
    voice: voices.chosen,
    once: voices.referenceName,
    words: model()?.needs_transcript ? voices.referenceWords : null,
    converses: composer.mode === "dialogue" && Boolean(model()?.hears_context),
    ...settings.order(),
  };
}

function changed() {
  if (!loaded) return; // `Settings` may speak before the others are there
  if (settings.model !== shownModel) {
    shownModel = settings.model;
    voices.setModel(shownModel);
    composer.setModel(shownModel);
  }
  composer.count();
}

/** What the page can tell by itself before anything is asked of the server. */
function check() {
  show(null);
  if (!loaded) {
    show(new api.ApiError("offline"));
    return false;
  }
  const now = order();
  const empty = now.mode === "text" ? (now.text ? -1 : 0) : now.turns.findIndex(({ text }) => !text);
  if (empty >= 0) {
    show(Object.assign(new api.ApiError("empty_text", { field: "text" }), now.mode === "text" ? {} : { turn: empty }));
    return false;
  }
  for (const [id, field] of [["seed", "seed"], ["chunk-size", "chunk_size"]]) {
    if ($(id).checkValidity()) continue;
    show(new api.ApiError("invalid_request", { field }));
    return false;
  }
  return true;
}

/** Shows an error beside the button, marks its field and goes there; null takes all of that away. */
function show(error) {
  lastError = error;
  for (const marked of document.querySelectorAll("[aria-invalid]")) {
    marked.removeAttribute("aria-invalid");
    marked.removeAttribute("aria-errormessage");
  }
  $("error").hidden = error === null;
  if (error === null) return;
  const { title, detail, field } = explain(error);
  $("error-title").textContent = title;
  $("error-details").hidden = !detail;
  $("error-detail").textContent = detail;
  mark(error, field);
  if (error.code === "invalid_api_key") askKey();
  if (error.code === "voice_not_found") voices.load().then(changed, () => {});
}

function mark(error, field) {
  const id = error.turn === undefined ? (FIELDS[field] ?? `field-${field}`) : `turn-${error.turn}-${field === "voice" ? "voice" : "text"}`;
  const node = field ? $(id === "text" && composer.mode === "dialogue" ? "turn-0-text" : id) : null;
  if (!node) return;
  node.closest("details")?.setAttribute("open", "");
  node.setAttribute("aria-invalid", "true");
  node.setAttribute("aria-errormessage", "error");
  (node.matches("input, textarea, select") ? node : node.querySelector("input:checked"))?.focus();
}

function sentence(error) {
  const { title, detail } = explain(error);
  return detail ? `${title} (${detail})` : title;
}

function keepSeed(seed) {
  settings.setSeed(seed);
  toast(t("result.seed_kept", { seed }));
}

/** A piece of history on the table. */
async function open(item) {
  if (studio.busy) return;
  const kept = await history.sound(item.id);
  if (!kept) {
    show(new api.ApiError("sound_gone"));
    return;
  }
  show(null);
  $("stage-empty").hidden = true;
  $("stage").hidden = false;
  $("play").disabled = false;
  await player.load(kept.wav);
  result.show({ ...item, blob: kept.wav, reference: kept.reference, partial: false });
  shelf.mark(item.id);
  player.play();
}

async function restore(item) {
  const { order: was } = item;
  if (!settings.restore(was)) {
    show(new api.ApiError("model_gone"));
    return;
  }
  const kept = await history.sound(item.id);
  if (kept?.reference) voices.useOnce(kept.reference, was.once, was.words);
  if (was.mode === "text" && was.voice !== ONCE) voices.choose(was.voice);
  composer.restore(was);
  toast(t("history.restored"));
  $("composer").scrollIntoView({ block: "start" });
}

function askKey() {
  $("key").value = recall("key", "");
  $("key-forget").hidden = !recall("key");
  if (!$("key-dialog").open) $("key-dialog").showModal();
}

async function load() {
  try {
    const listed = await api.models();
    await voices.load();
    loaded = true;
    settings.setModels(listed.data, listed.default);
    changed();
    document.body.dataset.loaded = "true";
    if (["offline", "invalid_api_key"].includes(lastError?.code)) show(null);
  } catch (error) {
    show(error);
  }
}

function drawTheme() {
  const button = $("theme");
  setIcon(button, THEME_ICONS[theme()]);
  button.setAttribute("aria-label", t("theme.button", { now: t(`theme.${theme()}`) }));
  button.title = t(`theme.${theme()}`);
}

function drawLanguage() {
  for (const radio of document.querySelectorAll("[name=page-language]")) radio.checked = radio.value === language();
}

function listen() {
  $("theme").addEventListener("click", nextTheme);
  onTheme(drawTheme);
  for (const radio of document.querySelectorAll("[name=page-language]")) radio.addEventListener("change", () => setLanguage(radio.value));
  onLanguage(() => {
    drawTheme();
    changed();
    if (shownModel) composer.setModel(shownModel);
    if (lastError) show(lastError);
  });
  $("key-open").addEventListener("click", askKey);
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    remember("key", $("key").value.trim());
    $("key-dialog").close();
    load();
  });
  $("key-forget").addEventListener("click", () => {
    forget("key");
    $("key-dialog").close();
    load();
  });
  $("error-close").addEventListener("click", () => {
    show(null);
    $("generate").focus();
  });
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
}

translate();
listen();
applyTheme();
drawLanguage();
shelf.draw();
composer.dialogue.draw();
status.look();
load();

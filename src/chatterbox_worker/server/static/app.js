// Connects the page's modules. Everything else is in the module that is named after it.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { Convert } from "./convert.js";
import { CopyAs } from "./copyas.js";
import { $, el, setIcon, toast } from "./dom.js";
import { explain } from "./errors.js";
import * as history from "./history.js";
import { langOf, language, LANGUAGES, number, onLanguage, setLanguage, t, translate } from "./i18n.js";
import { ONCE, requests, textOf } from "./order.js";
import { Parts } from "./parts.js";
import { Player } from "./player.js";
import { Pronunciations } from "./pronunciations.js";
import { ReadAlong } from "./readalong.js";
import { Reading } from "./reading.js";
import { Reference } from "./reference.js";
import { Result } from "./result.js";
import { ScriptOffer } from "./scriptoffer.js";
import { Settings } from "./settings.js";
import { HistoryList } from "./historylist.js";
import { holdClicks } from "./lists.js";
import { Share } from "./share.js";
import { HistoryLimit } from "./limit.js";
import { Status } from "./status.js";
import { forget, onUnstored, recall, remember } from "./store.js";
import { Studio } from "./studio.js";
import { applyTheme, nextTheme, onTheme, setTheme, theme } from "./theme.js";
import { offerUndo } from "./undo.js";
import { Voices } from "./voices.js";
import { base64 } from "./wav.js";
import { Welcome } from "./welcome.js";

const THEME_ICONS = { system: "auto", light: "sun", dark: "moon" };
const FIELDS = { language: "language", text: "text", turns: "turn-0-text", voice: "voices", voice_id: "voices", reference_audio: "voices", reference_transcript: "voices", seed: "seed", chunk_size: "chunk-size", model: "model", loudness_lufs: "loudness" };

let loaded = false;
let loading = null; // the latest `load`
let lastError = null;
let shownModel = null;
let limit = null;

const settings = new Settings(changed);
const voices = new Voices({ settings, onChange: changed, onError: show, onListen: () => player.pause() });
const composer = new Composer({ voices, order, onChange: changed, onSubmit: () => studio.start(), onError: show });
const pronunciations = new Pronunciations({ speak: speakWord, onChange: changed, onListen: quiet, describe });
const scriptOffer = new ScriptOffer({ composer, voices });
const player = new Player({ onPlay: () => voices.stop(), onMove: (at_s) => readAlong.follow(at_s) });
const readAlong = new ReadAlong({ onPlay: playFrom });
const model = () => settings.model;
const parts = new Parts({ onPlay: playFrom, onAgain: (of, reference) => studio.generate(of, reference) });
const result = new Result({ model, onError: show, onSeed: keepSeed, onShow: showSpeech });
const historyList = new HistoryList({ onOpen: open, onRestore: restore, onDownload: download });
const studio = new Studio({ player, result, historyList, voices, order, check, onWords: (of, words) => readAlong.add(of, words), onError: show, onUpcoming: () => limit?.draw() });
limit = new HistoryLimit({ order: () => (loaded ? order() : null), count: () => studio.upcoming + chosenTakes() });
const status = new Status({ onBack: load });
new Reference({ voices, model, languages: () => settings.languages, onError: describe });
new CopyAs({ order });
const convert = new Convert({ voices, format: () => result.format, describe });
const share = new Share({ order: () => (loaded ? order() : null), turns: () => composer.dialogue.turns, voices, isBusy: () => studio.busy, describe, onOrder: openLinked, onValues: adopt, onError: show });
const welcome = new Welcome({ onSpeak: speakExample });
const reading = new Reading({ order: () => (loaded ? order() : null) });

function order() {
  const now = {
    mode: composer.mode,
    text: composer.text,
    format: composer.format,
    turns: composer.mode === "dialogue" ? composer.dialogue.turns : [],
    voice: voices.chosen,
    once: voices.referenceName,
    words: model()?.needs_transcript ? voices.referenceWords : null,
    converses: composer.mode === "dialogue" && Boolean(model()?.hears_context),
    ...settings.order(),
  };
  return { ...now, pronunciations: pronunciations.within(textOf(now)) };
}

function changed() {
  if (!loaded) return; // `Settings` may call this before the other modules exist
  if (settings.model !== shownModel) {
    shownModel = settings.model;
    voices.setModel(shownModel);
    composer.setModel(shownModel);
    result.draw();
  }
  settings.setVoiceLanguage(composer.mode === "dialogue" ? null : voices.language); // in a dialogue each turn has its own
  for (const box of document.querySelectorAll("#text, #turns textarea")) box.lang = langOf(settings.language); // it decides the spelling check
  welcome.update({ hasText: order().text !== "", hasSpeech: result.speech !== null });
  composer.dialogue.update();
  composer.count();
  pronunciations.count(textOf(order()));
  limit.draw();
  reading.update();
  scriptOffer.update();
}

/** Whether the server's models and voices are known, when it has answered. */
async function hasLists() {
  const failed = loaded ? null : await loading;
  if (!loaded) show(failed);
  return loaded;
}

/** The checks that the page can do itself before it sends a request, once it knows the server's models. */
async function check() {
  show(null);
  if (!(await hasLists())) return false;
  const now = order();
  const empty = now.mode === "text" ? (now.text ? -1 : 0) : now.turns.findIndex(({ text }) => !text);
  if (empty >= 0) {
    show(Object.assign(new api.ApiError("empty_text", { field: "text" }), now.mode === "text" ? {} : { turn: empty }));
    return false;
  }
  const gone = now.mode === "dialogue" ? composer.dialogue.firstWithoutVoice : -1;
  if (gone >= 0) {
    show(Object.assign(new api.ApiError("voice_not_found", { field: "voice" }), { turn: gone }));
    return false;
  }
  const texts = now.mode === "text" ? [now.text] : now.turns.map(({ text }) => text);
  const most = model().max_text_chars;
  const long = texts.findIndex((text) => text.length > most && [...text].length > most);
  if (long >= 0) {
    const values = { n: number([...texts[long]].length), most: number(most) };
    show(Object.assign(new api.ApiError("text_too_long", { field: "text" }), { values }, now.mode === "text" ? {} : { turn: long }));
    return false;
  }
  for (const [id, field] of [["seed", "seed"], ["chunk-size", "chunk_size"]]) {
    if ($(id).checkValidity()) continue;
    show(new api.ApiError("invalid_request", { field }));
    return false;
  }
  return true;
}

/** Shows an error next to the button, marks its field and focuses it; null clears all of that. */
function show(error) {
  lastError = error;
  $("error-at-field")?.remove();
  for (const marked of document.querySelectorAll("[aria-invalid]")) {
    marked.removeAttribute("aria-invalid");
    marked.removeAttribute("aria-errormessage");
  }
  $("error").hidden = error === null;
  if (error === null) return;
  const { title, detail, field } = explain(error);
  $("error-title").textContent = error.about ? t("error.of_waiting", { about: error.about, title }) : title;
  $("error-details").hidden = !detail;
  $("error-detail").textContent = detail;
  if (!error.about) mark(error, field, title); // the form has another text by now
  if (error.code === "invalid_api_key") askKey(recall("key", "") !== "");
  if (error.code === "voice_not_found") voices.load().then(changed, () => {});
}

function mark(error, field, title) {
  if (field === "pronunciations" && pronunciations.mark(error.message)) return;
  const id = error.turn === undefined ? (FIELDS[field] ?? `field-${field}`) : `turn-${error.turn}-${field === "voice" ? "voice" : "text"}`;
  const node = field ? $(id === "text" && composer.mode === "dialogue" ? "turn-0-text" : id) : null;
  if (!node) return;
  node.closest("details")?.setAttribute("open", "");
  node.setAttribute("aria-invalid", "true");
  node.setAttribute("aria-errormessage", "error");
  (node.matches("input, textarea, select") ? node : node.querySelector("input:checked"))?.focus();
  if (!isInSight($("error"))) showAtField(node, title);
}

/** Not above the window, not below it, and not under a phone's bar. */
function isInSight(box) {
  const { top, bottom } = box.getBoundingClientRect();
  return top >= 0 && bottom <= Math.min(innerHeight, $("generate").getBoundingClientRect().top);
}

/** A screen reader has it from the alert. */
function showAtField(node, words) {
  const note = el("p", { class: "note bad", id: "error-at-field", "aria-hidden": "true" }, words);
  (node.closest(".with-button") ?? node).after(note);
  note.scrollIntoView({ block: "nearest" });
}

function describe(error) {
  const { title, detail } = explain(error);
  return detail ? `${title} (${detail})` : title;
}

/** null for none. */
function showSpeech(speech) {
  readAlong.show(speech);
  parts.show(speech);
  if (speech) welcome.update({ hasText: true, hasSpeech: true });
}

function speakExample(text) {
  composer.restore({ mode: "text", text, format: "plain" });
  studio.start();
}

/** One word as a speech of its own, in the voice that is chosen. */
async function speakWord(word, spoken) {
  const failed = loaded ? null : await loading;
  if (!loaded) throw failed;
  const alone = { ...order(), mode: "text", text: word, format: "plain", voice: voices.chosen, pronunciations: { [word]: spoken } };
  const reference = alone.voice === ONCE ? await base64(voices.reference) : null;
  return api.speak({ ...requests(alone, reference)[0].fields, response_format: "wav" });
}

/** Nothing else plays. */
function quiet() {
  player.pause();
  voices.stop();
}

function playFrom(seconds) {
  player.seek(seconds);
  player.play();
}

function keepSeed(seed) {
  settings.setSeed(seed);
  toast(t("result.seed_kept", { seed }));
}

function open(item) {
  show(null);
  studio.openItem(item);
}

async function download(item, button) {
  const speech = await history.speech(item);
  if (speech) await result.download(speech, result.format, button);
  else show(new api.ApiError("sound_gone"));
}

async function restore(item) {
  const stored = await history.sound(item.id);
  const form = { ...order(), turns: composer.dialogue.turns };
  const words = pronunciations.entries;
  const { reference } = voices;
  if (!use(item.order, stored?.reference)) return;
  offerUndo(t("history.restored"), () => {
    composer.restore({ ...form, mode: form.mode === "text" ? "dialogue" : "text" }); // the pane that is not shown has a draft, too
    use(form, reference);
    pronunciations.replace(words);
    voices.choose(form.voice);
  });
}

/** Puts an order into the form; returns false if the server cannot do it. */
function use(previous, reference) {
  if (!settings.restore(previous)) {
    show(new api.ApiError("model_gone"));
    return false;
  }
  show(null);
  if (reference) voices.useOnce(reference, previous.once, previous.words);
  if (previous.mode === "text" && previous.voice !== ONCE) voices.choose(previous.voice);
  pronunciations.merge(previous.pronunciations ?? {});
  composer.restore(previous);
  $("composer").scrollIntoView({ block: "start" });
  if (settings.language !== previous.language) show(new api.ApiError("language_gone", { field: "language", message: previous.language }));
  else if (previous.mode === "text" && voices.chosen !== previous.voice) show(new api.ApiError("voice_not_found", { field: "voice", message: previous.voice }));
  return true;
}

/** Puts the order of a link into the form. Its pronunciations are added to the list, which can be undone. */
function openLinked(linked) {
  const words = pronunciations.entries;
  const n = Object.entries(linked.pronunciations ?? {}).filter(([word, spoken]) => words[word] !== spoken).length;
  if (use(linked, null) && n) offerUndo(t("pron.linked", { n }), () => pronunciations.replace(words));
}

/** Shows the values of a file that was opened; they are stored already. */
function adopt(values) {
  if (values.settings) settings.adopt(values.settings);
  if (values.pronunciations) pronunciations.adopt(values.pronunciations);
  if (values.voice) voices.choose(values.voice);
  if (LANGUAGES.includes(values.language)) chooseLanguage(values.language);
  if (values.theme) setTheme(theme());
  if ("volume" in values) {
    $("volume").value = values.volume;
    $("volume").dispatchEvent(new Event("input"));
  }
  drawLanguage();
}

const chosenTakes = () => Number(document.querySelector("[name=takes]:checked").value);

function askKey(isWrong) {
  $("key").value = recall("key", "");
  $("key-forget").hidden = $("key").value === "";
  $("key-wrong").hidden = !isWrong;
  $("key").setAttribute("aria-invalid", isWrong);
  if (!$("key-dialog").open) $("key-dialog").showModal();
}

function load() {
  loading = loadLists();
}

/** Resolves to the error if the server did not answer with its models and voices, and else to null. */
async function loadLists() {
  try {
    const listed = await api.models();
    const failed = await voices.load().then(() => null, (error) => error);
    if (failed && failed.code !== "volume_failed") throw failed; // the model's own voice speaks without the disk
    loaded = true;
    settings.setModels(listed.data, listed.default);
    convert.setModels(listed.data);
    changed();
    document.body.dataset.loaded = "true";
    share.openLink();
    if (["offline", "invalid_api_key"].includes(lastError?.code)) show(null);
    if (failed) show(failed);
    return null;
  } catch (error) {
    show(error);
    return error;
  }
}

function drawTheme() {
  const button = $("theme");
  setIcon(button, THEME_ICONS[theme()]);
  button.setAttribute("aria-label", t("theme.button", { now: t(`theme.${theme()}`) }));
  button.title = t(`theme.${theme()}`);
}

/** A choice for each language, by its own name. */
function drawLanguages() {
  $("page-languages").replaceChildren(...LANGUAGES.map((tag) => {
    const name = new Intl.DisplayNames([tag], { type: "language" }).of(tag);
    const radio = el("input", { type: "radio", name: "page-language", value: tag });
    radio.addEventListener("change", () => chooseLanguage(tag));
    return el("label", {}, radio, el("span", { lang: tag, "aria-hidden": "true" }, tag.toUpperCase()),
      el("span", { class: "sr", lang: tag }, name.charAt(0).toLocaleUpperCase(tag) + name.slice(1)));
  }));
}

async function chooseLanguage(tag) {
  try {
    await setLanguage(tag);
  } catch {
    show(new api.ApiError("offline"));
  }
  drawLanguage();
}

function drawLanguage() {
  for (const radio of document.querySelectorAll("[name=page-language]")) radio.checked = radio.value === language();
}

function addListeners() {
  for (const radio of document.querySelectorAll("[name=takes]")) radio.addEventListener("change", () => limit.draw());
  $("theme").addEventListener("click", nextTheme);
  onTheme(drawTheme);
  onUnstored((isLost) => ($("unstored").hidden = !isLost));
  onLanguage(() => {
    drawTheme();
    changed();
    if (shownModel) composer.setModel(shownModel);
    if (lastError) show(lastError);
  });
  $("key-open").addEventListener("click", () => askKey(lastError?.code === "invalid_api_key" && recall("key", "") !== ""));
  for (const id of ["reference-open", "convert-open"]) $(id).addEventListener("click", quiet); // or the microphone would record it
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
holdClicks(() => loaded, hasLists);
addListeners();
applyTheme();
drawLanguages();
drawLanguage();
historyList.draw();
composer.dialogue.draw();
status.poll();
load();

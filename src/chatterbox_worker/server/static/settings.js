// Model, language and the sliders: what the server reports that a model can use, within its ranges.

import { $, el, icon } from "./dom.js";
import { hintOnDemand } from "./hint.js";
import { isLoudness } from "./order.js";
import { has, language as pageLanguage, languageName, number, onLanguage, t } from "./i18n.js";
import { isPreset, presetsOf } from "./presets.js";
import { recall, remember } from "./store.js";

const STEPS = { top_k: 10, steps: 1, block_size: 1 }; // whole numbers; all others move in twentieths
const FINE_STEP = 0.05;
const ORDER = ["exaggeration", "temperature", "cfg_weight", "repetition_penalty", "top_p", "min_p", "top_k", "steps", "position_temperature", "block_size"];
const LOUDNESS = { podcast: -16, audiobook: -20 }; // LUFS: usual for podcasts; and speech of an RMS of -23 to -18 dB, as audiobook shops ask
const MAIN = ["exaggeration", "temperature", "cfg_weight"]; // the others are under "fine tuning"

export class Settings {
  #models = [];
  #stored = recall("settings", {});
  #voiceLanguage = null;

  constructor(onChange) {
    this.onChange = onChange;
    $("model").addEventListener("change", () => this.#choose({ model: $("model").value }));
    $("language").addEventListener("change", () => this.#choose({ language: $("language").value }));
    $("loudness").addEventListener("change", () => this.#choose({ loudness_lufs: $("loudness").value === "" ? null : Number($("loudness").value) }));
    $("seed").addEventListener("input", () => this.#readInputs());
    $("seed-clear").addEventListener("click", () => this.setSeed(null));
    $("chunk-size").addEventListener("input", () => this.#readInputs());
    $("reset").addEventListener("click", () => this.#reset());
    onLanguage(() => this.#models.length && this.#draw());
  }

  get model() {
    return this.#models.find(({ id }) => id === this.#stored.model);
  }

  get language() {
    return $("language").value;
  }

  /** The codes of the languages of all models, without regions. */
  get languages() {
    return [...new Set(this.#models.flatMap(({ languages }) => languages.map(codeOf)))];
  }

  /** That of the chosen voice; null if it is not known. */
  setVoiceLanguage(language) {
    if (language === this.#voiceLanguage) return;
    this.#voiceLanguage = language;
    this.#drawPresets(this.model);
    this.#drawSliders(this.model);
  }

  /** Whether the server speaks without guidance by default, because the voice is in another language than the text. */
  get #unguided() {
    const { model, language } = this;
    const isForeign = this.#voiceLanguage !== null && language !== "auto" && codeOf(language) !== this.#voiceLanguage;
    return isForeign && "cfg_weight" in model.sampling && new Set(model.languages.map(codeOf)).size > 1;
  }

  /** Of the model's sampling, with the defaults that this voice and language have. */
  get #ranges() {
    const { sampling } = this.model;
    return this.#unguided ? { ...sampling, cfg_weight: { ...sampling.cfg_weight, default: 0 } } : sampling;
  }

  setModels(models, first) {
    this.#models = models;
    if (!this.model) this.#stored.model = first;
    $("seed").value = this.#stored.seed ?? "";
    $("chunk-size").value = this.#stored.chunk_size ?? "";
    this.#draw();
  }

  /** What differs from the defaults. */
  get #sampling() {
    const values = Object.entries(this.#ranges).map(([name, range]) => [name, this.#value(name, range), range.default]);
    return Object.fromEntries(values.filter(([, value, own]) => value !== own));
  }

  /** The part of an order that is set here. `sampling` has only what differs from the defaults. */
  order() {
    return {
      model: this.model.id,
      language: this.language,
      speed: this.#value("speed", this.model.speed),
      seed: wholeNumber($("seed")),
      chunk_size: wholeNumber($("chunk-size")),
      loudness_lufs: this.#loudness,
      sampling: this.#sampling,
    };
  }

  /** Returns false if the server no longer has the order's model. */
  restore(order) {
    if (!this.#models.some(({ id }) => id === order.model)) return false;
    this.#stored = { ...this.#stored, model: order.model, language: order.language, speed: order.speed, chunk_size: order.chunk_size, loudness_lufs: order.loudness_lufs ?? null };
    this.#stored.sampling = { ...this.#stored.sampling, [order.model]: { ...order.sampling } };
    $("chunk-size").value = order.chunk_size ?? "";
    this.setSeed(order.seed);
    this.#draw();
    return true;
  }

  /** Takes values as `recall("settings")` returns them. */
  adopt(stored) {
    this.#stored = stored;
    this.setModels(this.#models, this.#models[0].id);
  }

  setSeed(seed) {
    $("seed").value = seed ?? "";
    this.#readInputs();
  }

  #choose(change) {
    Object.assign(this.#stored, change);
    this.#draw();
  }

  #readInputs() {
    this.#stored.seed = wholeNumber($("seed"));
    this.#stored.chunk_size = wholeNumber($("chunk-size"));
    $("seed-clear").hidden = $("seed").value === "";
    remember("settings", this.#stored);
    this.onChange();
  }

  #reset() {
    this.#stored.sampling = { ...this.#stored.sampling, [this.model.id]: {} };
    this.#stored.speed = undefined;
    this.#stored.loudness_lufs = null;
    $("chunk-size").value = "";
    this.setSeed(null);
    this.#draw();
  }

  #value(name, range) {
    const stored = name === "speed" ? this.#stored.speed : this.#stored.sampling?.[this.model.id]?.[name];
    return !Number.isFinite(stored) ? range.default : Math.min(range.max, Math.max(range.min, stored));
  }

  #set(name, value) {
    if (name === "speed") this.#stored.speed = value;
    else {
      const own = { ...this.#stored.sampling?.[this.model.id], [name]: value };
      if (value === this.#ranges[name].default) delete own[name]; // which may be another one with another voice
      this.#stored.sampling = { ...this.#stored.sampling, [this.model.id]: own };
    }
    remember("settings", this.#stored);
    this.#markPresets();
    this.onChange();
  }

  #usePreset({ sampling }) {
    this.#stored.sampling = { ...this.#stored.sampling, [this.model.id]: { ...sampling } };
    this.#drawSliders(this.model);
    remember("settings", this.#stored);
    this.#markPresets();
    this.onChange();
  }

  #drawPresets(model) {
    const presets = presetsOf(this.#ranges);
    $("presets").hidden = !presets.length;
    $("preset-list").replaceChildren(...presets.map((preset) => {
      const chip = el("button", { type: "button", class: "chip", title: t(`preset.${preset.name}.about`), data: { preset: preset.name } }, t(`preset.${preset.name}`));
      chip.addEventListener("click", () => this.#usePreset(preset));
      return chip;
    }));
    this.#markPresets();
  }

  #markPresets() {
    const sampling = this.#sampling;
    for (const preset of presetsOf(this.#ranges)) {
      $("preset-list").querySelector(`[data-preset=${preset.name}]`)?.setAttribute("aria-pressed", isPreset(preset, sampling));
    }
  }

  #draw() {
    const { model } = this;
    $("model").replaceChildren(...this.#models.map(({ id }) => el("option", { value: id, selected: id === model.id }, modelName(id))));
    $("model-about").textContent = has(`model.${model.id}`) ? t(`model.${model.id}`) : "";
    this.#drawLanguages(model);
    this.#drawPresets(model);
    this.#drawSliders(model);
    this.#drawLoudness();
    $("preview-banner").hidden = model.id !== "preview";
    remember("settings", this.#stored);
    this.onChange();
  }

  #drawLanguages(model) {
    const named = model.languages.map((tag) => ({ tag, name: languageName(tag) })).sort((a, b) => a.name.localeCompare(b.name));
    if (model.identifies_languages) named.push({ tag: "auto", name: languageName("auto") });
    const chosen = [this.#stored.language, pageLanguage(), "en", model.languages[0]].find((one) => named.some(({ tag }) => tag === one));
    $("language").replaceChildren(...named.map(({ tag, name }) => el("option", { value: tag, selected: tag === chosen }, name)));
    $("language").disabled = named.length < 2;
  }

  get #loudness() {
    const { loudness_lufs: lufs = null } = this.#stored;
    return isLoudness(lufs) ? lufs : null;
  }

  /** The uses that have a usual loudness, and another one that an order brought. */
  #drawLoudness() {
    const now = this.#loudness;
    const named = [["", t("loudness.none")], ...Object.entries(LOUDNESS).map(([use, lufs]) => [lufs, `${t(`loudness.${use}`)} · ${formatSetting("loudness_lufs", lufs)}`])];
    const other = now === null || Object.values(LOUDNESS).includes(now) ? [] : [[now, formatSetting("loudness_lufs", now)]];
    $("loudness").replaceChildren(...[...named, ...other].map(([value, words]) => el("option", { value, selected: value === (now ?? "") }, words)));
    $("loudness-about").hidden = now === null;
  }

  #drawSliders(model) {
    const ranges = { speed: model.speed, ...this.#ranges };
    const slider = (name) => this.#slider(name, ranges[name]);
    $("sliders").replaceChildren(...["speed", ...MAIN].filter((name) => name in ranges).map(slider));
    const fine = ORDER.filter((name) => name in ranges && !MAIN.includes(name));
    $("fine-sliders").replaceChildren(...fine.map(slider));
    const none = Object.keys(model.sampling).length === 0;
    $("no-sliders").hidden = !none;
    const unused = ORDER.filter((name) => MAIN.includes(name) && !(name in ranges));
    $("unused").hidden = none || !unused.length;
    $("unused").textContent = unused.length ? t("settings.unused", { names: unused.map((name) => t(`field.${name}`)).join(", ") }) : "";
  }

  #slider(name, range) {
    const value = this.#value(name, range);
    const shown = el("output", { class: "slider-value", for: `field-${name}` });
    const input = el("input", {
      type: "range", id: `field-${name}`, min: range.min, max: range.max, step: STEPS[name] ?? FINE_STEP, value,
      "aria-describedby": `about-${name}`,
    });
    const back = el("button", { type: "button", class: "icon-button small", "aria-label": t("settings.reset_one", { name: t(`field.${name}`) }) }, icon("undo"));
    const show = () => {
      const text = formatSetting(name, Number(input.value));
      shown.textContent = text;
      input.setAttribute("aria-valuetext", text);
      back.classList.toggle("invisible", Number(input.value) === range.default);
      input.style.setProperty("--at", `${(100 * (input.value - range.min)) / (range.max - range.min)}%`);
    };
    input.addEventListener("input", () => {
      show();
      this.#set(name, Number(input.value));
    });
    back.addEventListener("click", () => {
      input.value = range.default;
      input.dispatchEvent(new Event("input"));
      input.focus();
    });
    show();
    const { button, hint } = hintOnDemand(`about-${name}`, t(`field.${name}`), t(`about.${name}${name === "cfg_weight" && this.#unguided ? ".unguided" : ""}`, { value: formatSetting(name, range.default) }));
    const ends = ["low", "high"].map((end) => `ends.${name}.${end}`);
    const [low, high] = ends.every(has) ? ends.map((end) => t(end)) : [formatSetting(name, range.min), formatSetting(name, range.max)];
    return el("div", { class: "slider" },
      el("div", { class: "slider-head" }, el("label", { for: `field-${name}` }, t(`field.${name}`)), button, el("span", { class: "spacer" }), back, shown),
      input,
      el("div", { class: "slider-ends", "aria-hidden": "true" }, el("span", {}, low), el("span", {}, high)),
      hint);
  }
}

const codeOf = (tag) => tag.slice(0, 2);

const wholeNumber = (input) => (input.value === "" || !input.checkValidity() ? null : Number(input.value));

/** A setting's value as it is shown. */
export function formatSetting(name, value) {
  if (name in STEPS) return number(value);
  if (name === "loudness_lufs") return `${number(value)} LUFS`;
  const text = number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return name === "speed" ? `${text}×` : text;
}

export const modelName = (id) => (has(`model.${id}.name`) ? t(`model.${id}.name`) : id);

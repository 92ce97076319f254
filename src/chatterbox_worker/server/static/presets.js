// Ways of speaking: named values of a model's sampling. All other values are then the model's own. Pure.

/** For each the values to try, the first of which a model can use. Those of "lively" are upstream's advice for dramatic speech. */
const PRESETS = {
  neutral: [{}],
  calm: [{ exaggeration: 0.3, temperature: 0.6 }, { temperature: 0.6 }],
  lively: [{ exaggeration: 0.7, cfg_weight: 0.3 }, { temperature: 1 }],
  foreign: [{ cfg_weight: 0 }], // the recording's accent is not carried into another language
};

/** [{name, sampling}] that the model with these ranges can use, and that are not its defaults; none if it has nothing to set. */
export function presetsOf(ranges) {
  const found = Object.entries(PRESETS).map(([name, choices]) => ({ name, sampling: choices.find((values) => Object.keys(values).every((each) => each in ranges)) }));
  return Object.keys(ranges).length ? found.filter(({ name, sampling }) => name === "neutral" || (sampling && Object.entries(sampling).some(([each, value]) => value !== ranges[each].default))) : [];
}

/** Whether `sampling`, which has what differs from the model's own values, is that of the preset. */
export function isPreset(preset, sampling) {
  const names = Object.keys(preset.sampling);
  return names.length === Object.keys(sampling).length && names.every((name) => sampling[name] === preset.sampling[name]);
}

// Whether a recording is a good reference for a voice, judged by its samples alone. Pure.

const FRAME_S = 0.02;
const FLOOR_DB = -100;
const SILENT_DBFS = -50; // the loudest stretch of any voice that was meant to be recorded is above it
const QUIET_DBFS = -30;
const CLIPPED = 0.99; // of full scale
const CLIPPED_RUN = 3; // samples in a row: a natural peak touches full scale once
const MANY_RUNS = 3;
const NOISY_DB = 20; // between speech and pauses; below it the noise can be heard in the cloned voice
const SHORTEST_S = 3; // below it there is too little of a voice to copy
const GOOD_S = 6;
const USED_S = 15; // no model uses more (voices/reference.py)

export const db = (amplitude) => Math.max(FLOOR_DB, 20 * Math.log10(amplitude || 1e-9));

/**
 * Advice about `samples` (Float32Array, mono): {duration_s, level_db, snr_db, notes: [{key, grade}]}, the worst first.
 * Grades: "bad" should not be used, "warn" could be better, "good".
 */
export function advise(samples, rate, { min_s = 0 } = {}) {
  const duration_s = samples.length / rate;
  const levels = frames(samples, rate);
  const loud = percentile(levels, 0.98);
  const quiet = percentile(levels, 0.1);
  const snr_db = loud - quiet;
  const notes = [];
  const note = (grade, key, values = {}) => notes.push({ grade, key: `advice.${key}`, values });
  if (levels[levels.length - 1] < SILENT_DBFS) note("bad", "silent");
  else {
    if (duration_s < SHORTEST_S) note("bad", "short", { seconds: SHORTEST_S });
    else if (duration_s <= min_s) note("bad", "short_for_model", { seconds: min_s });
    else if (duration_s < GOOD_S) note("warn", "shortish", { seconds: GOOD_S });
    if (clippedRuns(samples) >= MANY_RUNS) note("bad", "clipped");
    if (loud < QUIET_DBFS) note("warn", "quiet");
    // a voice without pauses has no quiet frames in which to measure the noise; then there is no note
    if (snr_db < NOISY_DB && quiet > -60 && snr_db > 3) note("warn", "noisy");
    if (duration_s > USED_S) note("warn", "long", { seconds: USED_S });
  }
  if (!notes.length) note("good", "good");
  return { duration_s, level_db: loud, snr_db, notes: notes.sort((a, b) => rank(a) - rank(b)) };
}

const rank = ({ grade }) => ["bad", "warn", "good"].indexOf(grade);

function frames(samples, rate) {
  const size = Math.round(FRAME_S * rate);
  const levels = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    let power = 0;
    for (let i = at; i < at + size; i++) power += samples[i] * samples[i];
    levels.push(db(Math.sqrt(power / size)));
  }
  return levels.length ? levels.sort((a, b) => a - b) : [FLOOR_DB];
}

const percentile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];

function clippedRuns(samples) {
  let runs = 0;
  let run = 0;
  for (let i = 0; i < samples.length; i++) {
    if (Math.abs(samples[i]) >= CLIPPED) {
      if (++run === CLIPPED_RUN) runs += 1;
    } else run = 0;
  }
  return runs;
}

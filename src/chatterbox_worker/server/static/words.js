// What is spoken when: the words of a speech, or where the model knows no times of words, its lines; and in which language. Pure.

const FAR = 200; // characters in which a word is looked for in the text, from the end of the one before

/** [{text, start_s, end_s, turn}] in order; `turn` is undefined in a text. Speech of an older page has chunks alone. */
export function timedWords({ words, chunks }) {
  if (!words?.length) return chunks.flatMap(lines);
  const whole = new Map(chunks.map((chunk) => [`${chunk.turn ?? ""} ${chunk.text}`, chunk]));
  return words.flatMap((word) => {
    const chunk = whole.get(`${word.turn ?? ""} ${word.text}`); // a model that knows no words calls the chunk one
    return chunk?.cues?.length > 1 ? lines(chunk) : word;
  });
}

const lines = (chunk) => (chunk.cues?.length ? chunk.cues : [chunk]).map(({ text, start_s, end_s }) => ({ text: text.replace(/\s+/g, " "), start_s, end_s, turn: chunk.turn }));

/** The tags of the languages that `auto` found, that of most of the text first; none of a speech whose language was chosen. */
export function foundLanguages({ order, chunks }) {
  const chars = new Map();
  for (const { language, text } of order.language === "auto" ? chunks : []) if (typeof language === "string") chars.set(language, (chars.get(language) ?? 0) + text.length);
  return [...chars.keys()].sort((a, b) => chars.get(b) - chars.get(a));
}

/** What stands before the word in the text that was written, and where the word ends there; a space if it is not found. */
export function placeIn(text, word, from, keepsMarks) {
  const at = text.slice(from, from + FAR + word.length).indexOf(word);
  if (at < 0) return { before: from ? " " : "", end: from };
  const before = text.slice(from, from + at);
  const kept = keepsMarks ? before : before.includes("\n") ? "\n" : /\s/.test(before) ? " " : "";
  return { before: from ? kept.replace(/\n\s*\n\s*/g, "\n\n") : kept.trimStart(), end: from + at + word.length };
}

/** Index of the last word that has begun at `at_s`, or -1. */
export function wordAt(words, at_s) {
  let [low, high] = [0, words.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start_s <= at_s) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

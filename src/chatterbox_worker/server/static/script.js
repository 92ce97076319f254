// A dialogue written as a script: lines that begin with "Anna:" or "[Anna]:". Pure.

const NAME = "\\p{L}[\\p{L}\\p{M}\\p{N}'’._-]*(?: [\\p{L}\\p{M}\\p{N}'’._-]+){0,3}"; // one to four words
const LINE = new RegExp(`^\\s*(?:\\[(${NAME})\\]|[*_]{0,2}(${NAME})[*_]{0,2})\\s*(?::[*_]{0,2}(?=\\s|$)|：)\\s*(.*)$`, "u");
const LONGEST_NAME = 40;

/** [{name, text}] of a text that looks like a script, or null. `isVoice(name)` says whether a voice is called so. */
export function parseScript(text, isVoice) {
  const turns = [];
  let hasBrackets = false;
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    const name = found?.[1] ?? found?.[2];
    if (name && name.length <= LONGEST_NAME) {
      hasBrackets ||= Boolean(found[1]);
      turns.push({ name, text: found[3] });
    } else if (turns.length) turns.at(-1).text += `\n${line}`;
    else if (line.trim()) return null; // a script begins with a name
  }
  for (const turn of turns) turn.text = turn.text.trim();
  const names = new Set(turns.map(({ name }) => plainName(name)));
  const isLikely = hasBrackets || names.size < turns.length || names.size === 2 || turns.some(({ name }) => isVoice(name));
  return turns.length > 1 && turns.every((turn) => turn.text) && isLikely ? turns : null;
}

/** Names are equal if they have the same letters and digits: voices have no accents and no spaces. */
export const plainName = (name) => name.normalize("NFD").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

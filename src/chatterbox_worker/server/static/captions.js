// Captions of a speech from the times of its chunks, as the server's done event reports them. Pure.

export const KINDS = { srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };
const LINE_CHARS = 42; // the server's length of a line

/** `chunks`: objects with text, start_s, end_s. */
export function captions(kind, chunks, duration_s) {
  const audible = chunks.filter((chunk) => chunk.end_s > chunk.start_s);
  if (kind === "json") return JSON.stringify({ duration_s, chunks: audible }, null, 2);
  const comma = kind === "srt" ? "," : ".";
  const cues = audible.map(
    (chunk, i) => `${i + 1}\n${clock(chunk.start_s, comma)} --> ${clock(chunk.end_s, comma)}\n${lines(kind, chunk.text)}\n`,
  );
  return (kind === "srt" ? cues : ["WEBVTT\n", ...cues]).join("\n");
}

function clock(seconds, comma) {
  const ms = Math.round(seconds * 1000);
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${pad(h)}:${pad(m)}:${pad(s)}${comma}${pad(ms % 1000, 3)}`;
}

function lines(kind, text) {
  const safe =
    kind === "vtt"
      ? text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;") // a cue may contain markup here
      : text.replaceAll("-->", "→");
  const out = [""];
  for (const word of safe.split(/\s+/)) {
    const last = out[out.length - 1];
    if (last && last.length + 1 + word.length > LINE_CHARS) out.push(word);
    else out[out.length - 1] = last ? `${last} ${word}` : word;
  }
  return out.join("\n");
}

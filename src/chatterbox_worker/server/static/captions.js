// Captions of a speech in their formats, from the cues that the server made for each chunk. Pure.

export const KINDS = { srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

/** `chunks`: objects with text, start_s, end_s, and cues of the same fields; speech saved by an older page has none. */
export function captions(kind, chunks, duration_s) {
  if (kind === "json") return JSON.stringify({ duration_s, chunks }, null, 2);
  const comma = kind === "srt" ? "," : ".";
  const blocks = chunks
    .flatMap((chunk) => chunk.cues ?? [chunk])
    .map((cue, i) => `${i + 1}\n${clock(cue.start_s, comma)} --> ${clock(cue.end_s, comma)}\n${escaped(kind, cue.text)}\n`);
  return (kind === "srt" ? blocks : ["WEBVTT\n", ...blocks]).join("\n");
}

function clock(seconds, comma) {
  const ms = Math.round(seconds * 1000);
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${pad(h)}:${pad(m)}:${pad(s)}${comma}${pad(ms % 1000, 3)}`;
}

function escaped(kind, text) {
  if (kind !== "vtt") return text.replaceAll("-->", "→");
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); // a cue may contain markup here
}

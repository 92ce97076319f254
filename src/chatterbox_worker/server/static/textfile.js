// A text from a file: .txt as it is, .md to be read as Markdown, .srt without its numbers and times; and the chapters of an .epub.

import { ApiError } from "./api.js";

const MOST_BYTES = 5_000_000; // a long book; more than any model is given at a time
const MOST_BOOK_BYTES = 200_000_000; // with its pictures, which are not read
const READERS = new Map([
  ["txt", (text) => ({ text, format: "plain" })],
  ["md", (text) => ({ text, format: "markdown" })],
  ["srt", (text) => ({ text: spoken(text), format: "plain" })],
]);

/** {text, format}, or {book: {title, chapters}}; an ApiError says that the file cannot be opened. */
export async function readTextFile(file) {
  const kind = file.name.toLowerCase().split(".").pop();
  if (kind === "epub") return { book: await readBook(file) };
  const read = READERS.get(kind);
  if (!read) throw new ApiError("file_kind");
  if (file.size > MOST_BYTES) throw new ApiError("file_size");
  return read(decode(await file.arrayBuffer()).replace(/\r\n?/g, "\n"));
}

/** What reads books is loaded with the first one. */
async function readBook(file) {
  if (file.size > MOST_BOOK_BYTES) throw new ApiError("book_large");
  const { readEpub } = await import("./epub.js").catch(() => Promise.reject(new ApiError("offline")));
  return readEpub(file).catch(({ code }) => Promise.reject(new ApiError(code)));
}

/** UTF-16 if it says so, UTF-8 if it is valid, or else what Windows wrote before. */
function decode(buffer) {
  const [first, second] = new Uint8Array(buffer);
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(buffer);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(buffer);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer);
  } catch {
    return new TextDecoder("windows-1252").decode(buffer);
  }
}

/** The words of subtitles, one line for each sentence that ends with its cue. */
function spoken(srt) {
  const cues = srt.split(/\n\s*\n/).map((block) => {
    const lines = block.split("\n");
    const words = lines.slice(lines.findIndex((line) => line.includes("-->")) + 1).join(" ");
    return words.replace(/<[^>]*>|\{\\[^}]*\}/g, "").trim(); // italics, and positions as some programs write them
  });
  return cues.filter(Boolean).join(" ").replace(/([.!?…]["'”’»)]*) /g, "$1\n");
}

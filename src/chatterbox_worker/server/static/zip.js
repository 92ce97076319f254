// The files of a zip archive, read where they lie: only what is asked for is unpacked, and never more than a limit. Pure.
//
// Interface: APPNOTE.TXT (PKWARE), sections 4.3.7, 4.3.12 and 4.3.16; no Zip64, which begins at 4 GB.

const MOST_FILES = 10_000;
const MOST_FILE_BYTES = 10_000_000; // of one unpacked file: five times the longest novel in one document
const MOST_BYTES = 50_000_000; // unpacked in all: fifty long novels
const END_BYTES = 22 + 65_535; // the last record and its comment

/** `code` is the page's name of what is wrong. This module is loaded on demand, apart from the page's own classes. */
export class BookError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const damaged = () => new BookError("book_damaged");
const view = async (blob, from, to) => new DataView(await blob.slice(from, to).arrayBuffer());

export class Zip {
  #blob;
  #entries = new Map(); // {method, isLocked, packed, at} by path
  #left = MOST_BYTES;

  /** Rejects with a BookError if the file is no archive. */
  static async open(blob) {
    const zip = new Zip();
    zip.#blob = blob;
    try {
      await zip.#readDirectory();
    } catch (error) {
      throw error instanceof BookError ? error : damaged();
    }
    return zip;
  }

  async #readDirectory() {
    const end = await view(this.#blob, Math.max(0, this.#blob.size - END_BYTES));
    let at = end.byteLength - 22;
    while (end.getUint32(at, true) !== 0x06054b50) at--; // a RangeError before the beginning
    const count = end.getUint16(at + 10, true);
    const [bytes, start] = [end.getUint32(at + 12, true), end.getUint32(at + 16, true)];
    if (count > MOST_FILES) throw new BookError("book_files");
    const list = await view(this.#blob, start, start + bytes);
    for (let i = 0, place = 0; i < count; i++) {
      if (list.getUint32(place, true) !== 0x02014b50) throw damaged();
      const [name, extra, comment] = [28, 30, 32].map((offset) => list.getUint16(place + offset, true));
      const path = new TextDecoder().decode(new Uint8Array(list.buffer, place + 46, name));
      const isLocked = (list.getUint16(place + 8, true) & 1) === 1;
      this.#entries.set(path, { method: list.getUint16(place + 10, true), isLocked, packed: list.getUint32(place + 20, true), at: list.getUint32(place + 42, true) });
      place += 46 + name + extra + comment;
    }
  }

  get isLocked() {
    return [...this.#entries.values()].some(({ isLocked }) => isLocked);
  }

  has(path) {
    return this.#entries.has(path);
  }

  /** The file's bytes. */
  async bytes(path) {
    const { method, packed, at } = this.#entries.get(path) ?? {};
    if (method !== 0 && method !== 8) throw damaged(); // or it is not there
    const head = await view(this.#blob, at, at + 30);
    if (head.byteLength < 30 || head.getUint32(0, true) !== 0x04034b50) throw damaged();
    const start = at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const stored = this.#blob.slice(start, start + packed);
    const bytes = await collect(method === 0 ? stored.stream() : inflated(stored), Math.min(MOST_FILE_BYTES, this.#left));
    this.#left -= bytes.length;
    return bytes;
  }
}

function inflated(blob) {
  try {
    return blob.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  } catch {
    throw new BookError("book_browser"); // Safari before 16.4, Firefox before 113, Chrome before 103
  }
}

/** All of a stream that has at most so many bytes; one that has more is left as soon as that is known. */
async function collect(stream, most) {
  const reader = stream.getReader();
  const pieces = [];
  let count = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => Promise.reject(damaged()));
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
    pieces.push(value);
    count += value.length;
    if (count > most) {
      reader.cancel().catch(() => {});
      throw new BookError("book_size");
    }
  }
}

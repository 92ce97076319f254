// An EPUB, 2 or 3, as chapters of Markdown, as the batch reads it (batch/epub.py). It is read here and sent nowhere: what it contains may be hostile.
//
// Interfaces: EPUB 3.3 (W3C), OPF 2.0.1 and NCX (DAISY Z39.86) for EPUB 2.

import { parsePage, readPage, UNREAD_KINDS } from "./bookpage.js";
import { BookError, Zip } from "./zip.js";

const DOCUMENTS = ["application/xhtml+xml", "text/html", "application/x-dtbook+xml"];
const FONT_METHODS = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"]; // fonts that are only obfuscated
const CONTAINER = "META-INF/container.xml";
const ENCRYPTION = "META-INF/encryption.xml";
const DC = "http://purl.org/dc/elements/1.1/";
const DEEPEST = 2; // levels of the table of contents that begin a chapter: parts and chapters
const RULE = "---";

const all = (node, name) => [...(node?.getElementsByTagNameNS("*", name) ?? [])];
const plain = (words) => (words ?? "").replace(/\s+/g, " ").trim();

/** {title, chapters: [{title, blocks}]} in reading order: titles may be empty, blocks are Markdown. Rejects with a BookError. */
export async function readEpub(file) {
  try {
    const book = await new Epub(await Zip.open(file)).read();
    if (book.chapters.length) return book;
  } catch (error) {
    throw error instanceof BookError ? error : new BookError("book_damaged");
  }
  throw new BookError("book_empty");
}

class Epub {
  #zip;
  #path; // of the package document
  #opf;
  #items; // {path, mimetype, properties} by id

  constructor(zip) {
    this.#zip = zip;
  }

  async read() {
    await this.#refuseLocks();
    const [root] = all(await this.#xml(CONTAINER), "rootfile");
    this.#path = decoded(root.getAttribute("full-path"));
    this.#opf = await this.#xml(this.#path);
    this.#items = new Map(all(this.#opf, "item").map((item) => [item.getAttribute("id"), {
      path: resolve(item.getAttribute("href"), this.#path).path,
      mimetype: item.getAttribute("media-type"),
      properties: (item.getAttribute("properties") ?? "").split(/\s+/),
    }]));
    const { entries, unread } = await this.#contents();
    const pages = [];
    for (const reference of all(this.#opf, "itemref")) {
      const item = this.#items.get(reference.getAttribute("idref"));
      if (!item || !DOCUMENTS.includes(item.mimetype) || item.properties.includes("nav") || reference.getAttribute("linear") === "no" || unread.has(item.path)) continue;
      const page = readPage(parsePage(await this.#text(item.path)));
      if (!page.isUnread) pages.push({ path: item.path, page });
    }
    const title = plain(this.#opf.getElementsByTagNameNS(DC, "title")[0]?.textContent);
    return { title, chapters: withTitlesJoined(cut(pages, entries), title) };
  }

  async #refuseLocks() {
    const data = this.#zip.has(ENCRYPTION) ? all(await this.#xml(ENCRYPTION), "EncryptedData") : [];
    const methods = data.map((one) => all(one, "EncryptionMethod")[0]?.getAttribute("Algorithm"));
    if (this.#zip.isLocked || !methods.every((method) => FONT_METHODS.includes(method))) throw new BookError("book_locked");
  }

  /** The table of contents, {title, path, fragment} each, and the documents that are declared as something that is not read. */
  async #contents() {
    const nav = [...this.#items.values()].find(({ properties }) => properties.includes("nav"));
    const document = nav && this.#zip.has(nav.path) ? parsePage(await this.#text(nav.path)) : null;
    const linksOf = (kind) => [...(document?.querySelectorAll("nav") ?? [])].filter((list) => kindsOf(list).includes(kind))
      .flatMap((list) => [...list.querySelectorAll("a[href]")].filter((link) => depthOf(link, list, "ol") <= DEEPEST));
    const targetOf = (link) => resolve(link.getAttribute("href"), nav.path);
    const declared = [
      ...linksOf("landmarks").map((link) => ({ ...targetOf(link), kind: kindsOf(link)[0] })),
      ...all(this.#opf, "reference").map((one) => ({ ...resolve(one.getAttribute("href"), this.#path), kind: one.getAttribute("type")?.toLowerCase() })),
    ];
    const unread = new Set(declared.filter(({ kind, fragment }) => UNREAD_KINDS.has(kind) && !fragment).map(({ path }) => path));
    const entries = linksOf("toc").map((link) => ({ title: plain(link.textContent), ...targetOf(link) }));
    return { entries: entries.length ? entries : await this.#points(), unread };
  }

  /** The same of EPUB 2's NCX. */
  async #points() {
    const ncx = this.#items.get(all(this.#opf, "spine")[0]?.getAttribute("toc"));
    if (!ncx || !this.#zip.has(ncx.path)) return [];
    const map = await this.#xml(ncx.path);
    return all(map, "navPoint").filter((point) => depthOf(point, null, "navPoint") <= DEEPEST && childOf(point, "content"))
      .map((point) => ({ title: plain(childOf(point, "navLabel")?.textContent), ...resolve(childOf(point, "content").getAttribute("src"), ncx.path) }));
  }

  /** Its encoding is its byte order mark's, its XML declaration's, or UTF-8. */
  async #text(path) {
    const bytes = await this.#zip.bytes(path);
    const start = new TextDecoder("latin1").decode(bytes.subarray(0, 300));
    const [, declared = "utf-8"] = /^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']/.exec(start) ?? [];
    const marked = new Map([["\u00ff\u00fe", "utf-16le"], ["\u00fe\u00ff", "utf-16be"], ["\u00ef\u00bb", "utf-8"]]).get(start.slice(0, 2));
    return new TextDecoder(marked ?? declared, { fatal: true }).decode(bytes);
  }

  /** Without a document type, so without entities of its own. */
  async #xml(path) {
    const text = (await this.#text(path)).trimStart();
    const at = Math.max(0, text.indexOf("<!DOCTYPE"));
    const untyped = text.slice(0, at) + text.slice(at).replace(/^<!DOCTYPE[^[>]*(?:\[[^\]]*\]\s*)?>/, "");
    const document = new DOMParser().parseFromString(untyped, "application/xml");
    if (document.querySelector("parsererror")) throw new BookError("book_damaged");
    return document;
  }
}

const kindsOf = (node) => (node.getAttribute("epub:type") || (node.getAttribute("role") ?? "").replace(/^doc-/, "")).split(/\s+/);
const childOf = (node, name) => [...node.children].find(({ localName }) => localName === name);

/** How many elements of that name hold the node, itself included, below `top`. */
function depthOf(node, top, tag) {
  let depth = 0;
  for (let at = node; at && at !== top; at = at.parentElement) depth += at.localName === tag;
  return depth;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** {path, fragment} of a link in the file `base`; the path is empty for a link to elsewhere. */
function resolve(href, base) {
  try {
    const url = new URL(href ?? "", `http://book/${base.split("/").map(encodeURIComponent).join("/")}`); // a path above the book's is not possible
    if (url.host === "book") return { path: decoded(url.pathname.slice(1)), fragment: decoded(url.hash.slice(1)) };
  } catch {
    // no address
  }
  return { path: "", fragment: "" };
}

const joined = (titles) => [...new Set(titles)].filter(Boolean).join(": ");

/** The pages, cut where the table of contents points to; one without any entry continues the last chapter. */
function cut(pages, entries) {
  const chapters = [];
  let isInside = false; // of a chapter of the table of contents
  for (const { path, page } of pages) {
    const titles = new Map();
    for (const entry of entries.filter((one) => one.path === path)) {
      const start = page.anchors.get(entry.fragment) ?? 0;
      titles.set(start, [...(titles.get(start) ?? []), entry.title]);
    }
    const starts = [...new Set([0, ...titles.keys()])].sort((a, b) => a - b);
    for (const [i, start] of starts.entries()) {
      const blocks = page.blocks.slice(start, starts[i + 1]);
      if (titles.has(start)) chapters.push({ title: joined(titles.get(start)) || page.heading, blocks });
      else if (isInside && chapters.length) chapters.at(-1).blocks.push(...blocks);
      else chapters.push({ title: page.heading || page.title, blocks });
    }
    isInside ||= titles.size > 0;
  }
  return chapters;
}

/** A chapter that is only a title ("Part one") is read with the next one, or with the one before; the book's own title is no part of a chapter's. */
function withTitlesJoined(chapters, bookTitle) {
  const whole = [];
  let waiting = null;
  for (const chapter of chapters.filter(({ blocks }) => blocks.length)) {
    const titles = [waiting?.title, chapter.title].filter((title) => title !== bookTitle);
    const next = waiting ? { title: joined(titles), blocks: [...waiting.blocks, ...chapter.blocks] } : chapter;
    waiting = next.blocks.every(({ title, text }) => title || text === RULE) ? next : null;
    if (!waiting) whole.push(next);
  }
  if (waiting && whole.length) whole.at(-1).blocks.push(...waiting.blocks);
  else if (waiting) whole.push(waiting);
  return whole.map(({ title, blocks }) => ({ title, blocks: blocks.map(({ text }) => text) }));
}

// A document of a book as blocks of Markdown, by the rules of the batch (batch/xhtml.py): what is not read aloud is left
// out. A parsed document runs no scripts and loads nothing. Pure.

export const UNREAD_KINDS = new Set(("cover titlepage halftitlepage title-page copyright-page imprint imprimatur colophon toc toc-brief landmarks " +
  "page-list loi lot loa lov index bibliography footnote footnotes endnote endnotes rearnote rearnotes note notes noteref backlink pagebreak").split(" "));
const UNREAD_CLASSES = new Set("pagenum pageno pagenumber page-number footnote footnotes fnanchor pg-boilerplate".split(" "));
const UNREAD_TAGS = new Set("audio canvas head iframe math noscript object rp rt script style svg template video".split(" "));
const VOID = new Set("area base br col embed hr img input link meta param source track wbr".split(" "));
const BLOCKS = new Set(("address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header hr li main nav " +
  "ol option p pre section speak summary table tbody tfoot thead tr ul").split(" "));
const RULE = "---";
const NUMBER_MARK = /^\s*\d{1,4}\s*$/;
const OTHER_MARK = /^\s*(?:[*†‡§¶]{1,4}|[[(]\s*(?:\d{1,4}|[a-z]|[ivxlc]{1,6}|[*†‡§¶]{1,4})\s*[\])])\s*$/i;
const RIGHTS = /\bISBN\b|all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados/i;
const LONGEST_RIGHTS_CHARS = 6_000;
const FEW_LINKS = 3;

/** Lenient, as books are: what XML closes by itself is closed for HTML, too. */
export function parsePage(text) {
  const closed = withoutSections(text).replace(/<([a-z][\w:-]*)((?:\s[^<>]*)?)\/>/gi, (all, tag, rest) => (VOID.has(tag.toLowerCase()) ? all : `<${tag}${rest}></${tag}>`));
  return new DOMParser().parseFromString(closed, "text/html");
}

/** XML's marked sections as text. */
function withoutSections(text) {
  let whole = "";
  let at = 0;
  for (;;) {
    const start = text.indexOf("<![CDATA[", at);
    const end = start < 0 ? -1 : text.indexOf("]]>", start);
    if (end < 0) return whole + text.slice(at);
    whole += text.slice(at, start) + text.slice(start + 9, end).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    at = end + 3;
  }
}

/** {blocks: [{text, title}], anchors, heading, title, isUnread}: `title` of a heading; `anchors` is the first block at or after each id. */
export function readPage(document) {
  const page = new PageReader();
  page.read(document);
  return page;
}

class PageReader {
  blocks = [];
  anchors = new Map();
  title = "";
  #line = ""; // since the last block
  #isBegun = false; // its last line has words
  #isClose = false; // it ends in no space
  #numbers = new Map(); // the next number of each list
  #marker = ""; // what stands before an item of a list
  #level = 0; // of the heading that is open
  #chars = 0;
  #linked = 0; // characters in links
  #links = 0;

  read(document) {
    this.title = document.title;
    this.#element(document.body, "body");
    this.#end();
  }

  get heading() {
    return this.blocks.find(({ title }) => title)?.title ?? "";
  }

  /** A page of links or of rights, or empty. */
  get isUnread() {
    const text = this.blocks.map((block) => block.text).join(" ");
    return !text || (this.#links >= FEW_LINKS && 2 * this.#linked > this.#chars) || (text.length <= LONGEST_RIGHTS_CHARS && RIGHTS.test(text));
  }

  #element(node, tag) {
    const level = /^h[1-6]$/.test(tag) ? Number(tag[1]) : 0;
    const isBlock = level > 0 || BLOCKS.has(tag);
    if (isBlock) this.#end();
    this.#addAnchor(node.id);
    if (tag === "a") this.#addAnchor(node.getAttribute("name"));
    if (isUnread(node, tag)) {
      this.#addAnchors(node);
      return;
    }
    this.#begin(node, tag);
    const outer = this.#level;
    if (level) this.#level = level;
    if (tag === "a" && node.hasAttribute("href")) this.#link(node, node.getAttribute("href"));
    else this.#children(node);
    if (tag === "q") this.#add("”");
    if (isBlock) this.#end();
    this.#level = outer;
  }

  #addAnchor(name) {
    if (name && !this.anchors.has(name)) this.anchors.set(name, this.blocks.length);
  }

  #addAnchors(node) {
    for (const inside of node.querySelectorAll("[id]")) this.#addAnchor(inside.id);
  }

  #add(words) {
    if (!words) return;
    this.#line += words; // never looked at before its end: it may be long
    this.#isClose = /\S/.test(words.at(-1));
    const at = words.lastIndexOf("\n") + 1;
    this.#isBegun = (at === 0 && this.#isBegun) || /\S/.test(words.slice(at));
  }

  #begin(node, tag) {
    if (tag === "br") this.#add("\n");
    else if (tag === "hr") this.#rule();
    else if (tag === "li") this.#marker = this.#markerOf(node.closest("ol, ul"));
    else if ((tag === "td" || tag === "th") && this.#isBegun) this.#add(", ");
    else if (tag === "q") this.#add("“");
  }

  #markerOf(list) {
    if (list?.localName !== "ol") return "- ";
    const start = /^\d{1,6}$/.test(list.getAttribute("start") ?? "") ? Number(list.getAttribute("start")) : 1;
    const number = this.#numbers.get(list) ?? start;
    this.#numbers.set(list, number + 1);
    return `${number}. `;
  }

  #children(node) {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) this.#text(child);
      else if (child.nodeType === Node.ELEMENT_NODE) this.#element(child, child.localName);
    }
  }

  #text({ data, parentElement }) {
    this.#chars += data.replace(/\s/g, "").length;
    this.#add(parentElement.closest("pre") ? data : data.replace(/\s+/g, " "));
  }

  #link(node, href) {
    const before = this.#chars;
    if (href.includes("#") && this.#isMark(node)) {
      this.#chars += node.textContent.trim().length;
      this.#addAnchors(node);
    } else this.#children(node);
    if (href.includes("://")) return;
    this.#links++;
    this.#linked += this.#chars - before;
  }

  /** Whether a link is a note's mark: "[3]", "*", or a number that is raised or right after a word. */
  #isMark(link) {
    const words = link.textContent;
    return OTHER_MARK.test(words) || (NUMBER_MARK.test(words) && (this.#isClose || link.closest("sup") !== null));
  }

  #end() {
    const lines = this.#line.split("\n").map((line) => line.replace(/\s+/g, " ").trim()).filter(Boolean);
    this.#line = "";
    this.#isBegun = this.#isClose = false;
    if (!lines.some((line) => /[\p{L}\p{N}_]/u.test(line))) {
      if (lines.length && !this.#level) this.#rule(); // stars between scenes
      return;
    }
    if (this.#level) {
      const title = lines.map((line, i) => (i === lines.length - 1 || /[.!?:;,…—\-。！？：；，]$/.test(line) ? line : `${line}.`)).join(" ");
      this.blocks.push({ text: `${"#".repeat(this.#level)} ${escaped(title)}`, title });
    } else this.blocks.push({ text: this.#marker + lines.map(escaped).join("\\\n"), title: "" });
    this.#marker = "";
  }

  #rule() {
    if (this.blocks.length && this.blocks.at(-1).text !== RULE) this.blocks.push({ text: RULE, title: "" });
  }
}

function isUnread(node, tag) {
  const kinds = [...(node.getAttribute("epub:type") ?? "").split(/\s+/), (node.getAttribute("role") ?? "").replace(/^doc-/, "")];
  return UNREAD_TAGS.has(tag) || node.hasAttribute("hidden") || kinds.some((kind) => UNREAD_KINDS.has(kind)) || [...node.classList].some((name) => UNREAD_CLASSES.has(name.toLowerCase()));
}

/** The line as Markdown that reads as it is written. */
const escaped = (line) => line.replace(/[\\`*_[\]<&~|]/g, "\\$&").replace(/^(\d{1,9})(?=[.)])/, "$1\\").replace(/^(?=[#>+=-])/, "\\");

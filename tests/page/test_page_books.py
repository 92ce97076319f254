"""An EPUB that is dropped on the text: read as the batch reads it, chapter by chapter, and refused with a sentence."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from chatterbox_worker.batch.epub import read_epub
from support import epubs
from support.page_steps import Open, write

pytestmark = pytest.mark.slow

Files = dict[str, str | bytes]
_READ = """async data => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const { title, chapters } = await (await import("/epub.js")).readEpub(new Blob([bytes]));
    return [title, chapters.map(({ title, blocks }) => [title, blocks.join("\\n\\n")])];
}"""
PAGES = [
    "<h1>One<br/>line, and<br/>another</h1><p>*Stars* and [brackets] &amp; 1. first_word &lt;b&gt;</p><p>1. one</p>",
    "<h2>Lists</h2><ol start='3'><li>Three</li><li><p>Four</p></li></ol><ul><li>dot</li></ul><p># no heading</p>",
    "<h2>Notes</h2><p>A word<a href='#n1'>1</a>, a raised <sup><a href='#n2'>2</a></sup>, see <a href='#x'>7</a>.</p>",
    "<p>And <a href='#y'>[3]</a>.</p><p>* * *</p><p>After <i>the</i> <b>stars</b>, <q>quoted</q>.</p>",
    "<h2>Tables</h2><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><pre>two\nlines</pre>",
    "<h2>Marked</h2><p>A <![CDATA[<section> & more]]> here.</p><a id='empty'/><p>No link.</p><hr/><hr/><p>End.</p>",
    "<section epub:type='footnotes'><p id='in'>Unread.</p></section><h2>Hidden</h2><p hidden=''>No.</p>",
    "<p>Yes&#160;!</p><div>Loose <p>inside</p> and after</div><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>",
    "<p><a href='a'>One</a> <a href='b'>two</a> <a href='c'>three</a></p>",
]  # fmt: skip
"""Bodies whose markup has to be read with care; the last is a list of links."""


def _tricky() -> Files:
    files: Files = epubs.files()
    names = [f"OEBPS/c{n}.xhtml" for n in (1, 2, 3)]
    bodies = ["".join(PAGES[:4]), "".join(PAGES[4:6]), "".join(PAGES[6:8])]
    pages = {name: epubs.page(body) for name, body in zip(names, bodies, strict=True)}
    return files | pages | {"OEBPS/part.xhtml": epubs.page(PAGES[8])}


def _choose(page: Page, data: bytes, name: str = "book.epub") -> None:
    page.locator("#text-file").set_input_files({"name": name, "mimeType": "", "buffer": data})


def test_a_book_has_the_chapters_and_the_text_that_the_batch_makes_of_it(
    open_page: Open, tone_url: str, tmp_path: Path
) -> None:
    page = open_page(tone_url)
    nav = "OEBPS/nav.xhtml"
    fragments = epubs.files()
    fragments[nav] = str(fragments[nav]).replace("c1.xhtml", "c1.xhtml#p2")
    for files in (epubs.files(2), epubs.files(3), _tricky(), fragments):
        path = tmp_path / "book.epub"
        path.write_bytes(epubs.zipped(files))
        book = read_epub(path)
        title, chapters = page.evaluate(_READ, base64.b64encode(path.read_bytes()).decode())
        assert title == book.title
        assert chapters == [[chapter.title or "", chapter.text] for chapter in book.chapters]


def test_a_chapter_is_opened_and_the_text_before_can_be_had_back(
    open_page: Open, tone_url: str, screenshots: Path
) -> None:
    page = open_page(tone_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    write(page, "My own draft.")
    _choose(page, epubs.zipped(epubs.files()))
    dialog = page.get_by_role("dialog", name="Alice's Adventures in Wonderland")
    expect(dialog.get_by_role("button")).to_have_count(1 + 1 + 3)  # close, the whole, three chapters
    page.screenshot(path=screenshots / "book.png")
    dialog.get_by_role("button", name="The Pool of Tears").click()
    expected = "## The Pool of Tears\n\n“Curiouser and curiouser!” cried Alice.\n\n---\n\nGood-bye, feet!"
    expect(page.locator("#text")).to_have_value(expected)
    expect(page.locator("#markup")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#text")).to_have_value("My own draft.")
    expect(page.locator("#markup")).to_be_hidden()
    scripts = [url.split("/")[-1] for url in asked if url.endswith(".js")]
    assert sorted(scripts) == ["bookpage.js", "epub.js", "zip.js"]

    def limit(route: Route) -> None:
        response = route.fetch()
        listed = response.json()
        listed["data"] = [model | {"max_text_chars": 120} for model in listed["data"]]
        route.fulfill(response=response, json=listed)

    page.route("**/v1/models", limit)
    page.reload()
    page.wait_for_selector("body[data-loaded]")
    _choose(page, epubs.zipped(epubs.files()))
    expect(dialog).to_contain_text("this server speaks at most 120 at a time")
    dialog.get_by_role("button", name="Down the Rabbit-Hole (1 of").click()
    expect(page.locator("#text")).to_have_value(re.compile("^# Part one\n\n## Down the Rabbit-Hole"))  # once it is read
    assert len(page.locator("#text").input_value()) <= 120
    write(page, "word " * 30)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("it has 149 characters, and this server speaks at most 120")


def test_a_book_that_cannot_be_opened_says_why_and_changes_nothing(open_page: Open, tone_url: str) -> None:
    page = open_page(tone_url)
    write(page, "My own draft.")
    good = epubs.zipped(epubs.files())
    locked = '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></EncryptedData></encryption>'
    pictures = {name: epubs.page("<img src='a.png'/>") for name in epubs.files() if name.endswith(".xhtml")}
    broken = bytearray(good)
    broken[300:1500] = b"\xff" * 1200
    refused = {
        "book_damaged": [b"", b"no archive", good[: len(good) // 2], bytes(broken)],
        "book_locked": [epubs.zipped(epubs.files() | {"META-INF/encryption.xml": locked})],
        "book_size": [epubs.zipped(epubs.files() | {"OEBPS/c1.xhtml": b" " * 10_000_001})],
        "book_files": [epubs.zipped(epubs.files() | {f"OEBPS/{number}.png": b"" for number in range(10_000)})],
        "book_empty": [epubs.zipped(epubs.files() | pictures)],
    }
    texts = page.evaluate("async () => (await import('/i18n/en.js')).default")
    for code, files in refused.items():
        for data in files:
            _choose(page, data)
            expect(page.locator("#error-title")).to_have_text(texts[f"error.{code}"])
            page.locator("#error-close").click()
    page.evaluate("() => { window.DecompressionStream = undefined; }")
    _choose(page, good)
    expect(page.locator("#error-title")).to_contain_text("This browser cannot unpack an EPUB.")
    expect(page.locator("#text")).to_have_value("My own draft.")
    expect(page.locator("#book")).to_be_hidden()

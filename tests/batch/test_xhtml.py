"""A document's words as markdown that reads as it is written, without what is not read aloud."""

from __future__ import annotations

import pytest

from chatterbox_worker.batch.xhtml import read_page
from chatterbox_worker.text.markup.builder import MarkupOptions
from chatterbox_worker.text.markup.markdown import read_markdown


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("<h2>CHAPTER I.<br/>Down the <i>Hole</i></h2>", ["## CHAPTER I. Down the Hole"]),
        ("<h1>Chapter 1<br>The Start</h1>", ["# Chapter 1. The Start"]),
        ("<p>One\n  line,&nbsp;joined &amp; whole</p>", ["One line, joined \\& whole"]),
        ("<p>A verse<br/>of two lines</p>", ["A verse\\\nof two lines"]),
        ("<pre>a\nb</pre>", ["a\\\nb"]),
        ("<ul><li>one</li><li>two</li></ul><ol start='3'><li><p>three</p></li><li>four</li></ol>",
         ["- one", "- two", "3. three", "4. four"]),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", ["a, b", "c"]),
        ("<p>He said <q>yes</q>.</p>", ["He said “yes”."]),
        ("<p>Unclosed <b>text<p>next &#8212; one", ["Unclosed text", "next — one"]),
        ("<p>a</p><p>* * *</p><hr/><p>b</p>", ["a", "---", "b"]),
        ("<p>a <![CDATA[<b> & c]]> d<![if !x]>e<![endif]> <![ f</p>", ["a \\<b> \\& c de \\<!\\[ f"]),
        # notes and their marks, page numbers, pictures
        ('<p>word<a href="#n1"><sup>1</sup></a> and<sup><a href="#n2">2</a></sup> a<a href="n.html#n">3</a></p>',
         ["word and a"]),
        ('<p>word <a href="#n">[4]</a>, more<a href="#n">*</a></p>', ["word , more"]),
        ('<p>see chapter <a href="#c12">12</a>, 10<sup>2</sup></p>', ["see chapter 12, 102"]),
        ('<p>a<a epub:type="noteref" href="#n">any</a><span role="doc-pagebreak">7</span></p>', ["a"]),
        ('<p>a<span class="pagenum">[7]</span></p><aside epub:type="footnote"><p>Note.</p></aside>', ["a"]),
        ('<div class="footnotes"><p>Note.</p></div><section role="doc-endnotes"><p>x</p></section><p>b</p>', ["b"]),
        ('<p>a<img alt="picture"/><svg><title>s</title><text>t</text></svg><script>x < y</script></p>', ["a"]),
        ("<p><ruby>漢<rt>かん</rt></ruby></p>", ["漢"]),
        ('<p hidden="hidden">no</p><p>yes</p>', ["yes"]),
        ("<p> </p><p>…</p>", []),
    ],
)  # fmt: skip
def test_a_body_becomes_blocks(body: str, texts: list[str]) -> None:
    page = read_page(f"<html><head><title>T &amp; U</title><style>p {{}}</style></head><body>{body}</body></html>")

    assert [block.text for block in page.blocks] == texts
    assert page.title == "T & U"


@pytest.mark.parametrize(
    "words",
    ["# no heading", "1986. A year", "3) three", "- no item", "+ plus", "> no quote", "a_b_c and *stars* `code`",
     "=== x", "[link](x) ![i](y)", "<b> AT&T &amp; x", "~~struck~~ | cell", "back\\slash", "$5 (or 6)!"],
)  # fmt: skip
def test_what_means_something_in_markdown_reads_as_it_is_written(words: str) -> None:
    escaped = words.replace("&", "&amp;").replace("<", "&lt;")
    (block,) = read_page(f"<p>{escaped}</p>").blocks

    assert read_markdown(block.text, MarkupOptions("en", ("en",), decoration=False)).text == words


def test_an_anchor_is_the_block_that_it_stands_in_or_before() -> None:
    page = read_page('<p>a</p><a id="x"/><h2 id="y"><a name="z"></a>T</h2><p>b <span id="w">c</span></p>')

    assert dict(page.anchors) == {"x": 1, "y": 1, "z": 1, "w": 2}


def test_a_page_of_many_open_tags_takes_no_time() -> None:
    assert read_page("<div>" * 20_000 + "x" + "</p>" * 20).blocks[0].text == "x"
    assert len(read_page("<p>x" * 2_000).blocks) == 2_000


@pytest.mark.parametrize("part", ["<a ", "<!-- ", "<!-- >", "<![CDATA[", "<a b='", "<a =", "<p <b>"])
def test_a_page_of_tags_that_never_end_takes_a_time_that_grows_with_its_length(part: str) -> None:
    assert read_page("<p>start</p>" + part * (100_000 // len(part))).blocks[0].text == "start"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>x < y and <b>z</b> <</p>", "x \\< y and z \\<"),
        ("<p>a<!-- <b>not</b> > read -->b <!-- <i>c</i></p>", "ab \\<!-- c"),
        ('<p>a<img alt="1 > 0"/>b</p>', "ab"),
        ("<p>a<script>if (b<c) d</script>e</p>", "ae"),
        ("<p>a <![CDATA[ <!-- b --> ]]> c</p>", "a \\<!-- b --> c"),
    ],
)
def test_what_begins_like_a_tag_and_does_not_end_is_text(body: str, text: str) -> None:
    assert [block.text for block in read_page(body).blocks] == [text]

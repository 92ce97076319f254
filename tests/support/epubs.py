"""EPUBs made by the tests: three chapters of a text in the public domain, with a cover, and whatever is to go wrong."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

_CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""

_NCX = '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'

CHAPTERS = {
    "Down the Rabbit-Hole": """<p>Alice was beginning to get very tired of sitting by her sister on the
        bank<a href="notes.xhtml#n1" epub:type="noteref">1</a>, and of having nothing to do.</p>
        <p><span epub:type="pagebreak" id="p2">2</span>So she was considering in her own mind.</p>""",
    "The Pool of Tears": "<p>&#8220;Curiouser and curiouser!&#8221; cried Alice.</p><hr/><p>Good-bye, feet!</p>",
    "A Caucus-Race": "<p>They were indeed a queer-looking party.</p><p>Lewis Carroll wrote this in 1865.</p>",
}
"""Title and body; from Alice's Adventures in Wonderland by Lewis Carroll, 1865."""


def png() -> bytes:
    """A picture of 2 by 2 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"\0\x80\x40\x20\x80\x40\x20" * 2)
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def page(body: str, title: str = "Alice") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title></head><body>{body}</body></html>'
    )


def files(version: int = 3) -> dict[str, str | bytes]:
    """The files of a good EPUB, by path. Version 2 has an NCX and a guide instead of a navigation document."""
    pages = {
        "cover.xhtml": page('<img src="cover.png" alt="Cover"/>'),
        "title.xhtml": page('<section epub:type="titlepage"><h1>Alice</h1><p>Lewis Carroll</p></section>'),
        "rights.xhtml": page("<p>Copyright 1865. All rights reserved. ISBN 0-000-00000-0</p>"),
        "part.xhtml": page("<h1>Part one</h1>"),
        **{f"c{n}.xhtml": page(f"<h2>{title}</h2>{body}") for n, (title, body) in enumerate(CHAPTERS.items(), 1)},
        "notes.xhtml": page('<section epub:type="endnotes"><p id="n1">1. A note.</p></section>'),
    }
    targets = {"Part one": "part.xhtml"} | {title: f"c{n}.xhtml" for n, title in enumerate(CHAPTERS, 1)}
    nav = "".join(f'<li><a href="{target}">{title}</a></li>' for title, target in targets.items())
    points = "".join(
        f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{target}"/></navPoint>'
        for title, target in targets.items()
    )
    contents = {
        3: {"nav.xhtml": page(f'<nav epub:type="toc"><ol>{nav}</ol></nav>')},
        2: {"toc.ncx": f'{_NCX}<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{points}</navMap></ncx>'},
    }[version]
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(pages)
    )
    items += '<item id="pic" href="cover.png" media-type="image/png" properties="cover-image"/>'
    items += {
        3: '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        2: '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
    }[version]
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(pages))) + (
        '<itemref idref="nav"/>' if version == 3 else ""
    )
    opf = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="{version}.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Alice's Adventures in Wonderland</dc:title>
<dc:creator>Lewis Carroll</dc:creator><dc:language>en-GB</dc:language><dc:date>1865-11-26</dc:date>
<meta name="cover" content="pic"/></metadata><manifest>{items}</manifest>
<spine toc="ncx">{spine}</spine><guide><reference type="cover" href="cover.xhtml"/></guide></package>"""
    inside: dict[str, str | bytes] = {"book.opf": opf, "cover.png": png(), **pages, **contents}
    return {"META-INF/container.xml": _CONTAINER, **{f"OEBPS/{name}": data for name, data in inside.items()}}


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()

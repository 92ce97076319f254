"""The page's colours for browsers without `light-dark()` are the same as for the others."""

from __future__ import annotations

import re

from support.paths import ROOT

BASE = ROOT / "src" / "chatterbox_worker" / "server" / "static" / "css" / "base.css"
_PAIR = re.compile(r"light-dark\(([^,]+), ([^)]+)\)")


def _declared(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[\w-]+): ([^;]+);", block))


def test_each_colour_has_its_fallback() -> None:
    before, after = BASE.read_text().split("@supports not (color: light-dark(#000, #fff)) {")
    pairs = {name: value for name, value in _declared(before.split(":root {")[1]).items() if "light-dark" in value}
    light, dark = after.split("}\n}", 1)[0].split('[data-theme="dark"] {')
    assert len(pairs) > 20
    assert _declared(light) == {name: _PAIR.sub(r"\1", value) for name, value in pairs.items()}
    assert _declared(dark) == {name: _PAIR.sub(r"\2", value) for name, value in pairs.items()}

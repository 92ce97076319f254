"""The page's modules are joined to one script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatterbox_worker.server.app import PAGE
from chatterbox_worker.server.joined import join_modules

_ON_DEMAND = {"recorder-worklet", "i18n/en", "i18n/es", "i18n/pt", "epub", "bookpage", "zip"}
"""Modules that a browser asks for when they are needed."""


def _write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "entry.js"


def test_a_module_stands_after_those_that_it_imports_and_returns_what_it_exports(tmp_path: Path) -> None:
    imports = [
        'import * as a from "./a.js";',
        "import {\n  x as y,\n  $,\n}" + ' from "./b.js";',
        'import words from "./c.js";',
    ]
    entry = _write(
        tmp_path,
        entry="\n".join([*imports, "a.f();\n"]),
        a="// What it is.\n/**\n * Does it.\n */\nexport async function f() {}\nexport class C {}\n",
        b='import words from "./c.js";\nexport const x = "a // kept"; // Why it is so.\nexport const $ = 2;\n',
        c="export default {\n  k: 1,\n};\n",
    )
    script = join_modules(entry)
    assert re.findall(r"^const (\$\w) = ", script, re.MULTILINE) == ["$a", "$c", "$b"]
    assert "const a = $a;" in script
    assert re.search(r"const \{\s*x: y,\s*\$,\s*\} = \$b;", script)
    assert "const {default: words} = $c;" in script
    assert "return { f, C };" in script
    assert "return { x, $ };" in script
    assert "return { default: $default };" in script
    assert "What it is" not in script
    assert "Does it" not in script
    assert "Why it is so" not in script
    assert "\n " not in script
    assert "a // kept" in script


@pytest.mark.parametrize("line", ["export { a };", 'export * from "./b.js";', 'import "./b.js";', "export let a = 1;"])
def test_another_form_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match="cannot be joined"):
        join_modules(_write(tmp_path, entry=line, b=""))


def test_modules_that_import_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="imports itself"):
        join_modules(_write(tmp_path, entry='import { b } from "./b.js";', b='import { a } from "./entry.js";'))


def test_the_pages_own_modules_are_all_in_it() -> None:
    script = join_modules(PAGE / "app.js")
    modules = {path.relative_to(PAGE).with_suffix("").as_posix() for path in PAGE.rglob("*.js")}
    joined = set(re.findall(r"^const \$(\w+) = await \(", script, re.MULTILINE))
    assert {re.sub(r"\W", "_", name) for name in modules - _ON_DEMAND} == joined

"""The page's modules as one script, so that a browser asks for one file and not for dozens.

Each module becomes an async function that runs once, after those that it imports, and returns what it exports:

    import { a, b as c } from "./x.js";     const { a, b: c } = $x;
    import * as x from "./x.js";            const x = $x;
    import x from "./x.js";                 const { default: x } = $x;
    export const a = 1;                     const a = 1; ... return { a };
    export default {                        const $default = { ... return { default: $default };

That is the whole grammar: an import or export begins a line, and what is exported is never assigned again. Left out are
comments, on lines of their own or after " // " at the end of code, and indentation: no string goes over several lines.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(
    r'^import (?:\* as (?P<all>\w+)|\{(?P<some>[^}]*)\}|(?P<default>\w+)) from "(?P<path>[\w./-]+)";$', re.MULTILINE
)
_EXPORT = re.compile(r"^export (?P<kind>const|class|function|async function) (?P<name>[\w$]+)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://.*|/\*\*[\s\S]*?\*/)\n", re.MULTILINE)
_END_COMMENT = re.compile(r"(?<=[;,{}()\[\]:?|&]) // [^\n]*$", re.MULTILINE)
_INDENTATION = re.compile(r"^\s+", re.MULTILINE)
"""With the empty lines before it."""
_OTHER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


def join_modules(entry: Path) -> str:
    """The module and all that it imports, as one script.

    Raises:
        ValueError: an import or export of another form, or modules that import each other.
    """
    folder = entry.parent
    joined: dict[Path, str] = {}
    open_modules: list[Path] = []

    def add(path: Path) -> str:
        """The module's name in the script."""
        if path in open_modules:
            raise ValueError(f"{path.name} imports itself, through {', '.join(each.name for each in open_modules)}")
        if path not in joined:
            open_modules.append(path)
            text = _END_COMMENT.sub("", _COMMENT.sub("", path.read_text("utf-8")))
            body = _IMPORT.sub(lambda found: _bind(found, add((path.parent / found["path"]).resolve())), text)
            open_modules.pop()
            joined[path] = _as_function(path.name, body)
        return _name(path, folder.resolve())

    add(entry.resolve())
    script = "\n".join(f"const {_name(path, folder.resolve())} = {module}" for path, module in joined.items())
    return _INDENTATION.sub("", script)


def _name(path: Path, folder: Path) -> str:
    return "$" + re.sub(r"\W", "_", path.relative_to(folder).with_suffix("").as_posix())


def _bind(found: re.Match[str], module: str) -> str:
    if found["all"]:
        return f"const {found['all']} = {module};"
    names = found["some"].replace(" as ", ": ") if found["some"] else f"default: {found['default']}"
    return f"const {{{names}}} = {module};"


def _as_function(name: str, body: str) -> str:
    exported = [found["name"] for found in _EXPORT.finditer(body)]
    body = _EXPORT.sub(r"\g<kind> \g<name>", body)
    if _DEFAULT.search(body):
        exported.append("default: $default")
        body = _DEFAULT.sub("const $default = ", body)
    if other := _OTHER.search(body):
        raise ValueError(f"{name}: {other[0]!r} has a form that cannot be joined")
    return f"await (async () => {{ // {name}\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();\n"

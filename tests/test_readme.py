"""The README tells the truth."""

from __future__ import annotations

import re

from chatterbox_worker import __version__
from chatterbox_worker.config import as_table
from support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_codes() -> None:
    between = README.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]

    assert between == as_table(), "write config.as_table() between the markers of README.md"


def test_the_tree_names_what_is_there() -> None:
    tree = README.partition("## Layout")[2].partition("```\n")[2].partition("```")[0]
    top, _, inner = tree.partition("src/chatterbox_worker/\n")
    package, _, rest = inner.partition("\ntests/")
    names = [(ROOT, name) for line in top.splitlines() for name in re.findall(r"\S+\.\S+|Dockerfile", line[:26])]
    names += [(ROOT / "src" / "chatterbox_worker", line.split()[0]) for line in package.splitlines()]
    names += [(ROOT, line.split()[0]) for line in ("tests/" + rest).splitlines() if line.strip()]

    assert len(names) > 25
    assert [str(folder / name) for folder, name in names if not (folder / name).exists()] == []


def test_every_folder_of_the_package_is_in_the_tree() -> None:
    package = ROOT / "src" / "chatterbox_worker"
    folders = [path.name for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()]

    assert [folder for folder in folders if f"  {folder}/" not in README] == []


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)
    assert {"speak", "test", "check"} <= set(targets)

    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_changelog_knows_the_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()

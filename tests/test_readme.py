"""README.md and README.es.md against the code, and every translation against its original."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatterbox_worker import __version__
from chatterbox_worker.config import as_table
from support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
READMES = ("README.md", "README.es.md")
TRANSLATIONS = [("README.md", "README.es.md"), ("docs/DEPLOYMENT.md", "docs/DESPLIEGUE.md")]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _tree(text: str) -> str:
    """The block under the heading Layout."""
    block = re.search(r"^```\n(handler\.py .*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    """Every fenced block: its language, and its lines without comments. Of the layout, only the paths."""
    blocks = []
    for info, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        comment = r"\s+#.*" if info else r"(?<=\S)\s{2,}.*"
        lines = [re.sub(comment, "", line) for line in body.splitlines()]
        blocks.append((info, [line for line in lines if line.strip()]))
    return blocks


def _prose(text: str) -> str:
    """Without fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _sections(text: str) -> list[str]:
    """The prose under each heading; the first one is what precedes the title."""
    return re.split(r"^#+ .*$", _prose(text), flags=re.MULTILINE)


def test_the_table_of_settings_is_the_codes() -> None:
    between = _read("docs/SETTINGS.md").partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]

    assert between == as_table(), "write config.as_table() between the markers of docs/SETTINGS.md"


@pytest.mark.parametrize("name", READMES)
def test_the_tree_names_what_is_there(name: str) -> None:
    top, _, inner = _tree(_read(name)).partition("src/chatterbox_worker/\n")
    package, _, remainder = inner.partition("\ntests/")
    names = [(ROOT, found) for line in top.splitlines() for found in re.findall(r"\S+\.\S+|Dockerfile", line[:26])]
    names += [(ROOT / "src" / "chatterbox_worker", line.split()[0]) for line in package.splitlines()]
    names += [(ROOT, line.split()[0]) for line in ("tests/" + remainder).splitlines() if line.strip()]

    assert len(names) > 25
    assert [str(folder / found) for folder, found in names if not (folder / found).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_every_module_and_folder_of_the_package_is_in_the_tree(name: str) -> None:
    package = ROOT / "src" / "chatterbox_worker"
    folders = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    modules = [f"{path.name} " for path in package.glob("*.py") if path.name != "__init__.py"]

    assert len(folders) > 10
    assert [found for found in (*folders, *modules) if f"\n  {found}" not in _tree(_read(name))] == []


def test_the_readme_opens_with_a_picture_and_then_the_two_commands() -> None:
    top = README.partition("\n## ")[0]
    picture = re.search(r"!\[[^\]]+\]\(([^)]+)\)", top)
    assert picture is not None
    assert (ROOT / picture[1]).stat().st_size < 200_000
    assert top.index("make speak") > picture.start()
    assert top.index("make test") > picture.start()


@pytest.mark.parametrize(("original", "translation"), TRANSLATIONS)
def test_a_translation_and_its_original_are_linked(original: str, translation: str) -> None:
    assert f"[Español]({Path(translation).name})" in _read(original).splitlines()[:4]
    assert f"[English]({Path(original).name})" in _read(translation).splitlines()[:4]


@pytest.mark.parametrize(("original", "translation"), TRANSLATIONS)
def test_a_translation_has_the_same_commands(original: str, translation: str) -> None:
    assert len(_blocks(_read(original))) > 4
    assert _blocks(_read(translation)) == _blocks(_read(original))


@pytest.mark.parametrize(("original", "translation"), TRANSLATIONS)
def test_a_translation_has_the_same_headings_and_tables(original: str, translation: str) -> None:
    def shape(name: str) -> list[str]:
        lines = _prose(_read(name)).splitlines()
        return [line.split()[0] for line in lines if re.match(r"#+ |\| |\d\. |\* |<!-- ", line)]

    assert shape(translation) == shape(original)


@pytest.mark.parametrize(("original", "translation"), TRANSLATIONS)
def test_a_translation_has_the_same_code_and_figures_in_each_section(original: str, translation: str) -> None:
    def facts(section: str) -> tuple[set[str], set[str]]:
        without_links = re.sub(r"\]\([^)]*\)", "]", " ".join(section.split()))
        return set(re.findall(r"`[^`]+`", without_links)), set(re.findall(r"\d+(?:[.-]\d+)*", without_links))

    pairs = zip(_sections(_read(original)), _sections(_read(translation)), strict=True)
    for number, (english, spanish) in enumerate(pairs):
        assert facts(spanish) == facts(english), f"section {number} of {translation}"


def test_links_lead_somewhere() -> None:
    for page in (*map(ROOT.joinpath, READMES), *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", READMES)
def test_every_make_target_that_is_named_exists(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z]+)", _read(name), re.MULTILINE)
    assert {"speak", "test", "check"} <= set(targets)

    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_changelog_knows_the_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()

"""The language of a voice: next to its recording, inside its voice file, and in the list."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors import safe_open

from chatterbox_worker.engine import NO_DETAILS, Voice, VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices import bundle
from chatterbox_worker.voices.bundle import Bundle, pack, unpack
from chatterbox_worker.voices.details import DETAILS
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import tone, wav_bytes

SPANISH = VoiceDetails("Hola a todos.", "es")


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


def _file(details: VoiceDetails = SPANISH) -> bytes:
    return pack(Bundle(tone(6.0), None, {}, details=details))


def _language(library: VoiceLibrary) -> tuple[str | None, str | None]:
    """Of alice, as she speaks and as she is listed."""
    (entry,) = library.list()
    assert library.entry("alice") == entry
    return library.get("alice").details.language, entry.language


def test_the_table_has_every_detail() -> None:
    assert [*DETAILS] == [*VoiceDetails.__dataclass_fields__]


@pytest.mark.parametrize("data", [wav_bytes(), _file(NO_DETAILS)], ids=["recording", "voice file"])
def test_a_voice_keeps_its_details_and_takes_them_along(library: VoiceLibrary, data: bytes) -> None:
    saved = library.save("alice", data, field="file", details=SPANISH)
    assert saved.details == library.get("alice").details == SPANISH
    assert library.describe(saved)["language"] == "es"
    assert _language(library) == ("es", "es")

    other = VoiceLibrary(library.folder.with_name("other"))
    other.save("alice", library.export("alice"), field="file")
    assert other.get("alice").details == SPANISH
    assert _language(other) == ("es", "es")

    library.save("alice", data, field="file")  # another recording, of which nothing is known
    assert _language(library) == (None, None)
    library.save("alice", data, field="file", details=SPANISH)
    library.delete("alice")
    assert [*library.folder.iterdir()] == []


def test_a_voice_files_own_details_are_replaced_by_those_that_are_given(library: VoiceLibrary) -> None:
    def saved(**given: Any) -> VoiceDetails:
        voice: Voice = library.save("alice", _file(), field="file", details=VoiceDetails(**given))
        return voice.details

    assert saved() == SPANISH
    assert saved(language="pt") == VoiceDetails("Hola a todos.", "pt")


def test_a_language_file_that_is_changed_by_hand_is_read_again(
    library: VoiceLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    library.save("alice", wav_bytes(), field="file")
    assert _language(library) == (None, None)
    beside = library.folder / "alice.language"
    beside.write_text("es\n")
    assert _language(library) == ("es", "es")
    beside.write_text("fr\n")
    os.utime(beside, ns=(1, 1))  # as on a file system that counts in seconds, but at another one
    assert _language(library) == ("fr", "fr")
    beside.write_text("French\n")
    with caplog.at_level(logging.WARNING):
        assert _language(library) == (None, None)
    assert "language is not a code such as es" in caplog.text


def test_a_language_file_that_is_gone_hides_no_voice(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.save("alice", wav_bytes(), field="file", details=SPANISH)
    (library.folder / "alice.language").unlink()
    monkeypatch.setattr(os, "scandir", _WithTheFile)  # which another worker deletes after the folder was read
    assert _language(library) == (None, None)


class _WithTheFile:
    """A folder as it was before its `alice.language` was deleted."""

    def __init__(self, path: Path) -> None:
        self._entries = [SimpleNamespace(name=name, is_file=lambda: True, is_symlink=lambda: False)
                         for name in ("alice.language", *(each.name for each in Path(path).iterdir()))]  # fmt: skip

    def __enter__(self) -> list[SimpleNamespace]:
        return self._entries

    def __exit__(self, *_: object) -> None: ...


def test_a_damaged_voice_file_is_read_once_for_the_list(library: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.folder.mkdir()
    (library.folder / "alice.safetensors").write_bytes(b"no voice")
    read: list[Path] = []

    def head_of(path: Path) -> bundle.Head:
        read.append(path)
        return bundle.head_of(path)

    monkeypatch.setattr("chatterbox_worker.voices.folder.head_of", head_of)
    assert [entry.language for entry in (*library.list(), *library.list())] == [None, None]
    assert len(read) == 1


@pytest.mark.parametrize("language", ["", "spanish", "ES", 7, ["es"]])
def test_a_voice_file_with_an_invalid_language_is_refused(library: VoiceLibrary, language: Any) -> None:
    data = _file(VoiceDetails(language=language))
    with pytest.raises(InvalidRequest, match="its language is not a code such as es"):
        unpack(data, field="test")
    library.folder.mkdir()
    (library.folder / "alice.safetensors").write_bytes(data)
    assert [entry.language for entry in library.list()] == [None]


def test_a_voice_file_without_details_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "alice.safetensors"
    path.write_bytes(_file(NO_DETAILS))
    with safe_open(path, "numpy") as file:
        assert not {"language", "transcript"} & {*file.metadata()["chatterbox_worker_voice"].split('"')}
    assert unpack(path.read_bytes(), field="test").digest == unpack(_file(), field="test").digest

"""The audio cache on a volume that may fail in any way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.answer import SpeechInfo, SpokenBy, SpokenCheck, SpokenChunk, SpokenWord
from chatterbox_worker.cache import AudioCache, CacheEntry, key_of
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.errors import Cancelled

INFO = SpeechInfo(
    mimetype="audio/wav", format="wav", sample_rate=24_000, duration_s=1.5, seed=7, model="turbo", language="en",
    voice="alice", device="cpu", warnings=("one",), decoder="flash", seeds=(7, None),
    chunks=(SpokenChunk("Hi.", 0, 3, 0.0, 1.5, "Hi!", "es", kept=True, by=SpokenBy("alice", 1, "Alice")),),
    words=(SpokenWord("Hi.", 0, 3, 0.0, 1.5, SpokenBy("bob")),), checks=(SpokenCheck(2, ("words",), 0.5, "High."),),
)  # fmt: skip
ENTRY = CacheEntry(b"RIFF sound", INFO)
FILE = "k.wav.entry"


def cache_in(folder: Path, *, max_bytes: int = 10**6, max_age_s: float = 3600) -> AudioCache:
    return AudioCache(folder, max_bytes=max_bytes, max_age_s=max_age_s)


def put(cache: AudioCache, key: str, entry: CacheEntry = ENTRY) -> None:
    cache.put(key, "wav", entry)
    cache.files.flush()


def settle() -> None:
    """Wait for sweeps in the background."""
    for thread in threading.enumerate():
        if thread.name == "sweep":
            thread.join(60)


def put_and_get(cache: AudioCache, key: str = "k") -> CacheEntry | None:
    put(cache, key)
    return cache.get(key, "wav")


def test_an_entry_comes_back_whole(tmp_path: Path) -> None:
    got = put_and_get(cache_in(tmp_path / "new" / "folder"))

    assert got is not None
    assert (got.audio, got.info) == (ENTRY.audio, ENTRY.info)
    assert ENTRY.audio in (tmp_path / "new" / "folder" / FILE).read_bytes()


def test_another_worker_sees_it(tmp_path: Path) -> None:
    put(cache_in(tmp_path), "k")

    assert cache_in(tmp_path).get("k", "wav") is not None
    assert cache_in(tmp_path).get("k", "mp3") is None


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("something")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def change(folder: Path, edit: Callable[[bytes], bytes], *, is_whole: bool = False) -> None:
    """`is_whole`: with the digest that belongs to it, as an entry of another version has."""
    stored = (folder / FILE).read_bytes()
    digest, content = stored[:32], edit(stored[32:])
    (folder / FILE).write_bytes((hashlib.sha256(content).digest() if is_whole else digest) + content)


def change_facts(content: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    end = 4 + int.from_bytes(content[:4], "big")
    changed = json.loads(content[4:end])
    edit(changed)
    facts = json.dumps(changed).encode()
    return len(facts).to_bytes(4, "big") + facts + content[end:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / FILE).unlink(),
        lambda folder: (folder / FILE).write_bytes(b""),
        lambda folder: (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-3]),
        lambda folder: (folder / FILE).write_bytes(b"\0" * (folder / FILE).stat().st_size),
        lambda folder: change(folder, lambda content: content.replace(b"sound", b"soumd")),
        lambda folder: change(folder, lambda content: content.replace(b"turbo", b"tuRbo")),
        lambda folder: change(folder, lambda content: content[::-1]),
        lambda folder: os.utime(folder / FILE, (0, 0)),
        lambda folder: as_folder(folder / FILE),
        lambda folder: as_pipe(folder / FILE),
        lambda folder: change(
            folder, lambda content: change_facts(content, lambda facts: facts.pop("duration_s")), is_whole=True
        ),
        lambda folder: change(
            folder, lambda content: change_facts(content, lambda facts: facts.update(chunks=None)), is_whole=True
        ),
        lambda folder: change(folder, lambda _: b"", is_whole=True),
        lambda folder: change(folder, lambda _: b"RIFF sound of an older version", is_whole=True),
        lambda folder: change(folder, lambda content: content[4:], is_whole=True),
    ],
    ids=[
        "absent", "empty", "cut short", "zeros", "a letter of the audio", "a letter of the facts", "turned round",
        "too old", "a folder", "a pipe", "a fact missing", "no chunks", "nothing inside", "an older version",
        "no length",
    ],
)  # fmt: skip
def test_a_bad_entry_is_a_miss_and_can_be_made_again(tmp_path: Path, damage: object) -> None:
    cache = cache_in(tmp_path)
    put(cache, "k")
    settle()
    assert cache.get("k", "wav") is not None  # what was proven once is not trusted for ever
    assert callable(damage)
    damage(tmp_path)

    assert cache.get("k", "wav") is None
    again = put_and_get(cache)
    assert again is not None
    assert (again.audio, again.info) == (ENTRY.audio, ENTRY.info)


def test_a_folder_in_the_place_of_an_entry_does_not_keep_the_sweep_busy(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, max_bytes=10_000)
    put(cache, "k")
    settle()
    as_folder(tmp_path / FILE)
    (tmp_path / FILE / "large").write_bytes(b"x" * 1000)
    os.utime(tmp_path / FILE, (0, 0))

    cache.files.sweep()

    assert list(tmp_path.iterdir()) == []


def test_a_volume_that_cannot_be_used_is_reported_once_and_not_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = cache_in(tmp_path / "file" / "cache")

    with caplog.at_level(logging.WARNING):
        assert [put_and_get(cache, key) for key in "abc"] == [None, None, None]

    assert sum("cannot write" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("before", [None, ENTRY])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: CacheEntry | None
) -> None:
    cache = cache_in(tmp_path)
    if before is not None:
        put(cache, "k", before)
    there = sorted(tmp_path.iterdir())
    write = Path.write_bytes

    def write_small(path: Path, data: bytes) -> int:
        if ENTRY.audio in data:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_small)
    put(cache, "k")

    assert sorted(tmp_path.iterdir()) == there
    settle()
    assert (cache.get("k", "wav") is None) is (before is None)


@pytest.fixture
def held_writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is written until it is set."""
    go_on, write = threading.Event(), Path.write_bytes

    def wait_and_write(path: Path, data: bytes) -> int:
        assert go_on.wait(60)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", wait_and_write)
    yield go_on
    go_on.set()


def test_an_entry_can_be_had_while_it_is_being_written(tmp_path: Path, held_writes: threading.Event) -> None:
    cache = cache_in(tmp_path)
    later = CacheEntry(b"RIFF later", INFO)
    for entry in (ENTRY, later):
        cache.put("k", "wav", entry)
        assert cache.get("k", "wav") is entry
    assert (cache.get("k", "mp3"), cache.hits, list(tmp_path.iterdir())) == (None, 2, [])

    held_writes.set()
    cache.files.flush()

    stored = cache.get("k", "wav")
    assert stored is not None
    assert stored is not later
    assert (tmp_path / FILE).read_bytes().endswith(later.audio)


def test_what_waits_to_be_written_is_bounded(
    tmp_path: Path, held_writes: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatterbox_worker.stored_files._MOST_WAITING_BYTES", 100)
    cache = cache_in(tmp_path)
    sizes = {"larger than the limit, alone": 101, "one more": 1}
    for key, size in sizes.items():
        cache.put(key, "wav", CacheEntry(b"x" * size, INFO))
    assert [cache.get(key, "wav") is None for key in sizes] == [False, True]

    held_writes.set()
    cache.files.flush()
    for key, size in {"a": 40, "b": 60, "c": 1}.items():  # all of them wait or are written: there is room again
        put(cache, key, CacheEntry(b"x" * size, INFO))
        assert cache.get(key, "wav") is not None


def test_after_closing_everything_is_written_and_nothing_more_is(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for key in "abc":
        cache.put(key, "wav", ENTRY)
    cache.files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav.entry", "b.wav.entry", "c.wav.entry"]
    assert put_and_get(cache, "d") is None


def test_a_write_that_fails_by_a_fault_is_logged_and_the_next_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = cache_in(tmp_path)

    def fail() -> None:
        raise RuntimeError("a fault")

    assert cache.files.write_later(fail, 1)
    put(cache, "k")
    assert (tmp_path / FILE).exists()
    assert "a fault" in caplog.text


def test_switched_off_it_keeps_nothing(tmp_path: Path) -> None:
    off = cache_in(tmp_path, max_bytes=0)
    assert put_and_get(off) is None
    off.files.write("part", b"x")
    assert list(tmp_path.iterdir()) == []
    on = cache_in(tmp_path)
    assert put_and_get(on) is not None
    on.files.write("part", b"x")
    assert (off.get("k", "wav"), off.files.read("part"), on.files.read("part")) == (None, None, memoryview(b"x"))


def test_a_volume_that_became_read_only_still_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_in(tmp_path)
    put(cache, "k")
    settle()
    os.utime(tmp_path / FILE, (time.time() - 60,) * 2)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    assert cache.get("k", "wav") is not None


def test_what_is_known_of_files_in_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatterbox_worker.stored_files._MOST_PROVEN", 2)
    cache = cache_in(tmp_path)
    for key in "abcd":
        assert put_and_get(cache, key) is not None
    assert [path.name for path in cache.files._proven] == ["c.wav.entry", "d.wav.entry"]


def test_the_folder_stays_under_its_limit_without_being_asked(tmp_path: Path) -> None:
    cache = cache_in(tmp_path, max_bytes=100_000)
    for index in range(100):
        put(cache, str(index), CacheEntry(b"x" * 10_000, INFO))
    settle()

    assert 80_000 <= sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000


def test_one_of_many_makes_it_and_the_others_are_given_it(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    made: list[int] = []
    got: list[bytes] = []

    def want(number: int) -> None:
        with cache.single_flight("k") as maker:
            if isinstance(maker, CacheEntry):
                got.append(maker.audio)
                return
            made.append(number)
            time.sleep(0.05)
            maker(ENTRY)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(made) == 1
    assert got == [ENTRY.audio] * 7


def test_when_the_maker_fails_the_next_in_line_makes_it(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    inside = threading.Event()
    outcomes: list[str] = []

    def fail() -> None:
        with contextlib.suppress(RuntimeError), cache.single_flight("k"):
            inside.set()
            time.sleep(0.05)
            raise RuntimeError

    def make() -> None:
        inside.wait(60)
        with cache.single_flight("k") as maker:
            outcomes.append("given" if isinstance(maker, CacheEntry) else "making")

    threads = [threading.Thread(target=fail), threading.Thread(target=make)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert outcomes == ["making"]


def test_one_that_waits_for_another_can_be_cancelled(tmp_path: Path) -> None:
    cache, scope = cache_in(tmp_path), CancelScope()
    scope.cancel()
    with cache.single_flight("k"), pytest.raises(Cancelled), cache.single_flight("k", scope.check):
        pass


def test_the_key_depends_on_every_part_and_keeps_case() -> None:
    base = {"text": "US", "seed": None, "speed": 1.0}

    keys = {key_of(base | change) for change in ({}, {"text": "us"}, {"seed": 0}, {"speed": 1.1}, {"model": "turbo"})}

    assert len(keys) == 5
    assert key_of(dict(reversed(base.items()))) == key_of(base)
    assert json.loads(json.dumps(key_of(base))) == key_of(base)

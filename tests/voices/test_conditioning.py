import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore

KEY = ConditioningKey("ab12", "turbo-749d1c1a46eb")
MIB = 2**20


def make_arrays(value: float = 1.0, size: int = 8) -> dict[str, np.ndarray]:
    return {"speaker": np.full((1, size), value, np.float32), "tokens": np.arange(size, dtype=np.int64)[None]}


def must_not_run() -> Arrays:
    pytest.fail("computed what was stored already")


def counting_compute(value: float = 1.0) -> tuple[Callable[[], Arrays], list[float]]:
    calls: list[float] = []

    def compute() -> Arrays:
        calls.append(value)
        return make_arrays(value)

    return compute, calls


def are_equal(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) and first[name].dtype == second[name].dtype for name in first
    )


def test_arrays_are_computed_once_here_and_for_other_workers(tmp_path: Path) -> None:
    store = ConditioningStore(tmp_path / "deep" / "folder", MIB)
    first = store.get_or_compute(KEY, make_arrays)
    assert are_equal(first, make_arrays())
    assert store.get_or_compute(KEY, must_not_run) is first
    store.flush()
    assert are_equal(
        ConditioningStore(tmp_path / "deep" / "folder", MIB).get_or_compute(KEY, must_not_run), make_arrays()
    )
    (file,) = (tmp_path / "deep" / "folder").iterdir()
    assert file.name == "ab12.turbo-749d1c1a46eb.arrays"
    os.utime(file, (time.time() - 60,) * 2)
    ConditioningStore(file.parent, MIB).get_or_compute(KEY, must_not_run)
    assert time.time() - file.stat().st_mtime < 30  # the sweep removes what was used least recently


def test_another_clip_or_another_model_is_another_key(tmp_path: Path) -> None:
    store = ConditioningStore(tmp_path, MIB)
    keys = [KEY, ConditioningKey("cd34", KEY.model), ConditioningKey(KEY.clip, "nano-71ccd1d0081b")]
    for value, key in enumerate(keys):
        store.get_or_compute(key, partial(make_arrays, value))
    assert [store.get_or_compute(key, must_not_run)["speaker"][0, 0] for key in keys] == [0, 1, 2]


@pytest.mark.parametrize("part", ["", "../up", "a/b", "a\\b", ".hidden", "a\0b", "ü"])
def test_a_key_that_could_leave_the_folder_is_rejected(part: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        ConditioningKey(part, "model")
    with pytest.raises(ValueError, match="file name"):
        ConditioningKey("clip", part)


def test_memory_keeps_the_most_recently_used_within_its_limit() -> None:
    each = sum(array.nbytes for array in make_arrays().values())
    store = ConditioningStore(None, 2 * each)
    keys = [ConditioningKey(str(number), "m") for number in range(3)]
    store.get_or_compute(keys[0], make_arrays)
    store.get_or_compute(keys[1], make_arrays)
    store.get_or_compute(keys[0], must_not_run)
    store.get_or_compute(keys[2], make_arrays)  # drops 1, the least recently used
    store.get_or_compute(keys[0], must_not_run)
    store.get_or_compute(keys[2], must_not_run)
    compute, calls = counting_compute()
    store.get_or_compute(keys[1], compute)
    assert calls == [1.0]


def test_something_too_large_for_memory_is_still_returned() -> None:
    store = ConditioningStore(None, 1)
    assert are_equal(store.get_or_compute(KEY, make_arrays), make_arrays())
    compute, calls = counting_compute()
    store.get_or_compute(KEY, compute)
    assert calls


def test_callers_cannot_change_what_is_stored() -> None:
    source = make_arrays()
    stored = ConditioningStore(None, MIB).get_or_compute(KEY, lambda: source)
    source["speaker"][0, 0] = 9
    assert stored["speaker"][0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        stored["speaker"][0, 0] = 9


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "[:10]])
def test_a_corrupt_file_is_a_miss_and_is_replaced(
    tmp_path: Path, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"{KEY.clip}.{KEY.model}.arrays"
    path.write_bytes(junk)
    store = ConditioningStore(tmp_path, MIB)
    assert are_equal(store.get_or_compute(KEY, make_arrays), make_arrays())
    store.flush()
    assert "damaged" in caplog.text
    assert are_equal(ConditioningStore(tmp_path, MIB).get_or_compute(KEY, must_not_run), make_arrays())


def test_an_unusable_volume_is_logged_once_and_has_no_other_effect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    store = ConditioningStore(tmp_path / "file", MIB)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            assert are_equal(store.get_or_compute(ConditioningKey(str(number), "m"), make_arrays), make_arrays())
        store.flush()
    assert len([record for record in caplog.records if "cannot write" in record.message]) == 1


def test_a_full_volume_leaves_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    store = ConditioningStore(tmp_path, MIB)
    assert are_equal(store.get_or_compute(KEY, make_arrays), make_arrays())
    store.flush()
    assert list(tmp_path.iterdir()) == []


def test_concurrent_callers_wait_for_one_computation() -> None:
    store, calls, answers = ConditioningStore(None, MIB), [], []

    def slow() -> Arrays:
        calls.append(1)
        time.sleep(0.1)
        return make_arrays()

    threads = [threading.Thread(target=lambda: answers.append(store.get_or_compute(KEY, slow))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert all(answer is answers[0] for answer in answers)


def test_a_failure_reaches_every_waiting_caller_and_the_next_caller_tries_again() -> None:
    store, failures = ConditioningStore(None, MIB), []

    def fail() -> Arrays:
        time.sleep(0.1)
        raise RuntimeError("no")

    def ask() -> None:
        try:
            store.get_or_compute(KEY, fail)
        except RuntimeError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == ["no"] * 4
    assert are_equal(store.get_or_compute(KEY, make_arrays), make_arrays())


def test_arrays_of_a_deleted_recording_are_removed_from_memory_and_volume(tmp_path: Path) -> None:
    store = ConditioningStore(tmp_path, max_bytes=10**6)
    kept, gone = (
        ConditioningKey("b" * 64, "turbo-1"),
        [ConditioningKey("a" * 64, model) for model in ("turbo-1", "nano-1")],
    )
    for key in (kept, *gone):
        store.get_or_compute(key, lambda: {"x": np.zeros(3)})

    store.forget("a" * 64)

    assert [path.name for path in tmp_path.iterdir()] == [f"{'b' * 64}.turbo-1.arrays"]
    computed: list[int] = []
    for key in (kept, *gone):
        store.get_or_compute(key, lambda: computed.append(1) or {"x": np.ones(3)})  # type: ignore[func-returns-value]
    assert len(computed) == 2


def test_what_is_still_being_written_of_a_deleted_recording_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, write = threading.Event(), threading.Event(), Path.write_bytes

    def wait_and_write(path: Path, data: bytes) -> int:
        begun.set()
        assert go_on.wait(60)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", wait_and_write)
    store = ConditioningStore(tmp_path, MIB)
    store.get_or_compute(KEY, make_arrays)  # returns although nothing is written yet
    assert begun.wait(60)
    forgetting = threading.Thread(target=store.forget, args=(KEY.clip,))
    forgetting.start()
    go_on.set()
    forgetting.join(60)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_stays_within_its_limit_and_a_killed_writers_draft_is_removed(tmp_path: Path) -> None:
    draft = tmp_path / f".{'a' * 64}.m.arrays.0123456789abcdef.draft"
    draft.write_bytes(b"half")
    os.utime(draft, (time.time() - 7200, time.time() - 7200))
    store = ConditioningStore(tmp_path, 0, max_stored_bytes=20_000)
    for number in range(100):
        store.get_or_compute(ConditioningKey(f"{number:064}", "m"), lambda: make_arrays(size=100))
    for thread in threading.enumerate():
        if thread.name == "sweep":
            thread.join(60)

    assert not draft.exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    assert store.get_or_compute(ConditioningKey(f"{99:064}", "m"), must_not_run) is not None


def test_zeros_in_place_of_what_was_written_are_a_miss(tmp_path: Path) -> None:
    store = ConditioningStore(tmp_path, MIB)
    store.get_or_compute(KEY, make_arrays)
    store.flush()
    (path,) = tmp_path.iterdir()
    written = path.read_bytes()
    path.write_bytes(written[:-8] + bytes(8))

    assert are_equal(ConditioningStore(tmp_path, MIB).get_or_compute(KEY, lambda: make_arrays(2.0)), make_arrays(2.0))

"""A worker that is killed while it writes: nothing half written is used, and nothing of it stays."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from chatterbox_worker.cache import AudioCache, CacheEntry
from chatterbox_worker.config import environment
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.voices.conditioning import Arrays, ConditioningKey, ConditioningStore
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes
from support.paths import ROOT
from test_cache import INFO, put

pytestmark = pytest.mark.slow
KILLS, KEYS = 6, 50
_AGE_S = 7200.0


@dataclass
class Stores:
    """Everything that a worker writes to the volume; what is written at `number` is a function of it."""

    folder: Path

    def __post_init__(self) -> None:
        voices = self.folder / "voices"
        self.cache = AudioCache(self.folder / "cache", max_bytes=10**9, max_age_s=1e6)
        self.conditionings = ConditioningStore(voices / ".conditioning", 0, max_stored_bytes=10**9)
        self.library = VoiceLibrary(voices)
        self.lexicon = Lexicon(self.folder / "lexicon.json")
        self.outputs = Volume(self.folder / "outputs", max_age_s=_AGE_S / 2)

    def writers(self) -> list[Callable[[int], object]]:
        recordings = [(wav_bytes(0.6, pitch=200.0 + 100 * part), f"Words {part}.") for part in range(2)]
        return [
            lambda number: put(self.cache, f"{number}", CacheEntry(audio_at(number), INFO)),
            lambda number: self.conditionings.get_or_compute(key_at(number), lambda: arrays_at(number)),
            lambda number: self.library.save(
                "alice", recordings[number % 2][0], field="file", details=VoiceDetails(recordings[number % 2][1], "en")
            ),
            lambda number: self.lexicon.save({f"word{number}": f"spoken {number}"}),
            lambda number: self.outputs.put(audio_at(number), suffix="wav"),
        ]


def audio_at(number: int) -> bytes:
    return bytes([number]) * 300_000


def key_at(number: int) -> ConditioningKey:
    return ConditioningKey(f"{number:064}", "nano-1")


def arrays_at(number: int) -> Arrays:
    return {"x": np.full(40_000, float(number))}


def write_until_killed(folder: Path) -> None:
    def work(write: Callable[[int], object]) -> None:
        for number in itertools.cycle(range(KEYS)):
            write(number)

    for write in Stores(folder).writers():
        threading.Thread(target=work, args=(write,)).start()
    print("writing", flush=True)  # noqa: T201


def test_what_a_killed_worker_leaves_is_whole_or_removed(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    words = {
        VoiceLibrary(tmp_path / "other").save("x", wav_bytes(0.6, pitch=200.0 + 100 * part), field="file").digest: said
        for part, said in enumerate(("Words 0.", "Words 1."))
    }
    moments = random.Random(5)
    for _ in range(KILLS):
        _kill_while_it_writes(tmp_path, moments.uniform(0.02, 0.6))
        _check_whole(Stores(tmp_path), words)
    drafts = list(tmp_path.rglob(".*.draft"))
    assert drafts, "no kill hit a write"

    for path in tmp_path.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - _AGE_S, time.time() - _AGE_S))
    for write in Stores(tmp_path).writers():
        write(KEYS)
    for thread in threading.enumerate():
        if "sweep" in thread.name:
            thread.join(60)
    assert not list(tmp_path.rglob(".*.draft"))


def _kill_while_it_writes(folder: Path, after_s: float) -> None:
    code = (
        "import sys; from pathlib import Path; import test_killed_writers as t; t.write_until_killed(Path(sys.argv[1]))"
    )
    env = environment() | {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", "tests"))}
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], env=env, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        time.sleep(after_s)
        writer.kill()
    assert writer.returncode == -9


def _check_whole(stores: Stores, words: dict[str, str]) -> None:
    for number in range(KEYS):
        entry = stores.cache.get(f"{number}", "wav")
        assert entry is None or (entry.audio, entry.info) == (audio_at(number), INFO)
        found = stores.conditionings.get_or_compute(key_at(number), lambda number=number: arrays_at(number))  # type: ignore[misc]
        assert np.array_equal(found["x"], arrays_at(number)["x"])
    for voice in stores.library.list():
        loaded = stores.library.get(voice.id)
        assert loaded.details.transcript in (None, words[loaded.digest])
    for each in stores.lexicon.list():
        assert each.spoken == each.word.replace("word", "spoken ")
    for output in stores.outputs.files():
        data, size = stores.outputs.read(output.path, 0, 10**6)
        assert data == data[:1] * 300_000
        assert size == 300_000

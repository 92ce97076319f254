"""`VoiceCloner`: speaks a text in the voice of a recording, on this machine and without a server.

It uses the same engine as the worker's other edges, so the same rules hold: every field is used or rejected, the same
seed gives the same audio, and the audio carries the watermark.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chatterbox_worker import files
from chatterbox_worker import request as requests
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, WorkerError, quote
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.voices.reference import MAX_BYTES
from chatterbox_worker.wiring import build

_REQUIRED = ("reference_audio", "target_text")


@dataclass(frozen=True, slots=True, eq=False)
class ClonedSpeech:
    audio: bytes
    """The encoded file."""
    about: Mapping[str, Any]
    """What the worker reports about it: format, sample_rate, duration_s, seed, chunks, warnings (docs/API.md)."""

    @property
    def duration_s(self) -> float:
        return float(self.about["duration_s"])

    @property
    def seed(self) -> int:
        """Pass it as `seed` to get the same audio again."""
        return int(self.about["seed"])

    def save(self, path: str | Path) -> Path:
        """Write the file, and create its folder if it is missing."""
        return files.save(path, self.audio)


class VoiceCloner:
    """Safe for several threads. Close it, or use it in a `with`, to free the device."""

    def __init__(
        self,
        model_path: str | Path | None = None,
        *,
        model: str = "csm",
        device: str = "auto",
        profile: str = "auto",
        gpu_memory_fraction: float = 1.0,
        at_once: int = 32,
    ) -> None:
        """Load `model` from the folder `model_path` or, without one, from the caches and the hub.

        `model` is any that can clone a voice: "csm", "multilingual", "turbo", ... `device` and `profile` are those of
        the worker's settings. `at_once` is how many texts of a batch are synthesized at the same time, as far as the
        device has memory.

        Raises:
            InvalidRequest: an argument is invalid; `field` names it.
            NotReady: the weights are missing or broken.
        """
        if model_path is not None and not Path(model_path).is_dir():
            raise InvalidRequest(f"model_path {quote(str(model_path))} is not a folder", field="model_path")
        self._folder = tempfile.TemporaryDirectory(prefix="voice-cloner-")
        variables = {
            "MODELS": model,
            "DEVICE": device,
            "PROFILE": profile,
            "GPU_MEMORY_FRACTION": str(gpu_memory_fraction),
            "VOICES_DIR": self._folder.name,
            "CACHE_MAX_BYTES": "0",
            "WEIGHTS_DIR": str(model_path or ""),
        }
        try:
            self._settings = Settings.from_env({f"CHATTERBOX_{name}": value for name, value in variables.items()})
            self._synthesizer = build(self._settings)
        except BaseException:
            self._folder.cleanup()
            raise
        self._threads = ThreadPoolExecutor(max(1, at_once), thread_name_prefix="cloner")

    def clone_voice_from_file(
        self,
        *,
        reference_audio: str | Path,
        target_text: str,
        reference_transcript: str | None = None,
        output_path: str | Path | None = None,
        **fields: Any,
    ) -> ClonedSpeech:
        """Speak `target_text` in the voice of the recording, and write it to `output_path` if that is given.

        `reference_transcript`, the words of the recording, is required for csm; the other models do not use it and
        reject it. `fields` are the worker's own (docs/API.md): `seed`, `temperature`, `top_k`, `max_chunk_s`, `format`,
        `context`, ...

        Raises:
            InvalidRequest: names the field, the value and the choices.
            SynthesisFailed: the engine failed on valid input.
        """
        recording = self._synthesizer.speak(
            self._request(reference_audio, target_text, reference_transcript, fields), CancelScope()
        )
        speech = ClonedSpeech(recording.audio, recording.info.as_json())
        if output_path is not None:
            speech.save(output_path)
        return speech

    def clone_batch(self, jobs: Iterable[Mapping[str, Any]]) -> list[ClonedSpeech | WorkerError]:
        """The results of several jobs, in order; each job has the arguments of `clone_voice_from_file`.

        The jobs share the engine's batch, as far as it has space. A job that fails returns its error and does not
        affect the others.
        """
        return list(self._threads.map(self._try, jobs))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._synthesizer.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, job: Mapping[str, Any]) -> ClonedSpeech | WorkerError:
        try:
            if missing := [name for name in _REQUIRED if name not in job]:
                raise InvalidRequest(f"{missing[0]} is required", field=missing[0])
            return self.clone_voice_from_file(**job)
        except WorkerError as error:
            return error

    def _request(
        self, reference_audio: str | Path, text: str, transcript: str | None, fields: Mapping[str, Any]
    ) -> SpeechRequest:
        own = {"text": text, "reference_audio": _read_base64(reference_audio), "cache": False}
        if taken := (set(own) | {"action"}) & set(fields):
            raise InvalidRequest(f"{min(taken)} cannot be chosen here", field=min(taken))
        optional = {} if transcript is None else {"reference_transcript": transcript}
        return requests.parse_speech({**fields, **own, **optional}, self._settings)


def _read_base64(path: str | Path) -> str:
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise InvalidRequest(
                f"reference_audio {quote(str(path))} has more than {MAX_BYTES} bytes", field="reference_audio"
            )
        return base64.b64encode(Path(path).read_bytes()).decode()
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(
            f"reference_audio {quote(str(path))} cannot be read: {reason}", field="reference_audio"
        ) from None

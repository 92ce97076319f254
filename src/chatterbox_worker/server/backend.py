"""What the routes speak with: a synthesizer of this process, or a RunPod queue somewhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chatterbox_worker.answer import Recording, SpeechInfo
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.synthesizer import CancelScope
from chatterbox_worker.voices.library import LibraryEntry

State = Literal["starting", "ready", "asleep", "waking", "failed"]


class Live(Protocol):
    """Speech on its way: read `pieces` once; `info` is complete when they have ended."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""

    def pieces(self) -> AsyncIterator[Audio]:
        """
        Raises:
            WorkerError: it ends here, and what came before is all there is.
        """

    def info(self) -> SpeechInfo:
        """What is reported about the whole."""


@dataclass(frozen=True, slots=True)
class Readiness:
    state: State
    reason: str = ""
    """Why it failed; empty otherwise."""


class Backend(Protocol):
    @property
    def condition(self) -> Readiness:
        """Answers at once, whatever is going on."""

    async def open(self) -> None:
        """Begin to get ready, and return."""

    async def close(self) -> None:
        """Give up what runs and free everything."""

    async def speak(self, request: SpeechRequest, call: CancelScope) -> Recording:
        """The whole as one recording; raises WorkerError."""

    async def stream(self, request: SpeechRequest, call: CancelScope) -> Live:
        """Returns when the first piece is there; until then it raises WorkerError."""

    async def voices(self) -> list[LibraryEntry]: ...

    async def about_voice(self, voice: str) -> dict[str, Any]:
        """id, size_bytes, modified, and duration_s and digest where they are known; raises VoiceNotFound."""

    async def recording(self, voice: str) -> tuple[bytes, str]:
        """A voice's file and its mimetype; raises VoiceNotFound."""

    async def export_voice(self, voice: str) -> bytes:
        """The voice as one file, which `save_voice` takes; raises VoiceNotFound."""

    async def save_voice(self, voice: str, data: bytes, transcript: str | None = None) -> dict[str, Any]:
        """Keep a recording, and its words: voice, digest and duration_s; raises InvalidRequest, VolumeFailed."""

    async def delete_voice(self, voice: str) -> None: ...

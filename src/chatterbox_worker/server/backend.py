"""What generates the speech behind the routes: a synthesizer in this process, or a RunPod queue elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chatterbox_worker.answer import Recording, SpeechInfo, SpokenWord
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.engine import NO_DETAILS, VoiceDetails
from chatterbox_worker.request import AudioRequest, SpeechRequest
from chatterbox_worker.voices.folder import LibraryEntry

ReadinessState = Literal["starting", "ready", "asleep", "waking", "failed"]
"""As `/health` and the metrics show it. `asleep`: the models are unloaded; `waking`: they are loaded again."""


class Live(Protocol):
    """Speech that is being generated: read `pieces` once; `info` is complete when they have ended."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""

    def watch(self, report: Callable[[bool], None]) -> None:
        """Calls `report` in the event loop, now and later: False while nothing is generated, because the reader is far
        behind or because all has been, and True while something is.
        """

    def pieces(self) -> AsyncIterator[Audio]:
        """
        Raises:
            WorkerError: the speech failed; no more pieces follow.
        """

    @property
    def words(self) -> Sequence[SpokenWord]:
        """Of the chunks that are complete, all of them when the pieces have ended; none if they were not asked for."""

    def info(self) -> SpeechInfo:
        """The same as `Recording.info`."""


@dataclass(frozen=True, slots=True)
class Readiness:
    state: ReadinessState
    reason: str = ""
    """Why it failed; empty otherwise."""


class Backend(Protocol):
    @property
    def condition(self) -> Readiness:
        """Returns at once, whatever the backend is doing."""

    async def open(self) -> None:
        """Start to get ready, and return without waiting for it."""

    async def close(self) -> None:
        """Cancel what runs and free everything."""

    async def speak(self, request: AudioRequest, scope: CancelScope) -> Recording:
        """The whole speech as one recording; raises WorkerError."""

    async def stream(self, request: AudioRequest, scope: CancelScope) -> Live:
        """Returns when the first piece is ready; raises WorkerError if it fails before that."""

    async def voices(self) -> list[LibraryEntry]: ...

    async def about_voice(self, voice: str) -> dict[str, Any]:
        """What `voices` lists of it, and duration_s, digest and transcript if they are known; raises VoiceNotFound."""

    async def recording(self, voice: str) -> tuple[bytes, str]:
        """A voice's file and its mimetype; raises VoiceNotFound."""

    async def export_voice(self, voice: str) -> bytes:
        """The voice as one file, which `save_voice` accepts; raises VoiceNotFound."""

    async def save_voice(self, name: str, data: bytes, details: VoiceDetails = NO_DETAILS) -> dict[str, Any]:
        """Save a recording and its details under the id that the library makes of a name.

        Returns:
            voice (the id), name, digest, duration_s, language and warnings.

        Raises:
            InvalidRequest: it cannot be a voice.
            VolumeFailed: it cannot be written.
        """

    async def delete_voice(self, voice: str) -> None: ...

    async def preview(self, request: SpeechRequest) -> dict[str, Any]:
        """See `text.preview`."""

    async def lexicon(self, language: str | None, offset: int) -> dict[str, Any]:
        """A page of the lexicon: `entries`, `count` and `next_offset`."""

    async def save_entries(self, entries: Mapping[str, str], language: str) -> dict[str, Any]:
        """Returns `saved`, `count` and `warnings`; raises InvalidRequest, VolumeFailed."""

    async def delete_entry(self, word: str, language: str) -> None:
        """Raises EntryNotFound, VolumeFailed."""

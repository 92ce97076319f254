"""What a job sends back, as a recording or as a stream of audio."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import soundfile

from chatterbox_worker.answer import Recording, SpeechInfo, SpokenWord
from chatterbox_worker.audio.clip import Audio, audio_of_integers, concatenate
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.client.sound import join
from chatterbox_worker.errors import SynthesisFailed
from chatterbox_worker.request import AudioRequest

Piece = tuple[bytes, Sequence[SpokenWord]]
"""Encoded audio, and the words that are spoken by its end."""

_AUDIO_S = 86_400  # the longest piece that is decoded


class JobStream:
    """The pieces of a job as audio. Pieces wait in memory for a slow reader, so the job does not wait for it: the queue
    keeps them for a short time only.
    """

    def __init__(
        self, request: AudioRequest, pieces: asyncio.Queue[Piece | None], job: asyncio.Task[Mapping[str, Any]]
    ) -> None:
        self._request = request
        self._pieces = pieces
        self._job = job
        self._first: Audio | None = None
        self._words: list[SpokenWord] = []

    @property
    def sample_rate(self) -> int:
        return 0 if self._first is None else self._first.sample_rate

    def watch(self, report: Callable[[bool], None]) -> None:
        report(not self._job.done())
        self._job.add_done_callback(lambda _: report(False))

    async def read_first(self) -> None:
        self._first = await self._next()
        if self._first is None:
            raise SynthesisFailed("the endpoint's answer has no audio")

    async def pieces(self) -> AsyncIterator[Audio]:
        piece = self._first
        while piece is not None:
            yield piece
            piece = await self._next()

    @property
    def words(self) -> Sequence[SpokenWord]:
        return self._words

    def info(self) -> SpeechInfo:
        request = self._request
        mimetype = FORMATS[request.format].mimetype
        info = info_of(self._job.result())
        return replace(info, format=request.format, sample_rate=request.sample_rate, mimetype=mimetype)

    async def _next(self) -> Audio | None:
        piece = await self._pieces.get()
        if piece is None:
            await self._job  # raises what ended it
            self._words = list(self.info().words or ())  # an endpoint that does not stream has them at the end
            return None
        audio, words = piece
        self._words += words
        return await asyncio.to_thread(decode_flac, audio)


def recording_of(audio: bytes, about: Mapping[str, Any]) -> Recording:
    """
    Raises:
        SynthesisFailed: the answer lacks fields that this worker's answers have.
    """
    try:
        return Recording(audio, info_of(about), about["cache_key"], hit=about["cache_hit"], timings=about["timings"])
    except KeyError as missing:
        raise SynthesisFailed(f"the endpoint's answer has no {missing}; does it run this worker?") from None


def info_of(about: Mapping[str, Any]) -> SpeechInfo:
    """What an answer reports; a stream leaves out a list of chunks that is too long for it. Raises SynthesisFailed."""
    try:
        return SpeechInfo.from_json({"chunks": [], **about})
    except ValueError as error:
        raise SynthesisFailed(f"the endpoint's answer cannot be used: {error}; does it run this worker?") from None


def join_pieces(pieces: Sequence[bytes], audio_format: str) -> bytes:
    """The pieces of a stream as one file; flac pieces are coded again, which is lossless. Raises NoAudio."""
    if audio_format != "flac" or len(pieces) < 2:
        return join(pieces, audio_format)
    audio = concatenate([decode_flac(piece) for piece in pieces])
    return encode(audio, audio_format, audio.sample_rate)


def decode_flac(data: bytes) -> Audio:
    """The samples of a 16-bit mono file, exactly: `Audio.pcm16` returns them again.

    Raises:
        SynthesisFailed: it is not such a file.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.channels == 1 and 0 < file.frames <= _AUDIO_S * file.samplerate:
                return audio_of_integers(file.read(dtype="int16"), file.samplerate)
    except soundfile.LibsndfileError:
        pass
    raise SynthesisFailed("the endpoint's answer holds audio that cannot be decoded")

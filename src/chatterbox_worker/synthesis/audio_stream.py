"""A plan being spoken: its takes, joined to one stream of audio in the order of the text. No transport, no model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from chatterbox_worker.answer import SpeechInfo, SpokenCheck, SpokenChunk, SpokenWord
from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.audio.join import Joiner
from chatterbox_worker.audio.tempo import change_speed
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.checks.verdict import describe
from chatterbox_worker.engine import Engine, Take, decoder_of
from chatterbox_worker.errors import NoSpeech, SynthesisFailed
from chatterbox_worker.synthesis.checked_takes import check_of
from chatterbox_worker.synthesis.chunk_takes import StoredTake
from chatterbox_worker.synthesis.plan import Plan, sound_of
from chatterbox_worker.text.word_times import UNSPACED_LANGUAGES, time_words

_FIRST_CHUNKS, _MOST_CHUNKS = 3, 16
"""How many chunks a stream generates ahead of its reader: the first for one that reads nothing, 45 s of audio, and one
more for each that is read from the second on, up to as many as fill a batch."""


class AudioStream:
    """A plan being spoken: iterate it once, for the joined audio as it becomes ready."""

    def __init__(
        self,
        plan: Plan,
        submit: Callable[[int], Take],
        scope: CancelScope,
        *,
        bounded: bool,
        on_spoken: Callable[[int, Audio], object],
    ) -> None:
        """`submit` takes a chunk's index, each once and in order; `bounded`: a few chunks are submitted ahead
        of the reader, otherwise all at once. `on_spoken` gets each chunk's index and its sound, before it is joined, if
        the plan's turns wait for those before them.
        """
        self.plan = plan
        self._submit = submit
        self._takes: list[Take] = []
        self._scope = scope
        self._started_s = time.perf_counter()
        self._bounded = bounded
        self._on_spoken = on_spoken
        self._submit_ahead(0)
        self._first_audio_s = 0.0
        lead_s, sound = plan.chunks[0].lead_pause_s, sound_of(plan.request)
        self._joiner = Joiner(plan.engine.sample_rate, lead_s, sound, live=bounded)
        self.words: list[SpokenWord] | None = [] if plan.request.timestamps == "word" else None
        """Of the chunks that have ended; None if they were not asked for."""
        self._untimed = 0

    def __iter__(self) -> Iterator[Audio]:
        """
        Raises:
            SynthesisFailed: a chunk failed; the others are cancelled. NoSpeech if none of them has any sound.
            Cancelled: the scope was cancelled.
        """
        try:
            for index, piece in self._pieces():
                self._first_audio_s = self._first_audio_s or time.perf_counter() - self._started_s
                if len(piece.samples):
                    yield piece
                if self._scope.progress is not None:
                    self._scope.progress(index, len(self.plan.chunks), self._joiner.joined_s)
            if all(start == end for start, end in self.spans_s):
                raise NoSpeech("the model generated no sound for this text")
        finally:
            self._scope.cancel()  # what is left when a chunk fails or the reader goes away

    def _pieces(self) -> Iterator[tuple[int, Audio]]:
        """The audio that is ready, with the number of chunks that are done."""
        try:
            yield from self._spoken()
        except SynthesisFailed:
            yield len(self._joiner.spans), self._joiner.release()  # what a stream has so far is not lost
            raise

    def _spoken(self) -> Iterator[tuple[int, Audio]]:
        for index, chunk in enumerate(self.plan.chunks):
            self._submit_ahead(index)
            speed = self.plan.speed_of(chunk)
            with self.plan.named(chunk):
                spoken = []
                for audio in self._at_speed(self._takes[index], speed, self.plan.turn_of(chunk).engine):
                    self._scope.check()
                    self._require_passed(index)
                    spoken += [audio] if self.plan.waits_for_turns else []
                    yield index, self._joiner.add(audio)
            if spoken:
                self._on_spoken(index, concatenate(spoken))
            pause_s = chunk.pause_s(speed, self.plan.turn_of(chunk).pauses_s)
            end = self._joiner.end_chunk(pause_s, exact=chunk.exact_pause_s is not None)
            if self.words is not None:
                self.words += self._words_of(index, speed)
            yield index + 1, end
        yield len(self._takes), self._joiner.finish()

    def _require_passed(self, index: int) -> None:
        """Raises SynthesisFailed for a chunk of which no take passed, if the request does not want it."""
        check = check_of(self._takes[index])
        if self.plan.request.on_fail == "error" and check is not None and check.reasons:
            raise SynthesisFailed(_failed(index, check))

    def _words_of(self, index: int, speed: float) -> list[SpokenWord]:
        """The words of an ended chunk; the chunk itself if its take does not know their times."""
        chunk, span, rate = self.plan.chunks[index], self._joiner.spans[index], self.plan.engine.sample_rate
        by = self.plan.speaker_of(chunk)
        if span.start == span.end:
            return []
        start_s, end_s, removed_s = span.start / rate, span.end / rate, span.removed / rate
        boundaries_s = self._takes[index].boundaries_s
        if not boundaries_s:
            self._untimed += 1
            return [SpokenWord(chunk.text, chunk.start, chunk.end, round(start_s, 4), round(end_s, 4), by)]
        in_audio_s = [min(max(start_s + each / speed - removed_s, start_s), end_s) for each in boundaries_s]
        words = time_words(self.plan.turn_of(chunk).reading, chunk, [round(each, 4) for each in in_audio_s])
        return [replace(word, by=by) for word in words]

    def _about_words(self) -> list[str]:
        """Where an entry in `words` is not a word."""
        found = []
        if self._untimed:
            found.append(f"{self._untimed} chunks have no times of their words: each has one entry in words")
        if self.words and any(chunk.language[:2] in UNSPACED_LANGUAGES for chunk in self.plan.chunks):
            found.append("Chinese and Japanese are written without spaces: an entry in words is a phrase")
        return found

    def _submit_ahead(self, reading: int) -> None:
        """Submits the chunks that may be generated while the reader is at chunk `reading`."""
        most = len(self.plan.chunks)
        if self._bounded:
            most = min(most, reading + min(_FIRST_CHUNKS + max(0, reading - 1), _MOST_CHUNKS))
        while len(self._takes) < most and not self._waits(reading):
            self._takes.append(self._submit(len(self._takes)))

    def _waits(self, reading: int) -> bool:
        """Whether the next chunk is of a turn that needs the one being read as its context."""
        chunks = self.plan.chunks
        return self.plan.waits_for_turns and chunks[len(self._takes)].turn > chunks[reading].turn

    def _at_speed(self, take: Take, speed: float, engine: Engine) -> Iterable[Audio]:
        if speed == 1.0:
            return take
        # the whole chunk at once: a stretch has no seams; and marked again, in case it blurred the watermark
        return [engine.mark(change_speed(concatenate(list(take)), speed))]

    @property
    def kept(self) -> list[bool]:
        """Whether each chunk's sound was there already."""
        return [isinstance(take, StoredTake) for take in self._takes]

    @property
    def checks(self) -> list[SpokenCheck] | None:
        """How each chunk that has ended was judged; None if they are not checked."""
        checks = [check for take in self._takes if (check := check_of(take)) is not None]
        return checks or None

    @property
    def spans_s(self) -> list[tuple[float, float]]:
        """Start and end of each finished chunk in the joined audio, in seconds."""
        rate = self.plan.engine.sample_rate
        return [(span.start / rate, span.end / rate) for span in self._joiner.spans]

    @property
    def warnings(self) -> list[str]:
        """What the caller should know, from the text, the joins and every take so far."""
        silent = [f"chunk {index} came out silent" for index, (start, end) in enumerate(self.spans_s) if start == end]
        of_takes = dict.fromkeys(warning for take in self._takes for warning in take.warnings)
        missed_lu = self._joiner.missed_lu
        far = (
            [f"loudness_lufs was missed by {missed_lu:.1f} LU: the speech cannot be that loud below -1 dBTP"]
            if missed_lu
            else []
        )
        bad = [_failed(index, check) for index, check in enumerate(self.checks or ()) if check.reasons]
        return [*self.plan.warnings, *self._about_words(), *silent, *bad, *far, *of_takes]

    def timings(self) -> dict[str, float]:
        """Seconds to the first audio, the first take's wait in the queue, and the engine's stages, over all takes."""
        stages: dict[str, float] = {}
        for take in self._takes:
            for stage, seconds in take.timings.items():
                stages[stage] = stages.get(stage, 0.0) + seconds
        waits = [take.timings["queue_s"] for take in self._takes if "queue_s" in take.timings]
        if waits:
            stages["queue_s"] = waits[0]  # the others wait by design
        return {"queue_to_first_audio_s": self._first_audio_s, **stages}

    def describe(self, duration_s: float) -> SpeechInfo:
        """The facts about a speech that was read to its end and lasts `duration_s` seconds."""
        plan, request = self.plan, self.plan.request
        return SpeechInfo(
            mimetype=FORMATS[request.format].mimetype,
            format=request.format,
            sample_rate=request.sample_rate,
            duration_s=round(duration_s, 4),
            seed=plan.seed,
            model=request.model,
            language=request.language,
            voice=plan.voice,
            device=plan.engine.device,
            decoder=decoder_of(plan.engine),
            seeds=plan.turn_seeds,
            chunks=tuple(
                SpokenChunk(
                    chunk.text,
                    chunk.start,
                    chunk.end,
                    round(start_s, 4),
                    round(end_s, 4),
                    chunk.spoken,
                    chunk.language,
                    kept,
                    plan.speaker_of(chunk),
                )
                for chunk, (start_s, end_s), kept in zip(plan.chunks, self.spans_s, self.kept, strict=True)
            ),
            warnings=tuple(self.warnings),
            words=None if self.words is None else tuple(self.words),
            checks=None if self.checks is None else tuple(self.checks),
        )


def _failed(index: int, check: SpokenCheck) -> str:
    return f"chunk {index} did not pass its check in {check.attempts} attempts: {describe(check.reasons)}"

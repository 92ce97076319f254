"""The chunks of a plan become takes: stored ones out of the cache, the others of an engine, judged as they end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import key_of
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.checks.judge import Judge, transcribe_by
from chatterbox_worker.checks.verdict import Verdict
from chatterbox_worker.engine import Take, Utterance, Voice
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.synthesis.checked_takes import CheckedTakes, engine_take
from chatterbox_worker.synthesis.chunk_takes import ChunkCache, StoredTake, attempt_seed
from chatterbox_worker.synthesis.dialogue import Conversation
from chatterbox_worker.synthesis.plan import Plan, sound_of
from chatterbox_worker.text.chunk import Chunk
from chatterbox_worker.voices.source import load_voice


class Submission:
    def __init__(
        self, plan: Plan, scope: CancelScope, stored: ChunkCache, recognizer: SpeechRecognizer, *, streaming: bool
    ) -> None:
        """`streaming`: as in `Synthesizer.stream`. `stored`: the takes that were generated before.

        Raises:
            InvalidRequest: the voice's recording cannot be used by this model.
            NotReady: the words are to be checked, and the recognizer cannot be loaded.
        """
        self._plan, self._scope, self._stored = plan, scope, stored
        self._voices = _load_voices(plan)
        self.conversation = Conversation(plan)
        self._context = tuple(past.load() for past in plan.context)
        self._judge = _judge(plan.request, recognizer, streaming=streaming)
        self._checked = CheckedTakes(plan.request.attempts)
        self._places: dict[int, list[int]] = {}  # of each turn's chunks
        for place, chunk in enumerate(plan.chunks):
            self._places.setdefault(chunk.turn, []).append(place)
        self._leads: dict[int, Take] = {}  # the engine's take of each turn's first chunk
        is_whole = sound_of(plan.request).needs_whole_chunks or plan.speed_of(plan.chunks[0]) != 1.0
        self._first_streams = streaming and not is_whole and self._judge is None

    def submit(self, index: int) -> Take:
        """The take of a chunk, each once and in order; returns at once."""
        chunk = self._plan.chunks[index]
        turn, utterance = self._plan.turn_of(chunk), self._utterance(index)
        # a text of one chunk is stored as a whole; a model with context needs more of a take than its sound
        is_storable = not utterance.streaming and len(self._plan.chunks) > 1 and not turn.request.card.uses_context
        key = self._key(turn, utterance) if is_storable else None
        if key is not None and (stored := self._find_stored(turn, key)) is not None:
            return stored
        context = self._context or self.conversation.context_of(chunk.turn)
        take = self._speak(index, replace(utterance, context=context, lead=self._lead_of(index)))
        if index == self._places[chunk.turn][0]:
            self._leads[chunk.turn] = engine_take(take)
        return self._stored.recorded(take, key) if is_storable else take

    def _utterance(self, index: int) -> Utterance:
        chunk = self._plan.chunks[index]
        request = self._plan.turn_of(chunk).request
        return Utterance(
            text=chunk.spoken,
            language=chunk.language,
            voice=self._voices[chunk.turn, chunk.voice],
            sampling=self._plan.sampling_of(chunk),
            seed=self._plan.seeds[index],
            streaming=self._first_streams and index == 0,
            turn=index,
            timestamps=request.timestamps == "word",
            max_s=request.max_chunk_s,
            speaker=request.speaker,
        )

    def _key(self, turn: Plan, utterance: Utterance) -> str | None:
        """Of everything that the chunk's take depends on; None if the request does not want the cache."""
        request = turn.request
        if not request.cache:
            return None
        return key_of({
            "chunk": utterance.text, "language": utterance.language,
            "model": request.model, "weights": turn.engine.revision, "voice": utterance.voice.digest,
            "sampling": dict(utterance.sampling), "seed": utterance.seed, "max_chunk_s": utterance.max_s,
            "transcript": utterance.voice.details.transcript if request.card.needs_transcript else None,
            **({} if self._judge is None else turn.check),
        })  # fmt: skip

    def _find_stored(self, turn: Plan, key: str) -> StoredTake | None:
        """The chunk's take, if it may be there: a seed that was chosen just now was never used before."""
        request = self._plan.request
        if request.seed is None and turn.request.seed is None:
            return None
        return self._stored.get(key, timed=request.timestamps == "word")

    def _lead_of(self, index: int) -> Take | None:
        """The take of the turn's first chunk, if this is another one in the same voice."""
        chunk = self._plan.chunks[index]
        first = self._places[chunk.turn][0]
        has_lead = first < index and chunk.voice == self._plan.chunks[first].voice
        return self._leads.get(chunk.turn) if has_lead else None

    def _speak(self, index: int, utterance: Utterance) -> Take:
        chunk = self._plan.chunks[index]
        first_of_turn, *others = self._places[chunk.turn]

        def attempt(number: int, first: Take | None) -> Take:
            again = replace(utterance, seed=attempt_seed(utterance.seed, number))
            if index == first_of_turn and others:  # other chunks have the voice of the first attempt
                again = replace(again, lead=first)
            with self._plan.named(chunk):
                return self._scope.hold(self._plan.turn_of(chunk).engine.submit(again))

        if self._judge is None:
            return attempt(0, None)
        utterance = replace(utterance, timestamps=True)  # to find text that was left out
        return self._checked.submit(attempt, partial(_assess, self._judge, chunk))


def _load_voices(plan: Plan) -> dict[tuple[int, str | None], Voice]:
    """By turn and by the voice that the text names; one that several turns have is loaded once."""
    loaded: dict[tuple[int, str], Voice] = {}

    def load(chunk: Chunk) -> Voice:
        source, card = plan.source_of(chunk), plan.turn_of(chunk).request.card
        key = id(source), card.name
        if key not in loaded:
            with plan.named(chunk):
                loaded[key] = load_voice(source, card)
        return loaded[key]

    return {(chunk.turn, chunk.voice): load(chunk) for chunk in plan.chunks}


def _judge(request: SpeechRequest, recognizer: SpeechRecognizer, *, streaming: bool) -> Judge | None:
    """What judges the takes; None if they are not checked. Raises NotReady."""
    if request.check == "off" or (streaming and request.check_as_given is None):
        return None
    if request.check == "sound":
        return Judge()
    recognizer.load()
    return Judge(transcribe_by(recognizer), request.max_word_error)


def _assess(judge: Judge, chunk: Chunk, audio: Audio, take: Take) -> Verdict:
    return judge.judge(
        audio, chunk.audible, chunk.language, written=chunk.text, facts=take.facts, boundaries_s=take.boundaries_s
    )

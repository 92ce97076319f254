"""A dialogue as one plan: the chunks of all turns, each with its turn's voice, language and sampling.

So the turns are generated in one batch, brought to one loudness, joined and cached as one recording. Only with a model
that uses context a turn waits for those before it, of which it gets the last as its context.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.join import GUARD_AFTER_S, GUARD_BEFORE_S, join
from chatterbox_worker.cache import key_of
from chatterbox_worker.engine import Turn
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound
from chatterbox_worker.request import (
    LONGEST_TRANSCRIPT_CHARS,
    OF_A_VOICE,
    DialogueTurn,
    SpeechRequest,
    at_place,
)
from chatterbox_worker.synthesis.chunk_takes import chunk_seeds
from chatterbox_worker.synthesis.plan import Find, Plan, Planner, require_chunks
from chatterbox_worker.text.chunk import Chunk
from chatterbox_worker.text.markup import pauses
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.text.prepare import is_silent
from chatterbox_worker.voices.contents import digest
from chatterbox_worker.voices.source import VoiceSource

_CONTEXT_TURNS = 8  # that come before a turn: about as much as fits into csm's context
_SHORTEST_PAUSE_S = GUARD_BEFORE_S + GUARD_AFTER_S  # less would cut off a word's edge


def plan_dialogue(request: SpeechRequest, planner: Planner, id_named: Callable[[str], str]) -> Plan:
    """The turns of a request as one plan; `id_named` finds a voice of the library by its name.

    Raises:
        InvalidRequest, VoiceNotFound: a turn cannot be spoken, which the error names; or none has anything to speak.
    """
    planner = replace(planner, find=_once(planner.find))
    seed = secrets.randbits(32) if request.seed is None else request.seed
    whole: dict[str, Any] = {
        "format": request.format,
        "sample_rate": request.sample_rate,
        "bitrate_kbps": request.bitrate_kbps,
    }

    def plan(turn: DialogueTurn) -> Plan | None:
        own = replace(turn.request, **whole)
        try:
            if is_silent(own):
                return None
            own = replace(own, voice=id_named(turn.request.voice or "")) if turn.is_by_name else own
            planned = planner.plan(own)
        except (InvalidRequest, VoiceNotFound) as error:
            raise at_place(turn.place, error) from None
        return replace(planned, seed=seed if turn.request.seed is None else turn.request.seed)

    plans = enumerate(map(plan, request.turns))
    turns = {index: planned for index, planned in plans if planned is not None}
    if not turns:
        raise InvalidRequest("no turn has a text that can be spoken", field="turns")
    chunks = _chunks(request.turns, turns)
    require_chunks(request, len(chunks))
    first = next(iter(turns.values()))
    key = key_of({
        "seed": request.seed, "respeak": sorted(request.respeak),
        "turns": [[index, turn.key, turn.source.id, request.turns[index].name] for index, turn in turns.items()],
        "pauses": [[chunk.turn, chunk.exact_pause_s, chunk.lead_pause_s] for chunk in chunks],
        "count": len(request.turns),
    })  # fmt: skip
    waits = any(turn.request.card.uses_context for turn in turns.values())
    seeds = _chunk_seeds(request.respeak, chunks, turns, seed)
    return replace(
        first, request=request, chunks=chunks, key=key, seed=seed, seeds=seeds, turns=turns, waits_for_turns=waits
    )


def _chunk_seeds(
    respeak: Sequence[int], chunks: Sequence[Chunk], turns: Mapping[int, Plan], seed: int
) -> tuple[int, ...]:
    """The seed of each chunk: a turn with a seed of its own is as if it were alone; the others count together how often
    a voice has said the same before.
    """
    groups: dict[int | None, list[int]] = {}
    for index, chunk in enumerate(chunks):
        groups.setdefault(None if turns[chunk.turn].request.seed is None else chunk.turn, []).append(index)
    seeds = dict[int, int]()
    for turn, places in groups.items():
        again = [places.index(index) for index in respeak if index in places]
        own = [chunks[place] if turn is not None else _of_voice(chunks[place], turns) for place in places]
        group_seed = seed if turn is None else turns[turn].seed
        seeds |= zip(places, chunk_seeds(group_seed, own, again), strict=True)
    return tuple(seeds[index] for index in range(len(chunks)))


def _of_voice(chunk: Chunk, turns: Mapping[int, Plan]) -> Chunk:
    return replace(chunk, voice=turns[chunk.turn].source_of(chunk).digest)


class Conversation:
    """What was spoken of a dialogue so far, as the context of later turns."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._spoken: dict[int, Audio] = {}

    def add(self, index: int, audio: Audio) -> None:
        """A chunk's index and its sound; what no later turn has as its context is forgotten."""
        chunks = self._plan.chunks
        oldest = chunks[index].turn - _CONTEXT_TURNS
        self._spoken = {i: sound for i, sound in self._spoken.items() if chunks[i].turn > oldest} | {index: audio}

    def context_of(self, turn: int) -> tuple[Turn, ...]:
        """The turns before this one, oldest first, but for those that are silent or too long for a transcript."""
        if turn not in self._plan.turns or not self._plan.turns[turn].request.card.uses_context:
            return ()
        earlier = (i for i in range(max(0, turn - _CONTEXT_TURNS), turn) if i in self._plan.turns)
        return tuple(
            self._turn(i) for i in earlier if len(self._plan.turns[i].request.text) <= LONGEST_TRANSCRIPT_CHARS
        )

    def _turn(self, turn: int) -> Turn:
        plan = self._plan.turns[turn]
        own = [index for index, chunk in enumerate(self._plan.chunks) if chunk.turn == turn]
        parts = [
            (self._spoken[index], chunk.pause_s(self._plan.speed_of(chunk), plan.pauses_s))
            for index, chunk in zip(own, plan.chunks, strict=True)
        ]
        clip = join(parts, plan.engine.sample_rate).audio
        text = normalise_transcript(plan.request.text, field="text")
        return Turn(text, clip, plan.request.speaker, digest(clip.samples.tobytes()))


def _once(find: Find) -> Find:
    """Each voice is found once, however many turns have it."""
    found: dict[tuple[str | None, ...], VoiceSource] = {}

    def find_once(request: SpeechRequest) -> VoiceSource:
        voice = tuple(getattr(request, name) for name in OF_A_VOICE)
        if voice not in found:
            found[voice] = find(request)
        return found[voice]

    return find_once


def _chunks(given: Sequence[DialogueTurn], turns: Mapping[int, Plan]) -> tuple[Chunk, ...]:
    """The chunks of all turns, with the silence between turns: what their texts ask for there, and the turn's own."""
    chunks: list[Chunk] = []
    silence_s = 0.0
    for index, turn in enumerate(given):
        if index in turns:
            first, *others = (replace(chunk, turn=index) for chunk in turns[index].chunks)
            silence_s += first.lead_pause_s
            if chunks:
                chunks[-1] = replace(chunks[-1], exact_pause_s=max(silence_s, _SHORTEST_PAUSE_S))
            chunks += [replace(first, lead_pause_s=0.0 if chunks else silence_s), *others]
            silence_s = chunks[-1].exact_pause_s or 0.0
        else:
            silence_s += pauses.pauses_s(break_tags(turn.request.text))
        silence_s += turn.pause_s if index < len(given) - 1 else 0.0
    chunks[-1] = replace(chunks[-1], exact_pause_s=silence_s or None)
    return tuple(chunks)

"""A speech request of one text or of several turns, with every default filled in.

Each turn is a request of its own with the fields next to `turns` as its defaults. A script is a text in which each turn
begins with the name of a voice (`script`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, unknown_field
from chatterbox_worker.request.check import check_speech, require_seed, with_defaults
from chatterbox_worker.request.fields import (
    ALIASES,
    MOST_SPEAKERS,
    MOST_TURNS,
    OF_A_DIALOGUE,
    OF_A_VOICE,
    VOICES,
    PauseSeconds,
    SpeechBody,
    TurnBody,
    pause_of_a_turn,
    without_nulls,
)
from chatterbox_worker.request.script import parse_script
from chatterbox_worker.request.speech import DialogueTurn, SpeechRequest, at_place, resolve_text

TURN_PAUSE_S = 0.4
"""The silence after a turn: a sentence's. Speakers leave about 0.2 s between turns on average, and less than a second
nearly always (Stivers et al. 2009, PNAS 106(26)), but a listener who does not see them needs more."""
_OF_THE_WHOLE = ("action", "turns", "output", "text", "name", "candidates", "respeak", "seed")
"""The fields that are no defaults of the turns."""
_NOT_OF_A_TURN = {
    **dict.fromkeys((*OF_A_DIALOGUE, "output", "candidates"), "applies to the whole dialogue; set it next to turns"),
    "context": "is not for a dialogue: the turns are each other's context",
    "turns": "cannot be inside a turn",
    "action": "cannot be inside a turn",
}
_TURN_FIELDS = sorted({*TurnBody.model_fields, *ALIASES} - _NOT_OF_A_TURN.keys())


def resolve(fields: SpeechBody, settings: Settings) -> SpeechRequest:
    """The request with every default filled in. Raises InvalidRequest for what this worker cannot do."""
    is_script = fields.turns is None and fields.text_format == "script"
    if fields.turns is None and not is_script:
        return resolve_text(fields, settings)
    if fields.turns is not None and fields.text is not None:
        raise InvalidRequest("each turn has a text of its own; leave this text out", field="text")
    if "context" in fields.model_fields_set:
        raise InvalidRequest("context is not for a dialogue: the turns are each other's context", field="context")
    require_seed(fields.respeak, fields.seed)
    left_out = {*_OF_THE_WHOLE, *(("text_format",) if is_script else ())}
    shared = fields.model_dump(exclude_unset=True, exclude=left_out)
    sources = _of_script(fields, shared) if is_script else _of_turns(fields.turns or [])
    turns = _number_speakers([_resolve_turn(source, shared, settings) for source in sources])
    texts = [turn.request.text for turn in turns]
    if sum(map(len, texts)) > settings.max_text_chars:
        raise InvalidRequest(
            f"the turns have more than {settings.max_text_chars} characters together",
            field="text" if is_script else "turns",
        )
    return replace(
        turns[0].request,
        text=(fields.text or "").strip() if is_script else "\n".join(texts),
        text_format="script" if is_script else "plain",
        seed=fields.seed,
        respeak=tuple(fields.respeak),
        turns=tuple(turns),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A turn as it was given."""

    place: str
    fields: Mapping[str, Any]
    name: str | None = None
    voice: str | None = None
    """The name of its voice in the library."""


def _of_turns(turns: list[dict[str, Any]]) -> Iterator[_Source]:
    for index, turn in enumerate(turns):
        place = f"turns[{index}]"
        own = without_nulls(turn)
        for name, why in _NOT_OF_A_TURN.items():
            if name in own:
                raise InvalidRequest(f"{place}.{name} {why}", field=f"{place}.{name}")
        if unknown := next((name for name in own if name not in _TURN_FIELDS), None):
            raise at_place(place, unknown_field(unknown, _TURN_FIELDS))
        yield _Source(place, own)


def _of_script(fields: SpeechBody, shared: Mapping[str, Any]) -> Iterator[_Source]:
    script = parse_script(fields.text or "")
    if len(script) > MOST_TURNS:
        raise InvalidRequest(f"the script has {len(script)} turns; at most {MOST_TURNS} can be spoken", field="text")
    spelled: dict[str, str] = {}  # a name has one spelling in the answer, the first
    for turn in script:
        if turn.name is None and shared.keys().isdisjoint(VOICES):
            raise InvalidRequest(
                f"line {turn.line}: this text comes before the first name: write a name before it, or set voice to "
                "the voice that speaks it",
                field="text",
            )
        name = None if turn.name is None else spelled.setdefault(turn.name.casefold(), turn.name)
        yield _Source(f"line {turn.line}", {"text": turn.text}, name, voice=turn.name)


def _resolve_turn(source: _Source, shared: Mapping[str, Any], settings: Settings) -> DialogueTurn:
    if source.voice is not None:
        shared = {name: value for name, value in shared.items() if name not in OF_A_VOICE}
    try:
        own = {**source.fields, "pause_s": _pauses(source.fields, shared)}
        body = check_speech(TurnBody, with_defaults(own, shared))
        pauses_s = {} if body.pause_s is None else body.pause_s.given()
        pause_s = pauses_s.pop("turn", TURN_PAUSE_S)
        request = _resolve_body(body.model_copy(update={"pause_s": PauseSeconds(**pauses_s)}), settings)
    except InvalidRequest as error:
        raise at_place(source.place, error) from None
    name = body.name or source.name
    if source.voice is not None:
        request = replace(request, voice=settings.voice_aliases().get(source.voice, source.voice))
    has_speaker = "speaker" in body.model_fields_set
    return DialogueTurn(
        request, pause_s, source.place, name, is_by_name=source.voice is not None, has_speaker=has_speaker
    )


def _resolve_body(body: TurnBody, settings: Settings) -> SpeechRequest:
    if body.text_format == "script":
        raise InvalidRequest("text_format script is for a text that names its turns itself", field="text_format")
    return resolve_text(body, settings)


def _pauses(own: Mapping[str, Any], shared: Mapping[str, Any]) -> object:
    """The turn's pauses over those of the dialogue. Raises InvalidRequest."""
    pauses = pause_of_a_turn(own.get("pause_s"))
    return {**(shared.get("pause_s") or {}), **pauses} if isinstance(pauses, dict) else pauses


def _number_speakers(turns: list[DialogueTurn]) -> list[DialogueTurn]:
    """With the speakers' numbers where the model uses context: each voice is a speaker, unless the turn names one."""
    speakers: dict[object, int] = {}

    def number(turn: DialogueTurn) -> DialogueTurn:
        request = turn.request
        if turn.has_speaker or not request.card.uses_context:
            return turn
        voice = (request.voice, request.reference_audio, request.voice_url)
        speaker = speakers.setdefault(voice, len(speakers) % MOST_SPEAKERS)
        return replace(turn, request=replace(request, speaker=speaker))

    return [number(turn) for turn in turns]

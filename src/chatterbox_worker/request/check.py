"""Checks JSON against the list of fields: names, types and ranges, each error with its field and value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from chatterbox_worker.errors import InvalidRequest, choices, quote, unknown_field
from chatterbox_worker.request.actions import ACTIONS, Action, ConvertBody, SaveVoiceRequest, TextPreviewRequest
from chatterbox_worker.request.expected import expected
from chatterbox_worker.request.fields import (
    ALIASES,
    LONGEST_TRANSCRIPT_CHARS,
    MOST_CANDIDATES,
    OF_A_VOICE,
    SHAPES,
    VOICES,
    Body,
    PastTurn,
    PauseSeconds,
    SpeechBody,
    without_nulls,
)
from chatterbox_worker.request.language import parse_tag

_Fields = TypeVar("_Fields", bound=SpeechBody)


def validate(body: object, shape: type[_Fields]) -> _Fields | Action | ConvertBody:
    """The fields of `body`, each known and in its range; a speech request's as a `shape`. Raises InvalidRequest."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"input must be a JSON object, not {quote(body)}", field="input")
    action = "speak" if body.get("action") is None else body["action"]
    if not isinstance(action, str) or action not in ("speak", *ACTIONS):
        raise InvalidRequest(f"action must be {choices(['speak', *ACTIONS])}, not {quote(action)}", field="action")
    fields = without_aliases(body)
    if action == "speak":
        return check_speech(shape, fields)
    if action == "text.preview":
        own = {name: value for name, value in fields.items() if name != "action"}
        return TextPreviewRequest(speech=check_speech(SpeechBody, own))
    checked = check_fields(ACTIONS[action], fields)
    if isinstance(checked, SaveVoiceRequest):
        transcript(checked.reference_transcript)
        one_source(reference_audio=checked.reference_audio, voice_url=checked.voice_url, required=True)
    return checked


def fields_of(
    body: Mapping[str, Any], shape: type[SpeechBody] = SpeechBody, *, has_text: bool = True
) -> dict[str, Any]:
    """The fields of a speech request under their own names, each known and in its range.

    Without a text they are the defaults of several requests. What depends on a worker's settings, or on several fields
    together, is left to `parse`. Raises InvalidRequest.
    """
    fields = without_aliases(body)
    if not has_text and (name := next((each for each in ("text", "turns") if each in fields), None)):
        raise InvalidRequest("each text is given in its own entry; leave this one out", field=name)
    check_speech(shape, fields if has_text else {**fields, "text": ""})
    return fields


def check_speech(shape: type[_Fields], fields: Mapping[str, Any]) -> _Fields:
    """The fields of a speech request under their own names, with a text or with turns. Raises InvalidRequest."""
    speech = check_fields(shape, fields)
    transcript(speech.reference_transcript)
    if speech.text is None and speech.turns is None:
        raise InvalidRequest("text is required", field="text")
    return speech


def count_of_candidates(value: object) -> int:
    """How many takes of one text an edge is asked for; None for 1. Raises InvalidRequest."""
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_CANDIDATES:
        raise InvalidRequest(
            f"candidates must be a whole number from 1 to {MOST_CANDIDATES}, not {quote(value)}", field="candidates"
        )
    return value


def require_seed(respeak: Collection[int], seed: int | None) -> None:
    """Raises InvalidRequest if chunks are to be spoken again without the seed that the others have."""
    if respeak and seed is None:
        raise InvalidRequest("respeak needs the seed of the answer that it changes", field="seed")


def with_defaults(own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A request's own fields over shared ones; with a voice of its own, none of the shared voice fields is used."""
    own, shared = without_aliases(own), without_aliases(shared)
    has_voice = not own.keys().isdisjoint(VOICES)
    return {name: value for name, value in shared.items() if not (has_voice and name in OF_A_VOICE)} | own


def without_aliases(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields under their own names, without those that are null. Raises InvalidRequest."""
    fields = without_nulls(body)
    for alias, name in ALIASES.items():
        if alias in fields:
            if name in fields:
                raise InvalidRequest(f"give {name} or its alias {alias}, not both", field=alias)
            fields[name] = fields.pop(alias)
    return fields


_Shape = TypeVar("_Shape", bound=Body)


def check_fields(shape: type[_Shape], fields: Mapping[str, Any]) -> _Shape:
    """The fields, each known and in its range. Raises InvalidRequest."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        # an unknown field first: it is the likely reason for a missing one
        first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        place, kind = first["loc"], first["type"]
        if kind == "string_unicode" and isinstance(_value_at(place, fields), dict):  # it is about a name in there
            place, kind = (*place, first["input"]), "extra_forbidden"
        name = _place(place)
        if kind == "missing":
            raise InvalidRequest(f"{name} is required", field=name) from None
        if kind == "extra_forbidden":
            owner = _INSIDE[place[0]] if len(place) > 1 else shape
            aliases = (alias for alias, field in ALIASES.items() if owner is shape and field in owner.model_fields)
            raise unknown_field(name, sorted({*owner.model_fields, *aliases})) from None
        if kind == "string_pattern_mismatch":
            raise InvalidRequest(f"{name} must be {SHAPES[name]}, not {quote(first['input'])}", field=name) from None
        wanted = expected(shape, place)
        if kind == "string_unicode" and wanted.startswith("a string"):
            wanted += " without half of a surrogate pair"
        raise InvalidRequest(f"{name} must be {wanted}, not {quote(first['input'])}", field=name) from None


_INSIDE: Mapping[str | int, type[Body]] = {"context": PastTurn, "pause_s": PauseSeconds}
"""The models inside another, by their field."""


def _value_at(place: tuple[str | int, ...], fields: Any) -> object:
    for part in place:
        fields = fields[part]
    return fields


def _place(loc: tuple[str | int, ...]) -> str:
    """("context", 0, "text") → "context[0].text"."""
    first, *rest = loc
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def transcript(words: str | None) -> str | None:
    """The transcript unchanged; raises InvalidRequest if it is empty or too long."""
    if words is not None and not 0 < len(words.strip()) <= len(words) <= LONGEST_TRANSCRIPT_CHARS:
        raise InvalidRequest(
            f"reference_transcript must have 1 to {LONGEST_TRANSCRIPT_CHARS} characters, not {len(words.strip())}",
            field="reference_transcript",
        )
    return words


def voice_language(given: str | None, known: Collection[str]) -> str | None:
    """The code of a voice's language, without a region; raises InvalidRequest unless it is one of `known`."""
    if given is None:
        return None
    language = parse_tag(given).language
    if language not in known:
        raise InvalidRequest(f"language must be {choices(known)}, not {quote(given)}", field="language")
    return language


def one_source(*, required: bool = False, **sources: str | None) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise InvalidRequest(f"give one of {choices(sources)}, not both {' and '.join(given)}", field=given[1])
    if required and not given:
        raise InvalidRequest(f"{choices(sources)} is required", field=next(iter(sources)))

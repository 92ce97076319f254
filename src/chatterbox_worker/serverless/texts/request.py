"""What a job of many texts asks for, parsed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatterbox_worker import request as requests
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import SpeechRequest

MOST_TEXTS = 500
"""Of one job. Together they are bound as one text is, by `Settings.max_text_chars`: a job's work is what it is."""

LONGEST_ID_CHARS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One of many."""

    id: str
    """The caller's own name for it."""
    request: SpeechRequest | InvalidRequest
    """What is asked, or why it cannot be."""


Texts = tuple[Text, ...]


def asks_for_many(body: object) -> bool:
    return isinstance(body, dict) and "texts" in body and body.get("action", "speak") == "speak"


def parse(body: Mapping[str, Any], settings: Settings) -> Texts:
    """
    Raises:
        InvalidRequest: the list or what stands beside it cannot be used; names the field and the place in the list.
    """
    shared = requests.fields_of({name: value for name, value in body.items() if name != "texts"}, has_text=False)
    items = _items(body["texts"])
    texts = tuple(Text(name, _asked(item, shared, settings)) for name, item in zip(_ids(items), items, strict=True))
    asked = [text.request for text in texts if isinstance(text.request, SpeechRequest)]
    if (chars := sum(len(request.text) for request in asked)) > settings.max_text_chars:
        raise InvalidRequest(
            f"the texts have {chars} characters together; this worker takes at most {settings.max_text_chars} in a job",
            field="texts",
        )
    return texts


def _items(texts: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TEXTS:
        given = f"{len(texts)} of them" if isinstance(texts, list) else quote(texts)
        raise InvalidRequest(f"texts must be a list of 1 to {MOST_TEXTS} objects, not {given}", field="texts")
    for index, item in enumerate(texts):
        if not isinstance(item, dict):
            raise InvalidRequest(f"texts[{index}] must be an object, not {quote(item)}", field=f"texts[{index}]")
    return texts


def _ids(items: Sequence[Mapping[str, Any]]) -> list[str]:
    places: dict[str, int] = {}
    for index, item in enumerate(items):
        field, name = f"texts[{index}].id", item.get("id")
        if "id" not in item:
            raise InvalidRequest(f"{field} is required", field=field)
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_ID_CHARS or not name.isprintable():
            wanted = f"a string of 1 to {LONGEST_ID_CHARS} printable characters"
            raise InvalidRequest(f"{field} must be {wanted}, not {quote(name)}", field=field)
        if name in places:
            raise InvalidRequest(f"{field} {quote(name)} is taken by texts[{places[name]}]", field=field)
        places[name] = index
    return list(places)


def _asked(item: Mapping[str, Any], shared: Mapping[str, Any], settings: Settings) -> SpeechRequest | InvalidRequest:
    try:
        return _request({name: value for name, value in item.items() if name != "id"}, shared, settings)
    except InvalidRequest as refusal:
        return refusal


def _request(own: Mapping[str, Any], shared: Mapping[str, Any], settings: Settings) -> SpeechRequest:
    if "action" in own:
        raise InvalidRequest("unknown field 'action': a text has only one", field="action")
    parsed = requests.parse(requests.with_defaults(own, shared), settings)
    assert isinstance(parsed, SpeechRequest)  # noqa: S101 - the action is to speak
    return parsed

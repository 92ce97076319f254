"""The request of a job of several texts, parsed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatterbox_worker import request as requests
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.serverless import job
from chatterbox_worker.serverless.job import JobBody, SpeechJob
from chatterbox_worker.synthesis.chunk_takes import candidate_seeds

MOST_TEXTS = 500
"""Of one job. Together they have the limit of a single text, `Settings.max_text_chars`: the work is the same."""

LONGEST_ID_CHARS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One text of the job."""

    id: str
    """The caller's own name for it."""
    job: SpeechJob | InvalidRequest
    """What to speak, or why it cannot be spoken."""


@dataclass(frozen=True, slots=True, eq=False)
class TextsJob:
    """Several texts, in the order of their results."""

    texts: tuple[Text, ...]


def has_texts(body: object) -> bool:
    """Whether the job is answered with several recordings."""
    if not isinstance(body, dict) or body.get("action", "speak") != "speak":
        return False
    return "texts" in body or body.get("candidates") not in (None, 1)


def parse(body: Mapping[str, Any], settings: Settings) -> TextsJob:
    """
    Raises:
        InvalidRequest: the list or a field next to it cannot be used; names the field and the index in the list.
    """
    return _parse_texts(body, settings) if "texts" in body else _parse_candidates(body, settings)


def _parse_candidates(body: Mapping[str, Any], settings: Settings) -> TextsJob:
    """The text once for each candidate, named by its seed."""
    fields = requests.fields_of(body, JobBody)
    seeds = candidate_seeds(fields.get("seed"), fields.pop("candidates"))
    return TextsJob(tuple(Text(str(seed), _parse_speech(fields | {"seed": seed}, settings)) for seed in seeds))


def _parse_texts(body: Mapping[str, Any], settings: Settings) -> TextsJob:
    if body.get("candidates") not in (None, 1):
        raise InvalidRequest("candidates are those of one text: send text instead of texts", field="candidates")
    shared = requests.fields_of({n: value for n, value in body.items() if n != "texts"}, JobBody, has_text=False)
    items = _items(body["texts"])
    texts = tuple(
        Text(name, _parse_text(item, shared, settings)) for name, item in zip(_ids(items), items, strict=True)
    )
    speech = [text.job.request for text in texts if isinstance(text.job, SpeechJob)]
    if (chars := sum(len(request.text) for request in speech)) > settings.max_text_chars:
        raise InvalidRequest(
            f"the texts have {chars} characters together; this worker takes at most {settings.max_text_chars} in a job",
            field="texts",
        )
    return TextsJob(texts)


def _items(texts: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TEXTS:
        given = f"{len(texts)} of them" if isinstance(texts, list) else quote(texts)
        raise InvalidRequest(f"texts must be a list of 1 to {MOST_TEXTS} objects, not {given}", field="texts")
    for index, item in enumerate(texts):
        if not isinstance(item, dict):
            raise InvalidRequest(f"texts[{index}] must be an object, not {quote(item)}", field=f"texts[{index}]")
    return texts


def _ids(items: Sequence[Mapping[str, Any]]) -> list[str]:
    indices: dict[str, int] = {}
    for index, item in enumerate(items):
        field, name = f"texts[{index}].id", item.get("id")
        if "id" not in item:
            raise InvalidRequest(f"{field} is required", field=field)
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_ID_CHARS or not name.isprintable():
            wanted = f"a string of 1 to {LONGEST_ID_CHARS} printable characters"
            raise InvalidRequest(f"{field} must be {wanted}, not {quote(name)}", field=field)
        if name in indices:
            raise InvalidRequest(f"{field} {quote(name)} is taken by texts[{indices[name]}]", field=field)
        indices[name] = index
    return list(indices)


def _parse_text(item: Mapping[str, Any], shared: Mapping[str, Any], settings: Settings) -> SpeechJob | InvalidRequest:
    own = {name: value for name, value in item.items() if name != "id"}
    for name in ("action", "candidates"):
        if name in own:
            return InvalidRequest(f"unknown field {name!r}: a text of several is spoken once", field=name)
    try:
        return _parse_speech(requests.with_defaults(own, shared), settings)
    except InvalidRequest as refusal:
        return refusal


def _parse_speech(fields: Mapping[str, Any], settings: Settings) -> SpeechJob:
    parsed = job.parse(fields, settings)
    assert isinstance(parsed, SpeechJob)  # noqa: S101 - without another action it is a speech job
    return parsed

"""The lexicon: words that are read otherwise than they are written, in every request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import (
    LONGEST_PRONUNCIATION_CHARS,
    LONGEST_WORD_CHARS,
    MOST_PRONUNCIATIONS,
    actions,
    check_fields,
)
from chatterbox_worker.server import bodies, schemas
from chatterbox_worker.server.state import AppState, State

router = APIRouter(tags=["lexicon"])

_Word = Annotated[str, Path(description="As it is written; it may contain slashes.")]
_SPOKEN = schemas.TEXT | {"maxLength": LONGEST_PRONUNCIATION_CHARS, "description": "Empty: the word is left out."}
_LANGUAGE = schemas.TEXT | {"enum": ["*", *LANGUAGES], "default": "*"}
_DELETED = schemas.body({"language": _LANGUAGE})
_LISTED = schemas.body({"language": _LANGUAGE, "offset": {"type": "integer", "minimum": 0, "default": 0}})
_ENTRIES = {
    "type": "object",
    "maxProperties": MOST_PRONUNCIATIONS,
    "propertyNames": {"minLength": 1, "maxLength": LONGEST_WORD_CHARS},
    "additionalProperties": _SPOKEN,
}
_SAVED = schemas.body({"entries": _ENTRIES, "language": _LANGUAGE}, "entries")
_SAVED_WORD = schemas.body({"spoken": _SPOKEN, "language": _LANGUAGE}, "spoken")


@router.get("/lexicon", **schemas.query(_LISTED))
async def list_entries(http: Request, state: State) -> dict[str, Any]:
    """A thousand entries from `offset` on, of one language or, without one, of all; `next_offset` is where the next
    thousand begin.
    """
    asked = check_fields(actions.ListLexiconRequest, bodies.read_query(http, _LISTED["properties"]))
    return await state.backend.lexicon(asked.language, asked.offset)


@router.post("/lexicon", **schemas.json_body(_SAVED))
async def save_entries(http: Request, state: State) -> dict[str, Any]:
    """Adds the entries, or replaces those of the same words; the others stay."""
    return await _save(state, await bodies.read_object(http, schemas.known(_SAVED, aliases=False)))


@router.put("/lexicon/{word:path}", **schemas.json_body(_SAVED_WORD))
async def save_entry(word: _Word, http: Request, state: State) -> dict[str, Any]:
    """Adds one entry, or replaces it."""
    body = await bodies.read_object(http, schemas.known(_SAVED_WORD, aliases=False))
    if "spoken" not in body:
        raise InvalidRequest("spoken is required: what is read for the word", field="spoken")
    spoken = body.pop("spoken")
    return await _save(state, {"entries": {word: spoken}, **body})


@router.delete("/lexicon/{word:path}", **schemas.query(_DELETED), responses={404: {"description": "No such entry."}})
async def delete_entry(word: _Word, http: Request, state: State) -> dict[str, Any]:
    query = bodies.read_query(http, _DELETED["properties"])
    asked = check_fields(actions.DeleteLexiconRequest, {"word": word, **query})
    await state.backend.delete_entry(asked.word, asked.language)
    return {"word": asked.word, "language": asked.language, "deleted": True}


async def _save(state: AppState, body: dict[str, Any]) -> dict[str, Any]:
    asked = check_fields(actions.SaveLexiconRequest, body)
    return await state.backend.save_entries(asked.entries, asked.language)

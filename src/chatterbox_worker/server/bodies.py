"""Bodies as they arrive: JSON objects and forms, limited by `limits.BodyLimit` and parsed strictly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from chatterbox_worker.errors import InvalidRequest, choices, quote, refuse_unknown, unknown_field
from chatterbox_worker.request import value_of_text, without_nulls
from chatterbox_worker.server.refusals import BodyTooLarge, UnsupportedMediaType
from chatterbox_worker.strict_json import parse_json
from chatterbox_worker.voices.folder import SUFFIXES
from chatterbox_worker.voices.reference import MAX_BYTES

_LOOP_BYTES = 200_000  # JSON of this size parses in about a millisecond; more goes to a thread
_MOST_VALUES = 1_000_000
"""In one body, besides its characters: each takes up to 70 bytes of memory for 3 of the body, and the interpreter while
it is parsed, whichever thread does it."""
_CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")
"""Of a form: Python has others whose time grows with the square of the text, such as IDNA."""
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


async def read_object(request: Request, known: Collection[str]) -> dict[str, Any]:
    """The body as a JSON object, without the fields that are null.

    Raises:
        UnsupportedMediaType: it is not declared as JSON, the type that another site's page cannot send unasked, or it
            is compressed.
        InvalidRequest: it is not JSON, not an object, or has a field that is not in `known`.
    """
    _check_encoding(request)
    if not _JSON.fullmatch(request.headers.get("content-type", "")):
        raise UnsupportedMediaType("send JSON: the header Content-Type must be application/json")
    fields = without_nulls(await parse_object(await request.body(), "the body"))
    refuse_unknown(fields, known)
    return fields


def _check_encoding(request: Request) -> None:
    """Raises UnsupportedMediaType: what a compressed body unpacks to would need limits of its own."""
    if (coding := request.headers.get("content-encoding", "identity")).lower() != "identity":
        raise UnsupportedMediaType(f"send the body as it is, without Content-Encoding {quote(coding)}")


async def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """Raises InvalidRequest: it is not JSON, not an object, or has too many values."""
    value = await asyncio.to_thread(_parse, data) if len(data) > _LOOP_BYTES else parse_json(data)
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object, not {quote(value)}")
    return value


def _parse(data: bytes) -> Any:
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise InvalidRequest(f"the body has more than {_MOST_VALUES} values")
    return parse_json(data)


def read_query(request: Request, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the address, each once, as the types that `properties` state. Raises InvalidRequest."""
    fields: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name not in properties:
            raise unknown_field(name, sorted(properties))
        if name in fields:
            raise InvalidRequest(f"{name} appears twice", field=name)
        fields[name] = value_of_text(name, text, properties[name])
    return fields


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(_FORMS)


@asynccontextmanager
async def read_form(
    request: Request, *, files: Sequence[str], texts: Sequence[str], repeated: Sequence[str] = ()
) -> AsyncIterator[dict[str, Any]]:
    """The fields of a form: `bytes` for those in `files`, `str` for those in `texts`; for a file in `repeated` a list
    of (file name, bytes).

    Raises:
        UnsupportedMediaType: the body is not a form, compressed, or in another encoding than `_CHARSETS`.
        InvalidRequest: it cannot be read, or a field is unknown, repeated or of the wrong kind.
    """
    _check_encoding(request)
    if not is_form(request):
        raise UnsupportedMediaType(f"send a form: the header Content-Type must be {choices(_FORMS)}")
    charset = parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in _CHARSETS:
        raise UnsupportedMediaType(f"the charset of a form must be {choices(_CHARSETS)}, not {quote(charset)}")
    try:
        form = await request.form(max_files=4, max_fields=64, max_part_size=1_000_000)
    except HTTPException as error:
        raise InvalidRequest(f"the form cannot be read: {error.detail}") from None
    try:
        fields: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name not in (*files, *texts):
                raise unknown_field(name, (*files, *texts))
            if name in repeated:
                file = await _read_file(name, value)
                fields.setdefault(name, []).append((getattr(value, "filename", None) or "", file))
                continue
            if name in fields:
                raise InvalidRequest(f"{name} appears twice", field=name)
            fields[name] = await _read_file(name, value) if name in files else _read_text(name, value)
            if isinstance(value, UploadFile):
                fields.setdefault("filename", value.filename or "")
        yield fields
    finally:
        await form.close()


async def _read_file(name: str, value: UploadFile | str) -> bytes:
    if isinstance(value, str):
        raise InvalidRequest(f"{name} must be a file", field=name)
    if (value.size or 0) > MAX_BYTES:
        raise BodyTooLarge(f"{name} is larger than {MAX_BYTES} bytes", field=name)
    return await value.read()


def _read_text(name: str, value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidRequest(f"{name} must be text, not a file", field=name)


def voice_id(name: object) -> object:
    """A voice's id from an id or a file name: "alice.wav" is "alice". Anything but a string is returned unchanged."""
    if not isinstance(name, str):
        return name
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else name

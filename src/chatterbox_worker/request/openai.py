"""OpenAI's and Kokoro-FastAPI's fields of a speech request, in our own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatterbox_worker.errors import InvalidRequest, quote, unknown_field
from chatterbox_worker.request.fields import without_nulls


def openai_speech(body: object) -> dict[str, Any]:
    """The fields that `parse` takes, from the body of OpenAI's `POST /v1/audio/speech`.

    Our own fields may be added to OpenAI's. Raises InvalidRequest for one that cannot be honoured.
    """
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {quote(body)}", field="openai_input")
    fields = without_nulls(body)
    if "turns" in fields:
        raise InvalidRequest("unknown field 'turns': a dialogue is no request of OpenAI's API", field="turns")
    if fields.pop("instructions", None):
        raise InvalidRequest("instructions cannot be honoured: no Chatterbox model follows them", field="instructions")
    if (stream := fields.pop("stream_format", None)) not in (None, "audio"):
        raise InvalidRequest(f"stream_format must be audio here, not {quote(stream)}", field="stream_format")
    if (options := fields.pop("normalization_options", None)) is not None:
        if "normalize" in fields:
            raise InvalidRequest("give normalize or normalization_options, not both", field="normalization_options")
        fields["normalize"] = _kokoro_normalize(options)
    renamed = {("text" if name == "input" else "format" if name == "response_format" else name): value
               for name, value in fields.items()}  # fmt: skip
    if len(renamed) != len(fields):
        raise InvalidRequest("give input or text, response_format or format, not both", field="input")
    return {"format": "mp3"} | renamed  # mp3 is OpenAI's default


# Of Kokoro-FastAPI's NormalizationOptions; "normalize" itself switches all of them.
KOKORO_OPTIONS: Mapping[str, str] = {
    "unit_normalization": "units",
    "url_normalization": "urls",
    "email_normalization": "emails",
    "optional_pluralization_normalization": "plurals",
    "phone_normalization": "phones",
    "replace_remaining_symbols": "symbols",
}


def _kokoro_normalize(options: object) -> bool | dict[str, bool]:
    """`normalize`, from Kokoro-FastAPI's `normalization_options`; what they leave out is the worker's default."""
    known = ("normalize", *KOKORO_OPTIONS)
    if not isinstance(options, dict):
        raise InvalidRequest(
            f"normalization_options must be an object, not {quote(options)}", field="normalization_options"
        )
    for name, switch in options.items():
        field = f"normalization_options.{name}"
        if name not in known:
            raise unknown_field(field, known)
        if not isinstance(switch, bool):
            raise InvalidRequest(f"{field} must be true or false, not {quote(switch)}", field=field)
    if options.get("normalize") is False:
        return False
    return {KOKORO_OPTIONS[name]: switch for name, switch in options.items() if name != "normalize"}

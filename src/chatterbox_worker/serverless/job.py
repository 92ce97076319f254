"""The input of a RunPod job, parsed. Pure.

A speech request of the queue has fields that no other edge has: how its answer goes back. They stay here, next to the
`SpeechRequest` that the core gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from chatterbox_worker import request as requests
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request import Action, AudioRequest, ConvertBody, Output, SpeechBody


class JobBody(SpeechBody):
    """The fields of a speech job as they arrive."""

    candidates: Annotated[int, Field(ge=1, le=requests.MOST_CANDIDATES)] = 1
    output: Output = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class SpeechJob:
    """A request that is answered with sound, and how its answer goes back."""

    request: AudioRequest
    output: Output = "auto"
    """"inline", "s3", "volume", or "auto" for the first that fits."""
    smaller_formats: tuple[str, ...] = ()
    """Formats to try, in order, if the answer does not fit in the request's own."""
    may_shrink: bool = False
    """Whether the job asked for that, with "auto"; without it a smaller format is a warning in the answer."""
    as_url: bool = False
    """Answer with a data URI: the job came in the shape of RunPod's public endpoint."""


def parse(body: object, settings: Settings) -> SpeechJob | Action:
    """Our own fields, or the shape of RunPod's public endpoint.

    Raises:
        InvalidRequest: names the field, the value and the choices.
    """
    fields = requests.validate(body, JobBody)
    if not isinstance(fields, JobBody | ConvertBody):
        return fields
    request: AudioRequest = (
        requests.resolve(fields, settings)
        if isinstance(fields, JobBody)
        else requests.resolve_conversion(fields, settings)
    )
    as_url = isinstance(body, dict) and "prompt" in body
    may_shrink = fields.format.lower() == "auto"
    return SpeechJob(
        request,
        output=fields.output,
        smaller_formats=requests.smaller_formats(request.format, request.sample_rate) if as_url or may_shrink else (),
        may_shrink=may_shrink,
        as_url=as_url,
    )


_OPENAI_ROUTES: Mapping[str, Callable[[object], dict[str, Any]]] = {
    "/v1/audio/speech": requests.openai_speech,
    "/v1/models": lambda _: {"action": "models.list"},
}


def openai_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Our own fields, from what RunPod builds of its `/openai/v1/*` routes. Raises InvalidRequest."""
    if unknown := set(body) - {"openai_route", "openai_input"}:
        raise InvalidRequest(f"unknown field {quote(min(unknown))} next to openai_route", field=min(unknown))
    route = body["openai_route"]
    if not isinstance(route, str) or route not in _OPENAI_ROUTES:
        raise InvalidRequest(
            f"openai_route must be {choices(_OPENAI_ROUTES)}, not {quote(route)}", field="openai_route"
        )
    return _OPENAI_ROUTES[route](body.get("openai_input"))

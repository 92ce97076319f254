"""Which endpoint, with which key; and how httpx's requests and failures map to the types of `wire`."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from chatterbox_worker import __version__
from chatterbox_worker.client.fields import AudioSource, TextFields
from chatterbox_worker.client.sound import unwrap
from chatterbox_worker.client.types import LexiconEntry, OutputEntry, SavedVoice, VoiceEntry
from chatterbox_worker.client.wire import HttpCall, Lost, Outcome, Reply, Unreached, recording
from chatterbox_worker.config import RUNPOD_URL, environment

ARGUMENTS = ("endpoint_id", "api_key", "base_url")
FLAGS = ("--endpoint", "--key", "--url")
"""What the commands call these arguments."""
_CONNECT_S = 10.0
_THIS_MACHINE = re.compile(r"https?://(localhost|127\.[\d.]+|\[::1\])(?=[:/]|$)", re.IGNORECASE)
_Http = TypeVar("_Http", httpx.Client, httpx.AsyncClient)


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    api_key: str = field(repr=False)

    @classmethod
    def choose(
        cls,
        endpoint_id: str | None,
        api_key: str | None,
        base_url: str | None,
        names: tuple[str, str, str] = ARGUMENTS,
    ) -> Endpoint:
        """From the arguments, or else from RUNPOD_ENDPOINT_ID, RUNPOD_API_KEY and RUNPOD_ENDPOINT_BASE_URL.

        `names`: what the caller's user calls the arguments, for the errors.

        Raises:
            ValueError: no endpoint or no key, or `base_url` is not a URL.
        """
        env = environment()
        endpoint_id = endpoint_id or env.get("RUNPOD_ENDPOINT_ID")
        api_key = api_key or env.get("RUNPOD_API_KEY")
        url_name = names[2] if base_url else "RUNPOD_ENDPOINT_BASE_URL"
        base_url = base_url or env.get("RUNPOD_ENDPOINT_BASE_URL") or RUNPOD_URL
        if not endpoint_id:
            raise ValueError(f"no endpoint: give {names[0]} or set RUNPOD_ENDPOINT_ID")
        if not api_key:
            raise ValueError(f"no API key: give {names[1]} or set RUNPOD_API_KEY")
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"{url_name} must be an http or https URL, not {base_url!r}")
        return cls(f"{base_url.rstrip('/')}/{endpoint_id}", api_key)

    def request(self, call: HttpCall) -> dict[str, Any]:
        """The arguments of httpx's `stream`. Only the endpoint gets the key, not a bucket and not a redirect."""
        headers = {"User-Agent": f"chatterbox-worker/{__version__}"}
        if not call.is_absolute:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        return {
            "method": call.method,
            "url": call.path if call.is_absolute else self.url + call.path,
            "content": call.content,
            "params": call.params or None,  # an empty dict would strip a presigned URL of its query
            "headers": headers,
            "timeout": httpx.Timeout(call.timeout_s, connect=_CONNECT_S),
            "follow_redirects": call.is_absolute,
        }


def open_http(kind: Callable[..., _Http], url: str, *, verify: ssl.SSLContext | bool = True, **options: Any) -> _Http:
    """A client of httpx for `url`. A server on this machine is reached without the proxy that the environment names.

    `verify`: True trusts the authorities of SSL_CERT_FILE or SSL_CERT_DIR, or else those of certifi.

    Raises:
        ValueError: httpx cannot use that proxy or that file.
    """
    is_here = _THIS_MACHINE.match(url)
    try:
        if is_here and url.lower().startswith("https"):
            verify = httpx.create_ssl_context(verify)  # which `trust_env` includes
        return kind(trust_env=not is_here, verify=verify, **options)
    except OSError as error:
        raise ValueError(f"SSL_CERT_FILE has no certificates that can be used: {error.strerror or error}") from None
    except ImportError as error:  # a SOCKS proxy
        raise ValueError(f"the environment names a proxy that cannot be used: {error}") from None


def reply(response: httpx.Response, body: bytes) -> Reply:
    return Reply(response.status_code, body, response.headers.get("Retry-After"))


def failure(error: httpx.RequestError) -> Outcome:
    """The outcome of a request without a response."""
    reason = f"{type(error).__name__} {error}".strip()
    is_unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Unreached(reason) if is_unsent else Lost(reason)


def check_stream(text: str | None, job_id: str | None, speech: Mapping[str, Any]) -> None:
    """Raises ValueError unless it is one of a new speech, with a text or turns, and a job without any field."""
    if (text is None and "turns" not in speech) == (job_id is None):
        raise ValueError("pass a text (or turns) or a job_id, one of the two")
    if job_id is not None and speech:
        raise ValueError(f"{', '.join(speech)} cannot be changed: the job is submitted already")


def texts_input(texts: Iterable[TextFields], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a job of several texts; fields that are None are left out."""
    return {"texts": [{k: v for k, v in text.items() if v is not None} for text in texts], **shared}


def conversion_input(data: AudioSource | None, url: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    if (data is None) == (url is None):
        raise ValueError("pass a recording or a url, one of the two")
    source = {"audio_url": url} if data is None else {"audio": recording(data)}
    return {"action": "convert", **source, **fields}


def save_voice_input(
    voice: str, data: AudioSource | None, url: str | None, transcript: str | None, language: str | None
) -> dict[str, Any]:
    if (data is None) == (url is None):
        raise ValueError("pass a recording or a url, one of the two")
    source = {"voice_url": url} if data is None else {"reference_audio": recording(data)}
    details = {"reference_transcript": transcript, "language": language}
    given = {name: value for name, value in details.items() if value is not None}  # an older worker has no language
    return {"action": "voices.save", "voice": voice, **source, **given}


def saved_voice(output: Any) -> SavedVoice:
    output = unwrap(output)
    voice = output["voice"]
    warnings = tuple(output.get("warnings", ()))
    name, language = output.get("name", voice), output.get("language")
    return SavedVoice(voice, output["digest"], output["duration_s"], name, warnings, language)


def voice_file(output: Any) -> bytes:
    return base64.b64decode(unwrap(output)["reference_audio"])


def voice_entries(output: Any) -> list[VoiceEntry]:
    return [
        VoiceEntry(
            entry["id"],
            entry["size_bytes"],
            entry["modified"],
            entry.get("name", entry["id"]),
            entry.get("model"),
            entry.get("language"),
        )
        for entry in unwrap(output)["voices"]
    ]


def lexicon_page(output: Any) -> tuple[list[LexiconEntry], int | None]:
    """The entries of an answer, and where the next page begins."""
    output = unwrap(output)
    entries = [LexiconEntry(entry["word"], entry["spoken"], entry["language"]) for entry in output["entries"]]
    return entries, output["next_offset"]


def output_entries(output: Any) -> list[OutputEntry]:
    return [OutputEntry(entry["path"], entry["size_bytes"], entry["modified"]) for entry in unwrap(output)["outputs"]]

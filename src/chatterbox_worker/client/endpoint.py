"""Which endpoint, with which key; and httpx's requests and failures in the words of `wire`."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from chatterbox_worker import __version__
from chatterbox_worker.client.types import AudioSource, SavedVoice, TextFields, VoiceEntry
from chatterbox_worker.client.wire import HttpCall, Lost, Outcome, Reply, Unreached, recording
from chatterbox_worker.config import environment
from chatterbox_worker.files import write_whole

CLOUD_URL = "https://api.runpod.ai/v2"
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    api_key: str = field(repr=False)

    @classmethod
    def chosen(cls, endpoint_id: str | None, api_key: str | None, base_url: str | None) -> Endpoint:
        """What was given, or else RUNPOD_ENDPOINT_ID, RUNPOD_API_KEY and RUNPOD_ENDPOINT_BASE_URL.

        Raises:
            ValueError: neither names an endpoint and a key.
        """
        env = environment()
        endpoint_id = endpoint_id or env.get("RUNPOD_ENDPOINT_ID")
        api_key = api_key or env.get("RUNPOD_API_KEY")
        base_url = base_url or env.get("RUNPOD_ENDPOINT_BASE_URL") or CLOUD_URL
        if not endpoint_id:
            raise ValueError("no endpoint: give endpoint_id or set RUNPOD_ENDPOINT_ID")
        if not api_key:
            raise ValueError("no API key: give api_key or set RUNPOD_API_KEY")
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must be an http or https URL, not {base_url!r}")
        return cls(f"{base_url.rstrip('/')}/{endpoint_id}", api_key)

    def request(self, call: HttpCall) -> dict[str, Any]:
        """The arguments of httpx's `request`. The key goes to the endpoint alone, never to a bucket or past a redirect."""
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


def reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.content, response.headers.get("Retry-After"))


def failure(error: httpx.RequestError) -> Outcome:
    """What became of a request that brought no response."""
    reason = f"{type(error).__name__} {error}".strip()
    never_left = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Unreached(reason) if never_left else Lost(reason)


def texts_input(texts: Iterable[TextFields], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a job of many texts; a field that is None is left out, and so is the job's."""
    return {"texts": [{k: v for k, v in text.items() if v is not None} for text in texts], **shared}


def save_voice_input(voice: str, data: AudioSource | None, url: str | None, words: str | None) -> dict[str, Any]:
    if (data is None) == (url is None):
        raise ValueError("give a recording or a url, one of the two")
    source = {"voice_url": url} if data is None else {"reference_audio": recording(data)}
    told = {} if words is None else {"reference_transcript": words}
    return {"action": "voices.save", "voice": voice, **source, **told}


def only(output: Any) -> Any:
    """The answer to an action; a streaming endpoint makes a list of it."""
    return output[0] if isinstance(output, list) and len(output) == 1 else output


def saved_voice(output: Any) -> SavedVoice:
    output = only(output)
    return SavedVoice(output["voice"], output["digest"], output["duration_s"])


def voice_file(output: Any) -> bytes:
    return base64.b64decode(only(output)["reference_audio"])


def voice_entries(output: Any) -> list[VoiceEntry]:
    return [VoiceEntry(entry["id"], entry["size_bytes"], entry["modified"]) for entry in only(output)["voices"]]


def write(audio: bytes, path: str | Path) -> Path:
    """Write the file whole or not at all, its folder too where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, audio)
    return path

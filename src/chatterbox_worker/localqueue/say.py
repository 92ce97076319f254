"""One speech request through the queue's real HTTP API, and what to do with the answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from chatterbox_worker.errors import SynthesisFailed

_RUNSYNC_WAIT_MS = 300_000  # the longest the platform allows
_TIMEOUT_S = _RUNSYNC_WAIT_MS / 1000 + 10


class QueueClient:
    """Speaks to one endpoint, by URL (http://127.0.0.1:8000/v2/local)."""

    def __init__(self, endpoint_url: str, api_key: str) -> None:
        self._url = endpoint_url
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def output(self, body: Mapping[str, Any]) -> Any:
        """The output of the job that `body` submits, however long it takes.

        Raises:
            SynthesisFailed: the job did not complete; the message is its error.
            requests.HTTPError: the queue refused the body.
        """
        query = f"?wait={_RUNSYNC_WAIT_MS}"
        response = requests.post(self._url + "/runsync" + query, json=body, headers=self._headers, timeout=_TIMEOUT_S)
        answer = _answer(response)
        while answer["status"] in ("IN_QUEUE", "IN_PROGRESS"):
            url = f"{self._url}/status-sync/{answer['id']}{query}"
            answer = _answer(requests.get(url, headers=self._headers, timeout=_TIMEOUT_S))
        if answer["status"] != "COMPLETED":
            raise SynthesisFailed(str(answer.get("error", f"the job is {answer['status']}")))
        return answer.get("output")


def _answer(response: requests.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise requests.HTTPError(f"the queue answered {response.status_code}: {response.text}", response=response)
    answer: dict[str, Any] = response.json()
    return answer


def sound(output: object) -> bytes | None:
    """The encoded audio in an answer; None where there is none.

    Raises:
        SynthesisFailed: what should be base64 is not.
    """
    if not isinstance(output, dict):
        return None
    encoded = output.get("audio_base64")
    if encoded is None and str(output.get("audio_url", "")).startswith("data:"):
        encoded = output["audio_url"].partition(",")[2]
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise SynthesisFailed(f"the answer's audio is not base64: {error}") from error


def save(audio: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio)


def summary(output: Mapping[str, Any], path: Path) -> str:
    """One line: what was made, how fast, by what, and where it is."""
    factor = output.get("timings", {}).get("real_time_factor")
    parts = [
        f"{output.get('duration_s', 0.0):.2f} s of audio",
        f"real-time factor {factor:.3f}" if factor is not None else None,
        f"cache {'hit' if output.get('cache_hit') else 'miss'}",
        f"{output.get('model')} on {output.get('device')}",
        str(path),
    ]
    return ", ".join(part for part in parts if part is not None)

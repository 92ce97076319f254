"""Where the audio of an answer is, and how a stream's pieces become one file. Pure.

An answer holds base64 (`audio_base64`), a data URI or a presigned URL (`audio_url`), or a path on the endpoint's volume
(`audio_path`). A streaming endpoint's whole output is a list: its chunks, then a summary.
"""

from __future__ import annotations

import base64
import binascii
import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatterbox_worker.client.errors import NoAudio

_PLACES = ("audio_base64", "audio_url", "audio_path")

_CONCATENATES = ("pcm", "mp3", "aac", "ogg", "opus")
"""Formats whose files one after another are a file: bare samples, self-contained frames, chained Ogg (RFC 3533)."""


@dataclass(frozen=True, slots=True)
class AudioLocation:
    """Where one answer's audio is, and the rest of the answer."""

    about: Mapping[str, Any]
    audio: bytes | None = None
    url: str | None = None
    """http or https."""
    path: str | None = None


def has_audio(output: object) -> bool:
    """Whether the output names a place of audio; `find` may still fail to decode it."""
    items = output if isinstance(output, list) else [output]
    return any(isinstance(item, Mapping) and not item.keys().isdisjoint(_PLACES) for item in items)


def unwrap(output: Any) -> Any:
    """The answer to an action; a streaming endpoint returns it in a list."""
    return output[0] if isinstance(output, list) and len(output) == 1 else output


def find(output: object) -> AudioLocation:
    """
    Raises:
        NoAudio: there is none, or it cannot be decoded.
    """
    if isinstance(output, Sequence) and not isinstance(output, str | bytes):
        return _find_in_list(output)
    if not isinstance(output, Mapping):
        raise NoAudio(f"the output is {type(output).__name__}, not speech")
    if isinstance(error := output.get("error"), Mapping):  # of one of several texts
        raise NoAudio(f"it was not spoken: {error.get('message')}")
    about = {name: value for name, value in output.items() if name not in ("audio_base64", "audio_url")}
    encoded, url, path = output.get("audio_base64"), output.get("audio_url"), output.get("audio_path")
    if encoded is None and isinstance(url, str) and url.startswith("data:"):
        encoded = url.partition(",")[2]
    if encoded is not None:
        return AudioLocation(about, audio=decode(encoded))
    if isinstance(url, str):
        return AudioLocation(about, url=url)
    if isinstance(path, str):
        return AudioLocation(about, path=path)
    raise NoAudio(f"the output holds no audio, only {', '.join(sorted(map(str, output))) or 'nothing'}")


def decode(encoded: object) -> bytes:
    """Base64 to bytes, strictly. Raises NoAudio."""
    try:
        return base64.b64decode(encoded, validate=True)  # type: ignore[arg-type]  # TypeError is caught
    except (binascii.Error, TypeError, ValueError) as error:
        raise NoAudio(f"what should be base64 is not: {error}") from None


def join(pieces: Sequence[bytes], audio_format: str | None = None) -> bytes:
    """A stream's pieces as one file; without a format, wav is recognised by its header.

    Raises:
        NoAudio: no pieces, or a format whose files do not concatenate.
    """
    if not pieces:
        raise NoAudio("the stream has no audio")
    if len(pieces) == 1:
        return pieces[0]
    if audio_format == "wav" or (audio_format is None and pieces[0][:4] == b"RIFF"):
        return _join_wav(pieces)
    if audio_format is None or audio_format in _CONCATENATES:
        return b"".join(pieces)
    raise NoAudio(
        f"{audio_format} pieces cannot be joined to one {audio_format} file; stream wav, mp3 or pcm, or save each"
    )


def _find_in_list(items: Sequence[object]) -> AudioLocation:
    chunks = [item for item in items if isinstance(item, Mapping) and "audio_base64" in item]
    others = [item for item in items if isinstance(item, Mapping) and "audio_base64" not in item]
    about = dict(others[-1]) if others else {}
    if "audio_url" in about or "audio_path" in about:
        return find(about)  # too large for the result: the chunks in it come without their audio
    audio = join([decode(chunk["audio_base64"]) for chunk in chunks], about.get("format"))
    return AudioLocation(
        about or {name: value for name, value in chunks[-1].items() if name != "audio_base64"}, audio=audio
    )


def _join_wav(pieces: Sequence[bytes]) -> bytes:
    joined = io.BytesIO()
    try:
        with wave.open(joined, "wb") as out:
            for index, piece in enumerate(pieces):
                with wave.open(io.BytesIO(piece), "rb") as part:
                    if index == 0:
                        out.setnchannels(part.getnchannels())
                        out.setsampwidth(part.getsampwidth())
                        out.setframerate(part.getframerate())
                    out.writeframes(part.readframes(part.getnframes()))
    except (wave.Error, EOFError) as error:
        raise NoAudio(f"the pieces are not wav files: {error}") from None
    return joined.getvalue()

"""Inputs that a worker must refuse, each with the field that its answer must name.

The worker serves `multilingual` and `turbo`, accepts 50 000 characters and has no voices.
"""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

from support.audio_clips import wav_base64


def _zip() -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("speech.wav", b"RIFF not really")
    return base64.b64encode(buffer.getvalue()).decode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _say(**fields: Any) -> dict[str, Any]:
    return {"text": "Hello there.", **fields}


_TEXT = {"id": "a", "text": "Hello there."}
_TRUNCATED = _base64(base64.b64decode(wav_base64())[:30])

BAD_INPUTS: list[tuple[str, Any, str]] = [
    ("input is null", None, "input"),
    ("input is a list", ["text"], "input"),
    ("input is a string", "text", "input"),
    ("input is a number", 7, "input"),
    ("no text", {"format": "wav"}, "text"),
    ("text is null", {"text": None}, "text"),
    ("text is a number", {"text": 5}, "text"),
    ("text is a list", {"text": ["Hello"]}, "text"),
    ("text is empty", {"text": ""}, "text"),
    ("text is blank", {"text": " \n\t "}, "text"),
    ("text is only zero-width characters", {"text": "\u200b\u200b"}, "text"),
    ("text is only punctuation", {"text": "?!... --"}, "text"),
    ("text is huge", {"text": "a" * 50_001}, "text"),
    ("text and its alias", {"text": "a", "prompt": "b"}, "prompt"),
    ("unknown field", _say(colour="red"), "colour"),
    ("misspelt field", {"txet": "Hello"}, "txet"),
    ("OpenAI's field outside openai_input", {"input": "Hello", "voice": "default"}, "input"),
    ("model unknown", _say(model="elevenlabs"), "model"),
    ("model not served", _say(model="nano"), "model"),
    ("model is a number", _say(model=2), "model"),
    ("model is empty", _say(model=""), "model"),
    ("model and its alias", _say(model="turbo", model_type="turbo"), "model_type"),
    ("language unknown", _say(language="xx"), "language"),
    ("language is a name", _say(language="english"), "language"),
    ("language the model cannot speak", _say(model="turbo", language="es"), "language"),
    ("regional tag the model cannot speak", _say(model="turbo", language="pt-BR"), "language"),
    ("voice unknown", _say(voice="unknown"), "voice"),
    ("voice with a slash", _say(voice="a/b"), "voice"),
    ("voice with parent folders", _say(voice="../../etc/passwd"), "voice"),
    ("voice is hidden", _say(voice=".hidden"), "voice"),
    ("voice with NUL", _say(voice="a\0b"), "voice"),
    ("voice is too long", _say(voice="a" * 65), "voice"),
    ("voice and reference", _say(voice="default", reference_audio=wav_base64()), "reference_audio"),
    ("reference and URL", _say(reference_audio=wav_base64(), voice_url="https://example.com/a.wav"), "voice_url"),
    ("reference is not base64", _say(reference_audio="not base64!"), "reference_audio"),
    ("reference is empty", _say(reference_audio=""), "reference_audio"),
    ("reference is an empty data URI", _say(reference_audio="data:audio/wav;base64,"), "reference_audio"),
    ("reference is a data URI without base64", _say(reference_audio="data:audio/wav,abc"), "reference_audio"),
    ("reference is a zip called wav", _say(reference_audio=f"data:audio/wav;base64,{_zip()}"), "reference_audio"),
    ("reference is text", _say(reference_audio=_base64(b"hello, I am text" * 50)), "reference_audio"),
    ("reference is a truncated wav", _say(reference_audio=_TRUNCATED), "reference_audio"),
    ("reference is random bytes", _say(reference_audio=_base64(bytes(range(256)) * 20)), "reference_audio"),
    ("reference is too short for turbo", _say(model="turbo", reference_audio=wav_base64(4.0)), "reference_audio"),
    ("reference is exactly 5 s for turbo", _say(model="turbo", reference_audio=wav_base64(5.0)), "reference_audio"),
    ("reference is longer than 5 minutes", _say(reference_audio=wav_base64(301.0)), "reference_audio"),
    ("reference is a list", _say(reference_audio=[1, 2]), "reference_audio"),
    ("URL is ftp", _say(voice_url="ftp://example.com/a.wav"), "voice_url"),
    ("URL is a file", _say(voice_url="file:///etc/passwd"), "voice_url"),
    ("URL is loopback", _say(voice_url="http://127.0.0.1:9/a.wav"), "voice_url"),
    ("URL is loopback by name", _say(voice_url="http://localhost:9/a.wav"), "voice_url"),
    ("URL is loopback in IPv6", _say(voice_url="http://[::1]:9/a.wav"), "voice_url"),
    ("URL is the cloud's metadata", _say(voice_url="http://169.254.169.254/latest/meta-data"), "voice_url"),
    ("URL is private", _say(voice_url="http://10.0.0.1/a.wav"), "voice_url"),
    ("URL carries a password", _say(voice_url="http://a:b@example.com/a.wav"), "voice_url"),
    ("URL has a bad port", _say(voice_url="http://example.com:99999/a.wav"), "voice_url"),
    ("format unknown", _say(format="wma"), "format"),
    ("format is a number", _say(format=3), "format"),
    ("sample rate unknown", _say(sample_rate=11_025), "sample_rate"),
    ("sample rate is a string", _say(sample_rate="24000"), "sample_rate"),
    ("sample rate is fractional", _say(sample_rate=24_000.5), "sample_rate"),
    ("sample rate that opus does not support", _say(format="opus", sample_rate=44_100), "sample_rate"),
    ("speed too slow", _say(speed=0.2), "speed"),
    ("speed too fast", _say(speed=4.1), "speed"),
    ("speed is zero", _say(speed=0), "speed"),
    ("speed is NaN", _say(speed=float("nan")), "speed"),
    ("speed is infinite", _say(speed=float("inf")), "speed"),
    ("speed is a string", _say(speed="fast"), "speed"),
    ("speed is a boolean", _say(speed=True), "speed"),
    ("seed negative", _say(seed=-1), "seed"),
    ("seed too large", _say(seed=2**32), "seed"),
    ("seed fractional", _say(seed=1.5), "seed"),
    ("seed is a boolean", _say(seed=True), "seed"),
    ("temperature too high", _say(temperature=2.1), "temperature"),
    ("temperature negative", _say(temperature=-0.1), "temperature"),
    ("temperature is NaN", _say(temperature=float("nan")), "temperature"),
    ("temperature is too large for a float", _say(temperature=10**400), "temperature"),
    ("exaggeration too low", _say(exaggeration=-0.1), "exaggeration"),
    ("cfg_weight too high", _say(cfg_weight=1.5), "cfg_weight"),
    ("repetition_penalty below 1", _say(repetition_penalty=0.9), "repetition_penalty"),
    ("top_p too high", _say(top_p=1.01), "top_p"),
    ("min_p negative", _say(min_p=-0.5), "min_p"),
    ("top_k fractional", _say(model="turbo", top_k=10.5), "top_k"),
    ("top_k too large", _say(model="turbo", top_k=2001), "top_k"),
    ("top_k for a model without it", _say(model="multilingual", top_k=50), "top_k"),
    ("cfg_weight for a model without it", _say(model="turbo", cfg_weight=0.5), "cfg_weight"),
    ("exaggeration for a model without it", _say(model="turbo", exaggeration=0.7), "exaggeration"),
    ("split_text is a string", _say(split_text="yes"), "split_text"),
    ("long text with split_text off", {"text": "word " * 150, "split_text": False}, "split_text"),
    ("chunk_size too small", _say(chunk_size=49), "chunk_size"),
    ("chunk_size too large", _say(chunk_size=501), "chunk_size"),
    ("transcript for a model without transcripts", _say(reference_audio=wav_base64(), reference_transcript="Hum."),
     "reference_transcript"),
    ("transcript is blank", _say(reference_audio=wav_base64(), reference_transcript="  "), "reference_transcript"),
    ("transcript is a list", _say(reference_transcript=["Hum."]), "reference_transcript"),
    ("context for a model without context", _say(context=[{"text": "Hum.", "audio": wav_base64(1.0)}]), "context"),
    ("context is an object", _say(context={"text": "Hum."}), "context"),
    ("context with an unknown field", _say(context=[{"text": "Hum.", "audio": "", "voice": "a"}]), "context[0].voice"),
    ("context without audio", _say(context=[{"text": "Hum."}]), "context[0].audio"),
    ("context of too many turns", _say(context=[{"text": "Hum.", "audio": "AAAA"}] * 17), "context"),
    ("speaker for a model without context", _say(speaker=1), "speaker"),
    ("speaker negative", _say(speaker=-1), "speaker"),
    ("max_chunk_s over the model's limit", _say(max_chunk_s=41.0), "max_chunk_s"),
    ("max_chunk_s is zero", _say(max_chunk_s=0.0), "max_chunk_s"),
    ("cache is a number", _say(cache=1), "cache"),
    ("action unknown", {"action": "sing"}, "action"),
    ("info with a text", {"action": "info", "text": "Hello"}, "text"),
    ("save without an id", {"action": "voices.save", "reference_audio": wav_base64()}, "voice"),
    ("save without a recording", {"action": "voices.save", "voice": "a"}, "reference_audio"),
    ("save over the built-in voice",
     {"action": "voices.save", "voice": "default", "reference_audio": wav_base64()}, "voice"),
    ("save text as a voice",
     {"action": "voices.save", "voice": "a", "reference_audio": _base64(b"text" * 100)}, "reference_audio"),
    ("export an unknown voice", {"action": "voices.export", "voice": "unknown"}, "voice"),
    ("export the built-in voice", {"action": "voices.export", "voice": "default"}, "voice"),
    ("save a voice with a blank transcript",
     {"action": "voices.save", "voice": "a", "reference_audio": wav_base64(), "reference_transcript": " "},
     "reference_transcript"),
    ("delete an unknown voice", {"action": "voices.delete", "voice": "unknown"}, "voice"),
    ("delete with parent folders", {"action": "voices.delete", "voice": "../a"}, "voice"),
    ("openai route unknown", {"openai_route": "/v1/chat/completions", "openai_input": {}}, "openai_route"),
    ("openai without a body", {"openai_route": "/v1/audio/speech"}, "openai_input"),
    ("openai instructions", {"openai_route": "/v1/audio/speech",
                             "openai_input": {"input": "Hello", "instructions": "whisper"}}, "instructions"),
    ("openai format unknown", {"openai_route": "/v1/audio/speech",
                               "openai_input": {"input": "Hello", "response_format": "wma"}}, "format"),
    ("texts is a string", {"texts": "Hello there."}, "texts"),
    ("texts is empty", {"texts": []}, "texts"),
    ("texts are too many", {"texts": [{"id": str(n), "text": "Hello."} for n in range(501)]}, "texts"),
    ("texts are too long together", {"texts": [{"id": str(n), "text": "a" * 20_000} for n in range(3)]}, "texts"),
    ("texts holds a string", {"texts": [_TEXT, "Hello."]}, "texts[1]"),
    ("texts without an id", {"texts": [{"text": "Hello."}]}, "texts[0].id"),
    ("texts with an id that is a number", {"texts": [{"id": 1, "text": "Hello."}]}, "texts[0].id"),
    ("texts with an empty id", {"texts": [{"id": "", "text": "Hello."}]}, "texts[0].id"),
    ("texts with an id of half a character", {"texts": [{"id": "a\ud800", "text": "Hello."}]}, "texts[0].id"),
    ("texts with an id twice", {"texts": [_TEXT, {"id": "b", "text": "Hello."}, _TEXT]}, "texts[2].id"),
    ("texts and a text", _say(texts=[_TEXT]), "text"),
    ("texts and a text by its alias", {"prompt": "Hello.", "texts": [_TEXT]}, "text"),
    ("texts and an unknown field", {"texts": [_TEXT], "colour": "red"}, "colour"),
    ("texts and a bad default", {"texts": [_TEXT], "speed": 9}, "speed"),
    ("texts of an action", {"action": "info", "texts": [_TEXT]}, "texts"),
    ("texts over the openai route", {"openai_route": "/v1/audio/speech", "openai_input": {"texts": [_TEXT]}}, "texts"),
    ("openai with a field next to it", {"openai_route": "/v1/models", "text": "Hello"}, "text"),
]  # fmt: skip

"""An adapter in a voice file: it is packed and unpacked unchanged, and one that no model can use is rejected."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Adapter, Factors, VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.adapter import digest, metadata_of, parse_adapter, tensors_of
from chatterbox_worker.voices.bundle import Bundle, pack, unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import tone
from support.fakes import ToneEngine

DRAW = np.random.default_rng(0)
QUERY, DOWN = "tfmr.layers.0.self_attn.q_proj", "tfmr.layers.0.mlp.down_proj"


def _factors(inputs: int, outputs: int, dtype: type) -> Factors:
    return Factors(DRAW.standard_normal((4, inputs)).astype(dtype), DRAW.standard_normal((outputs, 4)).astype(dtype))


ADAPTER = Adapter(
    "english", "ab" * 32, 4, 8, {QUERY: _factors(64, 64, np.float16), DOWN: _factors(128, 64, np.float32)}
)


def _voice(adapter: Adapter | None = ADAPTER) -> Bundle:
    return Bundle(tone(6.0), None, {}, adapter)


def test_unpacking_returns_what_was_packed() -> None:
    data = pack(_voice())
    got = unpack(data, field="voice")

    assert got.adapter is not None
    assert metadata_of(got.adapter) == {"model": "english", "base": "ab" * 32, "rank": 4, "alpha": 8.0}
    assert got.adapter.factors.keys() == ADAPTER.factors.keys()
    for module, factors in ADAPTER.factors.items():
        for packed, unpacked in zip(factors, got.adapter.factors[module], strict=True):
            assert unpacked.dtype == packed.dtype
            assert np.array_equal(unpacked, packed)
    assert got.digest == _voice().digest
    assert pack(got) == data
    assert f"adapter.{QUERY}.lora_A" in load(data)


def test_everything_in_an_adapter_changes_the_sound_and_is_in_the_digest() -> None:
    other = ADAPTER.factors[QUERY]
    changed = [
        None,
        replace(ADAPTER, model="nano"),
        replace(ADAPTER, base="cd" * 32),
        replace(ADAPTER, alpha=9),
        replace(ADAPTER, factors={QUERY: other}),
        replace(ADAPTER, factors={**ADAPTER.factors, QUERY: other._replace(up=other.up * 2)}),
    ]
    assert len({_voice(adapter).digest for adapter in (ADAPTER, *changed)}) == 1 + len(changed)
    assert _voice(None).digest == Bundle(tone(6.0), None, {}).digest
    clip, its_bytes = tone(6.0), np.frombuffer(digest(ADAPTER).encode(), "<i2")
    samples = np.concatenate([clip.samples, its_bytes / np.float32(32767)])
    assert Bundle(Audio(samples, clip.sample_rate), None, {}).digest != _voice().digest


METADATA = metadata_of(ADAPTER)
NAME = f"adapter.{QUERY}"
UP, DOWN_ = np.ones((64, 4), np.float16), np.ones((4, 64), np.float16)
GOOD = {f"{NAME}.lora_A": DOWN_, f"{NAME}.lora_B": UP}


@pytest.mark.parametrize(
    ("metadata", "tensors", "reason"),
    [
        (None, GOOD, "only half of an adapter"),
        (METADATA, {}, "only half of an adapter"),
        ([1], GOOD, "only half of an adapter"),
        (METADATA | {"model": "flash"}, GOOD, "model 'flash'; choose multilingual, "),
        (METADATA | {"model": ["nano"]}, GOOD, "model \\['nano'\\]"),
        (METADATA | {"base": "main"}, GOOD, "base is 'main'"),
        (METADATA | {"rank": 0}, GOOD, "rank is 0"),
        (METADATA | {"rank": True}, GOOD, "rank is True"),
        (METADATA | {"rank": 10**9}, GOOD, "rank is 1000000000"),
        (METADATA | {"alpha": float("nan")}, GOOD, "alpha is nan"),
        (METADATA | {"alpha": -1}, GOOD, "alpha is -1"),
        (METADATA | {"alpha": "8"}, GOOD, "alpha is '8'"),
        (METADATA, {f"{NAME}.lora_A": DOWN_}, f"lora_A or the lora_B of '{QUERY}'"),
        (METADATA, GOOD | {f"{NAME}.bias": UP}, f"'{QUERY}.bias' is neither"),
        (METADATA, {"adapter.../x.lora_A": DOWN_, "adapter.../x.lora_B": UP}, "not the path of a module"),
        (METADATA, GOOD | {f"{NAME}.lora_B": UP.astype(np.float32)}, "float16 and float32"),
        (METADATA, {name: tensor.astype(np.int8) for name, tensor in GOOD.items()}, "int8 and int8"),
        (METADATA | {"rank": 5}, GOOD, "\\(4, 64\\) and \\(64, 4\\), not \\(5, in\\)"),
        (METADATA, GOOD | {f"{NAME}.lora_B": UP[0]}, "shapes"),
        (
            METADATA,
            GOOD | {f"{NAME}.lora_A": DOWN_ * np.float16("nan")},
            f"{QUERY} contains numbers that are not finite",
        ),
        (METADATA, GOOD | {f"{NAME}.lora_B": UP * np.float16("inf")}, "not finite"),
    ],
)
def test_an_invalid_adapter_is_rejected_with_the_reason(
    metadata: object, tensors: Mapping[str, Any], reason: str
) -> None:
    def invalid(why: str) -> InvalidRequest:
        return InvalidRequest(why, field="file")

    with pytest.raises(InvalidRequest, match=reason):
        parse_adapter(metadata, tensors, invalid)


def test_the_error_names_the_field_of_the_voice_file() -> None:
    voice = replace(ADAPTER, factors={QUERY: ADAPTER.factors[QUERY]._replace(up=np.ones((9, 3), np.float16))})
    with pytest.raises(
        InvalidRequest, match="file is not a voice file that can be used: its adapter's tfmr"
    ) as refused:
        unpack(pack(_voice(voice)), field="file")
    assert refused.value.field == "file"


def test_a_fine_tuned_voice_copied_into_the_folder_is_a_voice_at_once(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    (tmp_path / "alice.safetensors").write_bytes(pack(_voice()))
    got = library.get("alice")

    assert got.adapter is not None
    assert tensors_of(got.adapter).keys() == tensors_of(ADAPTER).keys()
    assert got.digest == _voice().digest
    assert library.save("bob", pack(_voice()), field="file").digest == got.digest


@pytest.fixture
def tuned(settings: Settings) -> Settings:
    """The library has a voice that is fine-tuned for turbo."""
    settings.voices_dir.mkdir()
    (settings.voices_dir / "alice.safetensors").write_bytes(pack(_voice(replace(ADAPTER, model="turbo"))))
    (settings.voices_dir / "plain.safetensors").write_bytes(pack(_voice(None)))
    return settings


def _request(settings: Settings, **fields: Any) -> SpeechRequest:
    request = parse({"text": "Hello.", **fields}, settings)
    assert isinstance(request, SpeechRequest)
    return request


def test_the_list_has_the_model_that_a_voice_is_for(tuned: Settings) -> None:
    library, path = VoiceLibrary(tuned.voices_dir), tuned.voices_dir / "alice.safetensors"
    (tuned.voices_dir / "broken.safetensors").write_bytes(path.read_bytes()[:30])
    assert [(each.id, each.model) for each in library.list()] == [
        ("alice", "turbo"), ("broken", None), ("plain", None),
    ]  # fmt: skip
    path.write_bytes(pack(_voice()))
    os.utime(path, ns=(1, 1))
    assert library.entry("alice").model == "english"


def test_a_request_without_a_model_gets_the_one_that_the_voice_is_for(
    tuned: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    recording = synthesizer.speak(_request(tuned, voice="alice", top_p=0.9), CancelScope())
    plan = synthesizer.plan(replace(_request(tuned, voice="alice", format="mp3"), format="wav"))

    assert recording.info.model == "turbo"
    utterance = engine.takes[0].utterance
    assert utterance.voice.adapter is not None
    assert set(utterance.sampling) == {"temperature", "repetition_penalty", "top_p", "top_k"}
    assert utterance.sampling["top_p"] == 0.9
    assert (plan.request.model, plan.request.format) == ("turbo", "wav")
    assert synthesizer.plan(_request(tuned, voice="plain")).request.model == "multilingual"


def test_the_words_that_its_model_needs_are_in_the_key_also_if_the_request_names_no_model(
    tuned: Settings, engine: ToneEngine
) -> None:
    for name, words in (("carol", "Hum."), ("dave", "Ho.")):
        voice = replace(_voice(replace(ADAPTER, model="csm")), details=VoiceDetails(words))
        (tuned.voices_dir / f"{name}.safetensors").write_bytes(pack(voice))
    served = replace(tuned, models=("multilingual", "csm"))
    cache = AudioCache(tuned.cache_dir, max_bytes=0, max_age_s=1)
    synthesizer = Synthesizer({"multilingual": engine, "csm": engine}, VoiceLibrary(tuned.voices_dir), cache)

    def key(voice: str, **model: str) -> str:
        return synthesizer.plan(_request(served, voice=voice, **model)).key

    assert key("carol") == key("carol", model="csm")
    assert key("dave") == key("dave", model="csm") != key("carol")


def test_the_voice_file_may_come_with_the_request(tuned: Settings, synthesizer: Synthesizer) -> None:
    data = (tuned.voices_dir / "alice.safetensors").read_bytes()
    request = _request(tuned, reference_audio=base64.b64encode(data).decode())
    assert synthesizer.plan(request).request.model == "turbo"


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        (
            {"model": "multilingual"},
            "voice 'alice' is fine-tuned for turbo: ask for model turbo, not multilingual",
            "model",
        ),
        (
            {"exaggeration": 1},
            "voice 'alice' is fine-tuned for turbo, but turbo cannot use exaggeration",
            "exaggeration",
        ),
        ({"language": "es"}, "voice 'alice' is fine-tuned for turbo, but turbo speaks en, not 'es'", "language"),
    ],
)
def test_what_its_model_cannot_do_is_rejected(
    tuned: Settings, synthesizer: Synthesizer, fields: dict[str, Any], reason: str, field: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        synthesizer.plan(_request(tuned, voice="alice", **fields))
    assert caught.value.field == field


def test_a_worker_without_its_model_reports_that(tuned: Settings, synthesizer: Synthesizer) -> None:
    request = _request(replace(tuned, models=("multilingual",)), voice="alice")
    with pytest.raises(
        InvalidRequest, match="for turbo, but model 'turbo' exists, but this worker serves multilingual"
    ):
        synthesizer.plan(request)


def test_the_cache_distinguishes_the_tuned_voice_from_the_plain_one(tuned: Settings, synthesizer: Synthesizer) -> None:
    keys = {synthesizer.plan(_request(tuned, voice=voice, model="turbo")).key for voice in ("alice", "plain")}
    assert len(keys) == 2

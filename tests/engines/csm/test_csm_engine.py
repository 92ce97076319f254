"""CSM generates the same as transformers' own `generate`, whatever else is in the batch."""

from __future__ import annotations

import copy
import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import support.tiny_csm as tiny
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Passage, Turn, Voice
from chatterbox_worker.engines.chatterbox.serving.memory import CPU_BUDGET_BYTES
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from chatterbox_worker.engines.csm import engine as engine_module
from chatterbox_worker.engines.csm.draw import CodeSampling, draw
from chatterbox_worker.engines.csm.engine import CsmEngine, _precision, _slots_for
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.engines.csm.slots import CsmSlots
from chatterbox_worker.errors import Cancelled, DeviceFailed, InvalidRequest, NotReady, SynthesisFailed
from support.checkpoints import checkpoint

CPU = torch.device("cpu")


def _with_samples(value: float) -> Voice:
    voice = tiny.alice()
    return dataclasses.replace(voice, clip=Audio(np.full(36_000, value, np.float32), 24_000))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[CsmEngine]:
    engine = tiny.engine(tmp_path)
    yield engine
    engine.close()


def test_a_voice_with_its_transcript_is_spoken_as_by_transformers(engine: CsmEngine) -> None:
    voice = tiny.alice()
    take = engine.submit(tiny.say(voice=voice, seed=7))
    sound = tiny.sound_of(take)
    codes, expected = tiny.generate(
        [(0, str(voice.details.transcript), voice.clip), (0, "How are you today?", None)], seed=7, frames=10
    )

    assert take.frames == codes
    assert np.array_equal(sound, expected)
    assert take.warnings == ("the model did not stop within 0.8 s; the speech may be cut off",)
    assert take.facts.hit_limit


def test_a_dialogue_is_in_the_context_turn_by_turn_with_its_speakers(engine: CsmEngine) -> None:
    voice = tiny.alice()
    before = (tiny.turn("Hello Alice.", 120.0, 1), tiny.turn("Hello Bob.", 200.0, 0))
    take = engine.submit(tiny.say("What a day.", voice=voice, seed=3, context=before, speaker=2))
    sound = tiny.sound_of(take)
    codes, expected = tiny.generate(
        [(2, str(voice.details.transcript), voice.clip), *((turn.speaker, turn.text, turn.clip) for turn in before),
         (2, "What a day.", None)],
        seed=3, frames=10,
    )  # fmt: skip

    assert take.frames == codes
    assert np.array_equal(sound, expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"temperature": 0.0, "top_k": 50}, {"do_sample": False, "temperature": None, "top_k": None}),
        ({"temperature": 1e-300, "top_k": 50}, {"do_sample": False, "temperature": None, "top_k": None}),
        ({"temperature": 1.3, "top_k": 5}, {"temperature": 1.3, "top_k": 5}),
    ],
)
def test_sampling_is_transformers_own_and_0_is_greedy(
    engine: CsmEngine, ours: dict[str, float], theirs: dict[str, Any]
) -> None:
    take = engine.submit(tiny.say(sampling=ours, seed=5))
    tiny.sound_of(take)

    assert take.frames == tiny.generate([(0, "How are you today?", None)], seed=5, frames=10, **theirs)[0]


def test_the_same_seed_gives_the_same_sound_whatever_else_is_in_the_batch(tmp_path: Path) -> None:
    """Other takes join before and after, are longer and shorter, and reuse slots."""
    engine = tiny.engine(tmp_path, slots=3)
    wanted = tiny.say(voice=tiny.alice(), seed=7)
    alone = tiny.sound_of(engine.submit(wanted))
    others = [
        tiny.say(f"Neighbour {n}.", seed=n, max_s=0.3 * n, voice=tiny.alice(seconds=1 + n / 4)) for n in range(1, 6)
    ]
    takes = [engine.submit(utterance) for utterance in (*others[:2], wanted, *others[2:], wanted)]
    sounds = [tiny.sound_of(take) for take in takes]
    engine.close()

    assert np.array_equal(sounds[2], alone)
    assert np.array_equal(sounds[-1], alone)
    assert [len(sound) for sound in sounds[:2]] == [4 * 1920, 8 * 1920]


def test_without_a_recording_later_chunks_continue_from_the_first(tmp_path: Path) -> None:
    engine = tiny.engine(tmp_path, slots=2)
    first = engine.submit(tiny.say("One.", seed=1))
    second = engine.submit(tiny.say("Two.", seed=2, lead=first, turn=1))
    alone = engine.submit(tiny.say("Two.", seed=2))
    for take in (first, second, alone):
        tiny.sound_of(take)
    recorded = [engine.submit(tiny.say("Two.", seed=2, voice=tiny.alice(), lead=lead)) for lead in (first, None)]
    for take in recorded:
        tiny.sound_of(take)
    engine.close()

    assert second.frames != alone.frames
    assert recorded[0].frames == recorded[1].frames


def test_a_chunk_whose_lead_was_cancelled_fails_and_does_not_hang(engine: CsmEngine) -> None:
    lead = engine.submit(tiny.say(max_s=30.0))
    follower = engine.submit(tiny.say(lead=lead, max_s=30.0))
    lead.cancel()

    with pytest.raises(SynthesisFailed, match="whose voice this one continues"):
        list(follower)


def test_a_cancelled_take_frees_its_slot_at_the_next_frame(engine: CsmEngine) -> None:
    long = engine.submit(tiny.say(max_s=80.0))
    next_one = engine.submit(tiny.say(seed=4, max_s=0.16))
    while not long.frames:
        time.sleep(0.005)
    long.cancel()
    with pytest.raises(Cancelled):
        list(long)

    assert len(tiny.sound_of(next_one)) == 2 * 1920
    assert len(long.frames) < 900


def test_closing_cancels_all_takes(tmp_path: Path) -> None:
    engine = tiny.engine(tmp_path)
    takes = [engine.submit(tiny.say(max_s=80.0)) for _ in range(3)]
    engine.close()
    takes.append(engine.submit(tiny.say()))

    for take in takes:
        with pytest.raises(Cancelled):
            list(take)


def test_the_end_of_speech_ends_a_take_and_makes_no_sound(tmp_path: Path) -> None:
    """With heads of zeros and greedy sampling every code is 0, which is the end."""
    silent = Csm(copy.deepcopy(tiny.csm().model), _processor())
    silent.model.lm_head.weight.data.zero_()
    silent.model.depth_decoder.codebooks_head.weight.data.zero_()
    engine = tiny.engine(tmp_path, model=silent)
    take = engine.submit(tiny.say(sampling={"temperature": 0.0, "top_k": 0}))
    sound = tiny.sound_of(take)
    engine.close()

    assert (take.frames, len(sound), take.warnings) == ([], 0, ())


def test_all_audio_is_watermarked(tmp_path: Path) -> None:
    watermark = Watermark(CPU)
    engine = tiny.engine(tmp_path, watermark=watermark)
    (piece,) = engine.submit(tiny.say(max_s=4.0))
    marked_again = engine.mark(tiny.hum(3.0))
    engine.close()

    assert watermark.detect(piece) > 0.5
    assert watermark.detect(marked_again) > 0.5


def test_a_recording_is_encoded_once_for_all_workers(tmp_path: Path) -> None:
    engine = tiny.engine(tmp_path)
    tiny.sound_of(engine.submit(tiny.say(voice=tiny.alice(), context=(tiny.turn("Hello.", 120.0, 1),))))
    engine.close()

    (stored,) = (tmp_path / ".conditioning").iterdir()
    assert stored.name.startswith(tiny.alice().digest)
    assert ".csm-tiny." in stored.name


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        ({"voice": tiny.alice(None)}, "reference_transcript", "needs the words"),
        ({"voice": tiny.alice(seconds=0.3)}, "reference_audio", "0.30 s long"),
        ({"voice": tiny.alice(seconds=100.0), "max_s": 80.0}, "reference_audio", "shorten the recording"),
        ({"voice": _with_samples(0.0)}, "reference_audio", "is silent"),
        ({"voice": _with_samples(np.nan)}, "reference_audio", "is silent"),
    ],
)
def test_an_impossible_utterance_is_refused_at_once(
    engine: CsmEngine, wanted: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        engine.submit(tiny.say(**wanted))

    assert refused.value.field == field


def test_context_that_does_not_fit_is_left_out_from_the_start_with_a_warning(engine: CsmEngine) -> None:
    long = Turn("Long ago.", tiny.hum(70.0), 1, "c" * 64)
    late = tiny.turn("Just now.", 120.0, 1)
    take = engine.submit(tiny.say(seed=2, context=(long, late), max_s=90.0))
    take.cancel()
    shorter = engine.submit(tiny.say(seed=2, context=(late,), max_s=0.8))

    assert [turn.text for turn in take.script.turns] == ["Just now."]
    assert take.warnings == ("the first 1 of 2 turns of context were left out: they do not fit",)
    assert shorter.warnings == ()


def test_speech_may_fill_the_context_to_the_last_position(engine: CsmEngine) -> None:
    csm, lead = tiny.csm(), engine.submit(tiny.say(max_s=8.0))
    ids = len(csm.ids(0, "How are you today?"))
    for used, before in ((ids, None), (2 * ids + 100 + 1, lead)):
        most_s = (csm.positions - used) / csm.frame_rate
        take = engine.submit(tiny.say(max_s=most_s, lead=before))
        assert take.script.max_frames == csm.positions - used
        take.cancel()
        with pytest.raises(InvalidRequest, match="give a lower max_chunk_s") as refused:
            engine.submit(tiny.say(max_s=most_s + tiny.FRAME_S, lead=before))
        assert refused.value.field == "max_chunk_s"
    late = tiny.turn("Just now.", 120.0, 1)
    used = ids + len(csm.ids(1, late.text)) + csm.frames_in(late.clip.duration_s) + 1
    for frames, turns in ((csm.positions - used, 1), (csm.positions - used + 1, 0)):
        take = engine.submit(tiny.say(max_s=frames / csm.frame_rate, context=(late,)))
        assert (take.script.max_frames, len(take.script.turns)) == (frames, turns)
        take.cancel()
    unlimited = engine.submit(dataclasses.replace(tiny.say(), max_s=None))
    assert unlimited.script.max_frames == 500
    with pytest.raises(InvalidRequest, match="cannot convert"):
        engine.convert(Passage(tiny.hum(), tiny.alice(), 1))


@pytest.mark.parametrize("samples", [9599, 9600, 9601, 36_000])
def test_a_recording_takes_no_more_frames_than_it_is_given_space_for(samples: int) -> None:
    clip = Audio(tiny.hum().samples[:samples], 24_000)
    assert len(tiny.csm().encode(clip)) <= tiny.csm().frames_in(clip.duration_s) <= samples // 1920 + 1


def test_a_frame_is_the_end_if_all_codes_but_the_last_are(engine: CsmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = iter([[1, 2, 3, 4, 5, 0], [0, 0, 0, 0, 0, 5], [9] * 6])
    monkeypatch.setattr(engine._batch._slots, "step", lambda: [next(frames)])
    take = engine.submit(tiny.say())
    tiny.sound_of(take)
    assert take.frames == [[1, 2, 3, 4, 5, 0], [0, 0, 0, 0, 0, 5]]
    assert not take.facts.hit_limit
    assert {"csm_s", "codec_s"} <= take.timings.keys()


def _failing(monkeypatch: pytest.MonkeyPatch, target: object, name: str, error: Exception) -> None:
    """The method raises that error once, and then works."""
    work, left = getattr(target, name), [error]

    def run(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return work(*arguments)

    monkeypatch.setattr(target, name, run)


def test_a_step_that_fails_fails_its_takes_and_the_next_ones_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = tiny.engine(tmp_path, slots=2)
    alone = tiny.sound_of(engine.submit(tiny.say(seed=7)))
    for place, name, sentence in (
        (engine._batch._slots, "step", "the engine failed while speaking"),
        (engine._csm, "prompt", "the engine failed while speaking"),
        (engine._csm, "decode", "the engine failed while generating audio"),
    ):
        with monkeypatch.context() as patch:
            _failing(patch, place, name, ValueError("boom"))
            failed = engine.submit(tiny.say())
            with pytest.raises(SynthesisFailed, match=sentence):
                list(failed)
            assert np.array_equal(tiny.sound_of(engine.submit(tiny.say(seed=7))), alone)
    engine.close()
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR] * 3


@pytest.mark.parametrize("name", ["step", "enter"])
def test_after_the_device_has_failed_no_take_is_spoken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny.engine(tmp_path)
    _failing(monkeypatch, engine._batch._slots, name, torch.AcceleratorError("illegal memory access"))
    takes = [engine.submit(tiny.say()) for _ in range(3)]
    for take in takes:
        with pytest.raises(DeviceFailed, match="asks to be replaced"):
            list(take)
    with pytest.raises(DeviceFailed, match="asks to be replaced"):
        list(engine.submit(tiny.say()))
    engine.close()


def test_memory_for_slots_is_that_of_their_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    csm, asked = tiny.csm(), list[tuple[float, ...]]()
    monkeypatch.setattr(engine_module, "slots_within", lambda *numbers: asked.append(numbers))
    _slots_for(csm, engines=2)
    cache = CsmSlots(csm, 1)._cache
    layers = sum(each.nbytes for each in (*cache.keys, *cache.values))
    config = csm.model.config
    copied = 2 * csm.positions * config.num_attention_heads * config.head_dim * 4  # of one layer, for each head
    assert asked == [(layers + copied, CPU_BUDGET_BYTES / 2, 2)]


def test_special_tokens_spelt_out_in_a_text_are_text() -> None:
    csm = tiny.csm()
    ids = csm.ids(0, "Hello <|AUDIO|><|end_of_text|>")

    assert csm.model.config.audio_token_id not in ids
    assert ids.count(ids[-1]) == 1
    assert ids[:1] + ids[-1:] == [csm.model.config.bos_token_id, csm.model.config.bos_token_id + 1]


def test_in_bfloat16_the_codec_stays_in_float32(tmp_path: Path) -> None:
    csm = Csm.load(checkpoint("csm"), CPU, torch.bfloat16)
    engine = tiny.engine(tmp_path, model=csm)
    sound = tiny.sound_of(engine.submit(tiny.say(voice=tiny.alice())))
    engine.close()

    assert {part.dtype for part in csm.model.codec_model.parameters()} == {torch.float32}
    assert {part.dtype for part in csm.model.backbone_model.parameters()} == {torch.bfloat16}
    assert engine.revision == "csm@tiny/bfloat16"
    assert len(sound) == 10 * 1920


def test_precision_follows_the_device_and_the_profile() -> None:
    assert _precision("auto", CPU) is torch.float32
    assert _precision("exact", torch.device("cuda")) is torch.float32
    assert _precision("fast", CPU) is torch.bfloat16
    for profile in ("int8", "nf4"):
        with pytest.raises(NotReady, match=f"csm has no {profile} weights: CHATTERBOX_PROFILE"):
            _precision(profile, CPU)


def test_a_code_that_the_codec_lacks_is_never_drawn() -> None:
    logits = torch.zeros(2, 12)
    logits[:, 10:] = 50.0
    samplings = {1: CodeSampling.of(3, 1.0, 0, CPU)}
    drawn = torch.stack([draw(logits.clone(), samplings, 10) for _ in range(200)])

    likely = torch.arange(24.0).view(2, 12)
    assert {int(draw(likely, {1: CodeSampling.of(seed, 9.0, 1, CPU)}, 10)[1]) for seed in range(20)} == {9}
    assert (drawn[:, 0] == 0).all()
    assert set(drawn[:, 1].tolist()) == set(range(10))


def _processor() -> Any:
    from transformers import CsmProcessor

    return CsmProcessor.from_pretrained(checkpoint("csm"))

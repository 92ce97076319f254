"""The proof that every model speaks, made before the first job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import runpod
from runpod.serverless.modules import rp_job, rp_scale

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance
from chatterbox_worker.errors import GpuUnusable, NotReady, SynthesisFailed
from chatterbox_worker.serverless import loop
from chatterbox_worker.serverless.fitness import SpeechProof, prove_speech
from chatterbox_worker.serverless.sdk_import import import_sdk
from chatterbox_worker.serverless.worker import Unready
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.fakes import RATE, ToneEngine, ToneTake


class MuteTake(ToneTake):
    def __iter__(self) -> Iterator[Audio]:
        yield Audio(np.zeros(RATE, np.float32), RATE)


class MuteEngine(ToneEngine):
    def submit(self, utterance: Utterance) -> ToneTake:
        return MuteTake(utterance, self.gate)


def house(synthesizer: Synthesizer, **engines: ToneEngine) -> Synthesizer:
    return Synthesizer({name.replace("_", "-"): engine for name, engine in engines.items()},
                       synthesizer.library, synthesizer.cache)  # fmt: skip


def test_every_model_and_pack_is_asked_once_in_its_own_language(synthesizer: Synthesizer) -> None:
    engines = {"multilingual": ToneEngine(), "turbo": ToneEngine(), "pt_br": ToneEngine()}

    prove_speech(house(synthesizer, **engines))

    said = {name: [take.utterance for take in engine.takes] for name, engine in engines.items()}
    assert {name: len(utterances) for name, utterances in said.items()} == dict.fromkeys(engines, 1)
    assert [said[name][0].language for name in engines] == ["en", "en", "pt"]
    assert "top_k" in said["turbo"][0].sampling


def test_a_model_without_a_sound_is_named(synthesizer: Synthesizer, settings: Settings) -> None:
    with pytest.raises(SynthesisFailed, match="turbo generated silence"):
        prove_speech(house(synthesizer, multilingual=ToneEngine(), turbo=MuteEngine()))


@pytest.mark.parametrize(
    ("reason", "is_healthy"),
    [(GpuUnusable("PyTorch cannot use the GPU (driver 550)"), False), (NotReady("a weight is missing"), True)],
)
def test_a_worker_whose_gpu_is_unusable_is_unhealthy(
    reason: NotReady, monkeypatch: pytest.MonkeyPatch, *, is_healthy: bool
) -> None:
    """The machine is at fault: another one can answer. Otherwise each job gets the reason."""
    checks: list[Callable[[], None]] = []
    started: list[object] = []
    monkeypatch.setattr(runpod.serverless, "register_fitness_check", checks.append)
    monkeypatch.setattr(runpod.serverless, "start", started.append)
    for module, name in (
        (rp_scale, "JobScaler"), (rp_scale, "get_job"), (rp_scale, "get_stop_signals"),
        (rp_job, "send_result"), (rp_job, "stream_result"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, getattr(module, name))  # `serve` replaces it; put back afterwards

    importing: Future[Any] = Future()
    importing.set_result(runpod)

    loop.serve(Unready(reason), loop.RunPod(Settings()), importing)

    assert len(started) == 1
    assert bool(checks) is not is_healthy
    for check in checks:
        with pytest.raises(GpuUnusable, match="driver 550"):
            check()


def test_the_models_are_asked_to_speak_at_once_and_the_sdk_gets_the_result(synthesizer: Synthesizer) -> None:
    engine = ToneEngine()
    engine.gate.clear()
    proof = SpeechProof(house(synthesizer, turbo=engine))
    assert engine.submitted.wait(60)  # before anybody has asked for the result
    engine.gate.set()
    proof.every_model_speaks()


def test_a_silent_model_fails_the_sdks_check(synthesizer: Synthesizer) -> None:
    proof = SpeechProof(house(synthesizer, turbo=MuteEngine()))
    with pytest.raises(SynthesisFailed, match="turbo generated silence"):
        proof.every_model_speaks()


def test_the_imported_sdk_has_looked_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    from runpod.serverless.modules import rp_fitness

    for name in ("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "RUNPOD_SKIP_GPU_CHECK"):
        monkeypatch.setenv(name, "true")  # the checks themselves need a network and free disk space
    assert import_sdk().result(timeout=60).__name__ == "runpod"
    assert rp_fitness._registration_state == {"gpu_check": True, "system_checks": True}
    rp_fitness._reset_registration_state()

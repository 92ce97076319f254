from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines import device as device_module
from chatterbox_worker.engines.chatterbox.device import memory
from chatterbox_worker.engines.device import device_of, prepare, profile_of, work_on
from chatterbox_worker.errors import GpuUnusable, NotReady


def is_cudnn_on() -> bool:
    return bool(torch.backends.cuda.cudnn_sdp_enabled())  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def restore_settings() -> Iterator[None]:
    threads, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    deterministic = torch.backends.cudnn.deterministic
    cudnn = is_cudnn_on()
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cuda.enable_cudnn_sdp(cudnn)
    memory._graphs.clear()


@pytest.fixture(autouse=True)
def no_gpu_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_CONTROL", tmp_path / "nvidiactl")
    monkeypatch.setattr(device_module, "_DRIVER", tmp_path / "version")


def have_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: max(count, 1))  # NVML counts GPUs that torch cannot use


@pytest.mark.parametrize(("has_gpu", "expected"), [(True, "cuda:0"), (False, "cpu")])
def test_auto_uses_a_gpu_if_there_is_one(*, has_gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    have_gpus(monkeypatch, int(has_gpu))
    assert str(device_of("auto")) == expected


@pytest.mark.parametrize(("wanted", "expected"), [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:3", "cuda:3")])
def test_a_gpu_has_its_number(wanted: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    have_gpus(monkeypatch, 4)
    assert str(device_of(wanted)) == expected


@pytest.mark.parametrize(
    ("count", "wanted", "sentence"),
    [
        (0, "cuda", "cuda was requested, but there is no GPU"),
        (2, "cuda:2", "cuda:2 was requested, but the last GPU here is cuda:1"),
    ],
)
def test_a_missing_gpu_is_named(count: int, wanted: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    have_gpus(monkeypatch, count)
    with pytest.raises(NotReady, match=sentence):
        device_of(wanted)


def test_a_gpus_convolutions_are_float32_and_the_same_each_time_and_a_cpu_has_the_requested_threads() -> None:
    torch.set_num_threads(2)
    prepare(torch.device("cpu"), 1)
    assert torch.get_num_threads() == 1
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.deterministic = False
    prepare(torch.device("cuda:0"), 0)
    assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cuda.matmul.allow_tf32


def test_attention_is_cudnns_only_if_it_is_switched_on_and_graphs_have_their_share() -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    prepare(torch.device("cuda:0"), 0, graph_share=0.3)
    assert not is_cudnn_on()
    assert memory.graph_memory(torch.device("cuda:0")).share == 0.3
    prepare(torch.device("cuda:0"), 0, cudnn_attention=True)
    assert is_cudnn_on()


def test_a_thread_works_on_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", entered.append)
    work_on(torch.device("cpu"))
    work_on(torch.device("cuda:2"))
    assert entered == [torch.device("cuda:2")]


# A GPU that torch cannot use

OLD = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: gcc 12\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)\n"


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0"])
@pytest.mark.parametrize(
    ("driver", "sentences"),
    [
        (OLD, ["driver 550.54.15", "CUDA 13.0 needs driver 580 or newer", "update the driver"]),
        (OPEN, ["driver 580.65.06", "nvidia-smi", "CHATTERBOX_DEVICE=cpu"]),
        (None, ["driver unknown", "nvidia-smi"]),
        ("nonsense", ["driver unknown", "nvidia-smi"]),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_no_cpu(
    wanted: str, driver: str | None, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    have_gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    device_module._CONTROL.touch()
    if driver is not None:
        device_module._DRIVER.write_text(driver)
    with pytest.raises(GpuUnusable) as error:
        device_of(wanted)
    assert all(sentence in error.value.message for sentence in sentences), error.value.message
    assert str(device_of("cpu")) == "cpu"


# Precision


@pytest.mark.parametrize(
    ("wanted", "device", "capability", "expected"),
    [
        ("auto", "cpu", None, "exact"), ("fast", "cpu", None, "fast"), ("int8", "cpu", None, "int8"),
        ("auto", "cuda:0", (8, 0), "fast"), ("auto", "cuda:0", (12, 0), "fast"), ("fast", "cuda:0", (8, 9), "fast"),
        ("auto", "cuda:0", (7, 5), "exact"), ("fast", "cuda:0", (7, 0), "exact"), ("exact", "cuda:0", (7, 5), "exact"),
        ("int8", "cuda:0", (9, 0), "int8"), ("nf4", "cuda:0", (8, 0), "nf4"),
    ],
)  # fmt: skip
def test_a_gpu_without_bfloat16_is_exact(
    wanted: str, device: str, capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    assert profile_of(wanted, torch.device(device)) == expected


@pytest.mark.parametrize("wanted", ["int8", "nf4"])
def test_small_weights_are_refused_on_a_gpu_without_bfloat16(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    with pytest.raises(NotReady, match=rf"{wanted}.*Tesla T4.*7\.5.*8\.0"):
        profile_of(wanted, torch.device("cuda:0"))

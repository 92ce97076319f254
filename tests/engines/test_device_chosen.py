from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from chatterbox_worker.engines.device import device_of, prepare, work_on
from chatterbox_worker.errors import NotReady


@pytest.fixture(autouse=True)
def restore_settings() -> Iterator[None]:
    threads, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = tf32


@pytest.mark.parametrize(("has_gpu", "expected"), [(True, "cuda:0"), (False, "cpu")])
def test_auto_uses_a_gpu_if_there_is_one(*, has_gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert str(device_of("auto")) == expected


@pytest.mark.parametrize(("wanted", "expected"), [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:3", "cuda:3")])
def test_a_gpu_has_its_number(wanted: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert str(device_of(wanted)) == expected


@pytest.mark.parametrize(
    ("count", "wanted", "sentence"),
    [
        (0, "cuda", "cuda was requested, but there is no GPU"),
        (2, "cuda:2", "cuda:2 was requested, but the last GPU here is cuda:1"),
    ],
)
def test_a_missing_gpu_is_named(count: int, wanted: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(NotReady, match=sentence):
        device_of(wanted)


def test_a_gpus_convolutions_are_float32_and_a_cpu_has_the_requested_threads() -> None:
    prepare(torch.device("cpu"), 1)
    assert torch.get_num_threads() == 1
    torch.backends.cudnn.allow_tf32 = True
    prepare(torch.device("cuda:0"), 0)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_thread_works_on_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", entered.append)
    work_on(torch.device("cpu"))
    work_on(torch.device("cuda:2"))
    assert entered == [torch.device("cuda:2")]

"""Which GPUs run the project's own kernels, and where compiled ones are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED, Binary, CompiledKernels, shared_folder
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel, uses_kernels
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.errors import NotReady

CUDA = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("setting", "capability", "used"),
    [("auto", (9, 0), True), ("auto", (8, 9), False), ("on", (8, 9), True), ("off", (9, 0), False)],
)
def test_kernels_run_by_default_where_they_were_measured(
    monkeypatch: pytest.MonkeyPatch, setting: str, capability: tuple[int, int], used: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    assert uses_kernels(setting, CUDA) is used
    assert not uses_kernels(setting, torch.device("cpu"))


def test_without_a_compiler_only_those_who_asked_for_kernels_get_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not uses_kernels("auto", CUDA)
    with pytest.raises(NotReady, match="set it to off"):
        uses_kernels("on", CUDA)


def test_a_kernel_is_compiled_once_for_its_source_and_its_settings(tmp_path: Path) -> None:
    source, compiled = tmp_path / "sources.py", list[str]()
    source.write_text("first")

    def compile_kernel() -> Binary:
        compiled.append(source.read_text())
        return Binary("attend", b"\x7fELF\n\x00", "a listing", 128, 64, overlaps=True)

    image, own = CompiledKernels(), CompiledKernels()
    image.write_to(shared_folder(tmp_path))
    own.write_to(tmp_path / "own")
    first = image.get(source, ("attend", 90), compile_kernel)
    own.read_from(shared_folder(tmp_path))
    again = own.get(source, ("attend", 90), compile_kernel)
    assert (again.name, again.code, again.shared_bytes, again.threads, again.overlaps) == (
        first.name, first.code, 128, 64, True,
    )  # fmt: skip
    assert compiled == ["first"]
    own.get(source, ("attend", 80), compile_kernel)
    source.write_text("second")
    own.get(source, ("attend", 90), compile_kernel)
    assert compiled == ["first", "first", "second"]


def test_a_broken_or_unwritable_file_costs_time_only(tmp_path: Path) -> None:
    source, kernels = tmp_path / "sources.py", CompiledKernels()
    source.write_text("first")
    kernels.write_to(tmp_path / "kernels")
    made = Binary("attend", b"code", "", 0, 32, overlaps=False)
    assert kernels.get(source, (), lambda: made) == made
    [path] = (tmp_path / "kernels").iterdir()
    path.write_bytes(b"half a hea")
    assert kernels.get(source, (), lambda: made) == made
    assert path.read_bytes().endswith(b"\ncode")
    (tmp_path / "file").write_text("no folder")
    kernels.write_to(tmp_path / "file")
    assert kernels.get(source, (), lambda: made) == made


def test_kernels_compile_for_a_model_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an image's build compiles: for each combination of types and constants once, and nothing is launched."""
    asked = list[tuple[object, ...]]()

    def get(_source: Path, settings: tuple[object, ...], _compile: object) -> Binary:
        asked.append(settings)
        return Binary("attend", b"", "", 0, 32, overlaps=False)

    monkeypatch.setattr(COMPILED, "get", get)
    query = torch.empty(2, 16, 64, dtype=torch.bfloat16, device="meta")
    layer, rows = torch.empty(2, 32, 1, 64, dtype=torch.bfloat16, device="meta"), torch.empty(2, device="meta")
    kernel = Kernel(operators._attend._module, "attend", warps=4)
    monkeypatch.setattr(operators, "_attend", kernel)
    for length in (128, 128, 512):
        out = operators.attend(query, layer, rows.long(), rows.long()[:, None], length, rows.int())
        assert out.shape == query.shape
    splits = [each[1] for settings in asked for each in settings if isinstance(each, tuple) and each[0] == "splits"]
    assert splits == [1, 4]
    assert all(settings[:3] == ("attend", 90, 4) for settings in asked)


@pytest.mark.parametrize(
    ("heads", "blocks", "splits"),
    [(32, 1, 1), (32, 4, 4), (32, 16, 8), (128, 8, 4), (512, 8, 1), (96, 8, 4), (1024, 8, 1)],
)
def test_a_head_is_split_while_there_are_few(heads: int, blocks: int, splits: int) -> None:
    assert operators._splits(heads, blocks) == splits

"""Which GPUs run the project's own kernels, and where compiled ones are kept."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch

from chatterbox_worker.config import Settings
from chatterbox_worker.config.values import KERNEL_FAMILIES
from chatterbox_worker.engines.chatterbox import parts
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.kernels import launch
from chatterbox_worker.engines.chatterbox.kernels.compiled import (
    COMPILED,
    Binary,
    CompiledKernels,
    _compiler,
    shared_folder,
)
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel
from chatterbox_worker.engines.chatterbox.kernels.proven import CAPABILITIES, PROVEN, Family, families
from chatterbox_worker.engines.chatterbox.parts import _use_kernels
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint

CUDA = torch.device("cuda", 0)
NANO = (CUDA, "nano", "fast")


@pytest.mark.parametrize(
    ("setting", "capability", "profile", "used"),
    [
        ("auto", (9, 0), "fast", {Family.STEP, Family.SOUND}), ("auto", (9, 0), "exact", set()),
        ("auto", (8, 9), "fast", set()), ("on", (8, 9), "exact", set(Family)), ("off", (9, 0), "fast", set()),
        ("measure", (8, 9), "fast", set(Family)), ("sound,step", (8, 9), "fast", {Family.SOUND, Family.STEP}),
    ],
)  # fmt: skip
def test_kernels_run_by_default_where_they_were_measured(
    monkeypatch: pytest.MonkeyPatch, setting: str, capability: tuple[int, int], profile: str, used: set[Family]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    assert families(setting, CUDA, profile) == used
    assert not families(setting, torch.device("cpu"), profile)
    assert {family.name.lower() for family in Family} == set(KERNEL_FAMILIES)
    assert set(CAPABILITIES) >= frozenset[tuple[int, int]]().union(*PROVEN.values())


def test_without_a_compiler_only_those_who_asked_for_kernels_get_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not families("auto", CUDA, "fast")
    for setting in ("on", "measure", "step"):
        with pytest.raises(NotReady, match=f"CHATTERBOX_KERNELS is {setting}, .* set it to off"):
            families(setting, CUDA, "fast")
    assert not families("off", CUDA, "fast")


@pytest.mark.parametrize("profile", ["int8", "nf4"])
def test_weights_that_the_kernels_do_not_read_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    with pytest.raises(NotReady, match=f"CHATTERBOX_KERNELS is on, but the kernels do not read {profile} weights"):
        families("on", CUDA, profile)
    assert not families("off", CUDA, profile)


def test_a_kernel_is_compiled_once_for_its_source_and_its_settings(tmp_path: Path) -> None:
    source, compiled = tmp_path / "sources.py", list[str]()
    source.write_text("first")

    def compile_kernel() -> Binary:
        compiled.append(source.read_text())
        return Binary("attend", b"\x7fELF\n\x00", "a listing", 128, 64, overlaps=True)

    (tmp_path / "made").mkdir()  # as the process makes folders that other users may read
    image, own = CompiledKernels(), CompiledKernels()
    image.write_to(shared_folder(tmp_path))
    own.write_to(tmp_path / "new" / "own")
    first = image.get(source, ("attend", 90), compile_kernel)
    assert shared_folder(tmp_path).stat().st_mode & 0o777 == tmp_path.joinpath("made").stat().st_mode & 0o777
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


def test_in_the_folder_of_temporary_files_only_the_users_own_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source, made = tmp_path / "sources.py", Binary("attend", b"code", "", 0, 32, overlaps=False)
    source.write_text("first")
    kernels, compiled = CompiledKernels(), list[int]()

    def compile_kernel() -> Binary:
        compiled.append(1)
        return made

    for _ in range(2):
        assert kernels.get(source, (), compile_kernel) == made
    assert len(compiled) == 1
    [folder] = tmp_path.glob(f"*-{os.geteuid()}")
    assert folder.stat().st_mode & 0o777 == 0o700
    with monkeypatch.context() as patch:
        patch.setattr("os.fstat", lambda _: SimpleNamespace(st_uid=os.geteuid() + 1))
        assert kernels.get(source, (), compile_kernel) == made
    assert len(compiled) == 2


def test_a_broken_or_unwritable_file_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, kernels = tmp_path / "sources.py", CompiledKernels()
    source.write_text("first")
    kernels.write_to(tmp_path / "kernels")
    made = Binary("attend", b"code", "", 0, 32, overlaps=False)
    assert kernels.get(source, (), lambda: made) == made
    [path] = (tmp_path / "kernels").iterdir()
    path.write_bytes(b"half a hea")
    assert kernels.get(source, (), lambda: made) == made
    assert path.read_bytes().endswith(b"\ncode")
    path.write_bytes(path.read_bytes()[:-1])
    assert kernels.get(source, (), lambda: made) == made
    (tmp_path / "file").write_text("no folder")
    kernels.write_to(tmp_path / "file")
    assert kernels.get(source, (), lambda: made) == made

    def find_no_folder() -> NoReturn:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr("tempfile.gettempdir", find_no_folder)
    assert CompiledKernels().get(source, (), lambda: made) == made


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
    assert splits == [1] * len(CAPABILITIES) + [4] * len(CAPABILITIES)
    types = ("*bf16", "*bf16", "*i64", "*i64", "*bf16", "*fp32", "*i32")
    assert {settings[6:20] for settings in asked} == {(*types, *(True for _ in types))}
    assert {settings[:3] for settings in asked} == {("attend", 10 * major + minor, 4) for major, minor in CAPABILITIES}


def test_integers_and_odd_addresses_are_compiled_as_they_are() -> None:
    tensor = torch.zeros(9)
    assert [launch._type_of(each) for each in (tensor, 3)] == ["*fp32", "i32"]
    assert [launch._is_aligned(each) for each in (tensor, tensor[1:], tensor[4:], 16)] == [True, False, True, False]


def test_the_compilers_version_is_found_in_any_of_its_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"pytorch-triton": "3.6"}

    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr("importlib.metadata.version", version)
    assert _compiler() == "3.6"
    installed.clear()
    assert _compiler() == "unknown"


class _Networks:
    """T3 and S3Gen in one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.kernels = self.of_sound = frozenset[Family]()
        self._failure = failure

    def try_kernels(self) -> None:
        assert self.kernels == frozenset(Family)
        if self._failure is not None:
            raise self._failure

    def use_kernels(self, chosen: frozenset[Family]) -> None:
        self.of_sound = chosen


@pytest.mark.parametrize("setting", ["auto", "measure", "on", "step"])
def test_an_engine_whose_kernels_do_not_run_uses_those_of_torch(
    setting: str, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[Path]()
    monkeypatch.setattr(COMPILED, "read_from", read.append)
    networks: Any = _Networks(OSError("no space left for the compiler"))
    settings = Settings(kernels=setting, weights_dir=tmp_path)
    if setting in ("on", "step"):
        with pytest.raises(NotReady, match=f"{setting}, but .* no space left for the compiler; set it to off"):
            _use_kernels(networks, networks, frozenset(Family), settings, model=NANO)
    else:
        _use_kernels(networks, networks, frozenset(Family), settings, model=NANO)
        assert "do not run here" in caplog.text
    assert not networks.kernels
    assert read == [shared_folder(tmp_path)]
    networks = _Networks(torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(NotReady, match="illegal memory access"):
        _use_kernels(networks, networks, frozenset(Family), settings, model=NANO)


def test_an_engine_runs_the_kernels_that_its_measurement_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    networks: Any = _Networks()
    found = [frozenset({Family.STEP}), frozenset({Family.SOUND})]
    monkeypatch.setattr(parts, "_measured", {})
    monkeypatch.setattr(parts, "measure", lambda *_: found.pop(0))
    turbo = (CUDA, "turbo", "fast")
    for model, chosen in ((NANO, Family.STEP), (turbo, Family.SOUND), (NANO, Family.STEP)):  # that one loaded again
        _use_kernels(networks, networks, frozenset(Family), Settings(kernels="measure"), model=model)
        assert networks.kernels == networks.of_sound == {chosen}
    _use_kernels(networks, networks, frozenset(Family), Settings(kernels="on"), model=NANO)
    assert networks.kernels == networks.of_sound == set(Family)


def test_the_settings_reach_the_device_and_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(parts, "prepare", lambda _, threads, **more: given.update(more, threads=threads))
    monkeypatch.setattr(parts, "families", lambda *_: frozenset({Family.SOUND}))
    monkeypatch.setattr(parts, "_use_kernels", lambda _t3, _s3gen, chosen, *_, **__: given.update(kernels=chosen))
    settings = Settings(device="cpu", profile="int8", threads=3, cudnn_attention=True, graph_memory_share=0.25,
                        prepared_weights="off")  # fmt: skip
    parts.load_parts(find(LAYOUTS["nano"], weights_dir=checkpoint("nano"), offline=True), settings, None)
    assert given == {"threads": 3, "cudnn_attention": True, "graph_share": 0.25, "kernels": {Family.SOUND}}


@pytest.mark.parametrize(
    ("heads", "blocks", "splits"),
    [(32, 1, 1), (32, 4, 4), (32, 16, 8), (128, 8, 4), (512, 8, 1), (96, 8, 4), (1024, 8, 1)],
)
def test_a_head_is_split_while_there_are_few(heads: int, blocks: int, splits: int) -> None:
    assert operators._splits(heads, blocks) == splits

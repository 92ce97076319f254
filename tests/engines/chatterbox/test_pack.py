"""Packed weights: they change no bit, and whatever is wrong with the file, the model still loads."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox import pack as pack_module
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import needed
from chatterbox_worker.engines.chatterbox.checkpoint.read_ahead import read_ahead
from chatterbox_worker.engines.chatterbox.checkpoint.tensor_file import write_tensors
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.pack import (
    HeldWeights,
    Pack,
    add_draft,
    load_modules,
    load_with_pack,
    main,
    pack_of,
)
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.linear import Precision, precision_of
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint
from support.packs import ORIGINALS, found, fresh, tensors

EMOTION = "cond_enc.emotion_adv_fc.weight"
CPU, META = torch.device("cpu"), torch.device("meta")


def write_pack(model: str, folder: Path, profile: str = "exact") -> tuple[Checkpoint, Pack]:
    source = found(model, folder)
    pack = pack_of(source, profile, CPU)
    load_modules(source, profile, CPU, pack)
    assert pack.missing
    assert pack.save()
    return source, pack


def _steps(tensor: Tensor) -> list[int]:
    """The tensor's layout in memory: the strides of dimensions longer than 1."""
    return [stride for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]


@pytest.mark.parametrize(
    ("model", "profile"),
    [("turbo", "exact"), ("nano", "int8"), ("nano", "fast"), ("multilingual", "exact"), ("english", "int8")],
)
def test_a_pack_has_the_same_tensors_as_the_checkpoint_bit_for_bit(model: str, profile: str, tmp_path: Path) -> None:
    source, _ = write_pack(model, tmp_path / model, profile)
    again = pack_of(source, profile, CPU)
    theirs, ours = tensors(fresh(source, profile)), tensors(load_modules(source, profile, CPU, again))
    assert again.missing == 0
    assert len(ours) > 100
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype, name
        assert _steps(ours[name]) == _steps(tensor), name
        assert torch.equal(ours[name], tensor), name


@pytest.mark.parametrize(("profile", "precision"), [("int8", Precision.INT8_WEIGHTS), ("nf4", Precision.NF4)])
def test_small_weights_for_a_gpu_are_prepared_with_their_error(
    profile: str, precision: Precision, tmp_path: Path
) -> None:
    source = found("nano", tmp_path / "nano")
    pack = pack_of(source, profile, META)
    load_modules(source, profile, META, pack)
    assert pack.save()
    again = pack_of(source, profile, META)
    load_modules(source, profile, META, again)
    assert again.missing == 0
    with safe_open(pack.path, framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    built = T3(load_t3_state(source), precision=precision, device=CPU)
    names = [name for name in built.tensors if name in stored]  # those of the activations' type differ
    assert {name.partition(" ")[2] for name in names} > (
        {"nf4", "nf4 scale"} if profile == "nf4" else {"int8", "scale"}
    )
    assert all(torch.equal(stored[name], built.tensors[name]) for name in names if "head" not in name)
    assert {stored[name].dtype for name in stored if name.startswith("flow.")} <= {torch.float16, torch.float32}
    assert built.small_weights() is not None


def test_a_pack_for_a_gpu_is_written_without_one(tmp_path: Path) -> None:
    source = found("nano", tmp_path / "nano")
    pack = pack_of(source, "fast", META)
    load_modules(source, "fast", META, pack)
    assert pack.save()
    assert pack.path.name == "chatterbox-worker-nano-fast-cuda.safetensors"
    with safe_open(pack.path, framework="pt") as file:
        kinds = {name.partition(".")[0]: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert kinds["tfmr"] is torch.bfloat16
    assert kinds["flow"] in (torch.float16, torch.float32)
    assert kinds["mel2wav"] is torch.float32


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_format(path: Path) -> None:
    path.write_bytes(b"\xff" * 1000)


@pytest.mark.parametrize("harm", [_cut, _other_format, pytest.param(_empty, marks=pytest.mark.slow)])
def test_a_broken_pack_is_written_again(
    harm: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, pack = write_pack("nano", tmp_path / "nano")
    harm(pack.path)
    caplog.set_level(logging.WARNING)
    again = pack_of(source, "exact", CPU)
    load_modules(source, "exact", CPU, again)
    assert again.missing > 0
    assert "is written again" in caplog.text
    assert again.save()
    assert pack_of(source, "exact", CPU)("nothing", lambda: torch.ones(1)).item() == 1
    last = pack_of(source, "exact", CPU)
    load_modules(source, "exact", CPU, last)
    assert last.missing == 0


def test_a_pack_of_other_weights_is_not_used(tmp_path: Path) -> None:
    source, _ = write_pack("nano", tmp_path / "nano")
    t3 = source.path(source.layout.t3)
    t3.write_bytes(t3.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
    assert pack_of(found("nano", tmp_path / "nano"), "exact", CPU).missing == 0  # nothing requested yet
    changed = found("nano", tmp_path / "nano")
    assert changed.revision != source.revision
    again = pack_of(changed, "exact", CPU)
    load_modules(changed, "exact", CPU, again)
    assert again.missing > 100


def test_a_pack_of_another_version_of_the_engine_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = write_pack("nano", tmp_path / "nano")
    monkeypatch.setattr(pack_module, "_source_digest", lambda: "another")
    again = pack_of(source, "exact", CPU)
    load_modules(source, "exact", CPU, again)
    assert again.missing > 100


def test_a_checkpoint_that_lacks_a_tensor_is_not_ready(tmp_path: Path) -> None:
    source = found("english", tmp_path / "english")
    for name, tensor in ((source.layout.t3, "cond_enc.perceiver.attn.to_v.bias"), (source.layout.t3, EMOTION),
                         (source.layout.s3gen, "flow.encoder_proj.weight")):  # fmt: skip
        whole = load_file(source.path(name))
        save_file({each: value for each, value in whole.items() if each != tensor}, source.path(name))
        with pytest.raises(NotReady, match=f"lacks '{tensor}'"):
            fresh(source, "exact")
        save_file(whole, source.path(name))


@pytest.mark.parametrize(
    ("model", "profile", "device", "has_draft"),
    [("nano", "exact", CPU, True), ("nano", "int8", CPU, False), ("nano", "exact", META, False),
     ("flash", "exact", CPU, False)],
)  # fmt: skip
def test_only_exact_tokens_one_at_a_time_on_a_cpu_have_a_draft(
    model: str, profile: str, device: torch.device, has_draft: bool
) -> None:
    source = find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)
    t3 = T3(load_t3_state(source), precision=precision_of(profile, device), device=device)
    add_draft(t3, source)
    assert (t3.draft is not None) is has_draft


def open_pack(path: Path, **stamp: str) -> Pack:
    return Pack([path], stamp, save_to=path)


def test_a_pack_that_lacks_a_tensor_is_completed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    pack = open_pack(tmp_path / "pack.safetensors", a="b")
    pack("one", lambda: torch.ones(3))
    assert pack.save()
    more = open_pack(tmp_path / "pack.safetensors", a="b")
    assert more("one", lambda: torch.zeros(3)).tolist() == [1, 1, 1]
    more("two", lambda: torch.tensor([2, 2], dtype=torch.int8))
    assert more.missing == 1
    assert more.save()
    whole = open_pack(tmp_path / "pack.safetensors", a="b")
    assert whole("one", lambda: torch.zeros(3)).tolist() == [1, 1, 1]
    assert whole("two", lambda: torch.zeros(2, dtype=torch.int8)).tolist() == [2, 2]
    assert whole.missing == 0
    written = whole.path.stat()
    assert whole.save()
    assert whole.path.stat() == written, "a whole one is not written again"
    assert not caplog.text


def test_a_folder_that_cannot_be_written_to_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    pack = open_pack(tmp_path / "file" / "pack.safetensors")
    assert pack("one", lambda: torch.ones(3)).tolist() == [1, 1, 1]
    assert not pack.save()


def test_drafts_of_writers_that_died_are_deleted(tmp_path: Path) -> None:
    old, new = (tmp_path / f".pack.safetensors.{name}.draft" for name in ("0", "1"))
    other = tmp_path / ".notes.draft"  # the folder may be a user's own
    for draft in (old, new, other):
        draft.write_bytes(b"half")
    for draft in (old, other):
        os.utime(draft, (0, 0))
    pack = open_pack(tmp_path / "pack.safetensors")
    pack("one", lambda: torch.ones(3))
    assert pack.save()
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, new.name, "pack.safetensors"]


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.uint8, torch.bool]
)
def test_tensors_of_any_type_that_a_checkpoint_may_have_are_written(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.tensor([1, 0, 1]).to(dtype)
    write_tensors(tmp_path / "a.safetensors", {"a": tensor}, {})
    assert torch.equal(load_file(tmp_path / "a.safetensors")["a"], tensor)


def test_large_tensors_begin_on_cache_lines(tmp_path: Path) -> None:
    pack = open_pack(tmp_path / "pack.safetensors", note="x")
    for index, size in enumerate((3, 1024, 5, 512)):
        pack(f"{index}", torch.ones(size).clone)
    assert pack.save()
    read = open_pack(tmp_path / "pack.safetensors", note="x")
    offsets = [read(name, lambda: torch.zeros(1)).data_ptr() % 64 for name in ("1", "3")]
    assert offsets == [0, 0]


def test_the_command_writes_packs_that_the_next_start_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = found("nano", tmp_path / "nano")
    settings = Settings(models=("nano",), weights_dir=tmp_path, device="cpu", profile="int8")
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path))
    assert needed(source, settings) == [source.path(name) for name in ORIGINALS]
    assert main(["nano", "--profile", "int8", "exact"]) == 0
    for profile in ("int8", "exact"):
        pack = pack_of(source, profile, CPU)
        t3, _ = load_modules(source, profile, CPU, pack)
        add_draft(t3, source, pack)
        assert pack.missing == 0
    assert needed(source, settings) == [pack_of(source, "int8", CPU).path]
    assert all(path.is_file() for path in map(source.path, ORIGINALS))
    read_ahead(settings).join()


def test_kernels_are_compiled_with_the_pack_that_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, compiled = found("nano", tmp_path / "nano"), list[frozenset[Family]]()
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: object())
    monkeypatch.setattr(T3, "compile_kernels", lambda t3: compiled.append(t3.kernels))
    monkeypatch.setattr(S3Gen, "compile_kernels", lambda _, chosen: compiled.append(chosen))
    for profile, device in (("fast", META), ("exact", META), ("fast", CPU)):
        assert pack_module._prepare(source, [profile], device)
    assert compiled == [set(Family)] * 2


def test_the_draft_and_the_pack_follow_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, held = found("nano", tmp_path / "nano"), HeldWeights()

    def load(held: HeldWeights | None, prepared: str) -> T3:
        t3, _ = load_with_pack(source, "exact", CPU, graphs=False, prepared=prepared, held=held)
        for thread in threading.enumerate():
            if thread.name == "pack":
                thread.join()
        return t3

    assert load(None, "off").draft is not None
    assert load(held, "off").draft is not None
    assert any(name.startswith("tfmr.") and name.endswith("int8") for name in held.tensors)
    assert not list(source.folder.glob("*exact-cpu*"))
    monkeypatch.setattr(pack_module, "add_draft", lambda *_: 1 // 0)
    assert load(None, "beside").draft is None
    assert "speculative decoding is off, its draft model cannot be loaded: integer division" in caplog.text
    assert list(source.folder.glob("*exact-cpu*"))


# Where packs are written


@pytest.mark.parametrize("place", ["beside", "off", "folder"])
def test_a_pack_is_written_only_where_it_is_wanted(place: str, tmp_path: Path) -> None:
    source = found("nano", tmp_path / "nano")
    before, setting = set(tmp_path.rglob("*")), str(tmp_path / "a/store") if place == "folder" else place
    pack = pack_of(source, "int8", CPU, prepared=setting)
    load_modules(source, "int8", CPU, pack)
    assert pack.save() is (place != "off")
    written = {path.relative_to(tmp_path).as_posix() for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    name = "chatterbox-worker-nano-int8-cpu.safetensors"
    assert written == {"beside": {f"nano/{name}"}, "off": set(), "folder": {f"a/store/{name}"}}[place]
    if place != "off":
        again = pack_of(source, "int8", CPU, prepared=setting)
        load_modules(source, "int8", CPU, again)
        assert again.missing == 0
        assert again.path.stat().st_mode & 0o444 == 0o444  # another user may read it


def test_the_command_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["nano"])
    assert end.value.code == 1
    assert "no weights for nano" in capsys.readouterr().err

"""A model without its original files, as in an image: its packs have all that it needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from chatterbox_worker.engines.chatterbox import pack as pack_module
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import CPU_PROFILES, choose_profile
from chatterbox_worker.engines.chatterbox.checkpoint.remainder import s3gen_state
from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED
from chatterbox_worker.engines.chatterbox.pack import add_draft, load_modules, main, pack_of
from chatterbox_worker.engines.chatterbox.serving.adapter_pool import AdapterPool
from chatterbox_worker.errors import InvalidRequest, NotReady
from support.checkpoints import checkpoint
from support.fine_tuned import tiny_adapter
from support.packs import ORIGINALS, found, fresh, tensors

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    found("nano", folder / "nano")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHATTERBOX_WEIGHTS_DIR", str(folder))
        assert main(["nano", "--profile", "exact", "int8", "--replace"]) == 0
    return folder / "nano"


@pytest.fixture
def prepared(prepared_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """Nano with packs for exact and int8, and without its original files."""
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path))
    shutil.copytree(prepared_once, tmp_path / "nano")
    return found("nano", tmp_path / "nano")


@pytest.mark.parametrize("profile", ["exact", "int8"])
def test_without_its_originals_a_model_has_the_same_tensors(prepared: Checkpoint, profile: str, tmp_path: Path) -> None:
    whole = found("nano", tmp_path / "whole")
    assert prepared.is_prepared
    assert not whole.is_prepared
    assert prepared.revision == whole.revision  # so what was cached before stays valid
    assert not any((prepared.folder / name).exists() for name in ORIGINALS)
    pack = pack_of(prepared, profile, CPU, prepared="off")
    modules = load_modules(prepared, profile, CPU, pack)
    add_draft(modules[0], prepared, pack)
    theirs = fresh(whole, profile)
    add_draft(theirs[0], whole)
    ours, expected = tensors(modules), tensors(theirs)
    assert pack.missing == 0
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in expected.items())


def test_without_its_originals_a_model_encodes_references_as_before(prepared: Checkpoint, tmp_path: Path) -> None:
    parts = ("tokenizer.", "speaker_encoder.")
    ours, theirs = (s3gen_state(each, *parts) for each in (prepared, found("nano", tmp_path / "whole")))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_a_profile_that_was_not_prepared_says_what_there_is(prepared: Checkpoint) -> None:
    with pytest.raises(NotReady, match=r"exact-cpu.*int8-cpu.*CHATTERBOX_PROFILE.*ORIGINALS=1"):
        load_modules(prepared, "fast", CPU, pack_of(prepared, "fast", CPU, prepared="off"))


def test_without_its_originals_a_model_still_needs_its_other_files(prepared: Checkpoint) -> None:
    save_file({"a": torch.ones(1)}, prepared.remainder, {"revision": prepared.revision})
    with pytest.raises(NotReady, match=r"nano-remainder\.safetensors cannot be read"):
        s3gen_state(prepared)
    for name in ORIGINALS:  # as after a --replace that was killed before it deleted any
        shutil.copy(checkpoint("nano") / name, prepared.folder)
    assert not found("nano", prepared.folder).is_prepared
    prepared.path("ve.safetensors").unlink()
    with pytest.raises(NotReady, match=r"\(without ve\.safetensors\)"):
        found("nano", prepared.folder)


def test_a_t3_that_was_put_back_alone_is_not_ignored(prepared: Checkpoint) -> None:
    t3, s3gen = (prepared.folder / name for name in ORIGINALS)
    shutil.copy(checkpoint("nano") / t3.name, t3)
    with pytest.raises(NotReady, match=rf"has {t3.name}, and weights .* add {s3gen.name}, or delete {t3.name}"):
        found("nano", prepared.folder)
    t3.unlink()
    shutil.copy(checkpoint("nano") / s3gen.name, s3gen)  # as after a --replace that was killed in between
    assert found("nano", prepared.folder).is_prepared


def test_originals_are_kept_if_a_pack_was_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = found("nano", tmp_path / "nano")
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setattr(pack_module, "_prepare", lambda *_: False)
    kernels = list[Path]()
    monkeypatch.setattr(COMPILED, "write_to", kernels.append)
    assert main(["nano", "--replace"]) == 1
    assert all(path.is_file() for path in map(source.path, ORIGINALS))
    assert kernels == [tmp_path / "chatterbox-worker-kernels"]


def test_training_without_the_originals_says_how_to_keep_them(prepared: Checkpoint) -> None:
    with pytest.raises(NotReady, match=r"needs t3_nano_v1.safetensors.*--originals"):
        load_t3_state(prepared)


def test_a_fine_tuned_voice_without_the_originals_says_why_it_cannot_speak(prepared: Checkpoint) -> None:
    t3, _ = load_modules(prepared, "int8", CPU, pack_of(prepared, "int8", CPU))
    pool = AdapterPool(t3, prepared, lambda _: pytest.fail("nothing is built"), limit=1)
    with pytest.raises(InvalidRequest, match=r"original weights.*--originals"):
        pool.check(tiny_adapter("nano"))


def test_auto_takes_what_the_weights_are_prepared_for(prepared: Checkpoint) -> None:
    (prepared.folder / "chatterbox-worker-nano-exact-cpu.safetensors").unlink()
    assert {choose_profile("auto", "cpu", prepared, frozenset({flag})) for flag in CPU_PROFILES} == {"int8"}
    assert choose_profile("exact", "cpu", prepared) == "exact"  # asked for: an error when it is loaded
    assert choose_profile("auto", "cuda", prepared) == "fast"  # the same
    whole = find(LAYOUTS["nano"], weights_dir=checkpoint("nano"), offline=True)
    for flag, profiles in CPU_PROFILES.items():
        assert choose_profile("auto", "cpu", whole, frozenset({"sse", flag} - {""})) == profiles[0]
    assert choose_profile("auto", "cpu", whole) in next(iter(CPU_PROFILES.values()))
    for name in ORIGINALS:
        shutil.copy(checkpoint("nano") / name, prepared.folder)
    assert choose_profile("auto", "cpu", found("nano", prepared.folder), frozenset()) == "exact"  # int8 has a pack


def test_files_that_two_models_share_are_replaced_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path))
    shared = found("multilingual", tmp_path / "multilingual").path("s3gen.pt")
    shutil.copytree(checkpoint("multilingual-v2"), tmp_path / "multilingual-v2")
    (tmp_path / "multilingual-v2" / "s3gen.pt").unlink()
    (tmp_path / "multilingual-v2" / "s3gen.pt").symlink_to(shared)
    assert main(["multilingual", "multilingual-v2", "--profile", "int8", "--replace"]) == 0
    assert not list(tmp_path.rglob("s3gen.pt"))
    for model in ("multilingual", "multilingual-v2"):
        checkpoint_ = found(model, tmp_path / model)
        load_modules(checkpoint_, "int8", CPU, pack_of(checkpoint_, "int8", CPU, prepared="off"))

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint
from support.paths import ROOT

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40
ENGLISH, TURBO, PACK = LAYOUTS["english"], LAYOUTS["turbo"], LAYOUTS["pt-br"]


def find_in(layout: Layout, tmp_path: Path, **folders: Any) -> Checkpoint:
    """`find` with the given folders only, and no network."""
    defaults: dict[str, Any] = {
        "runpod_cache": tmp_path / "no-runpod",
        "hub_cache": tmp_path / "no-hub",
        "offline": True,
    }
    return find(layout, **(defaults | folders))


def pinned_to(layout: Layout, commit: str) -> Layout:
    return replace(layout, remote=replace(layout.remote, revision=commit))


def fill_hub_cache(
    cache: Path, layout: Layout, commit: str, *, ref: str | None = "main", names: tuple[str, ...] = ()
) -> Path:
    """Put the layout's files into a hub cache's snapshot, in the layout of the hub's library and RunPod."""
    folder = cache / f"models--{layout.remote.repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in names or layout.files:
        shutil.copy(checkpoint(layout.name) / name, snapshot / name)
    if ref:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / ref).write_text(commit + "\n")
    return snapshot


def test_the_digest_of_t3_depends_on_its_file_only(tmp_path: Path) -> None:
    shutil.copytree(checkpoint("english"), tmp_path / "weights")
    (tmp_path / "weights" / "conds.pt").write_bytes(b"")
    copied = Checkpoint(ENGLISH, tmp_path, {ENGLISH.t3: tmp_path / "weights" / ENGLISH.t3}, "another")
    fill_hub_cache(tmp_path / "hub", ENGLISH, COMMIT)
    found = find_in(ENGLISH, tmp_path, hub_cache=tmp_path / "hub")

    assert found.t3_digest == copied.t3_digest
    with (tmp_path / "weights" / ENGLISH.t3).open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"diff")
    assert found.t3_digest != copied.t3_digest


@pytest.mark.parametrize("inside", ["english", "chatterbox", "."])
def test_a_local_folder_is_found_by_model_by_repository_or_as_it_is(inside: str, tmp_path: Path) -> None:
    shutil.copytree(checkpoint("english"), tmp_path / "weights" / inside, dirs_exist_ok=True)
    found = find_in(ENGLISH, tmp_path, weights_dir=tmp_path / "weights")
    assert found.folder == (tmp_path / "weights" / inside)
    assert set(found.files) == set(ENGLISH.files)
    assert found.revision.startswith("local-")
    assert found.path("tokenizer.json").is_file()
    with pytest.raises(NotReady, match=r"the english checkpoint in .* has no Cangjie5_TC\.json"):
        found.path("Cangjie5_TC.json")


def test_folders_are_searched_in_order_and_the_revision_is_the_one_that_was_found(tmp_path: Path) -> None:
    runpod, hub, weights = tmp_path / "runpod", tmp_path / "hub", tmp_path / "weights"
    fill_hub_cache(hub, ENGLISH, ENGLISH.remote.revision, ref=None)
    folders = {"weights_dir": weights, "runpod_cache": runpod, "hub_cache": hub}
    assert find_in(ENGLISH, tmp_path, **folders).folder.is_relative_to(hub)
    pinned = find_in(ENGLISH, tmp_path, **folders, offline=False)  # what is pinned and here is not downloaded
    assert pinned.revision == ENGLISH.remote.revision[:12]
    incomplete = fill_hub_cache(runpod, ENGLISH, COMMIT)
    (incomplete / "conds.pt").unlink()
    assert find_in(ENGLISH, tmp_path, **folders).folder.is_relative_to(hub)
    for ref in (b"", b"\xff\xfe"):  # half written
        (incomplete.parent.parent / "refs/main").write_bytes(ref)
        assert find_in(ENGLISH, tmp_path, **folders).folder.is_relative_to(hub)
    with pytest.raises(NotReady, match=r"without conds\.pt"):
        find_in(pinned_to(ENGLISH, COMMIT), tmp_path, runpod_cache=runpod)
    shutil.rmtree(runpod)
    fill_hub_cache(runpod, ENGLISH, COMMIT)  # RunPod fetched another commit: it is used, and reported as what it is
    assert find_in(ENGLISH, tmp_path, **folders).folder.is_relative_to(runpod)
    assert find_in(ENGLISH, tmp_path, **folders).revision == COMMIT[:12]
    shutil.copytree(checkpoint("english"), weights)
    assert find_in(ENGLISH, tmp_path, **folders).folder == weights


def test_the_pinned_snapshot_wins_over_the_one_that_main_names(tmp_path: Path) -> None:
    fill_hub_cache(tmp_path, TURBO, OTHER)
    fill_hub_cache(tmp_path, TURBO, TURBO.remote.revision, ref=None)
    assert find_in(TURBO, tmp_path, runpod_cache=tmp_path).revision == TURBO.remote.revision[:12]
    assert find_in(pinned_to(TURBO, OTHER), tmp_path, runpod_cache=tmp_path).revision == OTHER[:12]


def test_a_pack_uses_files_of_the_base_model_from_any_folder(tmp_path: Path) -> None:
    own = tuple(name for name in PACK.required if name not in PACK.from_base)
    fill_hub_cache(tmp_path / "hub", PACK, PACK.remote.revision, ref=None, names=own)
    with pytest.raises(NotReady, match=r"ve\.pt, conds\.pt of ResembleAI/chatterbox"):
        find_in(PACK, tmp_path, hub_cache=tmp_path / "hub")
    base = LAYOUTS["multilingual"]
    fill_hub_cache(tmp_path / "runpod", base, COMMIT)
    found = find_in(PACK, tmp_path, hub_cache=tmp_path / "hub", runpod_cache=tmp_path / "runpod")
    assert found.path("ve.pt").is_relative_to(tmp_path / "runpod")
    assert found.path(PACK.t3).is_relative_to(tmp_path / "hub")
    assert found.folder == found.path(PACK.t3).parent
    assert found.revision == f"{PACK.remote.revision[:12]}+{COMMIT[:12]}"
    shutil.copytree(checkpoint("pt-br"), tmp_path / "weights" / "pt-br")
    alone = find_in(PACK, tmp_path, weights_dir=tmp_path / "weights")
    assert {path.parent for path in alone.files.values()} == {tmp_path / "weights" / "pt-br"}
    assert set(alone.files) >= set(PACK.required)


def test_missing_weights_are_reported_with_every_folder_and_what_it_lacked(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(checkpoint("turbo"), weights / "turbo")
    for name in ("t3_turbo_v1.safetensors", "vocab.json", "conds.pt"):
        (weights / "turbo" / name).unlink()
    with pytest.raises(NotReady) as refusal:
        find_in(TURBO, tmp_path, weights_dir=weights)
    message = refusal.value.message
    assert f"{weights / 'turbo'} (without t3_turbo_v1.safetensors, vocab.json, conds.pt)" in message
    assert f"{weights / 'chatterbox-turbo'} (no such folder)" in message
    assert str(tmp_path / "no-runpod" / "models--ResembleAI--chatterbox-turbo") in message
    assert str(tmp_path / "no-hub" / "models--ResembleAI--chatterbox-turbo") in message
    assert "downloads are switched off" in message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def corrupt_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_lfs_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")


def write_header(path: Path, header: object) -> Path:
    """A safetensors file with this header and four bytes of tensors."""
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(4))
    return path


@pytest.mark.parametrize("end", ["4", None, 4.0, [4]])
def test_a_header_whose_offsets_are_no_numbers_is_corrupt(end: object, tmp_path: Path) -> None:
    header = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, end]}}
    with pytest.raises(NotReady, match="its header is not that of a safetensors file"):
        check_file(write_header(tmp_path / "a.safetensors", header))


def test_a_file_without_tensors_is_whole_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    check_file(path)
    path.write_bytes((3).to_bytes(8, "little") + b"{}")
    with pytest.raises(NotReady, match=r"is truncated \(10 bytes\): it ends within its header"):
        check_file(path)
    with pytest.raises(NotReady, match=f"the weights file {tmp_path} cannot be read: Is a directory"):
        check_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "damage", "because"),
    [
        ("ve.safetensors", truncate, "truncated or corrupt"),
        ("ve.safetensors", corrupt_header, "within its header"),
        ("ve.safetensors", empty, "is empty"),
        ("t3_cfg.safetensors", replace_by_lfs_pointer, "Git LFS pointer"),
        ("conds.pt", truncate, "truncated"),
        ("tokenizer.json", truncate, "not JSON"),
    ],
)
def test_a_damaged_file_is_named_before_anything_is_loaded(
    name: str, damage: Any, because: str, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint("english"), tmp_path / "it")
    damage(tmp_path / "it" / name)
    with pytest.raises(NotReady, match=because) as refusal:
        find_in(ENGLISH, tmp_path, weights_dir=tmp_path / "it")
    assert str(tmp_path / "it" / name) in refusal.value.message


def test_other_weights_of_the_same_shape_have_another_revision(tmp_path: Path) -> None:
    for name in ("first", "again", "other"):
        shutil.copytree(checkpoint("english"), tmp_path / name)
    tuned = tmp_path / "other" / ENGLISH.t3
    content = bytearray(tuned.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    tuned.write_bytes(content)
    first, again, other = (
        find_in(ENGLISH, tmp_path, weights_dir=tmp_path / name).revision for name in ("first", "again", "other")
    )
    assert first == again != other


def test_a_download_asks_for_the_pinned_commit_and_these_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub

    caplog.set_level(logging.INFO)
    arguments: dict[str, Any] = {}
    names = TURBO.files

    def download(repo: str, **given: Any) -> str:
        arguments.update(given, repo=repo)
        return str(fill_hub_cache(given["cache_dir"], TURBO, given["revision"], ref=None, names=names))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    fill_hub_cache(tmp_path, TURBO, OTHER)  # the pinned snapshot is fetched although there is an older one
    found = find_in(TURBO, tmp_path, hub_cache=tmp_path, offline=False)
    assert arguments == {
        "repo": TURBO.remote.repo,
        "revision": TURBO.remote.revision,
        "cache_dir": tmp_path,
        "allow_patterns": list(TURBO.files),
    }
    assert found.revision == TURBO.remote.revision[:12]
    (sentence,) = caplog.messages
    assert "t3_turbo_v1.safetensors" in sentence
    names = TURBO.files[:2]
    with pytest.raises(NotReady, match=r"\(without ve\.safetensors.*; the hub's repository lacks them"):
        find_in(TURBO, tmp_path, hub_cache=tmp_path / "few", offline=False)


@pytest.mark.parametrize("error", [OSError("no network"), ValueError("cannot find it"), ConnectionError("no network")])
def test_a_download_that_fails_is_not_ready_and_names_the_reason(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def download(repo: str, **given: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(NotReady, match=f"the download failed: {error}.*"):
        find_in(TURBO, tmp_path, offline=False)


def test_looking_for_weights_imports_no_model_stack() -> None:
    code = (
        "import sys; sys.path[:0] = ['src']\n"
        "import chatterbox_worker.engines.chatterbox.checkpoint.locate\n"
        "print(sorted({'torch', 'numpy', 'transformers', 'huggingface_hub', 'safetensors'} & set(sys.modules)))"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        == "[]\n"
    )


def test_tensors_come_back_as_stored_and_only_those_asked_for() -> None:
    import torch

    from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import (
        load_s3gen_state,
        load_t3_state,
        load_voice_encoder_state,
    )

    for model in ("turbo", "multilingual"):  # safetensors and .pt
        found = find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)
        assert load_t3_state(found)["speech_emb.weight"].shape[0] == LAYOUTS[model].speech_vocab
        vocoder = load_s3gen_state(found, "mel2wav.")
        assert vocoder
        assert all(name.startswith("mel2wav.") for name in vocoder)
        everything = load_s3gen_state(found)
        assert {name.partition(".")[0] for name in everything} == {"flow", "mel2wav", "speaker_encoder", "tokenizer"}
        name = next(iter(vocoder))
        assert torch.equal(vocoder[name], everything[name])
        assert "proj.weight" in load_voice_encoder_state(found)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    import torch

    from chatterbox_worker.engines.chatterbox.reference.conditioning import load_default_conditionals

    shutil.copytree(checkpoint("english"), tmp_path / "it")
    torch.save({"t3": Path("/tmp"), "gen": {}}, tmp_path / "it" / "conds.pt")  # noqa: S108 - any object at all
    found = find(ENGLISH, weights_dir=tmp_path / "it", offline=True)
    with pytest.raises(NotReady, match=r"conds\.pt cannot be read"):
        load_default_conditionals(found)
    torch.save({"other": 1}, tmp_path / "it" / "conds.pt")
    with pytest.raises(NotReady, match="no built-in voice"):
        load_default_conditionals(found)
    whole = (checkpoint("english") / "conds.pt").read_bytes()
    for part, damaged in ((b"torch._utils", b"torch.\xffutils"), (b"collections\n", b"collectionsX"), (b"}q", b"})")):
        assert part in whole
        (tmp_path / "it" / "conds.pt").write_bytes(whole.replace(part, damaged))  # torch checks no sums
        with pytest.raises(NotReady, match=r"conds\.pt cannot be read"):
            load_default_conditionals(found)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_training_checkpoint_is_unwrapped(is_zip: bool, tmp_path: Path) -> None:
    import torch

    from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_voice_encoder_state

    path = tmp_path / "ve.pt"
    state = {"lstm.weight_ih_l0": torch.ones(1), "proj.bias": torch.ones(3)}
    torch.save({"model": [state]}, path, _use_new_zipfile_serialization=is_zip)
    check_file(path)
    layout = LAYOUTS["multilingual"]
    assert torch.equal(
        load_voice_encoder_state(Checkpoint(layout, tmp_path, {"ve.pt": path}, "x"))["proj.bias"], torch.ones(3)
    )


def test_quantized_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_voice_encoder_state

    found = Checkpoint(ENGLISH, tmp_path, {ENGLISH.voice_encoder: tmp_path / "ve.safetensors"}, "x")
    save_file({"proj.weight": torch.ones(1, 2, dtype=torch.int8)}, tmp_path / "ve.safetensors")
    with pytest.raises(
        NotReady, match=r"ve\.safetensors has proj\.weight in torch\.int8: weights that another program"
    ):
        load_voice_encoder_state(found)
    counts = {"tracked": torch.ones(1, dtype=torch.int64), "proj.weight": torch.ones(1, 2, dtype=torch.float16)}
    save_file(counts, tmp_path / "ve.safetensors")
    assert load_voice_encoder_state(found).keys() == counts.keys()
    write_header(tmp_path / "ve.safetensors", {"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}})
    with pytest.raises(NotReady, match=r"ve\.safetensors cannot be read"):
        load_voice_encoder_state(found)

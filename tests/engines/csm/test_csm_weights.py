"""Where CSM's files are searched for, and the errors when they are missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chatterbox_worker import config
from chatterbox_worker.engines.chatterbox.checkpoint import locate
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.engines.csm.weights import DEFAULT_REPO, find
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint
from tools.image.hub import Repository, serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that the test may damage."""
    return Path(shutil.copytree(checkpoint("csm"), tmp_path / "weights" / "csm"))


def look(weights_dir: Path | None, repo: str = DEFAULT_REPO) -> Path:
    return find(repo, weights_dir=weights_dir, offline=True).folder


@pytest.mark.parametrize("name", ["csm", "csm-1b", "."])
def test_a_folder_may_hold_the_files_or_a_folder_of_them(tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(checkpoint("csm"), tmp_path / "weights" / name, dirs_exist_ok=True)).resolve()

    assert look(tmp_path / "weights").resolve() == copy


def test_another_repository_has_its_own_folder(tmp_path: Path) -> None:
    shutil.copytree(checkpoint("csm"), tmp_path / "my-csm")

    assert look(tmp_path, "someone/my-csm@v2") == tmp_path / "my-csm"
    with pytest.raises(NotReady, match="sesame/csm-1b"):
        look(tmp_path)


def test_the_file_that_config_names_is_used_and_not_the_other_format_next_to_it(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"Sesame's own format, which is not read")

    assert look(folder.parent) == folder


def test_a_single_weights_file_is_enough(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}
    for path in folder.glob("transformers*"):
        path.unlink()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    del config["transformers_weights"]
    (folder / "config.json").write_text(json.dumps(config))

    found = find(DEFAULT_REPO, weights_dir=folder, offline=True)
    assert Csm.load(found.folder, torch.device("cpu"), torch.float32).codebooks == 6
    assert set(found.tensors) == {"model.safetensors"}
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = {"weight_map": dict.fromkeys(tensors, "part.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert set(find(DEFAULT_REPO, weights_dir=folder, offline=True).tensors) == {"part.safetensors"}


@pytest.mark.parametrize(("repo", "revision"), [("a/b@v2", "v2"), ("a/b", "main"), (f"{DEFAULT_REPO}@v2", "v2")])
def test_the_revision_of_the_setting_is_looked_for(
    repo: str, revision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "RUNPOD_CACHE", tmp_path / "none")
    monkeypatch.setattr(locate, "library_cache", lambda: tmp_path)
    folder = tmp_path / f"models--{repo.partition('@')[0].replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    shutil.copytree(checkpoint("csm"), folder / "snapshots/0123")
    shutil.copytree(checkpoint("csm"), folder / "snapshots/4567")
    for name, commit in (("main", "4567"), (revision, "0123")):
        (folder / "refs" / name).write_text(commit)
    assert look(None, repo) == folder / "snapshots/0123"


def test_other_weights_have_another_revision(folder: Path) -> None:
    before = find(DEFAULT_REPO, weights_dir=folder, offline=True).revision
    path = folder / "transformers-00002-of-00002.safetensors"
    data = bytearray(path.read_bytes())
    data[-4:] = b"\x01\x02\x03\x04"
    path.write_bytes(data)

    assert find(DEFAULT_REPO, weights_dir=folder, offline=True).revision != before


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("transformers-00002-of-00002.safetensors", b"", "is empty"),
        ("transformers-00001-of-00002.safetensors", b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        ("transformers-00002-of-00002.safetensors", None, "transformers-00002-of-00002.safetensors"),
        ("config.json", b'{"model_type": "llama"}', "not csm"),
        ("config.json", b'{"model_type": "csm", "transformers_weights": "../../weights.pt"}', "same folder"),
        ("config.json", b"{", "not JSON"),
        ("config.json", b"[]", "not a JSON object"),
        ("config.json", b'{"model_type": "csm", "transformers_weights": 5}', "names 5 as a weights file"),
        ("transformers.safetensors.index.json", b"{}", "lists no tensors"),
        ("transformers.safetensors.index.json", b'{"weight_map": {}}', "lists no tensors"),
        ("transformers.safetensors.index.json", b'{"weight_map": ["a"]}', "lists no tensors"),
        ("transformers.safetensors.index.json", b'{"weight_map": {"a": "a.bin"}}', "names 'a.bin' as a weights file"),
        ("transformers.safetensors.index.json", b'{"weight_map": {"a": "../a.safetensors"}}', "in the same folder"),
        ("transformers.safetensors.index.json", b'{"weight_map": {"a": "b.safetensors"}}', r"without b\.safetensors"),
        ("tokenizer.json", None, "tokenizer.json"),
    ],
)
def test_a_missing_or_broken_file_is_named(folder: Path, name: str, content: bytes | None, sentence: str) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)

    with pytest.raises(NotReady, match=sentence):
        look(folder)


def test_a_checkpoint_that_lacks_tensors_is_not_loaded(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in folder.glob("transformers-*.safetensors"):
        tensors = {name: tensor for name, tensor in load_file(path).items() if "codec_model.decoder." not in name}
        save_file(tensors, path, metadata={"format": "pt"})

    with pytest.raises(NotReady, match=r"lacks \d+ tensors, codec_model\.decoder\."):
        Csm.load(folder, torch.device("cpu"), torch.float32)


def test_an_invalid_tokenizer_is_not_loaded(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": "none"}')

    with pytest.raises(NotReady, match="cannot be loaded"):
        Csm.load(folder, torch.device("cpu"), torch.float32)


_DOWNLOAD = """
from chatterbox_worker.engines.csm.weights import DEFAULT_REPO, find
from chatterbox_worker.errors import NotReady
try:
    print(find(DEFAULT_REPO, weights_dir=None, offline=False).folder)
except NotReady as error:
    print(error.message)
"""


def test_only_the_needed_files_are_downloaded_from_the_hub(folder: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "ckpt.pt"):
        (folder / name).write_bytes(b"12 GB that are not needed")
    files = {path.name: path for path in folder.iterdir()}
    commit = "c92a71e1c419772e25be7dc14d952c2521a740ab"

    def download(url: str, home: str, **variables: str) -> str:
        env = config.environment() | {
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path / home),
            "HF_HUB_OFFLINE": "0",
            **variables,
        }
        done = subprocess.run([sys.executable, "-c", _DOWNLOAD], env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with serve({DEFAULT_REPO: Repository(commit, files)}, token="hf_secret") as hub:
        refused = download(hub.url, "without-token")
        snapshot = Path(download(hub.url, "with-token", HF_TOKEN="hf_secret"))

    assert refused.startswith("no weights for csm: config.json, tokenizer.json")
    assert "the download failed" in refused
    assert snapshot.name == commit
    assert {path.name for path in snapshot.iterdir()} == set(files) - {"model.safetensors", "ckpt.pt"}

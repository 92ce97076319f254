"""The fake hub, used through the hub's own library; the bake step, run as in the image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors.numpy import save_file

from chatterbox_worker.custom_models import parse_custom_models
from chatterbox_worker.engines.chatterbox.checkpoint.custom import find_custom
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from support.hub_files import write_files
from support.image_recipe import read
from support.paths import ROOT
from tools.image.hub import Repository, repositories, serve

TURBO = LAYOUTS["turbo"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for model in ("multilingual", "multilingual-v2", "turbo", "pt-br", "zh-cmn"):
        write_files(tmp_path / "hub", model)
    (tmp_path / "hub/multilingual-v2/s3gen.pt").write_bytes((tmp_path / "hub/multilingual/s3gen.pt").read_bytes())
    return tmp_path / "hub"


def test_a_pinned_snapshot_is_downloaded_completely(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder)) as hub:
        snapshot = Path(
            snapshot_download(
                TURBO.remote.repo, revision=TURBO.remote.revision, cache_dir=tmp_path / "cache", endpoint=hub.url
            )
        )
    assert snapshot.name == TURBO.remote.revision
    for name in TURBO.files:
        assert (snapshot / name).read_bytes() == (folder / "turbo" / name).read_bytes()


def test_a_moving_revision_is_resolved_to_a_commit(folder: Path, tmp_path: Path) -> None:
    pack = LAYOUTS["zh-cmn"]
    assert pack.remote.revision == "main"
    with serve(repositories(folder)) as hub:
        commit = HfApi(endpoint=hub.url).model_info(pack.remote.repo).sha
        snapshot = Path(snapshot_download(pack.remote.repo, cache_dir=tmp_path / "cache", endpoint=hub.url))
    assert snapshot.name == commit
    assert len(snapshot.name) == 40


def test_an_interrupted_download_resumes(tmp_path: Path) -> None:
    write_files(tmp_path / "hub", "turbo")
    (tmp_path / "hub/turbo/vocab.json").write_bytes(bytes(range(256)) * 40)
    with serve(repositories(tmp_path / "hub")) as hub:
        fetch = partial(hf_hub_download, TURBO.remote.repo, "vocab.json", endpoint=hub.url)
        whole = Path(fetch(local_dir=tmp_path / "whole"))
        etag = next((tmp_path / "whole/.cache").rglob("vocab.json.metadata")).read_text().split()[1]
        cache = tmp_path / "cache"
        blobs = cache / f"models--{TURBO.remote.repo.replace('/', '--')}" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / f"{etag}.incomplete").write_bytes(whole.read_bytes()[:1000])
        assert Path(fetch(cache_dir=cache)).read_bytes() == whole.read_bytes()


def test_missing_repositories_and_revisions_raise_the_hubs_errors(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder)) as hub:
        api = HfApi(endpoint=hub.url)
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("ResembleAI/none")
        with pytest.raises(RevisionNotFoundError):
            api.model_info(TURBO.remote.repo, revision="f" * 40)


def test_a_hub_with_a_token_refuses_requests_without_it(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder), token="hf_secret") as hub:
        with pytest.raises(GatedRepoError):
            HfApi(endpoint=hub.url, token=False).model_info(TURBO.remote.repo)
        assert HfApi(endpoint=hub.url, token="hf_secret").model_info(TURBO.remote.repo).sha == TURBO.remote.revision


# The bake step


def bake_folder(tmp_path: Path) -> Path:
    """A folder with the files that the Dockerfile's bake stage copies, and nothing else of the project."""
    home = tmp_path / "bake"
    for sources, destination in read().stages["bake"].copies:
        (home / destination).mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copy(ROOT / source, home / destination)
    return home


def run_bake(tmp_path: Path, hub_url: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it as the image does, with the word model's server unreachable."""
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HOME": str(tmp_path)}
    nowhere = {"https_proxy": "http://127.0.0.1:9", "PKUSEG_HOME": str(tmp_path / "weights/pkuseg")}
    return subprocess.run(
        [sys.executable, "bake.py", str(tmp_path / "weights"), *arguments],
        cwd=bake_folder(tmp_path),
        env={"PATH": os.environ["PATH"], "HF_ENDPOINT": hub_url, **quiet, **nowhere, **env},  # noqa: TID251 - a child needs its PATH
        capture_output=True,
        text=True,
        check=False,
    )


def test_baked_weights_are_plain_files_and_are_found_offline(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder)) as hub:
        done = run_bake(tmp_path, hub.url, "--models", "multilingual, turbo", "--packs", "pt-br")
    assert done.returncode == 0, done.stderr
    assert f"turbo: {TURBO.remote.repo}@{TURBO.remote.revision[:12]}, 7 files" in done.stderr
    weights = tmp_path / "weights"
    assert sorted(path.name for path in weights.iterdir() if not path.name.startswith("pkuseg")) == [
        "multilingual", "pt-br", "turbo",
    ]  # fmt: skip
    weights.rename(tmp_path / "elsewhere")  # as a COPY would
    for model in ("multilingual", "turbo", "pt-br"):
        found = find(
            LAYOUTS[model], weights_dir=tmp_path / "elsewhere", hub_cache=tmp_path / "none", offline=True,
            runpod_cache=tmp_path / "none",
        )  # fmt: skip
        assert set(found.files) == set(LAYOUTS[model].files)
        assert all(path.read_bytes() for path in found.files.values())
    turbo = tmp_path / "elsewhere/turbo/conds.pt"
    assert not turbo.is_symlink()
    assert turbo.stat().st_mode & 0o777 == 0o644


def test_a_fine_tuned_model_is_baked_next_to_the_others(folder: Path, tmp_path: Path) -> None:
    home, commit = tmp_path / "own", "a" * 40
    (home / "old").mkdir(parents=True)
    shapes = {"tfmr.ln_f.weight": (1,), "speech_head.weight": (6563, 1), "text_emb.weight": (50276, 1),
              "speech_emb.weight": (1, 1)}  # fmt: skip
    save_file({name: np.zeros(shape, np.int8) for name, shape in shapes.items()}, home / "tuned.safetensors")
    shutil.copy(home / "tuned.safetensors", home / "old")
    (home / "optimizer.pt").write_bytes(b"not wanted")
    own = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    text = f"mine=owner/repo@{commit}:turbo"
    with serve({**repositories(folder), "owner/repo": Repository(commit, own)}) as hub:
        done = run_bake(tmp_path, hub.url, "--models", "turbo mine", "--custom", text)
        assert done.returncode == 0, done.stderr
        assert not any("old/" in request or "optimizer" in request for request in hub.requests if "resolve" in request)
    weights = tmp_path / "weights"
    assert sorted(path.name for path in weights.iterdir()) == ["mine", "turbo"]
    assert (weights / "mine/s3gen_meanflow.safetensors").readlink() == Path("../turbo/s3gen_meanflow.safetensors")
    (model,) = parse_custom_models(text)
    found = find_custom(model, weights_dir=weights, runpod_cache=tmp_path / "none", hub_cache=tmp_path / "none")
    assert found.path(found.layout.t3) == weights / "mine/tuned.safetensors"
    refused = run_bake(tmp_path / "again", "http://127.0.0.1:9", "--custom", "mine=/weights/mine:turbo")
    assert "/weights/mine of mine is not on the hub" in refused.stderr


def test_a_file_that_two_models_share_is_stored_once(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder)) as hub:
        done = run_bake(tmp_path, hub.url, "--models", "multilingual multilingual-v2")
        assert done.returncode == 0, done.stderr
        assert sum(request.startswith("GET") and request.endswith("/s3gen.pt") for request in hub.requests) == 1
    second = tmp_path / "weights/multilingual-v2"
    assert [path.name for path in second.iterdir() if not path.is_symlink()] == ["t3_mtl23ls_v2.safetensors"]
    assert (second / "s3gen.pt").readlink() == Path("../multilingual/s3gen.pt")


def test_a_build_without_the_chinese_word_model_warns_and_continues(folder: Path, tmp_path: Path) -> None:
    with serve(repositories(folder)) as hub:
        done = run_bake(tmp_path, hub.url, "--models", "multilingual")
    assert done.returncode == 0
    assert "the image has no Chinese word model" in done.stderr


def test_no_models_leave_an_empty_folder(tmp_path: Path) -> None:
    done = run_bake(tmp_path, "http://127.0.0.1:9", "--models", "", "--packs", "")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_token_in_the_secrets_file_is_sent_to_the_hub(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_secret\n")
    with serve(repositories(folder), token="hf_secret") as hub:
        assert run_bake(tmp_path, hub.url, "--models", "turbo").returncode == 1
        done = run_bake(tmp_path, hub.url, "--models", "turbo", HF_TOKEN_PATH=str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("models", "message"),
    [("turbot", "'turbot' has no weights; known are"), ("nano", "no weights for nano"), ("preview", "has no weights")],
)
def test_a_build_without_its_weights_fails_with_the_reason(
    models: str, message: str, folder: Path, tmp_path: Path
) -> None:
    with serve(repositories(folder)) as hub:
        done = run_bake(tmp_path, hub.url, "--models", models)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr

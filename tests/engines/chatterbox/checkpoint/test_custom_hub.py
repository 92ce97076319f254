"""Custom models from repositories of the hub: what is downloaded, what is cached, and what of it is served."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.errors import NotReady
from support.checkpoints import checkpoint
from support.community import Find, entry


@dataclass(frozen=True)
class Card:
    """What a public repository of the hub lists, and what of it is served."""

    entry: str
    """The family and the languages."""
    files: Mapping[str, str]
    """From each path to the part of that family with its content; others are no weights."""
    from_base: tuple[str, ...]


WHOLE = {
    name: name for name in ("ve.safetensors", "t3_cfg.safetensors", "s3gen.safetensors", "tokenizer.json", "conds.pt")
}
MULTILINGUAL = ("ve.pt", "s3gen.pt", "conds.pt", "grapheme_mtl_merged_expanded_v1.json")
CARDS: Mapping[str, Card] = {
    "akhbar/chatterbox-tts-norwegian": Card("english:no", {**WHOLE, "README.md": ""}, ()),
    "Thomcles/Chatterbox-TTS-French": Card(
        "english:fr", {"t3_cfg.safetensors": "t3_cfg.safetensors"},
        ("s3gen.safetensors", "ve.safetensors", "tokenizer.json", "conds.pt"),
    ),
    "Thomcles/Chatterbox-TTS-Persian-Farsi": Card(
        "multilingual:ar", {"t3_fa.safetensors": LAYOUTS["multilingual"].t3}, MULTILINGUAL
    ),
    "CoRal-project/tts-base": Card(
        "multilingual-v2:da",
        {name: name for name in ("t3_mtl23ls_v2.safetensors", *MULTILINGUAL, "Cangjie5_TC.json")},
        (),
    ),
    "niobures/Chatterbox-TTS/ko": Card(
        "english:ko", {"ko/t3_cfg.safetensors": "t3_cfg.safetensors", "ko/tokenizer_en_ko.json": "tokenizer.json",
                       "ja/t3_cfg.safetensors": "t3_cfg.safetensors"},
        ("s3gen.safetensors", "ve.safetensors", "conds.pt"),
    ),
    "niobures/Chatterbox-TTS/it,en": Card(
        "english:it+en", {"it,en/chatterbox_italian_final.pt": "t3_cfg.safetensors", "it,en/config.json": ""},
        ("s3gen.safetensors", "ve.safetensors", "tokenizer.json", "conds.pt"),
    ),
}  # fmt: skip
"""By the place that the setting names: lists of files as programs that download them have them."""


@pytest.mark.parametrize("place", CARDS)
def test_repositories_with_the_files_of_public_ones_are_served(find: Find, tmp_path: Path, place: str) -> None:
    card = CARDS[place]
    family = card.entry.partition(":")[0]
    owner, repo, *inside = place.split("/")
    snapshot = tmp_path / f"runpod/models--{owner}--{repo}/snapshots" / ("a" * 40)
    for name, part in card.files.items():
        path = snapshot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not part:
            path.write_text("{}")
        elif path.suffix == ".pt" and part.endswith(".safetensors"):
            torch.save(load_file(checkpoint(family) / part), path)
        else:
            path.symlink_to(checkpoint(family) / part)
    found = find(f"mine={place}@{'a' * 40}:{card.entry}")
    own = {name for name, path in found.files.items() if snapshot in path.parents}
    assert own == {
        Path(name).name for name, part in card.files.items() if part and Path(name).parts[:-1] == tuple(inside)
    }
    assert set(found.files) - own == set(card.from_base)
    assert set(load_t3_state(found)) == set(load_file(checkpoint(family) / LAYOUTS[family].t3))


@pytest.mark.parametrize(
    ("inside", "fetched"),
    [
        ("", {"t3.safetensors", "ve.safetensors", "merges.txt", "config.json", "t3.pt"}),
        ("/de", {"de/t3.safetensors", "de/ve.safetensors"}),
        ("/de/t3.safetensors", {"de/t3.safetensors", "de/ve.safetensors"}),
        ("/t3.pt", {"t3.pt", "ve.safetensors", "merges.txt", "config.json"}),
    ],
)
def test_a_download_fetches_only_what_is_looked_at(
    find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, fetched: set[str]
) -> None:
    import huggingface_hub
    from huggingface_hub.utils._paths import filter_repo_objects

    published = [f"{folder}{name}" for folder in ("", "de/") for name in ("t3.safetensors", "ve.safetensors")]
    published += ["t3.pt", "merges.txt", "config.json", "README.md", "wave.wav", "optimizer.pt", "de/scheduler.pt"]
    asked: dict[str, object] = {}

    def download(repo: str, **given: Any) -> str:
        asked.update(repo=repo, revision=given["revision"], cache=given["cache_dir"], offline=given["local_files_only"])
        patterns = {name: given[name] for name in ("allow_patterns", "ignore_patterns")}
        for name in filter_repo_objects(published, **patterns):
            path = tmp_path / "hub/snapshot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".safetensors":
                part = "ve" if path.stem == "ve" else "t3_cfg"
                path.symlink_to(checkpoint("english") / f"{part}.safetensors")
            elif path.suffix == ".pt":
                torch.save(load_file(checkpoint("english") / "t3_cfg.safetensors"), path)
            else:
                path.write_text("{}")
        return str(tmp_path / "hub/snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    wanted = f"mine=owner/repo{inside}@v1:english"
    if not inside:  # two T3: both are fetched, and the place must name one
        with pytest.raises(NotReady, match=r"several T3: t3\.pt or t3\.safetensors"):
            find(wanted, offline=False)
    else:
        assert find(wanted, offline=False).files["ve.safetensors"].is_relative_to(tmp_path / "hub")
    assert asked == {"repo": "owner/repo", "revision": "v1", "cache": tmp_path / "hub", "offline": False}
    there = {path.relative_to(tmp_path / "hub/snapshot").as_posix() for path in (tmp_path / "hub").rglob("*.*")}
    assert there == fetched


@pytest.mark.parametrize("cached", ["nothing", "no T3", "half a T3"])
def test_an_incomplete_snapshot_of_runpods_cache_is_downloaded(
    find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: str
) -> None:
    import huggingface_hub

    entry(tmp_path, "single")
    whole = tmp_path / "single/model.safetensors"
    snapshot, hub = tmp_path / "runpod/models--owner--repo/snapshots" / ("a" * 40), tmp_path / "hub/snapshot"
    snapshot.mkdir(parents=True)
    hub.mkdir(parents=True)
    shutil.copy(whole, hub)
    if cached == "no T3":
        shutil.copy(checkpoint("english") / "ve.safetensors", snapshot)
    elif cached == "half a T3":
        (snapshot / "model.safetensors").write_bytes(whole.read_bytes()[:-1000])
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(hub))
    place = f"mine=owner/repo@{'a' * 40}:english"
    with pytest.raises(NotReady):
        find(place)  # downloads are switched off
    assert find(place, offline=False).folder == hub
    shutil.copy(whole, snapshot)
    assert find(place, offline=False).folder == snapshot


def test_it_is_found_in_runpods_cached_models_and_in_a_folder_of_the_repository(find: Find, tmp_path: Path) -> None:
    entry(tmp_path, "single")
    snapshot = tmp_path / "runpod/models--owner--repo/snapshots" / ("a" * 40)
    (snapshot / "old").mkdir(parents=True)
    shutil.copy(tmp_path / "single/model.safetensors", snapshot)
    shutil.copy(tmp_path / "single/model.safetensors", snapshot / "old/t3.safetensors")
    assert find(f"mine=owner/repo@{'a' * 40}:english").folder == snapshot
    assert find(f"mine=owner/repo/old@{'a' * 40}:english").folder == snapshot / "old"
    assert find(f"mine=owner/repo/model.safetensors@{'a' * 40}:english").folder == snapshot
    refs = tmp_path / "runpod/models--owner--repo/refs"
    refs.mkdir()
    for name in ("main", "v1"):
        (refs / name).write_text("a" * 40)
    for revision in ("", "@aaaaaaa", "@v1"):
        assert find(f"mine=owner/repo{revision}:english").folder == snapshot
    with pytest.raises(NotReady, match="owner/repo@v2 is not in"):
        find("mine=owner/repo@v2:english")

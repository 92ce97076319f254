"""Find CSM's weights by the same rules as Chatterbox's: a folder, RunPod's cached models, the hub's cache, the hub.

config.json names the files with the tensors (`transformers_weights`), because Sesame's repository has its own format
next to transformers'. So the small files are found first, then all of them together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Remote
from chatterbox_worker.engines.chatterbox.checkpoint.locate import LocatedFiles, Part, find_part
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file, sample_digest
from chatterbox_worker.errors import NotReady

DEFAULT_REPO = "sesame/csm-1b"

_REVISIONS = {DEFAULT_REPO: "c92a71e1c419772e25be7dc14d952c2521a740ab"}  # as other public projects pin it, 2026
_REQUIRED = ("config.json", "tokenizer.json", "tokenizer_config.json")
_OPTIONAL = (
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
)


@dataclass(frozen=True, slots=True)
class CsmFiles:
    folder: Path
    revision: str
    """Identifies the weights; safe in a file name."""
    tensors: Mapping[str, Path]
    """The files with the tensors, by name."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of samples of the tensors' files: identifies the weights in any folder."""
        return sample_digest(self.tensors)


def find(repo: str, *, weights_dir: Path | None, offline: bool) -> CsmFiles:
    """The files of `repo`, "owner/name" or "owner/name@revision", downloaded if necessary.

    `weights_dir` may hold the files themselves, or a folder named "csm" or like the repository.

    Raises:
        NotReady: the files are not found, a download failed, or a file is truncated or corrupt.
    """
    name, _, revision = repo.partition("@")
    remote = Remote(name, revision or _REVISIONS.get(name, "main"))
    folders = () if weights_dir is None else (weights_dir / "csm", weights_dir / name.rpartition("/")[2], weights_dir)
    locate = partial(_locate, remote, folders, offline=offline)
    found = locate(_REQUIRED)
    weights = _weights_name(found)
    found = locate((*_REQUIRED, weights))
    if weights.endswith(".index.json"):
        found = locate((*_REQUIRED, weights, *_shards(found.files[weights])))
    for path in found.files.values():
        check_file(path)
    tensors = {name: path for name, path in found.files.items() if name.endswith(".safetensors")}
    return CsmFiles(found.files["config.json"].parent, found.revision, tensors)


def _locate(remote: Remote, folders: tuple[Path, ...], required: tuple[str, ...], *, offline: bool) -> LocatedFiles:
    return find_part("csm", Part(remote, required, _OPTIONAL, folders), offline=offline)


def _weights_name(found: LocatedFiles) -> str:
    """The name of the file with the tensors, or of the index that lists those files."""
    path = found.files["config.json"]
    config = _read(path)
    if config.get("model_type") != "csm":
        raise NotReady(f"{path} describes a model of type {config.get('model_type')!r}, not csm")
    index = "model.safetensors.index.json"
    return _check_name(path, config.get("transformers_weights", index if index in found.files else "model.safetensors"))


def _shards(index: Path) -> list[str]:
    weight_map = _read(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise NotReady(f"the weights file {index} lists no tensors")
    return sorted({_check_name(index, name) for name in weight_map.values()})


def _check_name(source: Path, name: object) -> str:
    if not isinstance(name, str) or Path(name).name != name or not name.endswith((".safetensors", ".index.json")):
        raise NotReady(f"{source} names {name!r} as a weights file; it must be safetensors, in the same folder")
    return name


def _read(path: Path) -> dict[str, Any]:
    check_file(path)
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise NotReady(f"{path} is not a JSON object")
    return content

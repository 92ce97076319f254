"""What a file of a checkpoint is, by the tensors or the text in it rather than by its name. Reads headers only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker.engines.chatterbox.checkpoint.pickled import read_pickled_shapes
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file
from chatterbox_worker.errors import NotReady

Shapes = Mapping[str, tuple[int, ...]]

T3, S3GEN, VOICE_ENCODER, CONDITIONALS, TOKENIZER = "T3", "S3Gen", "voice encoder", "built-in voice", "tokenizer"
ANCHORS: Mapping[str, str] = MappingProxyType({
    T3: "speech_head.weight", S3GEN: "flow.input_embedding.weight", VOICE_ENCODER: "lstm.weight_ih_l0",
    CONDITIONALS: "gen.prompt_token",
})  # fmt: skip
"""A tensor that each part has and no other part; what stands before its name is a prefix of all the part's names."""
ADAPTER = "LoRA adapter"
_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType({
    T3: ("text_emb.weight", "speech_emb.weight"), S3GEN: ("flow.spk_embed_affine_layer.weight",),
    VOICE_ENCODER: ("proj.weight",), CONDITIONALS: ("t3.speaker_emb",),
})  # fmt: skip
WEIGHTS_SUFFIXES = (".safetensors", ".pt")
_LORA = ".lora_A."
_LARGEST_JSON = 64 * 2**20  # bytes; turbo's vocabulary has 1 million, a tokenizer.json with merges 3.5
_SHOWN = 3  # names of tensors in a message


@dataclass(frozen=True, slots=True)
class Contents:
    path: Path
    parts: Mapping[str, Shapes] = field(default_factory=dict)
    """By kind: the shapes of the part's tensors, by their names without prefix."""
    tokens: Mapping[str, int] | None = None
    """Of a tokenizer in the format of the package `tokenizers`: from token to id."""
    about: str = ""
    """For messages."""

    def __str__(self) -> str:
        return f"{self.path.name} ({self.about})"


def prefix_of(names: Iterable[str], kind: str) -> str | None:
    """What stands before the names of a part's tensors ("" in upstream's own files); None without such a part.

    Frameworks for training store a model inside a wrapper, as "t3." or "module.".
    """
    anchor = ANCHORS[kind]
    found = [name.removesuffix(anchor) for name in names if name == anchor or name.endswith(f".{anchor}")]
    return min(found, key=len, default=None)


def examine(path: Path) -> Contents:
    """
    Raises:
        NotReady: the file is truncated or broken, or a pickle that is more than weights.
    """
    check_file(path)
    if path.suffix == ".json":
        tokens = _tokens(_read_json(path))
        return Contents(
            path, tokens=tokens, about="no tokenizer" if tokens is None else f"a tokenizer of {len(tokens)}"
        )
    shapes = _header_shapes(path) if path.suffix == ".safetensors" else read_pickled_shapes(path)
    parts = {kind: part for kind in ANCHORS if (part := _part(shapes, kind))}
    if any(_LORA in name for name in shapes):
        return Contents(path, {ADAPTER: shapes}, about=f"a {ADAPTER}")
    shown = f"tensors such as {', '.join(list(shapes)[:_SHOWN])}" if shapes else "no tensors"
    return Contents(path, parts, about=" and ".join(parts) or shown)


def read_vocabulary(vocabulary: Path, added: Path) -> dict[str, int]:
    """The tokens of GPT-2's tokenizer, from `vocab.json` and `added_tokens.json`. Raises NotReady."""
    return {**_numbers(vocabulary), **_numbers(added)}


def _numbers(path: Path) -> dict[str, int]:
    check_file(path)
    content = _read_json(path)
    if not isinstance(content, dict) or not all(isinstance(number, int) for number in content.values()):
        raise NotReady(f"{path} is not a vocabulary: tokens with their numbers")
    return content


def _read_json(path: Path) -> object:
    if path.stat().st_size > _LARGEST_JSON:
        raise NotReady(f"{path} has {path.stat().st_size} bytes; no tokenizer has more than {_LARGEST_JSON}")
    try:
        content: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise NotReady(f"{path} is not JSON: {error}") from error
    return content


def _tokens(content: object) -> dict[str, int] | None:
    """The tokens of a tokenizer file; None for other JSON."""
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        return None
    vocabulary, added = content["model"].get("vocab"), content.get("added_tokens") or []
    if not isinstance(vocabulary, dict) or not isinstance(added, list):
        return None
    extra = {
        each["content"]: each["id"] for each in added if isinstance(each, dict) and {"content", "id"} <= each.keys()
    }
    return {**vocabulary, **extra}


def _part(shapes: Shapes, kind: str) -> Shapes:
    prefix = prefix_of(shapes, kind)
    if prefix is None or not all(prefix + name in shapes for name in _ALSO[kind]):
        return {}
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def _header_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}

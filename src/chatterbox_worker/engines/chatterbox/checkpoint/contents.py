"""What a file of a checkpoint is, by the tensors or the text in it rather than by its name. Reads headers only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.pickled import read_pickled_shapes
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file
from chatterbox_worker.errors import NotReady, choices, quote

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
_TOKENIZERS = frozenset(layout.tokenizer[0] for layout in LAYOUTS.values())
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
    return min(_prefixes(names, kind), key=len, default=None)


def _prefixes(names: Iterable[str], kind: str) -> list[str]:
    anchor = ANCHORS[kind]
    return [name.removesuffix(anchor) for name in names if name == anchor or name.endswith(f".{anchor}")]


def examine(path: Path) -> Contents:
    """
    Raises:
        NotReady: the file is truncated or broken, or a pickle that is more than weights, or has a part twice; or a
            file with the name of a tokenizer is not JSON. Any other JSON, such as a trainer's log, may be broken.
    """
    if path.suffix == ".json":
        tokens = _read_tokens(path)
        return Contents(
            path, tokens=tokens, about="no tokenizer" if tokens is None else f"a tokenizer of {len(tokens)}"
        )
    check_file(path)
    shapes = _header_shapes(path) if path.suffix == ".safetensors" else read_pickled_shapes(path)
    parts = {kind: part for kind in ANCHORS if (part := _part(shapes, kind))}
    if any(_LORA in name for name in shapes):
        return Contents(path, {ADAPTER: shapes}, about=f"a {ADAPTER}")
    for kind in parts:
        if len(found := [each for each in _prefixes(shapes, kind) if _is_part(shapes, kind, each)]) > 1:
            raise NotReady(f"{path} has several of the kind {kind}: {choices(map(quote, found))}; keep one")
    shown = f"tensors such as {', '.join(list(shapes)[:_SHOWN])}" if shapes else "no tensors"
    return Contents(path, parts, about=" and ".join(parts) or shown)


def read_vocabulary(vocabulary: Path, added: Path) -> dict[str, int]:
    """The tokens of GPT-2's tokenizer, from `vocab.json` and `added_tokens.json`. Raises NotReady."""
    return {**_numbers(vocabulary), **_numbers(added)}


def _numbers(path: Path) -> dict[str, int]:
    content = _read_json(path)
    if not isinstance(content, dict) or not all(map(_is_id, content.values())):
        raise NotReady(f"{path} is not a vocabulary: tokens with their numbers")
    return content


def _is_id(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _read_tokens(path: Path) -> dict[str, int] | None:
    try:
        return _tokens(_read_json(path))
    except NotReady:
        if path.name in _TOKENIZERS:
            raise
        return None


def _read_json(path: Path) -> object:
    """Raises NotReady."""
    try:
        if (size := path.stat().st_size) <= _LARGEST_JSON:
            content: object = json.loads(path.read_bytes())
            return content
    except (OSError, ValueError, RecursionError) as error:
        check_file(path)  # names what is known: a file that is empty, or only points to the real one
        raise NotReady(f"{path} cannot be read: {error}") from error
    raise NotReady(f"{path} has {size} bytes; no tokenizer has more than {_LARGEST_JSON}")


def _tokens(content: object) -> dict[str, int] | None:
    """The tokens of a tokenizer file; None for other JSON."""
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        return None
    vocabulary, added = content["model"].get("vocab"), content.get("added_tokens") or []
    if not isinstance(vocabulary, dict) or not isinstance(added, list):
        return None
    extra = [(each["content"], each["id"]) for each in added
             if isinstance(each, dict) and {"content", "id"} <= each.keys()]  # fmt: skip
    pairs = [*vocabulary.items(), *extra]
    return dict(pairs) if all(isinstance(token, str) and _is_id(number) for token, number in pairs) else None


def _part(shapes: Shapes, kind: str) -> Shapes:
    prefix = prefix_of(shapes, kind)
    if prefix is None or not _is_part(shapes, kind, prefix):
        return {}
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def _is_part(shapes: Shapes, kind: str, prefix: str) -> bool:
    return all(prefix + name in shapes for name in _ALSO[kind])


def _header_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Of a file that `check_file` has accepted. Raises NotReady."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return {name: tuple(map(index, entry["shape"])) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotReady(f"the weights file {path} cannot be read: {error!r}") from error

"""Find the weights of a custom model: what its place has, recognised by content, and the rest from its family's base.

A place is a folder, one T3 file, or a repository of the hub with or without a path in it. Only a T3 must be there. A
voice encoder, an S3Gen, a built-in voice or a tokenizer that comes with it is used; what is missing is the base's. The
text vocabulary is that of the tokenizer that comes with the T3. The revision is a digest of all the files' sizes and of
samples of their content.

An image has custom models in folders like those of all others (`write_manifest`). Imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chatterbox_worker.custom_models import CustomModel
from chatterbox_worker.engines.chatterbox.checkpoint.contents import (
    ADAPTER,
    CONDITIONALS,
    S3GEN,
    T3,
    TOKENIZER,
    VOICE_ENCODER,
    WEIGHTS_SUFFIXES,
    Contents,
    Shapes,
    examine,
    read_vocabulary,
)
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout, Remote
from chatterbox_worker.engines.chatterbox.checkpoint.locate import (
    RUNPOD_CACHE,
    Checkpoint,
    find,
    library_cache,
    read_ref,
    snapshots,
)
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import sample_digest
from chatterbox_worker.errors import NotReady, choices, quote

MANIFEST = "chatterbox-worker-custom.json"
_BYTE_LEVEL = ("vocab.json", "merges.txt", "added_tokens.json")
_MOST_FILES = 500  # of a folder: a folder with more is something else
_DIGITS = 12  # of the digest
_DOWNLOADED = ("*.safetensors", "*.pt", "*.json", "merges.txt")
_TRAINERS_OWN = ("optimizer", "scheduler", "rng_state", "training_args")  # how the names of files without a part begin
_LAYERS = {True: "tfmr.h.", False: "tfmr.layers."}
_MEANFLOW = "flow.decoder.estimator.time_embed_mixer.weight"  # only a flow of two steps has it
_PROMPT = "t3.cond_prompt_speech_tokens"  # of a built-in voice
_MANIFEST_FIELDS = ("t3", "s3gen", "voice_encoder", "conditionals", "text_vocab")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Search:
    """The files of a model's own place, and what each is."""

    model: CustomModel
    folder: Path
    contents: tuple[Contents, ...]
    others: tuple[str, ...] = field(default=())
    """Files that do not count: neither weights nor JSON, or next to a file that the place names."""

    def __str__(self) -> str:
        found = [*map(str, self.contents), *self.others]
        return f"{self.folder} has {choices(found) if found else 'no files'}"

    def refuse(self, why: str) -> NotReady:
        return NotReady(f"the custom model {self.model.name} ({self.model.place}) cannot be loaded: {why}")

    def choose(self, kind: str, preferred: str, fits: Callable[[Shapes], bool] = lambda _: True) -> Contents | None:
        """The file with this part; of several that fit, the one with the family's own name. Raises NotReady."""
        having = [each for each in self.contents if kind in each.parts]
        named = [each for each in self.contents if each.path.name == preferred]
        if named and not having:
            raise self.refuse(f"{named[0]} is named like the {kind}, but has none")
        fitting = [each for each in having if fits(each.parts[kind])]
        if having and not fitting:
            names = choices(each.path.name for each in having)
            raise self.refuse(f"the {kind} in {names} is of another family than {self.model.family}")
        candidates = [each for each in fitting if each.path.name == preferred] or fitting
        if len(candidates) > 1:
            names = choices(each.path.name for each in candidates)
            raise self.refuse(f"{self.folder} has several of the kind {kind}: {names}; call the right one {preferred}")
        return candidates[0] if candidates else None


def find_custom(
    model: CustomModel,
    *,
    weights_dir: Path | None = None,
    runpod_cache: Path = RUNPOD_CACHE,
    hub_cache: Path | None = None,
    offline: bool = False,
) -> Checkpoint:
    """The model's files, downloaded if necessary. The arguments are those of `locate.find`.

    Raises:
        NotReady: there is no T3, several, or one of another family; a tokenizer is missing or does not fit; a file is
            broken; a download failed. The message lists what was found.
    """
    look = partial(find, weights_dir=weights_dir, runpod_cache=runpod_cache, hub_cache=hub_cache)
    if weights_dir is not None and (layout := _layout_in(weights_dir / model.name, model)) is not None:
        stored = look(layout, offline=True)
        _check_languages(_Search(model, stored.folder, ()), stored.path(layout.tokenizer[0]))
        return stored
    path, search = _own_files(model, runpod_cache, hub_cache, offline=offline)
    base = LAYOUTS[model.family]

    def from_base(only: Container[str] | None) -> Checkpoint:
        try:
            return look(base, offline=offline, only=only)
        except NotReady as error:
            raise search.refuse(
                f"{search}, and what it lacks of {model.family} is missing too: {error.message}"
            ) from error

    layout, files = _choose_files(search, path, base)
    missing = {name for name in layout.required if name not in files}
    if missing:
        files |= {name: each for name, each in from_base(missing).files.items() if name in missing}
    files |= _optional_of_base(model, base, files, from_base)
    _check_languages(search, files[layout.tokenizer[0]])
    revision = f"custom-{sample_digest(files)[:_DIGITS]}"
    checkpoint = Checkpoint(layout, search.folder, MappingProxyType(files), revision)
    if layout.s3gen in files:
        return checkpoint
    whole = from_base(None)  # its S3Gen is there only as it was prepared when the image was built
    return replace(checkpoint, s3gen_from=whole)


def write_manifest(checkpoint: Checkpoint, model: CustomModel, folder: Path) -> None:
    """Note in `folder`, which has all of the checkpoint's files, which of them are what."""
    parts = {name: getattr(checkpoint.layout, name) for name in _MANIFEST_FIELDS}
    content = {"model": asdict(model), **parts, "tokenizer": checkpoint.layout.tokenizer}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n")


def _layout_in(folder: Path, model: CustomModel) -> Layout | None:
    """The layout that was written for this very model; None if there is none."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        if content["model"]["place"] != model.place or content["model"]["family"] != model.family:
            _log.warning("%s was built for %s, not for %s", folder, content["model"]["place"], model)
            return None
        parts = {name: content[name] for name in _MANIFEST_FIELDS}
        base = LAYOUTS[model.family]
        return replace(
            base, name=model.name, remote=_remote(model), base=None, from_base=(), language=_language(model, base),
            tokenizer=tuple(content["tokenizer"]), **parts,
        )  # fmt: skip
    except OSError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise NotReady(f"{folder / MANIFEST} cannot be read: {error!r}") from error


def _remote(model: CustomModel) -> Remote:
    place, _, revision = model.place.partition("@")
    return Remote("/".join(place.split("/")[:2]) if model.is_on_hub else place, revision or "main")


def _language(model: CustomModel, base: Layout) -> str | None:
    """The one language that it speaks; None for several."""
    spoken = model.card.languages
    return spoken[0] if len(spoken) == 1 else base.language


def _inside(model: CustomModel) -> str:
    """The path within the repository."""
    return "/".join(model.place.partition("@")[0].split("/")[2:])


def _own_files(
    model: CustomModel, runpod_cache: Path, hub_cache: Path | None, *, offline: bool
) -> tuple[Path, _Search]:
    """The folder or the file on this machine, and what is in there. Raises NotReady."""
    if not model.is_on_hub:
        path = Path(model.place)
    elif cached := _cached(model, runpod_cache, offline=offline):
        return cached
    else:
        path = _download(model, runpod_cache, hub_cache, offline=offline)
    return path, _examine(model, path)


def _cached(model: CustomModel, runpod_cache: Path, *, offline: bool) -> tuple[Path, _Search] | None:
    """As `_own_files`, in RunPod's model cache; None for one without a T3 if it can still be downloaded."""
    remote = _remote(model)
    found = snapshots(runpod_cache, remote)
    exact = [each for each in found if _is_revision(each, remote.revision)]
    if found and not exact:
        _log.warning("%s has %s of %s, not %s", runpod_cache, found[0].name, remote.repo, remote.revision)
    if not exact:
        return None
    path = exact[0] / _inside(model)
    try:
        search = _examine(model, path)
    except NotReady:
        if offline:
            raise
    else:
        if offline or any("T3" in each.parts for each in search.contents):
            return path, search
    _log.warning("%s has no T3 of %s: its files are incomplete; looking on the hub", path, model.name)
    return None


def _download(model: CustomModel, runpod_cache: Path, hub_cache: Path | None, *, offline: bool) -> Path:
    """The folder or the file on this machine. Raises NotReady."""
    import httpx  # noqa: PLC0415 - as in `locate`
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    remote, inside = _remote(model), _inside(model)
    folder = inside.rpartition("/")[0] if inside.endswith(WEIGHTS_SUFFIXES) else inside
    start = f"{folder}/" if folder else ""
    _log.info("%s: looking for %s@%s", model.name, remote.repo, remote.revision)
    try:
        snapshot = snapshot_download(
            remote.repo, revision=remote.revision, cache_dir=hub_cache or library_cache(), local_files_only=offline,
            allow_patterns=[start + each for each in _wanted(inside, LAYOUTS[model.family])],
            ignore_patterns=[f"{start}*/*", *(f"{start}{each}*" for each in _TRAINERS_OWN)],
        )  # fmt: skip
    except (OSError, httpx.HTTPError, HfHubHTTPError, HFValidationError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NotReady(
            f"the custom model {model.name} cannot be loaded: {remote.repo}@{remote.revision} is not in "
            f"{runpod_cache} nor in the hub's cache, and the download failed: {reason}"
        ) from error
    return Path(snapshot) / inside


def _is_revision(snapshot: Path, revision: str) -> bool:
    """Whether the snapshot is the one that the entry names; "main" is whatever the cache has."""
    is_named = read_ref(snapshot.parent.parent, revision) == snapshot.name
    return revision == "main" or snapshot.name.startswith(revision) or is_named


def _wanted(inside: str, base: Layout) -> tuple[str, ...]:
    """Patterns of the files to download, which are those that `_examine` looks at."""
    if not inside.endswith(WEIGHTS_SUFFIXES):
        return _DOWNLOADED
    return (inside.rpartition("/")[2], *_own_names(base), "*.json", "merges.txt")


def _own_names(base: Layout) -> tuple[str, ...]:
    """The files that count next to a T3 that the place names: all others may belong to another one."""
    return (base.s3gen, base.voice_encoder, base.conditionals)


def _examine(model: CustomModel, path: Path) -> _Search:
    """What is in the folder, or in the folder of the file. Raises NotReady."""
    folder = path.parent if path.is_file() else path
    try:
        listed = sorted(each for each in folder.iterdir() if each.is_file())
    except OSError as error:
        raise _Search(model, folder, ()).refuse(f"{path} cannot be read: {error.strerror or error}") from error
    listed = [each for each in listed if not each.name.startswith((".", "chatterbox-worker-", *_TRAINERS_OWN))]
    if len(listed) > _MOST_FILES:
        raise _Search(model, folder, ()).refuse(f"{folder} has {len(listed)} files")
    readable = [each for each in listed if each.suffix in (*WEIGHTS_SUFFIXES, ".json")]
    if path.is_file() and path not in readable:
        raise _Search(model, folder, ()).refuse(f"{path.name} must be one of *{' or *'.join(WEIGHTS_SUFFIXES)}")
    if path.is_file():
        counting = (path.name, *_own_names(LAYOUTS[model.family]))
        readable = [each for each in readable if each.suffix == ".json" or each.name in counting]
    others = tuple(each.name for each in listed if each not in readable)
    return _Search(model, folder, tuple(map(examine, readable)), others)


def _choose_files(search: _Search, path: Path, base: Layout) -> tuple[Layout, dict[str, Path]]:
    """The model's layout, and its own files by their names. Raises NotReady."""
    t3 = _choose_t3(search, path)
    own = {
        "t3": t3,
        "s3gen": search.choose(S3GEN, base.s3gen, lambda shapes: (_MEANFLOW in shapes) is base.meanflow),
        "voice_encoder": search.choose(VOICE_ENCODER, base.voice_encoder),
        "conditionals": search.choose(
            CONDITIONALS,
            base.conditionals,
            lambda shapes: max(shapes.get(_PROMPT, ()), default=0) <= base.prompt_tokens,
        ),
    }
    tokenizer, text_vocab = _choose_tokenizer(search, t3, base)
    names: dict[str, Any] = {part: each.path.name for part, each in own.items() if each is not None}
    layout = replace(
        base, name=search.model.name, remote=_remote(search.model), base=None, from_base=(), text_vocab=text_vocab,
        tokenizer=tuple(each.name for each in tokenizer) or base.tokenizer, language=_language(search.model, base),
        **names,
    )  # fmt: skip
    files = {each.path.name: each.path for each in own.values() if each is not None}
    files |= {each.name: each for each in tokenizer}
    files |= {name: search.folder / name for name in base.optional if (search.folder / name).is_file()}
    return layout, files


def _choose_t3(search: _Search, path: Path) -> Contents:
    """The T3, if it is of the model's family. Raises NotReady."""
    found = [each for each in search.contents if T3 in each.parts and path in (each.path, each.path.parent)]
    if len(found) > 1:
        names = choices(each.path.name for each in found)
        raise search.refuse(f"{search.folder} has several T3: {names}; name one of them, such as {found[0].path.name}, "
                            "at the end of the place")  # fmt: skip
    if not found:
        hint = ""
        if any(ADAPTER in each.parts for each in search.contents):
            hint = "; a LoRA adapter becomes a voice: python -m chatterbox_worker.train.import_adapter"
        raise search.refuse(
            f"{search}, but no .safetensors or .pt file with a T3 (speech_head.weight and others){hint}"
        )
    (t3,) = found
    _check_family(search, t3.path, t3.parts[T3])
    return t3


def _check_family(search: _Search, path: Path, shapes: Shapes) -> None:
    layout = LAYOUTS[search.model.family]
    for name in ("speech_head.weight", "speech_emb.weight", "text_emb.weight"):
        if len(shapes[name]) != 2:
            raise search.refuse(f"{path.name} has {name} of the shape {shapes[name]}, which is no matrix")
    is_gpt, (vocabulary, width) = "tfmr.ln_f.weight" in shapes, shapes["speech_head.weight"]
    start = _LAYERS[is_gpt]
    layers = len({name.removeprefix(start).partition(".")[0] for name in shapes if name.startswith(start)})
    size = layers, width
    kind = is_gpt, shapes["speech_emb.weight"][0] > vocabulary
    others = [
        each.name
        for each in LAYOUTS.values()
        if (each.layers, each.width) == size and (each.is_gpt, each.blocks) == kind
    ]
    of_another = bool(others) and layout.name not in others
    if is_gpt is not layout.is_gpt or vocabulary != layout.speech_vocab or of_another:
        family = f"of the family {choices(others)}" if others else f"{'GPT-2' if is_gpt else 'Llama'}'s"
        raise search.refuse(
            f"{path.name} has {layers} layers of width {width} and {vocabulary} speech tokens, {family}; {layout.name} "
            f"has {layout.layers} layers {'of GPT-2' if layout.is_gpt else 'of Llama'} of width {layout.width} and "
            f"{layout.speech_vocab} speech tokens"
        )


def _choose_tokenizer(search: _Search, t3: Contents, base: Layout) -> tuple[tuple[Path, ...], int]:
    """The tokenizer's files, none for the base's, and its size. Raises NotReady."""
    rows = t3.parts[T3]["text_emb.weight"][0]
    sizes: dict[tuple[Path, ...], Mapping[str, int]]
    byte_level = tuple(search.folder / name for name in _BYTE_LEVEL)
    if base.is_gpt and all(each.is_file() for each in byte_level):
        sizes = {byte_level: read_vocabulary(byte_level[0], byte_level[2])}
    else:
        sizes = {(each.path,): each.tokens for each in search.contents if each.tokens is not None}
    fitting = [
        paths for paths, tokens in sizes.items() if max(len(tokens), 1 + max(tokens.values(), default=-1)) <= rows
    ]
    exact = [paths for paths in fitting if len(sizes[paths]) == rows]
    chosen = exact or fitting
    named = [paths for paths in chosen if paths[0].name == base.tokenizer[0]]
    chosen = named or chosen
    if len(chosen) > 1:
        names = choices(paths[0].name for paths in chosen)
        raise search.refuse(f"{search.folder} has several tokenizers: {names}; call the right one {base.tokenizer[0]}")
    if chosen:
        return chosen[0], len(sizes[chosen[0]])
    found = f"those of {choices(paths[0].name for paths in sizes)} are larger" if sizes else "none came with it"
    if sizes or rows != base.text_vocab:
        raise search.refuse(
            f"its T3 has {rows} text tokens, {base.name} has {base.text_vocab}, and of {TOKENIZER}s {found}"
        )
    return (), rows


def _check_languages(search: _Search, path: Path) -> None:
    """Raises NotReady if the tokenizer in `path` lacks the token of a language that the setting names."""
    if not LAYOUTS[search.model.family].names_language:
        return
    tokens = examine(path).tokens or {}
    lacks = [code for code in search.model.card.languages if f"[{code}]" not in tokens]
    if lacks:
        raise search.refuse(
            f"its tokenizer {path.name} has no token {quote(f'[{lacks[0]}]')}: name the languages that it speaks, such "
            f"as {search.model.name}={search.model.place}:{search.model.family}:fa+en"
        )


def _optional_of_base(
    model: CustomModel, base: Layout, files: Container[str], from_base: Callable[[Container[str]], Checkpoint]
) -> dict[str, Path]:
    """The base's table for Chinese, if the model speaks it and it can be found."""
    wanted = [name for name in base.optional if name not in files]
    if not wanted or "zh" not in model.card.languages:
        return {}
    with contextlib.suppress(NotReady):  # a text in Chinese reports it
        found = from_base({*wanted, base.voice_encoder})  # a part without required files is not searched for
        return {name: path for name, path in found.files.items() if name in wanted}
    return {}

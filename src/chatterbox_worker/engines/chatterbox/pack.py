"""One file per model with its weights as the modules need them: cast, fused, folded and laid out, ready to be mapped.

    python -m chatterbox_worker.engines.chatterbox.pack nano turbo --profile fast --device cuda

A `Pack` is a `state_dict.TensorProvider`: tensors that it has are read; tensors that it lacks are computed from the
checkpoint and written by `save` for the next start. So a missing, stale or broken pack costs time and nothing else,
and a pack changes no bit of what is loaded. A pack is stale if the checkpoint's revision, the profile or the engine's
own source differ. Bits that flipped on the disk are not detected.

Packs are written while an image is built, by the command above, and elsewhere in the background after the first start,
where the setting `prepared_weights` wants them. A pack for a GPU can be written without one. With --replace the
original files of T3 and S3Gen are deleted, and what no pack has stays in the `remainder`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chatterbox_worker import command, files
from chatterbox_worker.config import PROFILES, Settings, environment
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import pack_paths
from chatterbox_worker.engines.chatterbox.checkpoint.remainder import s3gen_state, t3_state, write_remainder
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, is_chatterbox
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import TensorProvider, build_tensor
from chatterbox_worker.engines.chatterbox.checkpoint.tensor_file import write_tensors
from chatterbox_worker.engines.chatterbox.kernels.compiled import COMPILED, shared_folder
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS
from chatterbox_worker.engines.chatterbox.s3gen.model import Profile, S3Gen
from chatterbox_worker.engines.chatterbox.t3.linear import Precision, precision_of
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.errors import NotReady, WorkerError, choices

_SOURCES = (  # files of this folder that decide what a pack holds
    "checkpoint/state_dict", "s3gen/model", "s3gen/flow", "s3gen/flow_encoder", "s3gen/estimator", "s3gen/vocoder",
    "t3/model", "t3/blocks", "t3/linear", "t3/quantize", "pack",
)  # fmt: skip
_log = logging.getLogger(__name__)


class Pack:
    """A file of tensors by name. For one thread at a time."""

    def __init__(self, paths: Sequence[Path], stamp: Mapping[str, str], *, save_to: Path | None) -> None:
        """The first of `paths` that is readable and whose metadata are `stamp` is used.

        `save_to`: where `save` writes; without it, nothing is kept for writing.
        """
        self.path = save_to or paths[0]
        self._stamp, self._is_kept = dict(stamp), save_to is not None
        self._file = next((file for path in dict.fromkeys(paths) if (file := _open(path, self._stamp))), None)
        self._names = frozenset(self._file.keys()) if self._file is not None else frozenset()
        self._used: dict[str, Tensor] = {}
        self.missing = 0
        """How many tensors the file lacked."""

    def __call__(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Raises NotReady if neither the file nor the checkpoint has the tensor's values."""
        if self._file is not None and name in self._names:
            tensor: Tensor = self._file.get_tensor(name)
        else:
            tensor = make()
            self.missing += 1
            if tensor.is_meta:
                raise NotReady(_lacks(self.path, self._stamp, name))
        if self._is_kept:
            self._used[name] = tensor
        return tensor

    def save(self) -> bool:
        """Write all requested tensors, unless the file has them, and drop them from memory.

        Returns whether the file is complete. Never raises an OSError: if writing fails, the next start computes the
        tensors again.
        """
        used, self._used = self._used, {}
        if not self.missing or not self._is_kept:
            return not self.missing
        started_s = time.perf_counter()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.remove_orphans(self.path.parent, self.path.name)
            with files.draft(self.path) as draft:
                write_tensors(draft, used, self._stamp)
        except OSError as error:
            _log.info("cannot write %s (%s); the next start will take longer", self.path, error.strerror or error)
            return False
        _log.info("wrote %s in %.1f s to make the next start faster", self.path, time.perf_counter() - started_s)
        return True


@dataclass(slots=True)
class HeldWeights:
    """The tensors that an engine was built from, on the CPU, to build it again without its files."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    is_copied: bool = False
    """Whether no tensor is mapped from a file."""

    def hold(self, provide: TensorProvider) -> TensorProvider:
        """The same provider, which keeps what it provides and provides what it has kept."""

        def get(name: str, build: Callable[[], Tensor]) -> Tensor:
            if name not in self.tensors:
                self.tensors[name] = provide(name, build)
            return self.tensors[name]

        return get

    def copy_to_memory(self, *, pinned: bool) -> None:
        """Copy what is mapped from files; `pinned`: into memory that a GPU reads at full speed."""
        names = [] if self.is_copied else list(self.tensors)
        for name in names:
            tensor = self.tensors[name]
            self.tensors[name] = tensor.pin_memory() if pinned else tensor.clone()
        self.is_copied = True


def pack_of(checkpoint: Checkpoint, profile: str, device: torch.device, *, prepared: str = "beside") -> Pack:
    """The pack of a checkpoint for a profile ("exact", "fast", "int8" or "nf4") and a kind of device.

    `prepared`: the setting `prepared_weights`.
    """
    kind = "cpu" if device.type == "cpu" else "cuda"
    stamp = {
        "format": "chatterbox_worker.pack",
        "model": checkpoint.layout.name,
        "revision": checkpoint.revision,
        "profile": profile,
        "device": kind,
        "source": _source_digest(),
    }
    paths = pack_paths(checkpoint, profile, kind, prepared)
    return Pack(paths, stamp, save_to=None if prepared == "off" or not _is_writable(paths[-1]) else paths[-1])


def load_with_pack(
    checkpoint: Checkpoint,
    profile: str,
    device: torch.device,
    *,
    graphs: bool,
    prepared: str,
    held: HeldWeights | None,
) -> tuple[T3, S3Gen]:
    """T3 and S3Gen, from the pack if there is one. T3's draft and a missing pack follow on a background thread.

    `held`: holds the tensors, and provides those that it has.

    Raises:
        NotReady: a file is missing or broken, or the checkpoint is prepared for other profiles only.
    """
    pack = pack_of(checkpoint, profile, device, prepared=prepared)
    t3, s3gen = load_modules(checkpoint, profile, device, pack, graphs=graphs, held=held)

    def finish() -> None:
        try:
            add_draft(t3, checkpoint, pack if held is None else held.hold(pack))
        except Exception as error:  # noqa: BLE001 - the thread's edge: T3 works without a draft
            _log.warning("speculative decoding is off, its draft model cannot be loaded: %s", error)
        pack.save()

    # Not a daemon: a process that exits while torch works in a daemon thread is aborted. So the exit waits for this
    # thread, which then stops writing (`write_tensors`).
    threading.Thread(target=finish, name="pack").start()
    return t3, s3gen


def add_draft(t3: T3, checkpoint: Checkpoint, pack: TensorProvider = build_tensor) -> None:
    """Give T3 its draft for speculative decoding where that is faster: token by token, on a CPU with float32 weights.

    It changes when tokens come, not which.
    """
    if t3.precision is Precision.EXACT and t3.device.type == "cpu" and t3.mask is None:
        draft = Precision.INT8
        t3.draft = T3(t3_state(checkpoint), precision=draft, head=draft, device=t3.device, provide=pack)


def load_modules(
    checkpoint: Checkpoint,
    profile: str,
    device: torch.device,
    pack: TensorProvider,
    *,
    graphs: bool = True,
    held: HeldWeights | None = None,
) -> tuple[T3, S3Gen]:
    """T3 and S3Gen on `device`; on the meta device without their values, as when a pack is written for an absent GPU.

    `graphs`: whether S3Gen may replay graphs on a GPU. `held`: as in `load_with_pack`.

    Raises:
        NotReady: as `load_with_pack`, or T3 has a row for [MASK] and the model does not decode in blocks, or the other
            way round.
    """
    source = checkpoint.s3gen_source
    other = pack if source is checkpoint else pack_of(source, profile, device, prepared="off")
    own, other = (pack, other) if held is None else (held.hold(pack), held.hold(other))
    t3 = T3(t3_state(checkpoint), precision=precision_of(profile, device), device=device, provide=own)
    if (has_mask := t3.mask is not None) is not checkpoint.layout.blocks:
        raise NotReady(
            f"the T3 in {checkpoint.folder} has {'a' if has_mask else 'no'} row for [MASK] in its speech_emb, unlike "
            f"{checkpoint.layout.name}'s"
        )
    try:
        s3gen = S3Gen.from_state(
            s3gen_state(checkpoint, "flow.", "mel2wav."),
            device=device,
            profile=cast("Profile", profile),
            buckets=BUCKETS if device.type == "cuda" else (),
            graphs=graphs,
            provide=other,
        )
    except KeyError as missing:
        raise NotReady(f"the S3Gen of {source.layout.name} lacks {missing}") from missing
    return t3, s3gen


def _open(path: Path, stamp: Mapping[str, str]) -> Any:
    """The file, mapped by safetensors (which has no types), or None if it is missing, unreadable or stale."""
    try:
        file: Any = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        if path.exists():
            _log.warning("%s cannot be read (%s) and is written again", path, error)
        return None
    if file.metadata() == stamp:
        return file
    _log.info("%s was written for other weights or by another version and is written again", path)
    return None


def _source_digest() -> str:
    """Digest of the code that computes the tensors: another version may compute others."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def _is_writable(path: Path) -> bool:
    """Whether a file can be written there, as far as the folder's permissions and mount tell."""
    folder = next((each for each in path.parents if each.exists()), path.parent)
    return os.access(folder, os.W_OK)


def _lacks(path: Path, stamp: Mapping[str, str], name: str) -> str:
    prepared = [each.name for each in sorted(path.parent.glob(f"chatterbox-worker-{stamp['model']}-*-c*.safetensors"))]
    return (
        f"{stamp['model']} was prepared for other profiles or devices when the image was built: {path.parent} has "
        f"{choices(prepared)}, and {path.name} is missing, stale or without {name!r}; choose what it has with "
        "CHATTERBOX_PROFILE and CHATTERBOX_DEVICE, or build the image with PROFILES or ORIGINALS=1"
    )


def main(arguments: Sequence[str]) -> int:
    """Write the packs, replacing stale ones; returns 1 if one could not be written."""
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.engines.chatterbox.pack")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="models and packs that have weights, by name")
    parser.add_argument("--profile", nargs="+", choices=PROFILES, default=["exact"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--replace", action="store_true", help="delete T3's and S3Gen's original files")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = torch.device("cpu" if options.device == "cpu" else "meta")
    try:
        settings = Settings.from_env(environment())
        if unknown := [name for name in options.models if not is_chatterbox(name, settings)]:
            known = [*LAYOUTS, *(model.name for model in settings.custom_models)]
            parser.error(f"{unknown[0]} has no weights; choose {choices(known)}")
        found = [checkpoint_of(name, settings) for name in options.models]
        if settings.weights_dir is not None:
            COMPILED.write_to(shared_folder(settings.weights_dir))
        are_written = [_prepare(checkpoint, options.profile, device) for checkpoint in found]
        if options.replace and all(are_written):
            replace_originals(found)
    except WorkerError as error:
        parser.exit(1, f"{error.message}\n")
    for checkpoint in found:
        size = sum(path.stat().st_size for path in checkpoint.folder.rglob("*") if path.is_file())
        _log.info("%s: %.2f GB in %s", checkpoint.layout.name, size / 1e9, checkpoint.folder)
    return 0 if all(are_written) else 1


def _prepare(checkpoint: Checkpoint, profiles: Sequence[str], device: torch.device) -> bool:
    """Write the packs of one checkpoint; returns whether all were written."""
    are_written = []
    for profile in profiles:
        pack = pack_of(checkpoint, profile, device)
        t3, s3gen = load_modules(checkpoint, profile, device, pack)
        if device.type == "meta" and profile == "fast" and importlib.util.find_spec("triton") is not None:
            t3.kernels = chosen = frozenset(Family)
            t3.compile_kernels()
            s3gen.compile_kernels(chosen)
        add_draft(t3, checkpoint, pack)
        are_written.append(pack.save())
    return all(are_written)


def replace_originals(checkpoints: Sequence[Checkpoint]) -> None:
    """Delete T3's and S3Gen's files of checkpoints that have packs, after writing the remainders.

    Raises:
        OSError: a remainder cannot be written; no file was deleted then.
    """
    complete = [checkpoint for checkpoint in checkpoints if not checkpoint.is_prepared]
    for checkpoint in complete:
        write_remainder(checkpoint)
    for checkpoint in complete:  # afterwards: a file of one may be a link to a file of another
        for name in checkpoint.layout.replaced:
            checkpoint.path(name).unlink()


if __name__ == "__main__":
    command.run(main)

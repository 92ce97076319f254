"""One file per model with its weights as the modules need them: cast, fused, folded and laid out, ready to be mapped.

    python -m chatterbox_worker.engines.chatterbox.pack nano turbo --profile fast --device cuda

A `Pack` is a `state_dict.TensorProvider`: tensors that it has are read; tensors that it lacks are computed from the
checkpoint and written by `save` for the next start. So a missing, stale or broken pack costs time and nothing else,
and a pack changes no bit of what is loaded. A pack is stale if the checkpoint's revision, the profile or the engine's
own source differ. Bits that flipped on the disk are not detected.

Packs are written at image build, or in the background after the first start if the checkpoint's folder is writable. A
pack for a GPU can be written without one.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import constants
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chatterbox_worker import files
from chatterbox_worker.catalogue import MODELS, PACKS
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import TensorProvider
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import pack_name
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS
from chatterbox_worker.engines.chatterbox.s3gen.model import Profile, S3Gen
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.errors import WorkerError

_ALIGNMENT = 64  # bytes, a cache line: one row times a matrix reads 3% faster from an aligned one (2 cores, AVX2)
_ABANDONED_S = 3600.0  # a draft this old has no writer any more
_SOURCES = (  # files of this folder that decide what a pack holds
    "checkpoint/state_dict", "s3gen/model", "s3gen/flow", "s3gen/flow_encoder", "s3gen/estimator", "s3gen/vocoder",
    "t3/model", "t3/blocks", "t3/linear", "pack",
)  # fmt: skip
_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8", torch.int64: "I64"}

_log = logging.getLogger(__name__)


class Pack:
    """A file of tensors by name. For one thread at a time."""

    def __init__(self, path: Path, stamp: Mapping[str, str]) -> None:
        """`stamp`: the metadata that the file must have for its tensors to be used."""
        self.path = path
        self._stamp = dict(stamp)
        self._file = _open(path, self._stamp)
        self._names = frozenset(self._file.keys()) if self._file is not None else frozenset()
        self._used: dict[str, Tensor] = {}
        self.missing = 0
        """How many tensors the file lacked."""

    def __call__(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        if self._file is not None and name in self._names:
            tensor: Tensor = self._file.get_tensor(name)
        else:
            tensor = make()
            self.missing += 1
        self._used[name] = tensor
        return tensor

    def save(self) -> bool:
        """Write all requested tensors, unless the file has them, and drop them from memory.

        Returns whether the file is complete. Never raises an OSError: if writing fails, the next start computes the
        tensors again.
        """
        used, self._used = self._used, {}
        if not self.missing:
            return True
        started_s = time.perf_counter()
        try:
            self._clear_drafts()
            with files.draft(self.path) as draft:
                _write(draft, used, self._stamp)
        except OSError as error:
            _log.info("cannot write %s (%s); the next start will take longer", self.path, error.strerror or error)
            return False
        _log.info("wrote %s in %.1f s to make the next start faster", self.path, time.perf_counter() - started_s)
        return True

    def _clear_drafts(self) -> None:
        for old in self.path.parent.glob(f".{self.path.name}.*{files.DRAFT_SUFFIX}"):
            if time.time() - old.stat().st_mtime > _ABANDONED_S:
                old.unlink(missing_ok=True)


def pack_of(checkpoint: Checkpoint, profile: str, device: torch.device) -> Pack:
    """The pack of a checkpoint for a profile ("exact", "fast" or "int8") and a kind of device."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    stamp = {
        "format": "chatterbox_worker.pack",
        "model": checkpoint.layout.name,
        "revision": checkpoint.revision,
        "profile": profile,
        "device": kind,
        "source": _source_digest(),
    }
    return Pack(checkpoint.folder / pack_name(checkpoint.layout.name, profile, kind), stamp)


def load_with_pack(
    checkpoint: Checkpoint, profile: str, device: torch.device, *, graphs: bool = True
) -> tuple[T3, S3Gen]:
    """T3 and S3Gen, from the pack if there is one. T3's draft and a missing pack follow on a background thread."""
    pack = pack_of(checkpoint, profile, device)
    t3, s3gen = load_modules(checkpoint, profile, device, pack, graphs=graphs)

    def finish() -> None:
        try:
            add_draft(t3, checkpoint)
        except Exception as error:  # noqa: BLE001 - the thread's edge: T3 works without a draft
            _log.warning("speculative decoding is off, its draft model cannot be loaded: %s", error)
        pack.save()

    # Not a daemon: a process that exits while torch works in a daemon thread is aborted. So the exit waits for this
    # thread, which then stops writing (`_write`).
    threading.Thread(target=finish, name="pack").start()
    return t3, s3gen


def add_draft(t3: T3, checkpoint: Checkpoint) -> None:
    """Give T3 its draft for speculative decoding where that is faster: on a CPU with float32 weights.

    It changes when tokens come, not which.
    """
    if t3.precision is Precision.EXACT and t3.device.type == "cpu":
        weights = load_t3_state(checkpoint)
        t3.draft = T3(weights, precision=Precision.INT8, head=Precision.INT8, device=t3.device)


def load_modules(
    checkpoint: Checkpoint, profile: str, device: torch.device, pack: TensorProvider, *, graphs: bool = True
) -> tuple[T3, S3Gen]:
    """T3 and S3Gen on `device`; on the meta device without their values, as when a pack is written for an absent GPU.

    `graphs`: whether S3Gen may replay graphs on a GPU.
    """
    t3 = T3(load_t3_state(checkpoint), precision=Precision(profile), device=device, provide=pack)
    s3gen = S3Gen.from_state(
        load_s3gen_state(checkpoint, "flow.", "mel2wav."),
        device=device,
        profile=cast("Profile", profile),
        buckets=BUCKETS if graphs and device.type == "cuda" else (),
        provide=pack,
    )
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


def _write(path: Path, tensors: Mapping[str, Tensor], stamp: Mapping[str, str]) -> None:
    """Write a safetensors file whose tensors begin on cache lines, as far as their sizes allow.

    The library's own writer aligns to 8 bytes.
    """
    ordered = sorted(tensors.items(), key=lambda item: (item[1].nbytes % _ALIGNMENT != 0, item[0]))
    header: dict[str, object] = {"__metadata__": stamp}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-(len(encoded) + 8) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, tensor in ordered:
            if not threading.main_thread().is_alive():
                raise InterruptedError(errno.EINTR, "the process is ending")
            file.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def main(arguments: Sequence[str]) -> int:
    """Write the packs, replacing stale ones; returns 1 if one could not be written."""
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.engines.chatterbox.pack")
    parser.add_argument("models", nargs="+", choices=[name for name in (*MODELS, *PACKS) if name in LAYOUTS])
    parser.add_argument("--profile", choices=[each.value for each in Precision], default="exact")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = torch.device("cpu" if options.device == "cpu" else "meta")
    try:
        settings = Settings.from_env(environment())
        found = [
            find(LAYOUTS[name], weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
            for name in options.models
        ]
    except WorkerError as error:
        parser.exit(1, f"{error.message}\n")
    are_written = []
    for checkpoint in found:
        pack = pack_of(checkpoint, options.profile, device)
        load_modules(checkpoint, options.profile, device, pack)
        are_written.append(pack.save())
    return 0 if all(are_written) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which prepared weights a start reads: the profile that "auto" stands for, and where that profile's pack is.

Imports no torch, so that the pack can be read while torch is being imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.device.cpu_features import cpu_features

_GPU = Path("/dev/nvidiactl")  # exists where the driver runs
_ON_GPU = ("fast", "exact")

CPU_PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "amx_int8": ("int8", "exact", "fast"),
    "avx512_vnni": ("int8", "exact", "fast"),
    "avx_vnni": ("int8", "exact", "fast"),
    "avx2": ("int8", "exact", "fast"),
    "": ("exact", "int8", "fast"),
})  # fmt: skip
"""The profiles from the fastest to the slowest on a CPU with this flag of /proc/cpuinfo; the first flag decides.

Times upstream's speed (nano, 5 s, 2 cores; bench/RESULTS.md): exact 2.06 and int8 3.05 on an EPYC with AVX-512 VNNI and
bfloat16, 1.44 and 1.59 on one with AVX2 only, 1.39 and 1.80 on a Xeon with AMX (one run, before later changes). Without
VNNI int8 has 7-bit activations, which cost 1.5 of 32 dB, and the flow stays in float32. Nothing is known without AVX2.
`fast` is 1.79 on the first, and several times slower without instructions for bfloat16; with AMX it is not measured.
"""


def pack_paths(checkpoint: Checkpoint, profile: str, kind: str, prepared: str = "beside") -> list[Path]:
    """Where the pack for a profile and a kind of device ("cpu", "cuda") may be; the last place is the one to write to.

    `prepared`: the setting `prepared_weights`.
    """
    folders = [checkpoint.folder] if prepared in ("beside", "off") else [checkpoint.folder, Path(prepared)]
    return [folder / f"chatterbox-worker-{checkpoint.layout.name}-{profile}-{kind}.safetensors" for folder in folders]


def choose_profile(wanted: str, kind: str, checkpoint: Checkpoint, features: frozenset[str] | None = None) -> str:
    """The profile for a setting. "auto" is the fastest one on this kind of device, among those that the weights are
    prepared for if the original files were left out.

    `features`: of the CPU, if it is not this machine's.
    """
    if wanted != "auto":
        return wanted
    ranked = _ON_GPU if kind == "cuda" else _ranked(cpu_features() if features is None else features)
    if not checkpoint.is_prepared:
        return ranked[0]
    return next((each for each in ranked if pack_paths(checkpoint, each, kind)[0].is_file()), ranked[0])


def _ranked(features: frozenset[str]) -> tuple[str, ...]:
    return next(profiles for flag, profiles in CPU_PROFILES.items() if not flag or flag in features)


def needed(checkpoint: Checkpoint, settings: Settings) -> list[Path]:
    """The large files that loading the model will read: its pack, else the files that packs are built from; and those
    of the checkpoint that has its S3Gen.
    """
    kind, source = _guess_kind(settings.device), checkpoint.s3gen_source
    profile = choose_profile(settings.profile, kind, checkpoint)
    found = []
    for each, name in ((checkpoint, checkpoint.layout.t3), (source, source.layout.s3gen)):
        paths = pack_paths(each, profile, kind, settings.prepared_weights if each is checkpoint else "off")
        packs = [path for path in paths if path.is_file()]
        found += packs[:1] or [each.files[own] for own in (name,) if own in each.files]
    return list(dict.fromkeys(found))


def _guess_kind(device: str) -> str:
    """As `device_of`, but without torch; a wrong guess costs time only."""
    return "cuda" if device.startswith("cuda") or (device == "auto" and _GPU.exists()) else "cpu"

"""What this machine's CPU multiplies in hardware, by the flags of /proc/cpuinfo. Imports no torch."""

from __future__ import annotations

from pathlib import Path


def cpu_features() -> frozenset[str]:
    """The flags of the first core, such as "avx2", "avx512_vnni", "avx512_bf16", "amx_bf16"; none where unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return frozenset()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())

"""Chatterbox speech on RunPod: one core behind a queue worker, an HTTP server and Python."""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"]:  # Python has this in place of a name while it looks for the module to run
    from chatterbox_worker import command

    if command.is_ours(sys.orig_argv):
        command.begin()

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatterbox_worker.voice_cloner import VoiceCloner as VoiceCloner

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "VoiceCloner":  # on first use: clients of a queue import this package without a model stack
        from chatterbox_worker.voice_cloner import VoiceCloner  # noqa: PLC0415

        return VoiceCloner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""`Settings`: what this process may do, read once from `CHATTERBOX_*` variables.

The only file that reads the environment. Rules: an empty variable is unset (RunPod's deployers send empty strings
for fields left alone); an unknown variable under our prefix is an error, because it is a misspelt one; a bad value
is an error that names the variable, the value and the choices. RunPod's own variables belong to its SDK, the Hugging
Face hub's to huggingface_hub.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from chatterbox_worker.catalogue import MODELS, PACKS
from chatterbox_worker.errors import InvalidRequest, choices, shown

PREFIX = "CHATTERBOX_"


def environment() -> dict[str, str]:
    """A copy of this process's environment, to pass to `Settings.from_env` or to a child process."""
    return dict(os.environ)


def _setting(default: Any, parse: Callable[[str], Any], about: str) -> Any:
    return field(default=default, metadata={"parse": parse, "about": about})


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name for part in text.replace(",", " ").split() if (name := part.lower())))
        for name in names:
            if name not in known:
                raise ValueError(f"{shown(name)} is not one of {choices(known)}")
        return names

    return parse


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError("it must be a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"it must be from {low} to {high}")
        return number

    return parse


def _device(text: str) -> str:
    device = text.lower()
    if device in ("auto", "cpu", "cuda") or (device.startswith("cuda:") and device[5:].isdecimal()):
        return device
    raise ValueError("it must be auto, cpu, cuda or cuda:N")


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"it must be {choices(known)}")
        return text.lower()

    return parse


_GIB = 2**30
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """Per-process configuration; what one request may choose is in `request.SpeechRequest`."""

    models: tuple[str, ...] = _setting(
        ("multilingual", "turbo"), _names(tuple(MODELS)), "Models to serve, comma-separated; the first is the default."
    )
    packs: tuple[str, ...] = _setting(
        (), _names(PACKS), "Single-language packs to serve beside `multilingual`, comma-separated."
    )
    weights_dir: Path | None = _setting(
        None, Path, "Folder with checkpoints, one folder per model; searched before the caches and the hub."
    )
    device: str = _setting("auto", _device, "`auto`, `cpu`, `cuda` or `cuda:N`; auto takes a GPU where there is one.")
    profile: str = _setting(
        "auto", _one_of("auto", "exact", "fast"), "Precision: `exact` (fp32), `fast` (bf16 T3); auto: fast on a GPU."
    )
    cache_dir: Path = _setting(Path("/runpod-volume/tts_cache"), Path, "Folder of the audio cache.")
    cache_max_bytes: int = _setting(
        5 * _GIB, _number(0, 2**50), "Size the audio cache is kept under; 0 switches it off."
    )
    cache_max_age_s: int = _setting(30 * _DAY_S, _number(1, 2**31), "Age after which an unused cache entry goes.")
    voices_dir: Path = _setting(Path("/runpod-volume/voices"), Path, "Folder of the voice library.")
    concurrency: int = _setting(
        8, _number(3, 256), "Jobs taken at once; below 3 the SDK loses a second per job (docs/decisions.md)."
    )
    max_text_chars: int = _setting(50_000, _number(1, 10_000_000), "Longest text accepted, in characters.")
    payload_limit_bytes: int = _setting(
        10_000_000, _number(10_000, 100_000_000), "Largest answer posted to RunPod, as serialized JSON."
    )
    allow_private_urls: bool = _setting(
        False, lambda text: _one_of("0", "1")(text) == "1", "1 lets `voice_url` reach private addresses (tests only)."
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """
        Raises:
            InvalidRequest: an unknown or bad variable; `field` is its name.
        """
        known = {variable(f.name): f for f in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in env.items():
            if not name.startswith(PREFIX) or not text.strip():
                continue
            if name not in known:
                near = difflib.get_close_matches(name.removeprefix(PREFIX), [f.name.upper() for f in fields(cls)], n=1)
                hint = f"; did you mean {PREFIX}{near[0]}?" if near else f"; known are {choices(known)}"
                raise InvalidRequest(f"unknown variable {name}{hint}", field=name)
            try:
                values[known[name].name] = known[name].metadata["parse"](text.strip())
            except ValueError as error:
                raise InvalidRequest(f"{name} is {shown(text)}, but {error}", field=name) from None
        return cls(**values)


def variable(setting: str) -> str:
    """The environment variable of a setting: "cache_dir" → "CHATTERBOX_CACHE_DIR"."""
    return PREFIX + setting.upper()


def as_table() -> str:
    """The README's table of variables, in Markdown."""

    def written(value: object) -> str:
        if isinstance(value, tuple):
            return ",".join(value)
        return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    rows = [f"| `{variable(f.name)}` | `{written(f.default)}` | {f.metadata['about']} |" for f in fields(Settings)]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows]).replace("| `` |", "| unset |")

"""What a setting's variable may hold: from its text to its value.

Each function raises ValueError with what the text must be; `Settings.from_env` adds the variable and the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.errors import choices, quote

OPENAI = "openai"
"""Among the aliases: all of OpenAI's names."""
KERNEL_CHOICES = ("auto", "on", "off", "measure")
KERNEL_FAMILIES = ("step", "step_of_8", "step_of_16", "sound", "feed_forward")
"""Their names in `engines.chatterbox.kernels.proven.Family`, in lower case."""
_KEY_CHARS = 16  # a key that is typed by hand is guessed by a machine


def _entries(text: str) -> tuple[str, ...]:
    """Without repetitions, separated by commas or white space."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def names(text: str) -> tuple[str, ...]:
    return _entries(text.lower())


def names_of(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        given = names(text)
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"{quote(unknown[0])} is not one of {choices(known)}")
        return given

    return parse


def aliases(text: str) -> tuple[str, ...]:
    entries = _entries(re.sub(r"\s*=\s*", "=", text))
    for entry in entries:
        name = entry.partition("=")[0]
        if entry != OPENAI and not re.fullmatch(r"[A-Za-z0-9][\w.:/-]{0,63}=[A-Za-z0-9][\w.-]{0,63}", entry):
            raise ValueError(f"{quote(entry)} is neither name=target nor {OPENAI}")
        if name.lower() in (*MODELS, "default"):
            raise ValueError(f"{quote(name)} has its own meaning already")
    return entries


def repository(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", text):
        raise ValueError("it must be owner/name or owner/name@revision")
    return text


def place(text: str) -> str:
    if text.lower() in ("beside", "off"):
        return text.lower()
    if not Path(text).is_absolute():
        raise ValueError("it must be beside, off or an absolute path")
    return text


def device(text: str) -> str:
    name = text.lower()
    if name in ("auto", "cpu", "cuda") or (name.startswith("cuda:") and name[5:].isdecimal()):
        return name
    raise ValueError("it must be auto, cpu, cuda or cuda:N")


def one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"it must be {choices(known)}")
        return text.lower()

    return parse


def kernels(text: str) -> str:
    if text.lower() in KERNEL_CHOICES:
        return text.lower()
    given = names(text) or (text,)
    if unknown := [name for name in given if name not in KERNEL_FAMILIES]:
        raise ValueError(
            f"it must be {choices(KERNEL_CHOICES)}, or families separated by commas: {quote(unknown[0])} is not one of "
            f"{choices(KERNEL_FAMILIES)}"
        )
    if "step" not in given and (of_rows := [name for name in given if name.startswith("step_of_")]):
        raise ValueError(f"{of_rows[0]} is a part of step: name step, too")
    return ",".join(given)


def switch(text: str) -> bool:
    """RunPod's command-line tool sends true and false, whatever values a Hub listing has for a switch."""
    return one_of("0", "1", "false", "true")(text) in ("1", "true")


def backend(text: str) -> str:
    kind, _, endpoint = text.partition(":")
    if text == "local" or (kind == "runpod" and re.fullmatch(r"[A-Za-z0-9-]{1,64}", endpoint)):
        return text
    raise ValueError("it must be local or runpod:<endpoint id>")


def keys(text: str) -> tuple[str, ...]:
    entries = _entries(text)
    if short := [key for key in entries if len(key) < _KEY_CHARS]:
        raise ValueError(f"{len(short)} of its keys have fewer than {_KEY_CHARS} characters")
    return entries


def origins(text: str) -> tuple[str, ...]:
    entries = _entries(text)
    for origin in entries:
        if not re.fullmatch(r"\*|null|[A-Za-z][A-Za-z0-9+.-]*://[^/*\s]+", origin):
            raise ValueError(f"{quote(origin)} is not an origin such as https://example.org, app://name, null or *")
    return entries


def hosts(text: str) -> tuple[str, ...]:
    entries = names(text)
    for host in entries:
        if not re.fullmatch(r"\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
            raise ValueError(f"{quote(host)} is not a host's name such as tts.example.org, without a port")
    return entries


def root_path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?|/", text):
        raise ValueError("it must be a path such as /tts")
    return text.rstrip("/")


def base_url(text: str) -> str:
    if not re.fullmatch(r"https?://\S+", text):
        raise ValueError("it must be an http or https URL")
    return text.rstrip("/")

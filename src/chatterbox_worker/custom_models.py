"""Models that only this worker has: fine-tuned weights of a family, by a name of the operator's choice.

The setting's text is a list of `name=place:family` or `name=place:family:languages`, with commas between the entries; a
comma that no name follows is part of a place, because there are published folders with one. Nothing here looks at the
place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from chatterbox_worker.catalogue import LANGUAGES, MODELS, OPENAI_MODELS, PACKS, ModelCard
from chatterbox_worker.errors import choices, quote

FAMILIES = ("multilingual", "multilingual-v2", "english", "turbo", "nano")
"""The models of which other weights can be served: those with a T3 that can be fine-tuned."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_BETWEEN = re.compile(r",(?=[^,=]*=)")
_ENTRY = re.compile(r"(?P<name>[^=]*)=(?P<place>.*?):(?P<family>[^:/]*)(?::(?P<languages>[^:/]*))?")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(/[\w.,-]+){0,8}(@[\w./-]+)?", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2}")
_HAVE_A_MEANING = ("default", "openai", *OPENAI_MODELS, *MODELS, *PACKS)


@dataclass(frozen=True, slots=True)
class CustomModel:
    name: str
    """Safe in a file name."""
    place: str
    """A folder or a file by its absolute path, or `owner/repository`, `owner/repository/path`, each also with
    `@revision`, on the hub."""
    family: str
    """One of `FAMILIES`."""
    languages: tuple[str, ...] = ()
    """Codes of ISO 639-1; none for those of the family."""

    @property
    def card(self) -> ModelCard:
        """That of its family, with its own name and languages."""
        of_family = MODELS[self.family]
        return replace(of_family, name=self.name, languages=self.languages or of_family.languages)

    @property
    def is_on_hub(self) -> bool:
        return not self.place.startswith("/")

    def __str__(self) -> str:
        return f"{self.name}={self.place}:{self.family}" + (f":{'+'.join(self.languages)}" if self.languages else "")


def parse_custom_models(text: str) -> tuple[CustomModel, ...]:
    """
    Raises:
        ValueError: an entry that cannot be understood, and how it must be written.
    """
    models = tuple(_parse(entry) for part in _BETWEEN.split(text) if (entry := part.strip(" ,\n\t")))
    names = [model.name for model in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{quote(twice)} is given twice")
    return models


def language_names(models: tuple[CustomModel, ...]) -> dict[str, str]:
    """From the code of each language that the catalogue's models or these speak to its name, which is the code itself
    if no name is known.
    """
    return {**LANGUAGES, **{code: LANGUAGES.get(code, code) for model in models for code in model.languages}}


def _parse(entry: str) -> CustomModel:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"{quote(entry)} is not name=place:family, nor name=place:family:languages")
    name, place, family = (found[part].strip() for part in ("name", "place", "family"))
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name {quote(name)} must have up to 40 small letters, digits, dots, hyphens or underscores"
        )
    if name in _HAVE_A_MEANING:
        raise ValueError(f"{quote(name)} has its own meaning already")
    if ".." in re.split("[/@]", place):
        raise ValueError(f"the place {quote(place)} of {name} must not contain ..")
    if not place.startswith("/") and not _REPOSITORY.fullmatch(place):
        raise ValueError(f"{quote(place)} of {name} is neither an absolute path nor owner/repository@revision")
    if family not in FAMILIES:
        raise ValueError(f"the family of {name} is {quote(family)}; choose {choices(FAMILIES)}")
    return CustomModel(name, place, family, _languages(name, found["languages"]))


def _languages(name: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    codes = tuple(dict.fromkeys(code.strip().lower() for code in text.split("+")))
    for code in codes:
        if not _LANGUAGE.fullmatch(code):
            raise ValueError(f"the language {quote(code)} of {name} is not a code of two letters, such as fa or fa+en")
    return codes

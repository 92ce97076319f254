"""The language of a request: a tag of BCP 47 becomes a language of the models, a pack for its region, and a region.

A region without a pack of its own is spoken by the model of its language; its currency, decimal mark and order of dates
are read as there all the same.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from chatterbox_worker.catalogue import REGIONS

_TAG = re.compile(r"(?P<language>[a-z]{2,3})(?:-[a-z]{4})?(?:-(?P<region>[a-z]{2}|\d{3}))?", re.IGNORECASE)
_SAME = {"nb": "no", "nn": "no", "iw": "he", "cmn": "zh"}
"""Other codes of ISO 639, for what has one code here."""
_LATIN_AMERICA = frozenset({
    "419", "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "PY", "SV", "US",
    "UY", "VE",
})  # fmt: skip
"""Where the pack es-mx-latam is the nearest; 419 is all of it, by UN M49."""


class Tag(NamedTuple):
    language: str
    """As in `catalogue.LANGUAGES`; it may be none of them."""
    region: str = ""
    """Two capitals or three digits, or empty."""

    def pack_region(self, packs: Container[str]) -> str | None:
        """The tag of `catalogue.REGIONS` whose pack, one of `packs`, speaks this; None if none does."""
        region = "MX" if self.language == "es" and self.region in _LATIN_AMERICA else self.region
        known = f"{self.language}-{region}"
        return known if known in REGIONS and REGIONS[known] in packs else None

    def __str__(self) -> str:
        return f"{self.language}-{self.region}" if self.region else self.language


def parse_tag(written: str) -> Tag:
    """What `written` names, in any case and with "-" or "_"; itself in lower case if it is no tag."""
    plain = written.strip().replace("_", "-")
    found = _TAG.fullmatch(plain)
    if found is None:
        return Tag(plain.lower())
    language = found["language"].lower()
    return Tag(_SAME.get(language, language), (found["region"] or "").upper())

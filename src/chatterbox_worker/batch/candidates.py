"""`candidates`: a row becomes several, each a take of its text with a seed of its own. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from chatterbox_worker.request import count_of_candidates
from chatterbox_worker.synthesis.chunk_takes import candidate_seeds


def each_candidate(fields: Mapping[str, Any], defaults: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The fields of a row, once for each of its candidates; the ids of several are `name` with -1, -2 ...

    Without a seed the takes follow from the row's id, so that a run that is continued asks for the same ones.

    Raises:
        InvalidRequest: `candidates` is out of its range.
    """
    count = count_of_candidates(_given("candidates", fields, defaults))
    own = {key: value for key, value in fields.items() if key != "candidates"}
    seed = _given("seed", fields, defaults)
    if seed is None:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    is_usable = type(seed) is int and 0 <= seed < 2**32 and type(fields.get("id", name)) in (str, int)
    if count == 1 or not is_usable:
        return [own]  # what cannot be used is reported once, by the check of the row
    return [own | {"id": f"{name}-{n}", "seed": each} for n, each in enumerate(candidate_seeds(seed, count), 1)]


def _given(name: str, *places: Mapping[str, Any]) -> Any:
    """The first value that is not null."""
    return next((place[name] for place in places if place.get(name) is not None), None)

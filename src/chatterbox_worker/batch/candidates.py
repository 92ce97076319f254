"""`candidates`: a row becomes several, each a take of its text with a seed of its own. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from chatterbox_worker.chunk_takes import candidate_seeds
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import MOST_CANDIDATES


def each_candidate(fields: Mapping[str, Any], defaults: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The fields of a row, once for each of its candidates; the ids of several are `name` with -1, -2 ...

    Without a seed the takes follow from the row's id, so that a run that is continued asks for the same ones.

    Raises:
        InvalidRequest: `candidates` is out of its range.
    """
    given = next((each["candidates"] for each in (fields, defaults) if each.get("candidates") is not None), 1)
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MOST_CANDIDATES:
        sentence = f"candidates must be a whole number from 1 to {MOST_CANDIDATES}, not {quote(given)}"
        raise InvalidRequest(sentence, field="candidates")
    own = {key: value for key, value in fields.items() if key != "candidates"}
    if given == 1:
        return [own]
    seed = next((each["seed"] for each in (fields, defaults) if isinstance(each.get("seed"), int)), None)
    if seed is None:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return [own | {"id": f"{name}-{n}", "seed": each} for n, each in enumerate(candidate_seeds(seed, given), 1)]

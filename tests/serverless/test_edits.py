"""One sentence changed, over the real queue: the worker that speaks it is not the one that spoke the others."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from support.platform_queue import PREVIEW, open_queue

SENTENCES = [f"Sentence {number} of this story." for number in range(20)]
FIELDS = {"chunk_size": 50, "seed": 5, "format": "wav"}


def parts(answer: dict[str, Any]) -> list[bytes]:
    """The samples of each chunk."""
    samples, rate = base64.b64decode(answer["audio_base64"])[44:], answer["sample_rate"]
    return [samples[2 * round(c["start_s"] * rate) : 2 * round(c["end_s"] * rate)] for c in answer["chunks"]]


@pytest.mark.slow
def test_an_edit_is_spoken_alone_by_another_worker(tmp_path: Path) -> None:
    edited = [*SENTENCES[:9], "An edited sentence stands here.", *SENTENCES[10:]]
    with open_queue(PREVIEW, tmp_path) as queue:
        before = queue.run({"text": "\n\n".join(SENTENCES), **FIELDS}, timeout_s=300)["output"]
    with open_queue(PREVIEW, tmp_path) as queue:
        after = queue.run({"text": "\n\n".join(edited), **FIELDS}, timeout_s=300)["output"]
        again = queue.run({"text": "\n\n".join(edited), **FIELDS, "respeak": [3, 7]}, timeout_s=300)["output"]

    assert [index for index, chunk in enumerate(after["chunks"]) if not chunk["kept"]] == [9]
    assert [a == b for a, b in zip(parts(before), parts(after), strict=True)] == [index != 9 for index in range(20)]
    assert [index for index, chunk in enumerate(again["chunks"]) if not chunk["kept"]] == [3, 7]

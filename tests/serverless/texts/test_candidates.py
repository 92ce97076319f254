"""Candidates: several takes of one text in one job."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbox_worker.serverless.worker import Worker
from support.worker_jobs import ask, numbered


def test_candidates_are_takes_of_one_text_each_named_by_its_seed(worker: Worker) -> None:
    asked = {"text": "Say it well.", "format": "flac", "seed": 7}
    answer = ask(worker, asked | {"candidates": 3})

    results = answer["results"]
    assert [result["id"] for result in results] == [str(result["seed"]) for result in results]
    assert results[0]["seed"] == 7
    assert len({result["audio_base64"] for result in results}) == 3
    chosen = ask(worker, asked | {"seed": results[2]["seed"]})
    assert (chosen["audio_base64"], chosen["cache_hit"]) == (results[2]["audio_base64"], True)
    assert ask(worker, asked | {"candidates": 1})["audio_base64"] == results[0]["audio_base64"]


def test_candidates_without_a_seed_have_seeds_too(worker: Worker) -> None:
    answer = ask(worker, {"text": "Say it well.", "candidates": 2, "cache": False})
    first, second = answer["results"]
    again = ask(worker, {"text": "Say it well.", "seed": second["seed"], "cache": False})
    assert first["audio_base64"] != second["audio_base64"] == again["audio_base64"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "Hello.", "candidates": 9}, "candidates"),
        ({"text": "Hello.", "candidates": 0}, "candidates"),
        ({"text": "Hello.", "candidates": True}, "candidates"),
        ({"text": "Hello.", "candidates": "3"}, "candidates"),
        ({"text": "", "candidates": 3}, "text"),
        ({"text": "Hello.", "candidates": 3, "colour": "red"}, "colour"),
        ({"texts": numbered(2), "candidates": 3}, "candidates"),
    ],
)
def test_candidates_that_cannot_be_spoken_are_refused(worker: Worker, fields: dict[str, Any], field: str) -> None:
    refusal = ask(worker, fields)
    assert (refusal["code"], refusal["field"]) == ("invalid_request", field)


def test_one_of_several_texts_has_no_candidates(worker: Worker) -> None:
    answer = ask(worker, {"texts": [*numbered(1), {"id": "b", "text": "Hello.", "candidates": 2}]})
    assert [result.get("error", {}).get("field") for result in answer["results"]] == [None, "candidates"]

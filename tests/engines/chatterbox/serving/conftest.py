"""What the tests of takes in a batch share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.batch import Batch


@pytest.fixture(params=[0, 1], ids=["read at once", "read one step late, as on a GPU"])
def batch(request: pytest.FixtureRequest) -> Iterator[Batch]:
    batch = Batch()
    batch.scheduler._lag = request.param
    yield batch
    batch.scheduler.close()


@pytest.fixture
def gated() -> Iterator[Batch]:
    batch = Batch(slots=2, is_gated=True)
    yield batch
    assert batch.gate is not None
    batch.gate.release(10**6)
    batch.scheduler.close()

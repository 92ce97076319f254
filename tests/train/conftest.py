"""What every training in the tests has in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_whisper_from_the_hub() -> Iterator[None]:
    """A training that checks its samples would download Whisper base; a test that needs it names the local one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHATTERBOX_ASR_MODEL", "/there/is/no/model")
        yield

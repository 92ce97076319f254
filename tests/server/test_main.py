"""`python -m chatterbox_worker.server`: its errors at start-up."""

from __future__ import annotations

import logging

import pytest

from chatterbox_worker.server.__main__ import main


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CHATTERBOX_API_KEYS": "short"}, "fewer than 16 characters"),
        ({"CHATTERBOX_BACKEND": "runpod:abc", "RUNPOD_API_KEY": ""}, "needs RUNPOD_API_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"CHATTERBOX_PORT": "80"}, "unknown variable CHATTERBOX_PORT"),
    ],
)
def test_an_invalid_setting_ends_it_with_an_error_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.ERROR):
        assert main([]) == 2

    assert message in caplog.text
    assert "Traceback" not in caplog.text

"""Settings: the environment's one reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest


def test_nothing_set_is_the_documented_default() -> None:
    assert Settings.from_env({}) == Settings()


@pytest.mark.parametrize("bad", ["abc123", "abc123,0123456789abcdef0"])
def test_an_error_does_not_show_a_key(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="CHATTERBOX_API_KEYS: 1 of its keys") as failed:
        Settings.from_env({"CHATTERBOX_API_KEYS": bad})
    assert "abc123" not in str(failed.value)
    assert "0123456789" not in str(failed.value)


def test_other_peoples_variables_are_none_of_our_business() -> None:
    assert Settings.from_env({"RUNPOD_POD_ID": "x", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_unset_because_deployers_send_empty_strings(empty: str) -> None:
    assert Settings.from_env({"CHATTERBOX_MODELS": empty, "CHATTERBOX_CONCURRENCY": empty}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "setting", "value"),
    [
        ("CHATTERBOX_MODELS", "Turbo, nano,turbo", "models", ("turbo", "nano")),
        ("CHATTERBOX_PACKS", "es-mx-latam pt-br", "packs", ("es-mx-latam", "pt-br")),
        ("CHATTERBOX_WEIGHTS_DIR", "/weights", "weights_dir", Path("/weights")),
        ("CHATTERBOX_CACHE_MAX_BYTES", "0", "cache_max_bytes", 0),
        ("CHATTERBOX_DEVICE", "CUDA:1", "device", "cuda:1"),
        ("CHATTERBOX_DEVICE", "Auto", "device", "auto"),
        ("CHATTERBOX_CONCURRENCY", " 3 ", "concurrency", 3),
        ("CHATTERBOX_ALLOW_PRIVATE_URLS", "1", "allow_private_urls", True),
        ("CHATTERBOX_GRAPH_MEMORY_SHARE", "0.01", "graph_memory_share", 0.01),
        ("CHATTERBOX_GRAPH_MEMORY_SHARE", ".5", "graph_memory_share", 0.5),
        ("CHATTERBOX_PREPARED_WEIGHTS", "Off", "prepared_weights", "off"),
        ("CHATTERBOX_PREPARED_WEIGHTS", "/packs", "prepared_weights", "/packs"),
        ("CHATTERBOX_KERNELS", "Measure", "kernels", "measure"),
        ("CHATTERBOX_KERNELS", "Step, sound", "kernels", "step,sound"),
    ],
)
def test_a_good_value_is_taken(name: str, text: str, setting: str, value: object) -> None:
    assert getattr(Settings.from_env({name: text}), setting) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("CHATTERBOX_MODELS", "turbo,gpt4", "'gpt4' is not one of multilingual"),
        ("CHATTERBOX_PACKS", "fr-fr", "'fr-fr'"),
        ("CHATTERBOX_CONCURRENCY", "0", "is '0', but it must be a whole number from 1 to 256"),
        ("CHATTERBOX_CONCURRENCY", "many", "is 'many', but it must be a whole number from 1 to 256"),
        ("CHATTERBOX_CONCURRENCY", "1e99", "from 1 to 256"),
        ("CHATTERBOX_DEVICE", "tpu", "CHATTERBOX_DEVICE is 'tpu', but it must be auto, cpu, cuda or cuda:N"),
        ("CHATTERBOX_DEVICE", "cuda:x", "auto, cpu, cuda or cuda:N"),
        ("CHATTERBOX_GRAPH_MEMORY_SHARE", "0.51", "from 0.01 to 0.5"),
        ("CHATTERBOX_GRAPH_MEMORY_SHARE", "nan", "a number from 0.01 to 0.5"),
        ("CHATTERBOX_PREPARED_WEIGHTS", "packs", "beside, off or an absolute path"),
        ("CHATTERBOX_PROFILE", "quick", "auto, exact, fast, int8 or nf4"),
        ("CHATTERBOX_KERNELS", "step,auto", "auto, on, off or measure, or families separated by commas: 'auto' is not"),
        ("CHATTERBOX_KERNELS", ",", "',' is not one of step, step_of_8, step_of_16, sound or feed_forward"),
        ("CHATTERBOX_KERNELS", "sound,step_of_8", "step_of_8 is a part of step: name step, too"),
        ("CHATTERBOX_CONCURENCY", "4", "did you mean CHATTERBOX_CONCURRENCY"),
        ("CHATTERBOX_ZZZ", "1", "known are"),
    ],
)
def test_a_bad_value_or_name_is_refused_and_named(name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Settings.from_env({name: text})

    assert refused.value.field == name
    assert said in refused.value.message

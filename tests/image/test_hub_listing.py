"""hub.json and tests.json against the worker that they describe, and as RunPod's deployment tools read them.

RunPod publishes no schema. The fields are those of its publishing guide. The tools are its command-line tool and the
MCP server, which differ (docs/DEPLOYMENT.md).
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile

from chatterbox_worker import config
from chatterbox_worker.config import Settings
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.serverless.job import SpeechJob
from chatterbox_worker.serverless.worker import parse
from support.checkpoints import linked
from support.paths import ROOT, WORKERS

HUB: dict[str, Any] = json.loads((ROOT / "hub.json").read_text(encoding="utf-8"))
TESTS: dict[str, Any] = json.loads((ROOT / "tests.json").read_text(encoding="utf-8"))
ENTRIES: list[dict[str, Any]] = HUB["config"]["env"]
INPUTS: dict[str, dict[str, Any]] = {entry["key"]: entry["input"] for entry in ENTRIES}
IMAGE_MODELS = ("multilingual", "turbo")  # the Dockerfile's default

# Settings that are not in the listing's form, by reason.
NOT_FOR_THE_HUB = {
    "only for the HTTP server": {
        "host", "port", "api_keys", "rate_limit_per_minute", "queue_limit", "cors_origins", "idle_unload",
        "idle_unload_s", "backend", "runpod_api_key", "runpod_base_url", "hosts", "root_path", "stream_format",
    },
    "set by the image": {"weights_dir", "packs", "device", "prepared_weights"},
    "the image's weights are prepared for one profile, without the originals": {"profile", "adapters"},
    "set by the platform": {"payload_limit_bytes", "runsync_limit_bytes"},
    "only for a CPU": {"threads"},
    "its default is on the volume": {"lexicon"},
    "for finding errors": {"graphs"},
    "for measuring a GPU": {"graph_memory_share", "cudnn_attention", "kernels"},
    "for a model that is not in the image": {"csm_repo"},
    "how it sounds has not been judged": {"decoder"},
    "for a package that is not in the image": {"asr_model", "asr_device"},
    "a request chooses it": {"check"},
    "for tests": {"allow_private_urls"},
}  # fmt: skip
POOLS = {
    "AMPERE_16", "AMPERE_24", "ADA_24", "AMPERE_48", "ADA_48_PRO", "AMPERE_80", "ADA_80_PRO", "HOPPER_141",
    "ADA_32_PRO", "BLACKWELL_96", "BLACKWELL_180",
}  # fmt: skip


def go(value: object) -> str:
    """Go's `%v`, in which RunPod's command-line tool writes defaults: JSON numbers are float64 there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return str(value)
    mantissa, exponent = f"{float(value):.17e}".split("e")
    if int(exponent) < 21 and not (abs(int(exponent)) >= 6 or int(exponent) < -4):
        return str(int(value)) if value == int(value) else repr(value)
    shortest = next(text for text in (f"{value:.{digits}e}" for digits in range(18)) if float(text) == value)
    mantissa, exponent = shortest.split("e")
    return f"{mantissa}e{exponent}"


def as_runpodctl() -> dict[str, str]:
    """Sends every variable; one without a default is an empty string."""
    return {key: go(field["default"]) if "default" in field else "" for key, field in INPUTS.items()}


def as_mcp() -> dict[str, str]:
    """Leaves out variables without a default, and sends a switch's own values."""
    sent: dict[str, str] = {}
    for key, field in INPUTS.items():
        if field["type"] == "boolean":
            sent[key] = field["trueValue"] if field["default"] else field["falseValue"]
        elif "default" in field:
            sent[key] = str(field["default"])
    return sent


def as_unchanged_console() -> dict[str, str]:
    return dict.fromkeys(INPUTS, "")


@pytest.mark.parametrize(("value", "written"), [
    (8, "8"), (50_000, "50000"), (1_000_000, "1e+06"), (5_368_709_120, "5.36870912e+09"), (2_592_000, "2.592e+06"),
    (0, "0"), (False, "false"), ("auto", "auto"),
])  # fmt: skip
def test_numbers_are_written_as_go_writes_them(value: object, written: str) -> None:
    assert go(value) == written


@pytest.mark.parametrize("tool", [as_runpodctl, as_mcp, as_unchanged_console])
def test_every_tools_defaults_are_the_workers_own(tool: Any) -> None:
    assert Settings.from_env(tool()) == Settings()


@pytest.mark.parametrize("preset", HUB["config"]["presets"], ids=lambda preset: preset["name"].partition(":")[0])
@pytest.mark.parametrize("write", [go, str])
def test_the_image_can_serve_every_preset(preset: dict[str, Any], write: Any) -> None:
    assert set(preset) == {"name", "defaults"}
    assert set(preset["defaults"]) <= set(INPUTS)
    settings = Settings.from_env(as_mcp() | {key: write(value) for key, value in preset["defaults"].items()})
    assert set(settings.models) <= set(IMAGE_MODELS)
    assert settings != Settings()


def test_there_are_presets_for_low_cost_languages_and_streaming() -> None:
    low_cost, languages, streaming = (preset["defaults"] for preset in HUB["config"]["presets"])
    assert low_cost["CHATTERBOX_MODELS"] == "turbo"
    assert languages["CHATTERBOX_MODELS"] == "multilingual"
    assert streaming["CHATTERBOX_STREAM"] == "1"


@pytest.mark.parametrize("name", ["hub.json", "tests.json"])
def test_the_files_are_also_where_runpods_guide_wants_them(name: str) -> None:
    """Copies: links are not followed everywhere, and the files at the top level are what people look for."""
    assert (ROOT / ".runpod" / name).read_bytes() == (ROOT / name).read_bytes()


def test_every_setting_is_in_the_form_or_left_out_for_a_reason() -> None:
    left_out = [name for names in NOT_FOR_THE_HUB.values() for name in names]
    listed = [name for name in Settings.__dataclass_fields__ if config.variable(name) in INPUTS]
    assert sorted([*left_out, *listed]) == sorted(Settings.__dataclass_fields__)
    assert len(listed) == len(INPUTS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["key"])
def test_an_entry_is_described_and_every_value_it_offers_is_accepted(entry: dict[str, Any]) -> None:
    assert set(entry) == {"key", "input"}  # one tool drops static values, another one sends them empty
    field = entry["input"]
    allowed = {
        "string": {"options"}, "number": {"min", "max"}, "boolean": {"trueValue", "falseValue"},
    }[field["type"]]  # fmt: skip
    assert set(field) <= {"name", "type", "description", "default", "required", "advanced"} | allowed
    assert field["name"]
    assert field["description"].endswith((".", "both keys."))
    offered = [field[name] for name in ("min", "max", "trueValue", "falseValue", "default") if name in field]
    for value in [*offered, *(option["value"] for option in field.get("options", ()))]:
        for written in {go(value), str(value) if not isinstance(value, bool) else go(value)}:
            assert Settings.from_env({entry["key"]: written}) is not None
    if field["type"] == "number":
        assert field["min"] <= field["default"] <= field["max"]
    if "options" in field:
        assert field["default"] in [option["value"] for option in field["options"]]


def test_the_listing_has_what_the_hub_requires() -> None:
    assert (HUB["type"], HUB["category"], HUB["config"]["runsOn"]) == ("serverless", "audio", "GPU")
    assert "endpointType" not in HUB["config"]  # a queue
    assert HUB["iconUrl"].startswith("https://")
    assert 10 <= len(HUB["title"]) <= 60
    assert HUB["config"]["containerDiskInGb"] >= 20
    assert set(HUB["config"]["gpuIds"].split(",")) == {"AMPERE_16", "AMPERE_24", "ADA_24"} <= POOLS
    for name in ("Dockerfile", "handler.py"):
        assert (ROOT / name).is_file(), name


def test_cuda_versions_ascend_and_can_run_the_pinned_torch() -> None:
    """One deployment tool uses the first version as the minimum for a machine."""
    needed = next(
        line.removeprefix("cuda-toolkit==").split(" ")[0]
        for line in (ROOT / "locks" / "dev.txt").read_text().splitlines()
        if line.startswith("cuda-toolkit==")
    )
    versions = [tuple(map(int, version.split("."))) for version in HUB["config"]["allowedCudaVersions"]]
    assert versions == sorted(set(versions))
    assert versions[0] >= tuple(map(int, needed.split(".")))[:2]
    assert TESTS["config"]["allowedCudaVersions"] == HUB["config"]["allowedCudaVersions"]


def test_the_tests_have_the_fields_that_the_harness_reads() -> None:
    assert set(TESTS) == {"tests", "config"}
    assert set(TESTS["config"]) <= {"gpuTypeId", "gpuCount", "cpuFlavor", "env", "allowedCudaVersions", "runsOn"}
    assert TESTS["config"]["gpuTypeId"] == "NVIDIA GeForce RTX 4090"  # of pool ADA_24
    assert len({test["name"] for test in TESTS["tests"]}) == len(TESTS["tests"]) == 5
    for test in TESTS["tests"]:
        assert set(test) == {"name", "input", "timeout"}


@pytest.mark.parametrize("test", TESTS["tests"], ids=lambda test: test["name"])
def test_the_default_image_can_run_every_hub_test(test: dict[str, Any]) -> None:
    job = parse(test["input"], Settings(models=IMAGE_MODELS))
    assert isinstance(job, SpeechJob)
    request = job.request
    assert request.model in IMAGE_MODELS
    assert request.seed is not None
    assert len(request.text) <= 20  # the harness waits 30 s, and a test that takes longer "passes"


@pytest.fixture(scope="module")
def hub_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalQueue]:
    """The worker with tiny weights and takes of 0.8 s, as the harness runs it: `sh -c`, no pings, no stream.

    Unchecked: takes of random weights would be generated again.
    """
    weights, volume = tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("volume")
    for model in IMAGE_MODELS:
        linked(model, weights)
    env = as_mcp() | {
        "CHATTERBOX_WEIGHTS_DIR": str(weights), "CHATTERBOX_CACHE_DIR": str(volume / "cache"),
        "CHATTERBOX_VOICES_DIR": str(volume / "voices"), "CHATTERBOX_DEVICE": "cpu", "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1", "CHATTERBOX_CHECK": "off", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }  # fmt: skip
    with LocalQueue(
        command=["python3", "-u", str(WORKERS / "tiny.py"), "queue"],
        cwd=ROOT,
        env=_with_our_python(env),
        hub=True,
    ) as queue:
        yield queue


def _with_our_python(env: Mapping[str, str]) -> dict[str, str]:
    """The image's command starts `python3`; here that must be the Python of the tests."""
    import sys

    return {**env, "PATH": f"{Path(sys.executable).parent}:{config.environment()['PATH']}"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_hub_test_passes_under_the_hubs_conditions(hub_queue: LocalQueue) -> None:
    sounds: dict[str, bytes] = {}
    for test in TESTS["tests"]:
        answer = hub_queue.run(test["input"], sync=True, timeout_s=300)
        assert answer["status"] == "COMPLETED", (test["name"], answer)
        sounds[test["name"]] = base64.b64decode(answer["output"]["audio_base64"])
        assert soundfile.info(io.BytesIO(sounds[test["name"]])).duration > 0.1
    assert sounds["english"] == sounds["english again, same seed"]

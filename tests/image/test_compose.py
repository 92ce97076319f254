"""docker-compose.yml: every service has an image that can do its work, and valid settings."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from chatterbox_worker.config import VOLUME, Settings
from chatterbox_worker.server.__main__ import SHUTDOWN_S
from support.image_recipe import read
from support.paths import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RECIPE = read()


def _settings(service: dict[str, Any]) -> Settings:
    """Of a container, if the user has set no variable but the endpoint's id."""
    given = {"RUNPOD_ENDPOINT_ID": "abc"}
    runtime = service["build"].get("args", {}).get("RUNTIME", "cuda")
    image = RECIPE.env("server", runtime)
    own = {
        name: re.sub(r"\$\{(\w+):-([^}]*)\}", lambda each: given.get(each[1], each[2]), value)
        for name, value in service["environment"].items()
    }
    return Settings.from_env(image | own)


def _is_gateway(service: dict[str, Any]) -> bool:
    return _settings(service).backend != "local"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_serves_the_models_of_its_image(name: str) -> None:
    service = SERVICES[name]
    arguments = service["build"].get("args", {})
    if _is_gateway(service):
        assert arguments["MODELS"] == ""
        return
    baked = RECIPE.env("server", arguments.get("RUNTIME", "cuda"))["CHATTERBOX_MODELS"]
    assert set(_settings(service).models) == set(arguments.get("MODELS", baked).split())


def test_only_the_service_with_a_gpu_has_weights_that_are_prepared_for_one() -> None:
    runtimes = {name: service["build"].get("args", {}).get("RUNTIME", "cuda") for name, service in SERVICES.items()}
    assert {name: "deploy" in service for name, service in SERVICES.items()} == {
        name: runtime == "cuda" for name, runtime in runtimes.items()
    }


def test_images_that_are_built_otherwise_have_names_of_their_own() -> None:
    images = [service["image"] for service in SERVICES.values()]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("name", SERVICES)
def test_data_are_on_a_named_volume_which_the_servers_user_can_write(name: str) -> None:
    settings = _settings(SERVICES[name])
    assert SERVICES[name]["volumes"] == [f"data:{VOLUME}"]
    assert "data" in COMPOSE["volumes"]
    assert {settings.cache_dir.parent, settings.voices_dir.parent, settings.lexicon.parent} == {VOLUME}


@pytest.mark.parametrize("name", SERVICES)
def test_docker_waits_longer_than_a_server_that_stops_waits_for_its_answers(name: str) -> None:
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= SHUTDOWN_S + 10


def test_the_health_check_is_the_images_own() -> None:
    assert not [name for name, service in SERVICES.items() if "healthcheck" in service]

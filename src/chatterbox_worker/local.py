"""What a developer's machine has by default: folders in the current one, models with weights on it, or the preview.

Only local commands use this. The image does not, so that a deployed worker without weights reports an error instead of
speaking with another voice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from chatterbox_worker.config import VOLUME, variable
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.errors import NotReady

log = logging.getLogger(__name__)

_HUB_ANSWERS_WITHIN_S = 3.0  # a hub that is slower than this is too slow for gigabytes as well
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")  # exists before any CUDA library is loaded


def with_local_folders(env: Mapping[str, str], root: Path) -> dict[str, str]:
    """`env` with defaults for the folders, under `root`/.local, where `make queue` and `make serve` look."""
    defaults = {
        variable("cache_dir"): str(root / ".local" / "cache"),
        variable("voices_dir"): str(root / ".local" / "voices"),
        variable("outputs_dir"): str(root / ".local" / "outputs"),
        variable("lexicon"): str(root / ".local" / "lexicon.json"),
    }
    return defaults | {name: value for name, value in env.items() if value}


def with_folders(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for a command that writes voices: without a volume, with local folders. Raises NotReady."""
    return dict(env) if VOLUME.is_dir() else with_local_folders(env, _working_folder())


def local_environment(env: Mapping[str, str], root: Path | None = None) -> dict[str, str]:
    """`env` with defaults for a local worker: models, and folders under `root`/.local, or the working folder's.

    Raises:
        NotReady: the working folder has been deleted.
    """
    chosen = with_local_folders(env, root or _working_folder())
    if not chosen.get(variable("models")):
        chosen[variable("models")] = ",".join(local_models(chosen))
    return chosen


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise NotReady("the working folder has been deleted: change to another one") from None


def local_models(env: Mapping[str, str]) -> tuple[str, ...]:
    """`multilingual` and `turbo` with a GPU, `nano` without one, if their weights are on this machine or the hub can be
    reached; otherwise `preview`.
    """
    wanted = ("multilingual", "turbo") if _NVIDIA_DRIVER.exists() else ("nano",)
    folder = env.get(variable("weights_dir"))
    available = tuple(name for name in wanted if _is_available(name, Path(folder) if folder else None))
    if available:
        return available
    if env.get("HF_HUB_OFFLINE", "0") in ("", "0") and _answers(env.get("HF_ENDPOINT") or "https://huggingface.co"):
        return wanted
    log.warning("there are no Chatterbox weights, and the hub cannot be reached: serving the preview, espeak-ng")
    return ("preview",)


def _is_available(name: str, weights_dir: Path | None) -> bool:
    try:
        find(LAYOUTS[name], weights_dir=weights_dir, offline=True)
    except NotReady:
        return False
    return True


def _answers(url: str) -> bool:
    import httpx  # noqa: PLC0415 - only where there are no weights

    try:
        return httpx.head(url, timeout=_HUB_ANSWERS_WITHIN_S).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError, OSError):  # a proxy or SSL_CERT_FILE of no use
        return False

"""`Settings`: what this process may do, read once from `CHATTERBOX_*` variables.

The only file that reads the environment. Rules: an empty variable is unset (RunPod's deployers send empty strings for
fields that were not filled in); an unknown variable with our prefix is an error, because it is a typing mistake; a bad
value is an error that names the variable, the value and the choices. RunPod's own variables belong to its SDK, those of
the Hugging Face hub to huggingface_hub. Some are read here under their own names: PORT, RUNPOD_API_KEY and
RUNPOD_ENDPOINT_BASE_URL, because the HTTP server has no SDK, and BUCKET_*, because the SDK's own upload is not made for
audio (serverless/delivery/s3.py).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker import ranges
from chatterbox_worker.catalogue import MODELS, OPENAI_MODELS, OPENAI_VOICES, PACKS, ModelCard
from chatterbox_worker.config import values
from chatterbox_worker.custom_models import CustomModel, language_names, parse_custom_models
from chatterbox_worker.errors import InvalidRequest, choices, quote

PREFIX = "CHATTERBOX_"
RUNPOD_URL = "https://api.runpod.ai/v2"
VOLUME = Path("/runpod-volume")
"""Where RunPod mounts a network volume in a serverless worker."""
PROFILES = ("exact", "fast", "int8", "nf4")


def environment() -> dict[str, str]:
    """A copy of this process's environment, to pass to `Settings.from_env` or to a child process."""
    return dict(os.environ)


def ensure_variable(name: str, value: str) -> None:
    """Set a variable of this process and of its future children, if it is unset or empty."""
    if not os.environ.get(name, "").strip():
        os.environ[name] = value


_T = TypeVar("_T")


def _setting(
    default: _T, parse: Callable[[str], _T], about: str, *, name: str | None = None, is_secret: bool = False
) -> _T:
    """`name`: the variable, if it is not our prefix and the field's name."""
    return field(default=default, repr=not is_secret, metadata={"parse": parse, "about": about, "variable": name})


_LEAST_SHARE = 0.05  # of a GPU: no model fits into less
_GIB = 2**30
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """Per-process configuration; what one request may choose is in `request.SpeechRequest`."""

    models: tuple[str, ...] = _setting(
        ("multilingual", "turbo"),
        values.names,
        "Models to serve, comma-separated, custom ones too; the first is the default.",
    )
    custom_models: tuple[CustomModel, ...] = _setting(
        (),
        parse_custom_models,
        "Fine-tuned weights to serve as models of their own, comma-separated (docs/CUSTOM.md): `name=place:family`, as "
        "in `persian=owner/repo@revision:multilingual:fa, mine=/weights/mine:turbo`.",
    )
    packs: tuple[str, ...] = _setting(
        (),
        values.names_of(PACKS),
        f"Single-language packs to serve in addition to `multilingual`, comma-separated: `{'`, `'.join(PACKS)}`.",
    )
    aliases: tuple[str, ...] = _setting(
        (),
        values.aliases,
        "Other names of voices and models, such as `alloy=default, tts-1=turbo`; `openai` for OpenAI's names, which "
        "then mean the voice `default` and the first model.",
    )
    weights_dir: Path | None = _setting(
        None, Path, "Folder with checkpoints, one folder per model; searched before the caches and the hub."
    )
    device: str = _setting(
        "auto", values.device, "`auto`, `cpu`, `cuda` or `cuda:N`; auto takes a GPU if there is one."
    )
    profile: str = _setting(
        "auto",
        values.one_of("auto", *PROFILES),
        "Precision: `exact` (fp32), `fast` (bf16 T3), `int8` (8-bit T3; GPU: bf16 activations, CPU: bf16 flow), "
        "`nf4` (4-bit T3; GPU with the extra `nf4` only); auto: fast on a GPU that has bfloat16 "
        "(compute capability 8.0), int8 on a CPU with AVX2, else exact.",
    )
    prepared_weights: str = _setting(
        "beside",
        values.place,
        "Where weights are stored once they are prepared for loading, which makes the next start faster: `beside` the "
        "checkpoint, a folder, or `off`, as in the images, which have them.",
    )
    graphs: bool = _setting(True, values.switch, "0 speaks without CUDA graphs: slower, with less GPU memory.")
    graph_memory_share: float = _setting(
        0.15, ranges.number(0.01, 0.5), "Share of the GPU's memory that captured CUDA graphs may take, 0.01 to 0.5."
    )
    cudnn_attention: bool = _setting(
        False, values.switch, "1 lets PyTorch choose cuDNN's attention on a GPU: it plans again for every shape."
    )
    kernels: str = _setting(
        "auto",
        values.kernels,
        "The project's own kernels that a GPU runs for T3's step, the flow and the vocoder; they need Triton. `auto`: "
        "those that were measured, on GPUs of the same compute capability: 9.0 (H100, H200). `measure`: each family is "
        "measured at the start, for some seconds, and runs if it is right and faster; the log names those, "
        "which can be set in place of `measure`: `step,sound`. `on`: all. `off`: none.",
    )
    adapters: int = _setting(
        2,
        ranges.whole(0, 16),
        "Fine-tuned voices loaded at once for each model (csm: as many as its batch has rows); 0 serves none.",
    )
    gpu_memory_fraction: float = _setting(
        1.0, ranges.number(_LEAST_SHARE, 1), "Share of the GPU's memory that this process may take, 0.05 to 1."
    )
    check: str = _setting(
        "sound",
        values.one_of("off", "sound", "words"),
        "How chunks are checked where a request does not say: `off`, by their `sound`, or also by the `words` that "
        "Whisper finds in them.",
    )
    asr_model: str = _setting(
        "base",
        str,
        "Whisper model that transcribes speech: a name such as `base` or `large-v3-turbo`, a repository of the hub or "
        "a folder, in CTranslate2's format; it is loaded when it is first used.",
    )
    asr_device: str = _setting(
        "auto", values.device, "Where it computes: `auto`, `cpu`, `cuda` or `cuda:N`; auto takes a GPU if there is one."
    )
    csm_repo: str = _setting(
        "sesame/csm-1b", values.repository, "Repository of the model `csm`: `owner/name` or `owner/name@revision`."
    )
    decoder: str = _setting(
        "own",
        values.one_of("own", "turbo"),
        "S3Gen that renders the ten-step models (multilingual, english, packs and models fine-tuned from them): their "
        "`own`, or that of `turbo`, which takes 2 steps; how it sounds with their tokens has not been judged.",
    )
    threads: int = _setting(
        0, ranges.whole(0, 1024), "Threads a CPU computes with; 0 for as many cores as the container may use."
    )
    cache_dir: Path = _setting(VOLUME / "tts_cache", Path, "Folder of the audio cache.")
    cache_max_bytes: int = _setting(
        5 * _GIB, ranges.whole(0, 2**50), "Largest size of the audio cache; 0 switches it off."
    )
    cache_max_age_s: int = _setting(
        30 * _DAY_S, ranges.whole(1, 2**31), "Age after which an unused cache entry is deleted."
    )
    voices_dir: Path = _setting(VOLUME / "voices", Path, "Folder of the voice library.")
    voices_on_disk: bool = _setting(
        False,
        values.switch,
        "1 lets `voices.save` and `lexicon.save` work although no network volume is attached, with a warning.",
    )
    concurrency: int = _setting(8, ranges.whole(1, 256), "Jobs taken at once, 1 to 256.")
    max_text_chars: int = _setting(50_000, ranges.whole(1, 10_000_000), "Longest text accepted, in characters.")
    lexicon: Path = _setting(
        VOLUME / "lexicon.json",
        Path,
        "File of words that are read otherwise than they are written, JSON or CSV (docs/API.md); it may be missing.",
    )
    normalize: bool = _setting(
        True,
        values.switch,
        "0 passes numbers, dates, units and the like to the models as they are written (docs/API.md).",
    )
    payload_limit_bytes: int = _setting(
        10_000_000, ranges.whole(10_000, 100_000_000), "Largest answer posted to RunPod, as serialized JSON."
    )
    runsync_limit_bytes: int = _setting(
        20_000_000, ranges.whole(10_000, 100_000_000), "The same for jobs of /runsync, whose ids begin with `sync-`."
    )
    stream: bool = _setting(
        False, values.switch, "1 makes the worker a generator: audio goes out in chunks, for /stream (docs/API.md)."
    )
    outputs_dir: Path = _setting(
        VOLUME / "outputs", Path, "Folder on the volume for answers too large to go back inline."
    )
    outputs_max_age_s: int = _setting(7 * _DAY_S, ranges.whole(60, 2**31), "Age after which such an answer is deleted.")
    bucket_endpoint_url: str | None = _setting(
        None, values.base_url, "S3 endpoint for large answers; it may contain the bucket.", name="BUCKET_ENDPOINT_URL"
    )
    bucket_access_key_id: str | None = _setting(
        None, str, "Its access key.", name="BUCKET_ACCESS_KEY_ID", is_secret=True
    )
    bucket_secret_access_key: str | None = _setting(
        None, str, "Its secret key.", name="BUCKET_SECRET_ACCESS_KEY", is_secret=True
    )
    bucket_name: str | None = _setting(
        None, str, "The bucket, if the endpoint does not contain it.", name="BUCKET_NAME"
    )
    allow_private_urls: bool = _setting(
        False, values.switch, "1 lets `voice_url` reach private addresses (tests only)."
    )
    host: str = _setting("0.0.0.0", str, "Address the HTTP server listens on.")  # noqa: S104 - of a container
    port: int = _setting(8004, ranges.whole(1, 65_535), "Port of the HTTP server.", name="PORT")
    api_keys: tuple[str, ...] = _setting(
        (),
        values.keys,
        "Keys that open the HTTP server, comma-separated; without one it is open to all.",
        is_secret=True,
    )
    rate_limit_per_minute: int = _setting(
        0, ranges.whole(0, 1_000_000), "Requests a minute for each key (each address without keys); 0 for no limit."
    )
    queue_limit: int = _setting(
        64,
        ranges.whole(0, 100_000),
        "HTTP requests that may wait in addition to the `concurrency` being spoken; more get 429.",
    )
    stream_format: str = _setting(
        "whole",
        values.one_of("whole", "audio"),
        "How `/v1/audio/speech` answers a request that does not say: `whole`, or `audio` while it is generated, as "
        "OpenAI does; for clients that cannot ask for it, such as Pipecat.",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        values.origins,
        "Origins whose web pages may call the HTTP server, comma-separated, also `null`, `app://...` and `*`; "
        "none by default.",
    )
    hosts: tuple[str, ...] = _setting(
        (),
        values.hosts,
        "Names that the HTTP server answers to, comma-separated, other than addresses and private names; `*` for all. "
        "Without API keys it answers to no others, with keys to all.",
    )
    root_path: str = _setting(
        "",
        values.root_path,
        "Path under which a proxy shows the HTTP server, such as `/speech`; `--root-path` sets it too.",
    )
    idle_unload_s: int = _setting(
        0,
        ranges.whole(0, 2**31),
        "Seconds without a request after which the HTTP server frees its models; 0 for never.",
    )
    idle_unload: str = _setting(
        "free",
        values.one_of("free", "offload"),
        "What that means: `free` frees all memory; `offload` frees the device's and keeps the weights in the machine's "
        "memory, so that loading them again hardly reads files.",
    )
    backend: str = _setting(
        "local",
        values.backend,
        "Where the HTTP server generates speech: `local`, or `runpod:<endpoint id>` for a RunPod queue.",
    )
    runpod_api_key: str | None = _setting(
        None, str, "Key for the endpoint of a `runpod:` backend.", name="RUNPOD_API_KEY", is_secret=True
    )
    runpod_base_url: str = _setting(
        RUNPOD_URL, values.base_url, "Base URL of RunPod's queues.", name="RUNPOD_ENDPOINT_BASE_URL"
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """
        Raises:
            InvalidRequest: an unknown or bad variable; `field` is its name.
        """
        known = {_variable(f): f for f in fields(cls)}
        given: dict[str, Any] = {}
        for name, text in env.items():
            if not text.strip() or not (name in known or name.startswith(PREFIX)):
                continue
            if name not in known:
                near = difflib.get_close_matches(name.removeprefix(PREFIX), [f.name.upper() for f in fields(cls)], n=1)
                hint = f"; did you mean {PREFIX}{near[0]}?" if near else f"; known are {choices(known)}"
                raise InvalidRequest(f"unknown variable {name}{hint}", field=name)
            try:
                given[known[name].name] = known[name].metadata["parse"](text.strip())
            except ValueError as error:
                is_secret = not known[name].repr
                message = f"{name}: {error}" if is_secret else f"{name} is {quote(text)}, but {error}"
                raise InvalidRequest(message, field=name) from None
        settings = cls(**given)._with_custom_models()
        settings._check_aliases()
        return settings

    @property
    def cards(self) -> Mapping[str, ModelCard]:
        """Every model that this worker knows, served or not, by its name."""
        return {**MODELS, **{model.name: model.card for model in self.custom_models}}

    @property
    def languages(self) -> Mapping[str, str]:
        """The languages of all those models: from code to name."""
        return language_names(self.custom_models)

    def _with_custom_models(self) -> Settings:
        """The same with the custom models after those that `models` names. Raises InvalidRequest for an unknown one."""
        name = variable("models")
        if unknown := [model for model in self.models if model not in self.cards]:
            message = (
                f"{name} is {quote(','.join(self.models))}, but {quote(unknown[0])} is not one of {choices(self.cards)}"
            )
            raise InvalidRequest(message, field=name)
        own = (model.name for model in self.custom_models)
        return replace(self, models=tuple(dict.fromkeys((*self.models, *own))))

    def _check_aliases(self) -> None:
        """Raises InvalidRequest for one that could not be used."""
        field = variable("aliases")
        for name, target in self._named_aliases().items():
            if name.lower() in self.cards:
                wrong = f"{name}, which is a custom model"
            elif target not in self.cards and not re.fullmatch(r"[A-Za-z0-9._-]+", name):
                wrong = f"{name}={target}, but a voice's name has only letters, digits, '.', '_' and '-'"
            elif target in self.cards and target not in self.models:
                wrong = f"{name}={target}, but this worker serves {choices(self.models)}"
            else:
                continue
            raise InvalidRequest(f"{field} has {wrong}", field=field)

    def voice_aliases(self) -> dict[str, str]:
        """From each alias of a voice to the voice."""
        usual = dict.fromkeys(OPENAI_VOICES, "default") if values.OPENAI in self.aliases else {}
        return usual | {name: target for name, target in self._named_aliases().items() if target not in self.cards}

    def model_aliases(self) -> dict[str, str]:
        """From each alias of a model, in small letters, to the model."""
        usual = dict.fromkeys(OPENAI_MODELS, self.models[0]) if values.OPENAI in self.aliases else {}
        return usual | {name.lower(): target for name, target in self._named_aliases().items() if target in self.cards}

    def _named_aliases(self) -> dict[str, str]:
        entries = (entry.partition("=") for entry in self.aliases if entry != values.OPENAI)
        return {name: target.lower() if target.lower() in self.cards else target for name, _, target in entries}


def variable(setting: str) -> str:
    """The environment variable of a setting: "cache_dir" → "CHATTERBOX_CACHE_DIR"."""
    return _variable(next(f for f in fields(Settings) if f.name == setting))


def _variable(setting: Field[Any]) -> str:
    return setting.metadata["variable"] or PREFIX + setting.name.upper()


def as_table() -> str:
    """The table of variables in docs/SETTINGS.md, in Markdown."""

    def written(value: object) -> str:
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    rows = [f"| `{_variable(f)}` | `{written(f.default)}` | {f.metadata['about']} |" for f in fields(Settings)]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows]).replace("| `` |", "| unset |")

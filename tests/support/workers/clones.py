"""What requests import: one with each model's own voice, then one with a cloned voice for every model and language.

python tests/support/workers/clones.py FOLDER

FOLDER has a folder of weights for each model. Prints the names of all modules after each part, as one JSON object.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
from pathlib import Path

from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.wiring import build
from support.recordings import buzz


def main(folder: Path) -> None:
    defaults = ChatterboxEngine.__init__.__kwdefaults__
    assert defaults is not None
    defaults["max_tokens"] = 5  # random weights do not stop by themselves
    models = tuple(path.name for path in folder.iterdir() if path.name in MODELS)
    settings = Settings(
        models=models, weights_dir=folder, cache_dir=folder / "cache", voices_dir=folder / "voices", check="off"
    )
    synthesizer = build(settings)

    def speak(model: str, language: str = "en", **voice: str) -> None:
        request = parse({"text": f"Hello {language}.", "model": model, "language": language, **voice}, settings)
        assert isinstance(request, SpeechRequest)
        assert synthesizer.speak(request, CancelScope()).audio

    for model in models:
        speak(model)
    imported = {"own voice": sorted(sys.modules)}
    clip = base64.b64encode(encode(buzz(6.0, 24_000), "flac", 24_000)).decode()
    for model in models:
        for language in MODELS[model].languages:
            speak(model, language)
        speak(model, reference_audio=clip)
    imported["cloned voice"] = sorted(sys.modules)
    for edge in ("handler", "chatterbox_worker.server.app"):
        importlib.import_module(edge)
    imported["edges"] = sorted(sys.modules)
    synthesizer.close()
    print(json.dumps(imported))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))

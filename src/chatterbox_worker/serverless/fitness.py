"""A check, before the worker takes its first job, that every model speaks. It also warms them up."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chatterbox_worker.audio.clip import concatenate
from chatterbox_worker.catalogue import MODELS, REGIONS, ModelCard
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed
from chatterbox_worker.synthesis.synthesizer import Synthesizer

log = logging.getLogger(__name__)

_WORDS = "Hello."
_LONGEST_S = 0.6  # the word takes less; a model that does not stop by itself passes too
_SILENCE = 1e-3  # -60 dBFS: inaudible


class SpeechProof:
    """`prove_speech` on a thread: the SDK gets ready in the meantime, and asks for the result before its first job."""

    def __init__(self, synthesizer: Synthesizer, cards: Mapping[str, ModelCard] = MODELS) -> None:
        threads = ThreadPoolExecutor(1, "speech-proof")
        self._result = threads.submit(prove_speech, synthesizer, cards)
        threads.shutdown(wait=False)

    def every_model_speaks(self) -> None:
        """
        Raises:
            SynthesisFailed: a model fails or is silent; names the model.
        """
        self._result.result()


def prove_speech(synthesizer: Synthesizer, cards: Mapping[str, ModelCard] = MODELS) -> None:
    """`cards`: of the models by name; a pack has that of `multilingual`.

    Raises:
        SynthesisFailed: a model fails or is silent; names the model.
    """
    packs = {pack: tag[:2] for tag, pack in REGIONS.items()}
    for name, engine in synthesizer.engines.items():
        started_s = time.perf_counter()
        card = cards.get(name, MODELS["multilingual"])
        language = packs.get(name) or ("en" if "en" in card.languages else card.languages[0])
        try:
            take = engine.submit(
                Utterance(_WORDS, language, DEFAULT_VOICE, sampling=card.sampling, seed=0, max_s=_LONGEST_S)
            )
        except InvalidRequest as error:
            if error.field != "voice":
                raise
            log.info("%s is not tried: %s", name, error.message)
            continue
        pieces = list(take)
        if not pieces or not float(np.max(np.abs(concatenate(pieces).samples), initial=0.0)) > _SILENCE:
            raise SynthesisFailed(f"{name} generated silence")
        log.info("%s speaks, after %.1f s", name, time.perf_counter() - started_s)

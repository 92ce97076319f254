"""A run's result: a voice, which is a reference clip, the speaker and the adapter.

The clip is the training clip closest to the speaker's mean embedding that is long enough for every model; if none is
long enough, the closest few are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.catalogue import ModelCard
from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE, Layout
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape
from chatterbox_worker.errors import InvalidRequest

_PROMPT_S = 6.0  # what the Llama models use of a reference (ENC_COND_LEN); turbo and nano need more than 5 s
_PAUSE_S = 0.2  # between clips that are joined
_CLIPPED = 0.999  # of full scale


def prompt_clips(corpus: Corpus, person: str, model: Layout | ModelCard) -> list[TrainingClip]:
    """The clip, or the clips to be joined, that become the finished voice's reference.

    Raises:
        InvalidRequest: all of the person's clips together are too short for this model.
    """
    own = [clip for clip in corpus.clips if clip.person == person]
    unclipped = [clip for clip in own if clip.peak < _CLIPPED] or own
    closest = sorted(unclipped, key=lambda clip: (-float(clip.speaker @ corpus.speakers[person]), clip.id))
    if long := next((clip for clip in closest if clip.duration_s >= _PROMPT_S), None):
        return [long]
    chosen: list[TrainingClip] = []
    for clip in closest:
        chosen.append(clip)
        if _joined_s(chosen) >= _PROMPT_S:
            return chosen
    if _joined_s(chosen) <= model.reference_min_s:
        raise InvalidRequest(
            f"the clips of {person} last {_joined_s(chosen):.1f} s in all; "
            f"{model.name} needs a reference of more than {model.reference_min_s:g} s",
            field="data",
        )
    return chosen


def main_person(corpus: Corpus) -> str:
    """The person with the most speech, whose voice is trained."""
    seconds = {person: sum(c.duration_s for c in corpus.clips if c.person == person) for person in corpus.speakers}
    return max(seconds, key=lambda person: seconds[person])


def adapter_of(
    tensors: Mapping[str, Tensor], model: Layout | ModelCard, base: str, shape: Shape, *, half: bool = True
) -> Adapter:
    """The adapter for a voice file, in float16 unless `half` is false; `base` as in `Adapter`."""
    dtype = np.float16 if half else np.float32
    modules = sorted({name.rpartition(".")[0] for name in tensors})
    factors = {
        module: Factors(
            tensors[f"{module}.lora_A"].numpy().astype(dtype), tensors[f"{module}.lora_B"].numpy().astype(dtype)
        )
        for module in modules
    }
    return Adapter(model.name, base, shape.rank, shape.alpha, factors)


def join_clips(clips: Sequence[TrainingClip], audio_of: Callable[[TrainingClip], Audio]) -> Audio:
    """The audio of one clip unchanged; of several at 24 kHz, with a pause between them."""
    if len(clips) == 1:
        return audio_of(clips[0])
    sounds = [resample(audio_of(clip), SAMPLE_RATE) for clip in clips]
    return concatenate([piece for sound in sounds for piece in (silence(_PAUSE_S, SAMPLE_RATE), sound)][1:])


def _joined_s(clips: Sequence[TrainingClip]) -> float:
    return sum(clip.duration_s for clip in clips) + _PAUSE_S * (len(clips) - 1)

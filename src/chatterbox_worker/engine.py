"""The seam between the synthesizer and the engines: an utterance goes in, a take comes out.

A submission, not a call: whoever has work submits all of it at once and reads the takes in order, so batching
lives in one place, behind `Engine.submit`. An utterance carries everything its sound depends on and an engine
keeps no state about a caller: the same utterance gives the same audio whoever asked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """Who is heard, averaged over more than one clip (`chatterbox_worker.clone`)."""

    embedding: Samples
    """(256,) float32, of length 1."""
    made_by: str
    """SHA-256 (hex) of the voice encoder's weights: another encoder cannot use it."""


class Factors(NamedTuple):
    """A matrix of low rank as a product, `down` first: (alpha / rank) * up @ down is added to a weight (out, in)."""

    down: npt.NDArray[Any]
    """(rank, in) float16 or float32; `lora_A` of arXiv:2106.09685."""
    up: npt.NDArray[Any]
    """(out, rank) likewise; `lora_B`."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """What fine-tuning changed in a model's T3 (`voices.adapter`)."""

    model: str
    """The one model that can speak with it."""
    base: str
    """`Checkpoint.t3_digest` of the weights it was trained on: it means nothing on others."""
    rank: int
    alpha: float
    factors: Mapping[str, Factors]
    """By the module's path in upstream's T3, such as "tfmr.layers.3.self_attn.q_proj"."""


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """Whose voice to speak with: the model's own, or that of a recording."""

    id: str
    """What the answer calls it: "default", a library id, or "reference" for a clip that came with the request."""
    digest: str
    """SHA-256 (hex) of everything the voice is made of; "default" for the model's own voice."""
    clip: Audio | None = None
    """The recording, mono, at its own rate; None for the model's own voice."""
    speaker: Speaker | None = None
    """Where more is known of the speaker than the clip tells; engines whose encoder did not make it go by the clip."""
    adapter: Adapter | None = None
    """Where the model was fine-tuned to this voice."""
    transcript: str | None = None
    """The words in the clip, where they are known; no part of the digest."""

    @property
    def duration_s(self) -> float:
        """Of the recording; 0 for the model's own voice."""
        return 0.0 if self.clip is None else self.clip.duration_s


DEFAULT_VOICE = Voice(id="default", digest="default")


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """Something that was said before."""

    text: str
    clip: Audio
    speaker: int
    """A number that tells the speakers of a conversation apart."""
    digest: str
    """SHA-256 (hex) of the recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One chunk of text to be spoken in one breath."""

    text: str
    """Normalised, never empty."""
    language: str
    """One of `catalogue.LANGUAGES`; a regional pack is an engine of its own."""
    voice: Voice
    sampling: Mapping[str, float]
    """Every parameter of the model's card, filled in."""
    seed: int
    """0 to 2**32 - 1."""
    streaming: bool = False
    """True: pieces as early as possible, not the same samples as the offline path's. False: the offline path, one piece."""
    turn: int = 0
    """Which chunk of its text this is: first chunks are spoken first, so that a long text does not hold up a short one."""
    max_s: float | None = None
    """End it after so many seconds of sound, with a warning; None for the engine's own limit."""
    speaker: int = 0
    """Who speaks, among those of `context`; for models that hear context."""
    context: tuple[Turn, ...] = ()
    """Earlier turns, oldest first; for models that hear context."""
    lead: Take | None = None
    """The take of its text's first chunk, from the same engine: what holds a text together in a voice without a recording."""


class Take(Protocol):
    """One utterance being spoken."""

    def __iter__(self) -> Iterator[Audio]:
        """Watermarked pieces, in order, as they are ready.

        Raises:
            SynthesisFailed: the engine failed; DeviceFailed if it cannot go on.
            Cancelled: `cancel` was called.
        """

    def cancel(self) -> None:
        """Free the take's place in the batch. Safe from any thread, at any time, more than once."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds spent in each stage so far: queue_s, t3_s, s3gen_s, vocoder_s, csm_s, codec_s, watermark_s as far as the engine has them."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the caller should know about this take, such as a token cap that was hit."""


class Engine(Protocol):
    """Something that speaks."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""

    @property
    def device(self) -> str:
        """Where it computes: "cuda:0", "cpu"."""

    @property
    def device_name(self) -> str:
        """What that is: "NVIDIA H100", "x86_64"."""

    @property
    def revision(self) -> str:
        """Names the weights and precision: the same revision and utterance give the same audio."""

    def submit(self, utterance: Utterance) -> Take:
        """Queue the utterance and return at once.

        Raises:
            InvalidRequest: the engine can never speak it (a clip too short for this model, a missing pack).
        """

    def mark(self, audio: Audio) -> Audio:
        """`audio` with the engine's watermark, for sound that was changed after the take; the audio itself where the engine has none."""

    def close(self) -> None:
        """Finish or cancel what runs and free the device."""

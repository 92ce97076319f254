"""The seam between the synthesizer and the engines: an utterance goes in, a take comes out.

A submission, not a call: a caller submits all of its work at once and reads the takes in order, so batching is in one
place, behind `Engine.submit`. An utterance carries everything its sound depends on, and an engine holds no state about
a caller: the same utterance produces the same audio, whatever was submitted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """A speaker's embedding, averaged over more than one clip (`chatterbox_worker.clone`)."""

    embedding: Samples
    """(256,) float32, of length 1."""
    made_by: str
    """SHA-256 (hex) of the voice encoder's weights: another encoder cannot use it."""


class Factors(NamedTuple):
    """A matrix of low rank as a product, `down` first: (alpha / rank) * up @ down is added to a weight (out, in)."""

    down: npt.NDArray[Any]
    """(rank, in) float16 or float32; `lora_A` of arXiv:2106.09685."""
    up: npt.NDArray[Any]
    """(out, rank) float16 or float32; `lora_B`."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """What fine-tuning changed in a model's matrices (`voices.adapter`)."""

    model: str
    """The one model that can speak with it."""
    base: str
    """`Checkpoint.t3_digest`, or csm's `CsmFiles.digest`, of the weights it was trained on: it fits no others."""
    rank: int
    alpha: float
    factors: Mapping[str, Factors]
    """By the path of the module in upstream's T3, such as "tfmr.layers.3.self_attn.q_proj", or in csm."""


@dataclass(frozen=True, slots=True)
class VoiceDetails:
    """What may be known of a voice besides its sound; no part of its digest. How each is stored: `voices.details`."""

    transcript: str | None = None
    """The words in the clip."""
    language: str | None = None
    """Of the speech in the clip, as in `catalogue.LANGUAGES`."""


NO_DETAILS = VoiceDetails()


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """The voice to speak with: the model's own, or that of a recording."""

    id: str
    """Its name in the answer: "default", a library id, or "reference" for a clip that came with the request."""
    digest: str
    """SHA-256 (hex) of everything that defines the voice; "default" for the model's own voice."""
    clip: Audio | None = None
    """The recording, mono, at its own rate; None for the model's own voice."""
    speaker: Speaker | None = None
    """A better embedding than the clip's alone; engines with another encoder use the clip."""
    adapter: Adapter | None = None
    """If the model was fine-tuned to this voice."""
    details: VoiceDetails = NO_DETAILS

    @property
    def duration_s(self) -> float:
        """Of the recording; 0 for the model's own voice."""
        return 0.0 if self.clip is None else self.clip.duration_s


DEFAULT_VOICE = Voice(id="default", digest="default")


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """An earlier turn of the conversation."""

    text: str
    clip: Audio
    speaker: int
    """The number of its speaker in the conversation."""
    digest: str
    """SHA-256 (hex) of the recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One chunk of text, spoken as a whole."""

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
    """True: pieces as early as possible, whose samples differ from the offline path's. False: offline, one piece."""
    turn: int = 0
    """Index of the chunk in its text: first chunks go first, so that a long text does not delay a short one."""
    timestamps: bool = False
    """Whether the take's `boundaries_s` are wanted; its sound is the same either way."""
    max_s: float | None = None
    """End it after so many seconds of sound, with a warning; None for the engine's own limit."""
    speaker: int = 0
    """The speaker's number, among those of `context`; for models that use context."""
    context: tuple[Turn, ...] = ()
    """Earlier turns, oldest first; for models that use context."""
    lead: Take | None = None
    """The take of its text's first chunk, from the same engine: without a recording it keeps the voice constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A stretch of recorded speech, to be said by another voice with the same words and timing."""

    speech: Audio
    """Mono, at any rate."""
    voice: Voice
    seed: int
    """0 to 2**32 - 1."""
    turn: int = 0
    """As `Utterance.turn`: index of the passage in its recording."""


@dataclass(frozen=True, slots=True)
class TakeFacts:
    """What an engine knows about a take that has ended, for those who judge it."""

    hit_limit: bool = False
    """Whether it was ended at its limit, before the model ended it: the speech may be cut off."""
    tokens: tuple[int, ...] = ()
    """Its speech tokens, in order; empty if the engine has none that can be compared."""


class Take(Protocol):
    """One utterance being spoken, or one passage being converted."""

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
        """Seconds in each stage so far, as far as the engine has it: queue_s, t3_s, s3gen_s, vocoder_s, csm_s, codec_s,
        watermark_s.
        """

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the caller should know about this take, such as a token limit that was reached."""

    @property
    def facts(self) -> TakeFacts:
        """Complete at the take's end."""

    @property
    def boundaries_s(self) -> Sequence[float]:
        """When each character of the text begins in the take's sound, and when the last one ends: len(text) + 1 times.

        In seconds, never decreasing; characters that the engine cannot tell apart share their time evenly. Empty before
        the take's end, and if the utterance did not ask for them or the engine does not know them.
        """


def decoder_of(engine: Engine) -> str | None:
    """The model whose decoder renders what the engine speaks, if it is not the engine's own."""
    decoder: str | None = getattr(engine, "decoder", None)
    return decoder


def small_weights_of(engine: Engine) -> Mapping[str, float] | None:
    """What quantised weights save and change, if the engine's are: "stored_bytes", "unquantized_bytes" and
    "relative_error".
    """
    figures: Mapping[str, float] | None = getattr(engine, "small_weights", None)
    return figures


def left_out_of(engine: Engine) -> Callable[[str, str], str] | None:
    """From a text and its language to the letters, digits and symbols that the engine has no tokens for, each once;
    None if it has tokens for all texts.
    """
    left_out: Callable[[str, str], str] | None = getattr(engine, "left_out", None)
    return left_out


class Engine(Protocol):
    """Turns utterances into audio."""

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
        """Identifies the weights and precision: the same revision and utterance produce the same audio."""

    def submit(self, utterance: Utterance) -> Take:
        """Queue the utterance and return at once.

        Raises:
            InvalidRequest: the engine can never speak it (a clip too short for this model, a missing pack).
        """

    def convert(self, passage: Passage) -> Take:
        """Queue the passage and return at once: one piece of 40 ms for each 40 ms begun of the passage's speech.

        Raises:
            InvalidRequest: the engine cannot convert speech, or cannot use the voice.
        """

    def mark(self, audio: Audio) -> Audio:
        """`audio` with the engine's watermark, for audio changed after the take; unchanged if the engine has none."""

    def close(self) -> None:
        """Finish or cancel what runs and free the device."""

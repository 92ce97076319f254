"""The words of a cloned voice's clip, which `csm` needs: given by hand, or recognised by Whisper (the extra asr)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.voices.bundle import Bundle

_MOST_PER_S = 40  # characters: of readers' clips it writes 13 to 19, and 65 where it repeats itself
AddTranscript = Callable[[Bundle], Bundle]


def transcript_adder(given: str | None, settings: Settings, *, recognise: bool) -> AddTranscript:
    """Adds the words to a voice: those `given`, or those recognised, or none.

    Raises:
        InvalidRequest: `given` cannot be a transcript; when it adds, nothing was recognised or more than can be
            spoken.
        NotReady: the recogniser cannot be loaded.
    """
    if given is not None:
        words = normalise_transcript(given, field="transcript")
        return lambda bundle: replace(bundle, transcript=words)
    if not recognise:
        return lambda bundle: bundle
    recognizer = SpeechRecognizer.of(settings)
    recognizer.load()

    def add(bundle: Bundle) -> Bundle:
        text = recognizer.transcribe(bundle.clip, word_times=False).text
        if not text:
            raise InvalidRequest("no speech was recognised in the clip: use --transcript TEXT", field="transcribe")
        if len(text) > _MOST_PER_S * bundle.clip.duration_s:  # Whisper repeats itself where it understands little
            raise InvalidRequest(
                f"Whisper wrote {len(text)} characters for a clip of {bundle.clip.duration_s:.1f} s, more than can be "
                "spoken: use --transcript TEXT",
                field="transcribe",
            )
        return replace(bundle, transcript=normalise_transcript(text, field="transcribe"))

    return add

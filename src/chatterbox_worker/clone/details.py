"""The language of a cloned voice's clip, and its words, which `csm` needs: given by hand, or recognised by Whisper (the
extra asr).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import voice_language
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.voices.bundle import Bundle
from chatterbox_worker.voices.details import with_details

_MOST_PER_S = 40  # characters: of readers' clips it writes 13 to 19, and 65 where it repeats itself
_LIKELY = 0.8  # Whisper's probability of a language: below it none is stored
AddDetails = Callable[[Bundle], Bundle]


def details_adder(words: str | None, language: str | None, settings: Settings, *, recognise: bool) -> AddDetails:
    """Adds the words and the language to a voice: those that are given, or those recognised, or none.

    Raises:
        InvalidRequest: they cannot be a transcript and a language of the models; when it adds, nothing was recognised
            or more than can be spoken.
        NotReady: the recogniser cannot be loaded.
    """
    words = None if words is None else normalise_transcript(words, field="transcript")
    given = VoiceDetails(words, voice_language(language, settings.languages))
    if not recognise:
        return lambda bundle: replace(bundle, details=with_details(bundle.details, given))
    recognizer = SpeechRecognizer.of(settings)
    recognizer.load()

    def add(bundle: Bundle) -> Bundle:
        spoken = given.language or _recognised(recognizer.detect_language(bundle.clip), settings.languages)
        text = recognizer.transcribe(bundle.clip, spoken, word_times=False).text
        if not text:
            raise InvalidRequest("no speech was recognised in the clip: use --transcript TEXT", field="transcribe")
        if len(text) > _MOST_PER_S * bundle.clip.duration_s:  # Whisper repeats itself where it understands little
            raise InvalidRequest(
                f"Whisper wrote {len(text)} characters for a clip of {bundle.clip.duration_s:.1f} s, more than can be "
                "spoken: use --transcript TEXT",
                field="transcribe",
            )
        details = VoiceDetails(normalise_transcript(text, field="transcribe"), spoken)
        return replace(bundle, details=with_details(bundle.details, details))

    return add


def _recognised(probabilities: Mapping[str, float], known: Container[str]) -> str | None:
    """The likeliest language, if it is likely and one of the models'."""
    code = max(probabilities, key=lambda each: probabilities[each], default=None)
    return code if code is not None and code in known and probabilities[code] >= _LIKELY else None

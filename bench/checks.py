"""How often a good take is taken for a bad one, and what a check costs: `python -m bench.checks WHISPER [START [END]]`.

WHISPER is a model's name or folder. 200 chunks, half of them English and half Spanish, are spoken by espeak-ng and
judged by their sound and their words. START and END choose some of them, so that a slow machine does it in parts.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.checks.judge import Judge, transcribe_by
from chatterbox_worker.checks.sound import find_faults
from chatterbox_worker.checks.words import WordErrors, compare
from chatterbox_worker.engine import DEFAULT_VOICE, TakeFacts, Utterance
from chatterbox_worker.engines.preview import PreviewEngine
from chatterbox_worker.request import MAX_WORD_ERROR
from chatterbox_worker.text.normalise import finish

_SENTENCES = Path(__file__).parents[1] / "tests" / "text" / "spoken_sentences.tsv"
_BOUNDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)

_PARTS = {
    "en": (
        ("In the morning", "After the long winter", "When the rain had stopped", "Near the old harbour",
         "Without saying a word", "On the last day of summer", "To everyone's surprise", "As the train left the city",
         "Before the doors were opened", "Somewhere between the hills"),
        ("the children ran down to the river to look for smooth stones.",
         "a woman in a green coat asked me the way to the station.",
         "we found a small café where nobody seemed to be in a hurry.",
         "the captain told his crew that the journey would take three more weeks.",
         "my brother wrote a letter that he never sent.",
         "they agreed to meet again at the same table the following year."),
    ),
    "es": (
        ("Por la mañana", "Después del largo invierno", "Cuando dejó de llover", "Cerca del viejo puerto",
         "Sin decir una palabra", "El último día del verano", "Para sorpresa de todos",
         "Mientras el tren salía de la ciudad", "Antes de que abrieran las puertas",
         "En algún lugar entre las colinas"),
        ("los niños bajaron corriendo al río para buscar piedras lisas.",
         "una mujer con un abrigo verde me preguntó por el camino a la estación.",
         "encontramos un pequeño café donde nadie parecía tener prisa.",
         "el capitán dijo a su tripulación que el viaje duraría tres semanas más.",
         "mi hermano escribió una carta que nunca envió.",
         "acordaron volver a verse en la misma mesa al año siguiente."),
    ),
}  # fmt: skip


def chunks() -> Iterator[tuple[str, str, str]]:
    """Language, text as it is written and as it is read, of 200 chunks: for each language 20 of two sentences with
    numbers and the like, 60 of one plain sentence and 20 of three.
    """
    for language, (openings, endings) in _PARTS.items():
        rows = (row.split("\t") for row in _SENTENCES.read_text(encoding="utf-8").splitlines())
        numbers = [(written, spoken) for code, written, spoken in rows if code == language]
        for (written, spoken), (written_too, spoken_too) in zip(numbers[::2], numbers[1::2], strict=True):
            yield language, f"{written} {written_too}", f"{spoken} {spoken_too}"
        plain = [f"{opening}, {ending}" for opening in openings for ending in endings]
        yield from ((language, text, text) for text in plain)
        for start in range(20):
            text = " ".join(plain[(start * 7 + step * 23) % len(plain)] for step in range(3))
            yield language, text, text


def main() -> None:
    whisper, *limits = sys.argv[1:]
    chosen = list(chunks())[slice(*map(int, limits))]
    recognizer, engine = SpeechRecognizer(whisper), PreviewEngine()
    recognizer.load()
    results: list[tuple[str, WordErrors, bool]] = []
    sound_ms, words_s = [], []

    transcribe_take = transcribe_by(recognizer)

    def transcribe(audio: Audio, language: str, hint: str | None) -> str:
        started_s = time.perf_counter()
        text = transcribe_take(audio, language, hint)
        words_s.append(time.perf_counter() - started_s)
        return text

    judge = Judge(transcribe)
    for language, written, read in chosen:
        spoken = finish(read, "llama")
        audio = concatenate(list(engine.submit(Utterance(spoken, language, DEFAULT_VOICE, {}, seed=0))))
        started_s = time.perf_counter()
        faults = find_faults(audio, spoken, language, TakeFacts())
        sound_ms.append(1000 * (time.perf_counter() - started_s))
        verdict = judge.judge(audio, spoken, language, written=written)
        results.append((language, compare([spoken, written], verdict.heard or "", language), bool(faults)))
        if not verdict.passes:
            print(f"{language} {', '.join(verdict.reasons)} {verdict.score}: {written!r} heard {verdict.heard!r}")
    engine.close()
    for language in _PARTS:
        own = [(errors, by_sound) for code, errors, by_sound in results if code == language]
        if not own:
            continue
        rate = sum(errors.errors for errors, _ in own) / sum(errors.words for errors, _ in own)
        print(f"{language}: {len(own)} takes, {sum(by_sound for _, by_sound in own)} fail by sound, WER {rate:.3f}")
        above = (f"{bound}: {sum(errors.exceeds(bound) for errors, _ in own)}" for bound in _BOUNDS)
        print(f"  fail by words above {', '.join(above)} (default {MAX_WORD_ERROR})")
    print(f"sound: median {statistics.median(sound_ms):.1f} ms, most {max(sound_ms):.1f} ms; "
          f"transcription: median {statistics.median(words_s):.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()

"""`PreviewEngine`: espeak-ng in the engine's place, so that everything around a model runs without one.

The library and its data come in the `espeakng_loader` wheel, imported only when an engine is built. espeak-ng has one
state per process, so a lock guards it, and it is loaded again for every utterance; text goes in as UTF-8 with markup
off, 16-bit samples come back through a callback.

Limits: Japanese in kana only; Hebrew is read without its unwritten vowels.
"""

from __future__ import annotations

import _ctypes  # its dlclose is the only way to unload a library
import ctypes
import importlib
import logging
import platform
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.catalogue import LANGUAGES, REGIONS
from chatterbox_worker.engine import DEFAULT_VOICE, Passage, TakeFacts, Utterance
from chatterbox_worker.errors import Cancelled, InvalidRequest, NotReady, SynthesisFailed, WorkerError, choices, quote

log = logging.getLogger(__name__)

SAMPLE_RATE = 24_000
"""Hertz: the same as Chatterbox's, so that what works with the preview works with the model. espeak-ng's is 22 050."""

# espeak-ng's names, where they differ from the language's tag. "en" alone is British; Chatterbox's English is American.
_VOICES: Mapping[str, str] = MappingProxyType({
    **{language: language for language in LANGUAGES},
    "en": "en-us", "no": "nb", "zh": "cmn",
    "es-MX": "es-419", "es-ES": "es", "pt-BR": "pt-br", "pt-PT": "pt", "zh-CN": "cmn", "hi-IN": "hi",
})  # fmt: skip

# speak_lib.h of espeak-ng 1.52
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all callbacks are done
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: a missing data folder is an error code, not exit(1)
_UTF8 = 1  # espeakCHARS_UTF8, without espeakSSML and espeakPHONEMES: "<" and "[[" are text
_END_PAUSE = 0x1000  # espeakENDPAUSE: a sentence ends with its pause, as a clip of a model does
_BUFFER_MS = 200  # of sound per callback; also the longest delay of a cancel
_OK = 0  # EE_OK
_SEED = 1  # of the noise in breathy voices; any will do

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)

# espeak-ng exists once per process: hold this while using it.
_ESPEAK = threading.Lock()


class PreviewEngine:
    """NOT CHATTERBOX: a formant synthesizer that sounds like a robot and has NO WATERMARK.

    For trying requests, edges and clients on a machine without weights or a GPU; never for published speech. The same
    utterance gives the same samples. Sampling and seed are accepted and have no effect, since nothing in it is random.
    """

    sample_rate = SAMPLE_RATE
    device = "cpu"

    def __init__(self) -> None:
        """Loads the library once to see that it works.

        Raises:
            NotReady: the wheel is missing or its library does not start.
        """
        self.device_name = platform.machine()
        self.revision = f"espeak-ng-{_version()}"
        self._takes: queue.SimpleQueue[PreviewTake | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._worker = threading.Thread(target=self._work, name="preview", daemon=True)
        self._worker.start()
        log.warning("the preview engine is in use: espeak-ng, not Chatterbox, and without a watermark")

    def submit(self, utterance: Utterance) -> PreviewTake:
        """Queue the utterance and return at once.

        Raises:
            InvalidRequest: a voice other than the default, an unsupported language, Japanese that is not kana.
            NotReady: the engine is closed.
        """
        if self._closed.is_set():
            raise NotReady("the preview engine is closed")
        if utterance.voice.id != DEFAULT_VOICE.id or utterance.voice.clip is not None:
            sentence = f'the preview model has no voice {quote(utterance.voice.id)}; it speaks with "default" only'
            raise InvalidRequest(sentence, field="voice")
        if utterance.language not in _VOICES:
            sentence = (
                f"the preview model has no language {quote(utterance.language)}; "
                f"choose {choices((*LANGUAGES, *REGIONS))}"
            )
            raise InvalidRequest(sentence, field="language")
        if utterance.language == "ja" and (kanji := next(filter(_is_kanji, utterance.text), None)):
            sentence = f"the preview model reads Japanese in kana only and cannot read {quote(kanji)}"
            raise InvalidRequest(sentence, field="language")
        take = PreviewTake(utterance)
        self._takes.put(take)
        return take

    def convert(self, passage: Passage) -> PreviewTake:
        """Raises InvalidRequest: espeak-ng reads text only."""
        del passage
        raise InvalidRequest("the preview model cannot convert speech to another voice", field="model")

    def mark(self, audio: Audio) -> Audio:
        """`audio` unchanged: there is no watermark."""
        return audio

    def close(self) -> None:
        """Cancels what waits and what is being spoken."""
        if not self._closed.is_set():
            self._closed.set()
            self._takes.put(None)
        self._worker.join()

    def _work(self) -> None:
        while (take := self._takes.get()) is not None:
            if self._closed.is_set():
                take.cancel()
            take._run(self._closed)


class PreviewTake:
    """One utterance being spoken: a single piece, when it is complete."""

    warnings: tuple[str, ...] = ()
    boundaries_s: tuple[float, ...] = ()
    facts = TakeFacts()

    def __init__(self, utterance: Utterance) -> None:
        self._utterance = utterance
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._result: Audio | WorkerError = Cancelled("the take was cancelled")
        self._timings: dict[str, float] = {}
        self._submitted = time.monotonic()

    def __iter__(self) -> Iterator[Audio]:
        self._done.wait()
        result, self._result = self._result, Cancelled("the take has been read")  # so that nothing keeps the samples
        if not isinstance(result, Audio):
            raise result
        yield result

    def cancel(self) -> None:
        """Safe from any thread, at any time, more than once; a reader is woken at once."""
        if not self._done.is_set():
            self._cancelled.set()
            self._done.set()

    @property
    def timings(self) -> Mapping[str, float]:
        return dict(self._timings)

    def _run(self, closed: threading.Event) -> None:
        started = time.monotonic()
        self._timings["queue_s"] = started - self._submitted
        result: Audio | WorkerError
        try:
            result = resample(_speak(self._utterance, lambda: self._cancelled.is_set() or closed.is_set()), SAMPLE_RATE)
        except (SynthesisFailed, NotReady) as failure:
            result = failure
        self._timings["vocoder_s"] = time.monotonic() - started
        if not self._cancelled.is_set() and not closed.is_set():
            self._result = result
        self._done.set()


def _is_kanji(character: str) -> bool:
    return (
        "\u3400" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\U00020000" <= character <= "\U0003ffff"
    )


@dataclass(frozen=True, slots=True)
class _Espeak:
    library: ctypes.CDLL
    sample_rate: int
    """Hertz."""


@contextmanager
def _espeak() -> Iterator[_Espeak]:
    """espeak-ng, freshly loaded, for one utterance, and for one caller at a time.

    It is loaded each time (7 ms), because its flutter and phase are static variables that neither espeak_Terminate nor
    a random seed resets: otherwise the sound would depend on earlier utterances.

    Raises:
        NotReady: the wheel is missing or its library does not start.
    """
    try:
        loader: Any = importlib.import_module("espeakng_loader")
    except ImportError as problem:
        raise NotReady("the preview model needs the package espeakng-loader (the extra named preview)") from problem
    with _ESPEAK:
        library = ctypes.CDLL(loader.get_library_path())
        try:
            rate = _initialize(library, loader.get_data_path())
            yield _Espeak(library, rate)
        finally:
            library.espeak_Terminate()
            _ctypes.dlclose(library._handle)


def _initialize(library: ctypes.CDLL, data_path: str) -> int:
    """Declare the library's functions and load its data; returns its sample rate in Hertz."""
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    library.espeak_Info.argtypes = [ctypes.c_void_p]
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetSynthCallback.argtypes = [ctypes.c_void_p]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
        ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    rate: int = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data_path.encode(), _DONT_EXIT)
    if rate <= 0:
        raise NotReady(f"espeak-ng does not start: error {rate}")
    library.espeak_ng_SetRandSeed(_SEED)
    return rate


def _version() -> str:
    with _espeak() as espeak:
        version: bytes = espeak.library.espeak_Info(None)
        return version.decode()


def _speak(utterance: Utterance, is_cancelled: Callable[[], bool]) -> Audio:
    """The utterance at espeak-ng's own rate; only its beginning if it is cancelled meanwhile.

    Raises:
        SynthesisFailed: espeak-ng returned an error.
    """
    pieces: list[bytes] = []

    def collect(samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        return int(is_cancelled())  # 1 aborts

    callback = _CALLBACK(collect)  # must outlive espeak_Synth
    text = _clean(utterance.text).encode()
    with _espeak() as espeak:
        library = espeak.library
        status = library.espeak_SetVoiceByName(_VOICES[utterance.language].encode())
        if status == _OK and not is_cancelled():
            library.espeak_SetSynthCallback(callback)
            status = library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
    if status != _OK and not is_cancelled():
        raise SynthesisFailed(f"espeak-ng failed with error {status}")
    return Audio((np.frombuffer(b"".join(pieces), "<i2") / 32768).astype(np.float32), espeak.sample_rate)


def _clean(text: str) -> str:
    """Without characters that C or UTF-8 cannot hold: a NUL ends the text, control characters (U+0001) are commands."""
    return "".join(" " if ord(character) < 32 or "\ud800" <= character <= "\udfff" else character for character in text)

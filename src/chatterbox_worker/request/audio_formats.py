"""Which audio formats have which sample rates and bit rates, and which of them are smaller."""

from __future__ import annotations

from chatterbox_worker.catalogue import FORMATS, MP3_KBPS, SAMPLE_RATES
from chatterbox_worker.errors import InvalidRequest, choices, quote

# The formats of "auto", largest first; mp3 comes last because it is for the rates that opus does not have.
_BY_SIZE = ("wav", "flac", "opus", "mp3")


def formats(name: str, rate: int) -> list[str]:
    """The requested format; for "auto", wav and then each smaller one that supports the rate. Raises InvalidRequest."""
    if name.lower() not in (*FORMATS, "auto"):
        raise InvalidRequest(f"format must be {choices([*FORMATS, 'auto'])}, not {quote(name)}", field="format")
    if rate not in SAMPLE_RATES:
        raise InvalidRequest(f"sample_rate must be {choices(SAMPLE_RATES)}, not {quote(rate)}", field="sample_rate")
    if name.lower() == "auto":
        return [known for known in _BY_SIZE if rate in FORMATS[known].sample_rates]
    if rate not in (allowed := FORMATS[name.lower()].sample_rates):
        raise InvalidRequest(f"{name.lower()} has no {rate} Hz; it takes {choices(allowed)}", field="sample_rate")
    return [name.lower()]


def smaller_formats(name: str, rate: int) -> tuple[str, ...]:
    """The formats of "auto" that have the rate and are smaller than this one, largest first."""
    if name in ("opus", "mp3"):
        return ()
    alike = {"pcm": "wav", "aac": "flac", "ogg": "flac"}.get(name, name)
    fitting = [known for known in _BY_SIZE if rate in FORMATS[known].sample_rates]
    return tuple(fitting[fitting.index(alike) + 1 :])


def chosen_format(name: str, rate: int, kbps: int | None) -> str:
    """The format of a request; of "auto" the largest. Raises InvalidRequest for a rate that it does not have."""
    chosen = formats(name, rate)[0]
    if kbps is not None:
        check_bitrate(kbps, name.lower(), rate)
    return chosen


def check_bitrate(kbps: int, audio_format: str, sample_rate: int) -> None:
    """Raises InvalidRequest for a bit rate that the format does not have at that sample rate, in Hertz."""
    if audio_format != "mp3":
        raise InvalidRequest(f"bitrate_kbps is for mp3 only, not for {audio_format}", field="bitrate_kbps")
    if kbps not in (allowed := MP3_KBPS[sample_rate]):
        raise InvalidRequest(
            f"bitrate_kbps must be {choices(allowed)} at {sample_rate} Hz, not {kbps}", field="bitrate_kbps"
        )

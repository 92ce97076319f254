"""The picture is drawn for any findings, and shows every part of a recording."""

from __future__ import annotations

import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from chatterbox_worker.clone.findings import Findings, examine
from chatterbox_worker.clone.report import _figure, draw
from chatterbox_worker.clone.strips import STRIP_S, lay_out
from chatterbox_worker.clone.voice import build_voice
from chatterbox_worker.clone.waves import CLIP, KEPT, LEFT_OUT, OTHERS, UNSURE, colour_of
from chatterbox_worker.errors import InvalidRequest
from support.recorded import in_noise, pause, talk, wav
from support.speakers import ANN, SENTENCES, PitchEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "a $1_{x}$.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))  # must not be drawn as a formula
    (folder / "noisy.wav").write_bytes(wav(in_noise(talk(ANN, SENTENCES[:1]), -30.0)))
    (folder / "empty.wav").write_bytes(b"")
    return folder


def _words(findings: Findings, refusal: InvalidRequest | None = None) -> str:
    figure = _figure("ann", findings, refusal or build_voice(findings, min_speech_s=6))
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_the_picture_lists_what_was_kept_left_out_and_refused(folder: Path) -> None:
    words = _words(examine(folder, PitchEncoder()))
    assert "Voice “ann”" in words
    assert "16 s kept in 4 of 5 segments  ·  24 s in 2 files  ·  1 refused  ·  a clip of" in words
    assert "5 noisy" in words
    assert "Refused: empty.wav is empty" in words
    assert "a $1_{x}$.wav, 19 s" in words


def test_an_error_is_drawn_with_its_reason(folder: Path) -> None:
    words = _words(examine(folder, None), InvalidRequest("there is too little"))
    assert "No voice was created: there is too little." in words
    assert "no voice" in words
    assert "one speaker was assumed" in words


def test_a_folder_without_a_usable_file_has_the_reason_and_nothing_hidden(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    findings = examine(tmp_path, PitchEncoder())
    with pytest.raises(InvalidRequest, match=r"none of the 1 files can be used: empty\.wav is empty") as refused:
        build_voice(findings)
    words = _words(findings, refused.value)
    assert "No voice was created: none of the 1 files can be used" in words
    assert "Not drawn" not in words


def test_the_file_is_a_picture_in_the_colours_of_the_key(folder: Path, tmp_path: Path) -> None:
    findings = examine(folder, PitchEncoder())
    draw("ann", findings, build_voice(findings, min_speech_s=6), tmp_path / "deep" / "ann.png")
    picture = (imread(tmp_path / "deep" / "ann.png")[:, :, :3] * 255).round().astype(int)
    for colour in (KEPT, LEFT_OUT, CLIP):
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert np.count_nonzero((picture == wanted).all(axis=2)) > 500, colour


def test_quiet_recordings_are_drawn_larger_and_the_time_axis_ends_with_the_last(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "quiet.wav").write_bytes(wav(talk(ANN, SENTENCES[:2]) * np.float32(0.01)))
    findings = examine(tmp_path, PitchEncoder())
    figure = _figure("ann", findings, InvalidRequest("too quiet"))
    strip = figure.axes[1]
    assert strip.get_xlim()[1] == pytest.approx(findings.recordings["quiet.wav"].audio.duration_s, rel=0.01)
    assert ", ×" in strip.texts[0].get_text()
    assert max(np.asarray(path.vertices)[:, 1].max() for each in strip.collections for path in each.get_paths()) > 0.4


def test_windows_are_coloured_by_speaker() -> None:
    assert [colour_of(person, 1) for person in (1, 0, 2, -1)] == [KEPT, OTHERS[0], OTHERS[1], UNSURE]


def test_names_are_drawn_unchanged(tmp_path: Path) -> None:
    for name in ("$x_$.wav", "录音.wav", "a&<b>.wav"):
        (tmp_path / name).write_bytes(wav(talk(ANN, SENTENCES[:2], pause_s=0.4 + len(name) / 100)))
    findings = examine(tmp_path, PitchEncoder())
    draw("x", findings, build_voice(findings, min_speech_s=6), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_a_folder_with_only_refused_files_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(wav(pause(3.0)))
    findings = examine(tmp_path, PitchEncoder())
    draw("x", findings, InvalidRequest("nothing"), tmp_path / "x.png")
    picture = (tmp_path / "x.png").read_bytes()
    assert picture[:4] == b"\x89PNG"
    most, highest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, highest))
    try:
        with pytest.raises(OSError, match="File too large"):
            draw("x", findings, InvalidRequest("no space"), tmp_path / "x.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, highest))
    assert (tmp_path / "x.png").read_bytes() == picture


@given(st.lists(st.floats(0.1, 700), min_size=1, max_size=12))
def test_every_second_is_laid_out_once_without_overlap(durations_s: list[float]) -> None:
    places = lay_out([(str(index), duration_s) for index, duration_s in enumerate(durations_s)])
    for index, duration_s in enumerate(durations_s):
        own = [place for place in places if place.name == str(index)]
        assert own[0].start_s == 0
        assert own[-1].end_s == duration_s
        assert all(one.end_s == other.start_s for one, other in pairwise(own))
    for one, other in pairwise(places):
        assert one.at_s + one.end_s - one.start_s <= STRIP_S + 1e-6
        assert one.strip < other.strip or one.at_s + one.end_s - one.start_s <= other.at_s

"""Words that are read otherwise than they are written: how they are found, and the lexicon on the volume."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import threading
import time
import unicodedata
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import EntryNotFound, InvalidRequest, VolumeFailed
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.normalise import clean
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.text.preview import preview
from chatterbox_worker.text.pronunciations import Pronunciations, Source, add_pronunciations
from chatterbox_worker.text.reading import Reading, Span, as_written


def read_with(text: str, entries: dict[str, str]) -> str:
    reading = add_pronunciations(as_written(clean(text)), [lambda _: Pronunciations(entries)])
    return reading.spoken(0, len(reading.text))


def speech(**fields: object) -> SpeechRequest:
    request = parse({"text": "Hello there.", **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return request


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        ("Ask Nguyen.", {"Nguyen": "Nwin"}, "Ask Nwin."),
        ("Nguyen's and Nguyen-Smith's (Nguyen)", {"Nguyen": "Nwin"}, "Nwin's and Nwin-Smith's (Nwin)"),
        ("Nguyens, Nguyen2, MacNguyen", {"Nguyen": "Nwin"}, "Nguyens, Nguyen2, MacNguyen"),
        ("The Polish polish.", {"Polish": "Poleish"}, "The Poleish polish."),
        ("The Polish polish.", {"Polish": "Poleish", "polish": "pollish"}, "The Poleish pollish."),
        ("Data, data and DATA", {"data": "dayta"}, "dayta, dayta and dayta"),
        ("CHAPTER NGUYEN", {"Nguyen": "Nwin"}, "CHAPTER Nwin"),
        ("The US told us.", {"US": "you ess"}, "The you ess told us."),
        ("New York City, New York", {"New York": "en why", "New York City": "en why see"}, "en why see, en why"),
        ("New\nYork", {"New York": "en why"}, "en why"),
        ("Don't ask Don.", {"Don": "Dawn", "t": "tee"}, "Don't ask Dawn."),
        ("l'Artagnan, d’Artagnan", {"Artagnan": "Artanian"}, "l'Artanian, d’Artanian"),
        ("C++, .NET and C", {"C++": "see plus plus", ".NET": "dot net"}, "see plus plus, dot net and C"),
        ("李雷在北京。", {"北京": "ベイジン"}, "李雷在ベイジン。"),
        ("東京都とNguyenさん", {"東京都": "とうきょうと", "東京": "x", "Nguyen": "グエン"}, "とうきょうととグエンさん"),
        ("응우옌은 나라", {"응우옌": "응웬", "나": "x"}, "응웬은 나라"),
        ("Işık ve İzmir", {"ışık": "a", "izmir": "b"}, "a ve b"),
        ("ΟΔΟΣ οδός", {"οδος": "δρόμος"}, "δρόμος οδός"),
        ("Zoë", {unicodedata.normalize("NFD", "Zoë"): "Zoey"}, "Zoey"),
        (unicodedata.normalize("NFD", "Zoë, Zoëy"), {"Zoë": "Z"}, unicodedata.normalize("NFD", "Z, Zoëy")),
        ("Say [laugh] and laugh.", {"laugh": "ha"}, "Say [laugh] and ha."),
        ("Say [laugh] now.", {"[laugh]": "ha ha"}, "Say ha ha now."),
        ("One [1] two [2].", {"[1]": "", "[2]": ""}, "One two."),
        ("[1] One", {"[1]": ""}, "One"),
        ("Nguyen", {"Nguyen": " N\u00adwin\n now "}, "Nwin now"),
        ("Ask.", {"\u200b": "x", " ": "y"}, "Ask."),
    ],
)  # fmt: skip
def test_words_are_found_whole_longest_first_and_by_their_capitals(
    text: str, entries: dict[str, str], expected: str
) -> None:
    assert read_with(text, entries) == expected


WORDS = st.text("abAB ß-'北あ", min_size=1, max_size=4).filter(str.strip)


@given(st.text("abAB ß-'.北あ", min_size=1, max_size=40).filter(lambda text: any(map(str.isalnum, text))),
       st.dictionaries(WORDS, st.just("x"), max_size=6))  # fmt: skip
def test_what_is_found_is_an_entry_and_the_rest_stays_as_written(text: str, entries: dict[str, str]) -> None:
    cleaned = clean(text)
    spans = list(Pronunciations(entries).find(Source.of(cleaned), 0, len(cleaned)))
    Reading(cleaned, as_written(cleaned).stretches, tuple(spans))  # in order, without overlap
    known = {" ".join(form.lower().split()) for word in entries for form in (word, word.upper())}
    assert all(cleaned[span.start : span.end].lower() in known for span in spans)


def test_the_requests_own_entries_win_over_the_lexicon_and_spans_over_both() -> None:
    own, shared = {"New York": "one"}, {"New York City": "two", "City": "three", "York": "four"}
    text = "New York City, York."
    reading = Reading(text, as_written(text).stretches, (Span(15, 19, "five"),))
    made = add_pronunciations(reading, [lambda _: Pronunciations(own), lambda _: Pronunciations(shared)])
    assert made.spoken(0, len(text)) == "one three, five."


def test_five_thousand_entries_take_a_fraction_of_a_second() -> None:
    made = random.Random(1)
    words = ["".join(made.choices("abcdefghijklmnopqrst", k=made.randint(3, 12))) for _ in range(5_000)]
    text = " ".join(made.choices(words, k=7_000))[:50_000]
    started_s = time.process_time()
    entries = Pronunciations(dict.fromkeys(words, "x"))
    reading = add_pronunciations(as_written(text), [lambda _: entries])
    assert time.process_time() - started_s < 0.5  # 0.08 s were measured
    assert len(reading.spans) > 5_800


def test_a_request_reads_its_own_words_whatever_normalize_says() -> None:
    fields = {"text": "Call Nguyen at 12:30.", "pronunciations": {"Nguyen": "Nwin", "12:30": "noon thirty"}}
    for normalize in (True, False):
        [chunk] = preview(speech(**fields, normalize=normalize))["chunks"]
        assert chunk["spoken"] == "Call Nwin at noon thirty."
    assert prepare(speech(pronunciations={"absent": "x"})).identity == prepare(speech()).identity


@pytest.mark.parametrize(
    "given", [["Nguyen"], "Nguyen", {"Nguyen": 5}, {"": "x"}, {" ": "x"}, {"a" * 101: "x"}, {"a": "x" * 301},
              {str(number): "x" for number in range(1001)}]
)  # fmt: skip
def test_bad_pronunciations_are_refused_by_name(given: object) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        speech(pronunciations=given)
    assert refusal.value.field == "pronunciations"


def test_a_null_is_an_entry_left_out() -> None:
    assert speech(pronunciations={"a": None, "b": "c"}).pronunciations == {"b": "c"}


@pytest.fixture(params=["lexicon.json", "lexicon.csv"])
def lexicon(request: pytest.FixtureRequest, tmp_path: Path) -> Lexicon:
    return Lexicon(tmp_path / "sub" / request.param)


def spoken(lexicon: Lexicon, text: str, language: str = "en", **fields: object) -> str:
    [chunk] = prepare(speech(text=text, language=language, model="multilingual", **fields), lexicon).chunks
    return chunk.spoken


def test_entries_are_saved_listed_used_and_deleted(lexicon: Lexicon) -> None:
    assert lexicon.list() == []
    assert lexicon.save({"Nguyen": "Nwin", "GIF": "jif, said"}) == 2
    assert lexicon.save({"GIF": 'y"if'}, "es") == 3

    for each in (lexicon, Lexicon(lexicon.path)):
        assert [(entry.word, entry.spoken, entry.language) for entry in each.list()] == [
            ("GIF", "jif, said", "*"), ("Nguyen", "Nwin", "*"), ("GIF", 'y"if', "es"),
        ]  # fmt: skip
        assert [entry.word for entry in each.list("es")] == ["GIF"]
        assert spoken(each, "A GIF by Nguyen.") == "A jif, said by Nwin."
        assert spoken(each, "Un GIF de Nguyen.", "es") == 'Un y"if de Nwin.'
        assert spoken(each, "A GIF by Nguyen.", pronunciations={"Nguyen": "Nuyen"}) == "A jif, said by Nuyen."
        for switched_off in (False, {"lexicon": False}):
            assert spoken(each, "A GIF by Nguyen.", normalize=switched_off) == "A GIF by Nguyen."

    lexicon.delete("GIF", "es")
    with pytest.raises(EntryNotFound, match="GIF"):
        lexicon.delete("GIF", "es")
    assert spoken(lexicon, "Un GIF.", "es") == "Un jif, said."


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", '{"Nguyen": "Nwin", "es": {"GIF": "yif"}}', {("Nguyen", "*"), ("GIF", "es")}),
        ("b.json", '\ufeff{"*": {"no": "know"}, "no": {"GIF": "gif"}}', {("no", "*"), ("GIF", "no")}),
        ("c.csv", "word,spoken,language\nNguyen,Nwin,\nGIF,yif,es\n\n", {("Nguyen", "*"), ("GIF", "es")}),
        ("d.csv", "\ufeffNguyen;Nwin\r\nGIF;yif;es\r\n", {("Nguyen", "*"), ("GIF", "es")}),
        ("e.CSV", '"New, York","en, why"\n', {("New, York", "*")}),
    ],
)
def test_a_file_written_by_hand_is_read(
    tmp_path: Path, name: str, content: str, expected: set[tuple[str, str]]
) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert {(entry.word, entry.language) for entry in Lexicon(tmp_path / name).list()} == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"), ("a.json", b"[]"), ("a.json", b'{"xx": {"a": "b"}}'), ("a.json", b'{"a": 1}'),
        ("a.json", b"[" * 100_000), ("a.json", b"\xff\xfe"), ("a.json", '{"*": {"\u200b": "b"}}'.encode()),
        ("a.csv", b"a\n"), ("a.csv", b"a,b,c,d\n"), ("a.csv", b"a,b,xx\n"), ("a.csv", b'a,"b\n'), ("a.csv", b",b\n"),
        ("a.csv", b"".join(b"w%d,x\n" % number for number in range(20_001))), ("a.json", b" " * 8_000_001),
    ],
)  # fmt: skip
def test_a_damaged_file_is_logged_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes
) -> None:
    lexicon = Lexicon(tmp_path / name)
    lexicon.save({"Nguyen": "Nwin"})
    lexicon.path.write_bytes(content)

    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            lexicon._next_check_s = 0.0
            assert spoken(lexicon, "Ask Nguyen.") == "Ask Nwin."
        with pytest.raises(VolumeFailed, match="correct it first"):
            lexicon.save({"a": "b"})
    assert len(caplog.records) == 1
    assert lexicon.path.read_bytes() == content


def test_a_change_by_another_worker_is_seen_within_a_second(lexicon: Lexicon) -> None:
    lexicon.save({"Nguyen": "Nwin"})
    other = Lexicon(lexicon.path)
    assert spoken(other, "Ask Nguyen.") == "Ask Nwin."
    lexicon.save({"Nguyen": "Nuyen"})
    assert 0 < other._next_check_s - time.monotonic() <= 1.0
    other._next_check_s = 0.0
    assert spoken(other, "Ask Nguyen.") == "Ask Nuyen."
    lexicon.path.unlink()
    other._next_check_s = 0.0
    assert spoken(other, "Ask Nguyen.") == "Ask Nguyen."


def test_a_refused_save_leaves_what_was_there(lexicon: Lexicon) -> None:
    lexicon.save({"Nguyen": "Nwin"})
    before = lexicon.path.read_bytes()
    with pytest.raises(InvalidRequest, match="20000"):
        lexicon.save({f"w{number}": "x" for number in range(20_000)})
    with pytest.raises(InvalidRequest, match="language"):
        lexicon.save({"a": "b"}, "xx")
    assert lexicon.path.read_bytes() == before
    assert lexicon.list() == Lexicon(lexicon.path).list()
    assert [path.name for path in lexicon.path.parent.iterdir() if path.suffix == ".draft"] == []


def _save_words(path: Path, prefix: str) -> None:
    lexicon = Lexicon(path)
    for number in range(15):
        lexicon.save({f"{prefix}{number}": "x"})


def test_nothing_is_lost_when_processes_and_threads_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.json"
    context = multiprocessing.get_context("spawn")
    writers: list[BaseProcess | threading.Thread] = [
        *(context.Process(target=_save_words, args=(path, f"p{number}-")) for number in range(2)),
        *(threading.Thread(target=_save_words, args=(path, f"t{number}-")) for number in range(2)),
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(json.loads(path.read_bytes())["*"]) == 60


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    (tmp_path / ".lexicon.json.lock").symlink_to(other)
    with pytest.raises(VolumeFailed):
        Lexicon(tmp_path / "lexicon.json").save({"a": "b"})
    assert other.read_bytes() == b"other"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(VolumeFailed, match="cannot be written"):
        Lexicon(tmp_path / "lexicon.json").save({"a": "b"})

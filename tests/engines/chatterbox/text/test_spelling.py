"""What a tokenizer has no token for is written otherwise; with a vocabulary of each test's own choice."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers  # type: ignore[import-untyped]

from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.text import stand_ins
from chatterbox_worker.engines.chatterbox.text.spelling import Speller
from chatterbox_worker.engines.chatterbox.text.tokenizer import (
    CleaningTokenizer,
    EnglishTokenizer,
    MultilingualTokenizer,
    load_tokenizer,
)
from support.checkpoints import checkpoint, layout_of

PLAIN = string.ascii_letters + ".,!?'\"-"
ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهويء،"
SPECIAL = ("[STOP]", "[UNK]", "[SPACE]", "[ar]", "[fr]", "[ja]", "[ru]", "[en]", "[zh]")


def bpe(characters: str, *merged: str) -> Tokenizer:
    """Of these characters and pairs of them; the others are [UNK], as in the family's files."""
    tokens = [*SPECIAL, *dict.fromkeys(characters), *merged]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [(pair[0], pair[1]) for pair in merged], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return tokenizer


def spell(text: str, characters: str = PLAIN) -> str:
    """The text that is encoded, from its ids."""
    tokenizer = bpe(characters)
    ids = EnglishTokenizer(tokenizer).encode(text, "en")
    return "".join(tokenizer.id_to_token(each) for each in ids).replace("[SPACE]", " ")


def multilingual(characters: str) -> MultilingualTokenizer:
    folder = checkpoint("multilingual")
    return MultilingualTokenizer(bpe(characters), find(layout_of(folder), weights_dir=folder, offline=True))


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("café, naïve Łódź.", "cafe, naive Lodz."),
        ("cafe\u0301 \u0301.", "cafe."),
        ("Smørrebrød, Æsir, ÞÓR, Straße, GROẞ, Kadıköy.", "Smorrebrod, Aesir, ThOR, Strasse, GROss, Kadikoy."),
        ("Il dit «bonjour» et ‹non›, „ja“.", 'Il dit "bonjour" et \'non\', "ja".'),
        ("My friend (the tall one) left.", "My friend, the tall one, left."),
        ("(Hello) there [you].", "Hello, there, you."),
        ("Well (so), yes; no: (maybe).", "Well, so, yes, no, maybe."),
        ("one / two and/or ¿three? ¡Four!", "one two and or three? Four!"),
        ("a − b ― c… d‥", "a - b - c... d.."),
        ("ﬁne №٣ ⅓", "fine No"),  # there are no digits
        ("a ж b 🙂. % c", "a b. c"),
        ("[UNK] [U🙂NK] [SPACE] [STOP]", "UNK, UNK,   [STOP]"),
    ],
)
def test_english_is_spelled_with_the_characters_that_there_are(text: str, spelled: str) -> None:
    assert spell(text) == spelled


def test_the_best_stand_in_that_has_a_token_is_taken() -> None:
    assert spell("Öl", PLAIN + "ö") == "öl"  # the letter, small, before another letter
    assert spell("ÖL", PLAIN.lower()) == "ol"
    assert spell("a — b (c) d", PLAIN.replace("-", "")) == "a, b, c, d"
    assert spell("a — b (c) d", string.ascii_letters) == "a b c d"
    assert spell("«a» „b“", PLAIN + "«»") == '«a» "b"'
    assert spell("٣४", PLAIN + string.digits) == "34"
    assert spell("カメラ", "かめら") == "かめら"
    assert spell("œ ǽ", PLAIN + "æ") == "oe æ"


def test_arabic_carriers_and_marks() -> None:
    ours = multilingual(ARABIC)
    assert ours.encode("آمن", "ar") == ours.encode("امن", "ar")  # NFKD makes it ا and U+0653
    assert ours.encode("أخٌ، إلى ٱلمؤمن", "ar") == ours.encode("اخ، الا المومن", "ar")
    with_mark = multilingual(ARABIC + "\u0653")
    assert with_mark.encode("آمن", "ar") != with_mark.encode("امن", "ar")
    assert ours.left_out("آمنٌ پ ٪ x", "ar") == "x"


def test_letters_and_symbols_that_cannot_be_replaced_are_named_as_they_are_written() -> None:
    english = EnglishTokenizer(bpe(PLAIN))
    assert english.left_out("Жук и ЖУК, café — (100 €) 🙂 ку", "en") == "Жуки УК10€🙂".replace(" ", "")
    assert english.left_out("«Ça va», ¿no?", "en") == ""
    assert english.left_out("किन", "hi") == "किन"  # a vowel sign is no accent
    cleaning = CleaningTokenizer(bpe(PLAIN))
    assert cleaning.left_out("It costs £5 at 10 % ж.", "en") == "%ж"
    assert multilingual(PLAIN.lower()).left_out("Ƣ, É, ﬁ", "en") == "Ƣ"


def test_characters_that_a_script_is_rewritten_to_count() -> None:
    japanese = multilingual("あいうえおかきくけこさしすせそたちつてとひびん。\u3099")
    assert japanese.left_out("人々は", "ja") == "は"  # "々" repeats what is before it
    assert japanese.left_out("人々", "en") == "人々"


def test_the_vocabulary_counts_what_it_lacks_before_anything_is_replaced() -> None:
    assert multilingual(ARABIC).unknown("آچ ab.", "ar") == {"\u0653", "چ", "a", "b", "."}
    folder = checkpoint("multilingual")
    chinese = load_tokenizer(find(layout_of(folder), weights_dir=folder, offline=True))
    assert isinstance(chinese, MultilingualTokenizer)
    assert chinese.unknown("你好𪚥", "zh") == {"𪚥"}  # the tokens of Cangjie codes are known, whatever "[" is


@given(st.text(PLAIN + "æ «", max_size=40))
def test_a_text_with_tokens_for_all_has_the_ids_of_upstreams_tokenizer(text: str) -> None:
    tokenizer = bpe(PLAIN + "æ«", "th", "ab")
    assert EnglishTokenizer(tokenizer).encode(text, "en") == tokenizer.encode(text.replace(" ", "[SPACE]")).ids


OURS = EnglishTokenizer(bpe(PLAIN, "th", "ab"))
UNKNOWN = SPECIAL.index("[UNK]")


@given(
    st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(PLAIN + " ()«»[]é…/UNK")), max_size=30)
)
@example("[UNK]")
@example("[[UNK]UNK]")
@example("\x1c\x85\u2028\ue000\u0378")
def test_no_text_has_an_unknown_token_and_the_tokens_lead_back_to_it(text: str) -> None:
    ids, spans = OURS.encode(text, "en"), OURS.spans(text, "en")
    assert UNKNOWN not in ids
    assert len(spans) == len(ids)
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    some = [span for span in spans if span[0] < span[1]]
    assert some == sorted(some)


def test_stand_ins_never_lead_in_a_circle() -> None:
    for characters in ("", "x"):
        speller = Speller(bpe(characters))
        for character in (*stand_ins._TABLE, *map(chr, range(0x3000))):
            assert speller.spell(character).text in ("", character, "x", " ")


def test_spans_stay_with_what_is_written() -> None:
    text = "Hé (ß) ж x"
    spans = OURS.spans(text, "en")
    assert [text[start:end] for start, end in spans] == ["H", "é", "", " ", "ß", "ß", "", " ", "x"]
    assert spans[2] == (2, 2)  # the comma follows its word
    arabic = multilingual(ARABIC)
    assert [("آ ب")[start:end] for start, end in arabic.spans("آ ب", "ar")] == ["", "آ", " ", "ب"]
    assert all(before[0] <= after[0] for before, after in pairwise(spans))

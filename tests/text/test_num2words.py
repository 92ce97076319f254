"""Our numbers in words beside those of num2words, which has its own tables: a second source for CLDR's and our own.

Where the two differ for a reason, `DIFFERENCES` makes num2words' form ours. Nothing else may differ. It does not know
Greek, Hindi, Malay, Swahili and Chinese; their numbers are in the table of pairs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from chatterbox_worker.text.spoken.numerals import say
from chatterbox_worker.text.spoken.rules import rules_of

num2words = pytest.importorskip("num2words").num2words

CARDINALS = (
    *range(131), 180, 199, 200, 201, 211, 221, 222, 300, 333, 400, 444, 500, 555, 600, 666, 700, 777, 800, 888, 900,
    999, 1000, 1001, 1002, 1010, 1011, 1020, 1021, 1100, 1101, 1111, 1200, 1234, 1500, 1900, 1984, 1999, 2000, 2001,
    2021, 2222, 3000, 4000, 5678, 7000, 8000, 9999,
    10_000, 10_001, 11_000, 12_345, 16_000, 20_000, 21_000, 22_000, 25_470, 30_000,
    99_999, 100_000, 100_001, 111_111, 121_000, 200_000, 222_222, 300_000, 500_000, 999_999, 1_000_000,
    1_000_001, 1_001_000, 1_100_000, 1_234_567, 2_000_000, 3_000_001, 5_000_000, 10_000_000, 21_000_000,
    100_000_000, 1_000_000_000, 2_000_000_000, 1_000_000_000_000,
)  # fmt: skip
ORDINALS = (*range(1, 41), 45, 50, 56, 60, 70, 80, 90, 99, 101, 256)
YEARS = (1066, 1100, 1492, 1815, 1900, 1905, 1940, 1984, 1999, 2000, 2005, 2010, 2026)


@dataclass(frozen=True)
class Difference:
    language: str
    kind: str
    theirs: str
    """A pattern of num2words' form."""
    ours: str
    reason: str
    """With its source."""


DIFFERENCES = (
    Difference("ar", "cardinal", " و ", " و", "the conjunction is written together with the next word"),
    Difference("ar", "cardinal", "مائ?ة|مئة", "مئة", "spelling as it is said: الغلاييني; both are in use"),
    Difference("ar", "cardinal", "مئتا(?!ن)(?! ألف)", "مئتان", "no noun follows that would take the ending away"),
    Difference("ar", "cardinal", "[اأآإ]لفا$", "ألفان", "no noun follows that would take the ending away"),
    Difference("ar", "cardinal", "ألفاً", "ألف", "without case endings, as everything here"),
    Difference("ar", "cardinal", "(مليون|مليار)ا$", r"\1ان", "no noun follows that would take the ending away"),
    Difference("da", "cardinal", "(?<!halv)treds", "tres", "Retskrivningsordbogen: tres; num2words' is a slip"),
    Difference("ar", "year", " و ", " و", "the conjunction is written together with the next word"),
    Difference("ar", "year", "مائ?ة|مئة", "مئة", "spelling as it is said"),
    Difference("ar", "year", "ألفا$", "ألفان", "no noun follows that would take the ending away"),
    Difference("da", "cardinal", r"\bet(?=hundrede|tusind)", "", "Den Danske Ordbog: both"),
    Difference("da", "cardinal", "^en (milli|billi)(.*?)er(?= |$)", r"en \1\2", "num2words' lacks the singular"),
    Difference("da", "cardinal", "tusindet", "tusind", "num2words' is a slip"),
    Difference("da", "cardinal", "tusinde(?= )", "tusind", "both"),
    Difference("da", "cardinal", r"tusind og (?=\w*hundrede)", "tusind ", "both"),
    Difference("da", "year", "^et(?=tusind)", "", "Den Danske Ordbog: both"),
    Difference("da", "year", "tusinde og seksogtreds", "tusind og seksogtres", "both, and a slip"),
    Difference("da", "year", r"hundrede (?!og)(?=\w)", "hundrede og ", "Den Danske Ordbog: both"),
    Difference("da", "year", "^totusinde og (ti|seksogtyve)", r"tyvehundrede og \1", "both; CLDR's"),
    Difference("en", "cardinal", " and ", " ", "American English, as CLDR's en; British English has \"and\""),
    Difference("en", "ordinal", " and ", " ", "American English, as CLDR's en"),
    Difference("en", "year", " and ", " ", "American English, as CLDR's en"),
    Difference("es", "cardinal", r"veintiuno (?=mil)", "veintiún ", "RAE, DPD, veintiún mil: apocope before mil"),
    Difference("es", "ordinal", "quadra", "cuadra", "RAE: cuadragésimo; num2words' is a slip"),
    Difference("es", "ordinal", "décimo ?(primero|segundo|tercero|cuarto|quinto|sexto|séptimo|noveno)", r"decimo\1",
               "RAE, DPD, ordinales: both, written together without the first accent"),
    Difference("es", "ordinal", "décimo ?octavo", "decimoctavo", "RAE, DPD, ordinales"),
    Difference("fi", "cardinal", "^(miljoona|miljardi|biljoona)", r"yksi \1", "both"),
    Difference("fr", "ordinal", "vingtsième", "vingtième", "num2words' is a slip"),
    Difference("fr", "cardinal", "(te|ante) et (un|onze)", r"\1-et-\2", "the spelling of 1990"),
    Difference("fr", "cardinal", "vingt et un", "vingt-et-un", "the spelling of 1990"),
    Difference("fr", "ordinal", " et un", "-et-un", "the spelling of 1990"),
    Difference("fr", "ordinal", "cent unième", "cent-et-unième", "Grevisse § 599: both"),
    Difference("he", "cardinal", "שנים עשר", "שניים עשר", "full spelling by the Academy's rules"),
    Difference("it", "cardinal", "centodicotto", "centodiciotto", "num2words' is a slip"),
    Difference("it", "cardinal", "(?<=[a-z])tre$", "tré", "Serianni VI: ventitré has its accent"),
    Difference("it", "cardinal", "^ventunomil", "ventunmil", "Crusca: both"),
    Difference("it", "cardinal", "ventuno milioni", "ventun milioni", "Crusca: both"),
    Difference("it", "cardinal", r"(milione|milioni) e ", r"\1 ", "both"),
    Difference("it", "ordinal", "centounesimo", "centunesimo", "both"),
    Difference("ja", "cardinal", "ゼロ", "ぜろ", "the same in the other kana"),
    Difference("nl", "cardinal", r"\been (?=milj|bilj)", "één ", "the numeral as such: Taaladvies, een or één"),
    Difference("nl", "cardinal", "(?<=[a-z])één", "een", "Taalunie: accents only where the article could be read"),
    Difference("no", "cardinal", r"(?<![a-zøå])en\b|(?<=hundre og )en$|(?<=ti)en$|(?<=tjue)en$", "én",
               "Språkrådet: én as numeral"),
    Difference("no", "cardinal", "(?<![a-zøå])én (hundre|tusen)", r"\1", "both"),
    Difference("no", "cardinal", "tjueen (?=tusen)", "tjueett ", "tusen is a neuter noun: ett"),
    Difference("no", "cardinal", "tjueen (?=mill)", "tjueén ", "Språkrådet: én as numeral"),
    Difference("no", "cardinal", "millard", "milliard", "num2words' is a slip"),
    Difference("no", "cardinal", r"(?<!\bén )(million|milliard|billion)(?= |$)", r"\1er", "lacks the plural"),
    Difference("no", "cardinal", "(million(?:er)?) og én", r"\1 én", "CLDR's; both"),
    Difference("no", "ordinal", "^en hundre", "hundre", "both"),
    Difference("no", "ordinal", "syv", "sju", "Språkrådet: both"),
    Difference("no", "ordinal", "trettførste", "trettende", "num2words' is a slip"),
    Difference("no", "year", "^en tusen", "tusen", "both"),
    Difference("no", "year", "^to tusen og (ti|tjueseks)", r"tjuehundre og \1", "both; CLDR's"),
    Difference("no", "cardinal", "syv", "sju", "Språkrådet: both"),
    Difference("pt", "cardinal", ",", "", "a comma between thousands would be a pause"),
    Difference("pt", "year", ",", "", "a comma between thousands would be a pause"),
    Difference("sv", "cardinal", "förtio", "fyrtio", "SAOL: fyrtio; num2words' is a slip"),
    Difference("sv", "cardinal", "tjugoett miljoner", "tjugoen miljoner", "miljon is a common noun: en"),
    Difference("sv", "ordinal", "förtio", "fyrtio", "SAOL: fyrtio; num2words' is a slip"),
    Difference("sv", "ordinal", "tjugode", "tjugonde", "SAOL: tjugonde; num2words' is a slip"),
    Difference("sv", "cardinal", "etttusen", "ettusen", "Svenska skrivregler: three equal consonants are two"),
    Difference("tr", "cardinal", "^yüzonbinyüzonbir", "yüzonbirbinyüzonbir", "num2words' is a slip: 110 111"),
)  # fmt: skip


USED: set[Difference] = set()


def theirs(number: int, language: str, kind: str) -> str:
    code = {"pt": "pt_BR"}.get(language, language)
    extra = {"reading": True} if language == "ja" else {}
    words: str = num2words(number, lang=code, to=kind, **extra)
    for known in DIFFERENCES:
        if (known.language, known.kind) == (language, kind) and re.search(known.theirs, words):
            words = re.sub(known.theirs, known.ours, words)
            USED.add(known)
    return words


JOINED = {"da": " ", "en": "[ ,-]", "fi": " ", "nl": " ", "no": " ", "pt": "[ ,]", "sv": " ", "tr": " "}
"""What stands between the parts of a number is spelling and is not compared."""


def differing(language: str, kind: str, rule_set: str, numbers: tuple[int, ...]) -> list[tuple[int, str, str]]:
    rules = rules_of(language)
    assert rules is not None
    between = JOINED.get(language, "(?!)")
    forms = ((number, theirs(number, language, kind), say(number, rules, rule_set)) for number in numbers)
    return [(number, one, two) for number, one, two in forms if re.sub(between, "", one) != re.sub(between, "", two)]


@pytest.mark.parametrize("language", sorted({known.language for known in DIFFERENCES} | {"ko", "pl", "ru"}))
def test_cardinals_are_those_of_a_second_source(language: str) -> None:
    wrong = differing(language, "cardinal", "", CARDINALS)
    assert not wrong, wrong[:12]


@pytest.mark.parametrize(
    ("language", "rule_set"),
    [
        ("de", "ordinal"), ("en", "ordinal"), ("es", "ordinal-masculine"), ("fi", "ordinal"),
        ("fr", "ordinal-masculine"),
        ("it", "ordinal-masculine"), ("nl", "ordinal"), ("pl", "ordinal-masculine"), ("pt", "ordinal-masculine"),
        ("ru", "ordinal-masculine"), ("sv", "ordinal-reale"), ("tr", "ordinal"), ("no", "ordinal-masculine"),
    ],
)  # fmt: skip
def test_ordinals_are_those_of_a_second_source(language: str, rule_set: str) -> None:
    wrong = differing(language, "ordinal", rule_set, ORDINALS)
    assert not wrong, wrong[:12]


@pytest.mark.parametrize(
    ("language", "rule_set"),
    [
        ("ar", ""), ("da", "numbering-year"), ("de", "numbering-year"), ("en", "numbering-year"), ("es", ""),
        ("fi", ""),
        ("fr", ""), ("he", ""), ("it", ""), ("no", "numbering-year"), ("pt", ""), ("tr", ""),
    ],
)  # fmt: skip
def test_years_are_those_of_a_second_source(language: str, rule_set: str) -> None:
    wrong = differing(language, "year", rule_set, YEARS)
    assert not wrong, wrong


def test_every_known_difference_is_still_one() -> None:
    numbers = {"cardinal": CARDINALS, "ordinal": ORDINALS, "year": YEARS}
    for known in DIFFERENCES:
        for number in numbers[known.kind]:
            theirs(number, known.language, known.kind)
    assert not [known for known in DIFFERENCES if known not in USED]

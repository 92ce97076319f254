"""English as Chatterbox-Flash was trained to read it: abbreviations, times, telephone numbers and numbers in words.

The result is that of `en_us_cleaner` of the package chatterbox-flash 0.1.0, oddities included ("1%" becomes "1 %", and
"5.5%" "five.five%"): the model knows these forms. Where the package fails ("£.50"), this does not.

Rules for amounts replace whole words only: a word is replaced if it is what a rule's pattern finds anywhere in the
text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial

_ABBREVIATIONS = {
    "mrs": "misess", "mr": "mister", "dr": "doctor", "st": "saint", "jr": "junior", "maj": "major", "gen": "general",
    "drs": "doctors", "rev": "reverend", "lt": "lieutenant", "hon": "honorable", "sgt": "sergeant", "capt": "captain",
    "esq": "esquire", "ltd": "limited", "col": "colonel", "ft": "feet", "abbrev": "abbreviation", "ave": "avenue",
    "abstr": "abstract", "addr": "address", "jan": "january", "feb": "february", "mar": "march", "apr": "april",
    "jul": "july", "aug": "august", "sep": "september", "sept": "september", "oct": "october", "nov": "november",
    "dec": "december", "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thur": "thursday", "fri": "friday",
    "sec": "second", "min": "minute", "mo": "month", "yr": "year", "cal": "calorie", "dept": "department",
    "gal": "gallon", "kg": "kilogram", "km": "kilometer", "mt": "mount", "oz": "ounce", "vol": "volume",
    "vs": "versus", "yd": "yard", "e.g": "eg", "i.e": "ie", "etc": "etc", "ai": "a i", "cms": "c m s", "cdn": "c d n",
    "ceo": "c e o", "tts": "t t s",
}  # fmt: skip

Rewrite = tuple[re.Pattern[str], str]

_WORDS: tuple[Rewrite, ...] = (
    *(
        (re.compile(rf"\b{re.escape(short)}\b\.?", re.IGNORECASE), long) for short, long in _ABBREVIATIONS.items()
    ),
    (re.compile("[–—]"), "-"),
    (re.compile(r"(?<=\d\s)>(?=\s\d)"), "is greater than"),
    (re.compile(r"(?<=\d\s)<(?=\s\d)"), "is less than"),
    (re.compile(r"(?<=\D)\s*-\s+(?=\D)"), ", "),
    (re.compile(r"(?<=\D)\s+-\s*(?=\D)"), ", "),
    (re.compile(r"(?<=[a-z])-(?=[a-z\d])|(?<=\d)-(?=[a-z])", re.IGNORECASE), " "),
    (re.compile(r"(?<=\d)-(?=\d)"), " - "),
)  # fmt: skip

_SMALL = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_TOO_LARGE = 1000 ** len(_GROUPS)
_DIGITS = ("zero", *_SMALL[1:10])

_TIME = re.compile(r"(\d{1,2})([.:])?\s*(\d{2})?\s*([ap]\.?m\.?)?", re.IGNORECASE)
_NO_LETTERS = re.compile("[^a-zA-Z]+")
_PHONE_CHARACTERS = frozenset("0123456789.+-()[] ")
_ENDS = ".!?,;"

_WITH_COMMAS = re.compile(r"(?:\(?[A-Z]{2,3})?([$|£¥€#(]*[0-9][0-9,.]+[0-9])(\S+)?")
_YEAR = re.compile(
    r"(to|years|year|from|after|before|by|until|in|since|around|circa|during)\s?(1[1-9]|20)([0-9]{2})($|-|\s-|\D)",
    re.IGNORECASE,
)
_MANY_DOLLARS = re.compile(r"(\(?[$£¥€])([0-9]*\.?[0-9]+)(?:([BKMT])|(\s)([BMbmTtr]+illion))([.,?!)]+)?")
_CURRENCIES = {"$": "dollars", "£": "pounds", "¥": "yen", "€": "euros"}
_LARGE = {"B": "billion", "K": "thousand", "M": "million", "T": "trillion"}
_END = r"([.,?!])?"
_AMOUNT = r"([0-9.]*[0-9]+)"
_NUMBER = re.compile(r"([0-9]+)" + _END)
_FIRST_NUMBER = re.compile(r"\d+")
_ORDINAL_ENDS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth", "ty": "tieth",
}  # fmt: skip
_UNITS = (
    ("ml", "milliliter", "milliliters"), ("cl", "centiliter", "centiliters"), ("g", "gram", "grams"),
    ("kg", "kilogram", "kilograms"), ("mm", "millimeter", "millimeters"), ("cm", "centimeter", "centimeters"),
    ("km", "kilometer", "kilometers"), ("in", "inch", "inches"), ("ft", "foot", "feet"), ("l", "liter", "liters"),
    ("m", "meter", "meters"), ("yds?", "yard", "yards"), ("s[ecs]*", "second", "seconds"),
)  # fmt: skip


def normalise_english(text: str) -> str:
    """The text as the model's tokenizer takes it."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text))
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    text = _TIME.sub(_say_time, text)
    text = _NO_LETTERS.sub(_say_phone, text)
    text = _WITH_COMMAS.sub(lambda found: found[1].replace(",", "") + (found[2] or ""), text)
    for _ in range(2):  # a range of years has two, and they share the mark between them
        text = _YEAR.sub(_say_year, text)
    return _say_amounts(text)


def _say_group(number: int) -> Iterator[str]:
    """1 to 999."""
    if number >= 100:
        yield f"{_SMALL[number // 100]} hundred"
    rest = number % 100
    yield from (_TENS[rest // 10], _SMALL[rest % 10]) if rest >= len(_SMALL) else (_SMALL[rest],)


def _say_plain(number: int) -> str:
    """Thousands, hundreds and tens; nothing for 0."""
    words: list[str] = []
    for place, name in reversed(list(enumerate(_GROUPS))):
        if group := number // 1000**place % 1000:
            words += [*_say_group(group), name]
    return " ".join(filter(None, words))


def _say(number: int) -> str:
    if number >= _TOO_LARGE:
        return str(number)
    if number % 100 == 0 and number % 1000 and number < 3000:
        return f"{_say_plain(number // 100)} hundred"
    return _say_plain(number) or "zero"


def _say_time(found: re.Match[str]) -> str:
    hour, mark, minute, half = found.groups()
    if not (half or (mark == ":" and minute)):
        return found[0]
    minutes = int(minute or 0)
    spoken = _say_plain(int(hour))
    if minutes:
        spoken += f" {'oh ' if minutes < 10 else ''}{_say_plain(minutes)}"
    return f"{spoken} {half.replace('.', '').upper()}" if half else spoken


def _say_phone(found: re.Match[str]) -> str:
    """A run without letters, if it is a telephone number: its digits in groups."""
    text = found[0]
    core = text.rstrip(_ENDS)
    if not _is_phone(core):
        return text
    groups = [part for digits in re.findall("[0-9]+", core) for part in _parts_of(digits)]
    spoken = ", ".join(" ".join(_DIGITS[int(digit)] for digit in group) for group in groups)
    return f"{' ' * core[:1].isspace()}{spoken}{' ' * core[-1:].isspace()}{text[len(core) :]}"


def _is_phone(text: str) -> bool:
    if text.count(".") == 1 or not _PHONE_CHARACTERS.issuperset(text):
        return False
    if not 5 < sum(character.isdigit() for character in text) < 14:
        return False
    halves = [re.sub("[^0-9]", "", half) for half in text.split("-")]
    is_years = len(halves) == 2 and all(len(half) == 4 and half[0] in "12" for half in halves)
    return not is_years or "+" in text or "." in text


def _parts_of(digits: str, longest: int = 4) -> list[str]:
    """A run of digits in the groups in which it is read: the last of four, those before of three."""
    if len(digits) <= longest:
        return [digits]
    if len(digits) in (5, 8):
        return [digits[:2], *_parts_of(digits[2:], 3)]
    return [*_parts_of(digits[:-longest], 3), digits[-longest:]]


def _say_year(found: re.Match[str]) -> str:
    before, century, year, after = found.groups()
    if year[0] == "0":
        spoken = f"20{year}" if century == "20" else f"{century} oh {year[1]}"
    else:
        spoken = f"{_say(int(century))} {_say(int(year))}"
    return f"{before} {spoken}{' to' if '-' in after else after}"


def _say_large_money(words: list[str]) -> list[str]:
    """$5M, and $5 million, which is three words."""
    for currency, value, short, space, long, end in _groups(_MANY_DOLLARS, words):
        whole, point, rest = value.partition(".")
        amount = f"{whole} point {' '.join(rest)}" if point else whole
        spoken = f"{amount} {_LARGE.get(short, long)} {_CURRENCIES[currency[-1]]}{end}"
        written = f"{currency}{value}{short}{space and ' '}{long}{end}"
        words = [spoken if word == written else word for word in words]
        at = 0
        while at < len(words):
            if at + 3 <= len(words) and "".join(words[at : at + 3]) == written:
                words[at : at + 3] = [spoken]
            at += 1
    return words


def _say_money(one: str, many: str, _: str, value: str, __: str) -> str:
    """Without the mark that follows."""
    whole, point, rest = value.partition(".")
    return f"{whole} {one if whole and int(whole) == 1 else many}{point and ' '}{rest.partition('.')[0]}"


def _say_unit(one: str, many: str, value: str, *marks: str) -> str:
    whole, point, rest = value.partition(".")
    if point:
        return f"{whole} point {''.join(f'{digit} ' for digit in rest.partition('.')[0])}{many}{marks[-1]}"
    return f"{whole} {one if whole == '1' else many}{marks[-1]}"


def _say_dollars(_: str, value: str, end: str) -> str:
    whole, _, rest = value.replace(",", "").partition(".")
    parts = [
        f"{number} {name}{'' if number == 1 else 's'}"
        for number, name in ((int(whole or 0), "dollar"), (int(rest or 0), "cent"))
        if number
    ]
    return (", ".join(parts) or "zero dollars") + end


def _say_decimal(before: str, value: str, end: str) -> str:
    whole, _, rest = value.partition(".")
    zeros = len(rest) - len(rest.lstrip("0"))
    return f"{before}{whole} point {' '.join(['zero'] * zeros + list(rest[zeros:]))}{end}"


def _say_ordinal(number: str, _: str) -> str:
    spoken = _say(int(number))
    for last, ordinal in _ORDINAL_ENDS.items():
        if spoken.endswith(last):
            return spoken.removesuffix(last) + ordinal
    return f"{spoken}th"


_AMOUNTS: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (re.compile(r"(\(?£)" + _AMOUNT + _END), partial(_say_money, "pound", "pounds")),
    (re.compile(r"(\(?¥)([0-9]+)" + _END), partial(_say_money, "yen", "yen")),
    (re.compile(r"(\(?€)" + _AMOUNT + _END), partial(_say_money, "euro", "euros")),
    *((re.compile(f"{_AMOUNT}({unit}){_END}"), partial(_say_unit, one, many)) for unit, one, many in _UNITS),
    (re.compile(r"([0-9]{1,3}(?:,[0-9]{3})*(\.[0-9]+)?)(%)" + _END), partial(_say_unit, "%", "percent")),
    (re.compile(r"(\(?\$)([0-9,]*\.?[0-9]+)([.|,?!)]+)?"), _say_dollars),
    (re.compile(r"(#)([0-9]+(?:\.[0-9]+)?)" + _END), lambda _, value, end: f"number {value}{end}"),
    (re.compile(r"(number\s)?([0-9]+\.[0-9]+)" + _END), _say_decimal),
    (re.compile("([0-9]+)(st|nd|rd|th)"), _say_ordinal),
)  # fmt: skip


def _groups(pattern: re.Pattern[str], words: list[str]) -> list[tuple[str, ...]]:
    return [found.groups(default="") for found in pattern.finditer("".join(words))]


def _say_amounts(text: str) -> str:
    words = _say_large_money(re.split(r"(\s+)", text))
    for pattern, say in _AMOUNTS:
        spoken = {"".join(groups): say(*groups) for groups in _groups(pattern, words)}
        words = [spoken.get(word, word) for word in words]
    for number, end in _groups(_NUMBER, words):
        said_number = _say(int(number)) + end
        words = [
            word.replace(number + end, said_number)
            if (first := _FIRST_NUMBER.search(word)) and first[0] == number
            else word
            for word in words
        ]
    return "".join(words)

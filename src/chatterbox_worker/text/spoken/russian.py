"""Russian cases: of numbers after prepositions and before nouns, of years, centuries, rulers and what has a number.

Source: Русская грамматика (АН СССР 1980), § 1366 ff.; Мильчин, Справочник издателя и автора ("5-й", "5-летний").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.text.spoken import icu, slavic
from chatterbox_worker.text.spoken.slavic import ALONE, YEAR, after

MONTHS = (
    "января|янв\\.", "февраля|февр?\\.", "[Мм]арта|мар\\.", "апреля|апр\\.", "[Мм]ая", "июня|июн\\.", "июля|июл\\.",
    "августа|авг\\.", "сентября|сент?\\.", "октября|окт\\.", "ноября|нояб?\\.", "декабря|дек\\.",
)  # fmt: skip

_JOINED = (
    (r"\bодной тысячи$", "тысяче"), (r"\bодной (?=тысячи)", ""), (r"\bодного$", "одно"), (r"\bста\b", "сто"),
    (r"\bдевяноста\b", "девяносто"),
)  # fmt: skip
_HUNDREDTH = ("сот", "двухсот", "трёхсот", "четырёхсот", "пятисот", "шестисот", "семисот", "восьмисот", "девятисот")


def spell(number: int, rule_set: str) -> str | None:
    """Ordinals that CLDR 48 has wrong: whole hundreds ("1900-й" is a cardinal there), and the fortieth in one case.

    "compound" is the first part of an adjective: the genitive but for одно-, сто-, девяносто- and тысяче-.
    """
    if rule_set == "compound":
        words = icu.spell(number, "ru", "cardinal-neuter-genitive")
        for genitive, joined in _JOINED:
            words = re.sub(genitive, joined, words)
        return words
    if not rule_set.startswith("ordinal") or not number % 1000:
        return None
    thousands, rest = divmod(number, 1000)
    if rest % 100 == 0 and number < 10_000:
        before = (
            ""
            if not thousands
            else "тысяча "
            if thousands == 1
            else icu.spell(thousands * 1000, "ru", "numbering") + " "
        )
        return before + _HUNDREDTH[rest // 100 - 1] + icu.spell(100, "ru", rule_set).removeprefix("сот")
    if rule_set == "ordinal-masculine-prepositional" and number % 100 == 40:
        return icu.spell(number, "ru", rule_set).removesuffix("й") + "м"
    return None


_IN, _TO, _OF = "в во о об", "к ко", "с до от после около из"
"""Prepositions of the prepositional case of a year, of its dative and of its genitive."""
_PREPOSITIONAL, _DATIVE, _GENITIVE = (f"ordinal-masculine-{case}" for case in ("prepositional", "dative", "genitive"))
_FOUR, _FOUR_GAP, _TWO_YEARS, _TWO_YEARS_GAP = r" \d{4}", r" \d{4} ", r" \d{4}[-–—]\d{4}", r" \d{4}[-–—]\d{4} "
_UNTIL = r"(?=[-–—]\d{4} (?:гг\.|год))"
_CLASSES = "век|класс|этаж|курс|сезон|тур|раунд|подъезд|созыв"
_PARTS = "минут|страниц|глав|школ|больниц|строк|групп|недел|секунд"
_MONTH = f"(?:{'|'.join(MONTHS)})"

CASES = (
    (
        (
            r"(?<![А-Яа-яЁё-])(?:[Оо]коло|[Оо]к\.|[Дд]о|[Оо]т|[Бб]ез|[Ии]з|[Уу]|[Пп]осле|[Сс]выше|[Бб]олее|[Мм]енее|"
            r"[Бб]ольше|[Мм]еньше|[Кк]роме|[Дд]ля|[Сс]реди|[Вв]место|[Пп]ротив|[Сс]тарше|[Мм]ладше|[Мм]оложе|[Вв]ыше|"
            r"[Нн]иже|[Пп]орядка|[Дд]ольше|[Пп]озже|[Рр]аньше|[Вв] течение|[Вв] возрасте|[Нн]а протяжении|[Вв] размере|"
            r"[Ии]з-за) "
            r"(?:(?:примерно|приблизительно|почти|\d{1,4} или) |\d{1,4}[-–—])?$"
        ),
        "",
        "genitive",
    ),
    (r"\b[Сс] (?:\d\d?[-–—])?$", r" (?:час(?:ов|а)|лет|утра|вечера|дня|ночи|до \d)", "genitive"),
    ("[<>√] ?$", "", "genitive"),
)
AGREEMENT = tuple(
    (
        (rf"=? (?:[а-яё]+[ыи]{adjective} )?(?!(?:дам|реклам|драм|храм|там|сам|нам|вам|монах|взмах|цунами)(?!\w))"
        rf"[а-яё]+(?:{noun})(?!\w)"),
        f"cardinal-masculine-{case}",
    )
    for adjective, noun, case in (
        ("х", "ах|ях", "prepositional"), ("м", "(?<!м)ам|ям", "dative"),
        ("ми", "ами|ями|юдьми|етьми|ерьми", "instrumental"),
    )
)  # fmt: skip
"""Before a noun whose ending in the plural is of one case only."""
_ADJECTIVE = (
    r"[а-яё]*(?:[нвт]|ск)(?:[ыио]й|[ое]го|[ое]му|[ыио]м|[ое]м|[ая]я|[ое]й|[ую]ю|[ое]е|[ыи][ехм]|[ыи]ми)"
    r"|лет[а-яё]+|[а-яё]+ник[а-яё]*|метровк[а-яё]+|[а-яё]+кратно"
)
COMPOUNDS = (
    (rf"-(?:ти|х)?-?(?=(?:{_ADJECTIVE})(?!\w))", "compound"),
    (rf"(?=[-–—]\d{{1,3}}-(?:{_ADJECTIVE})(?!\w))", "compound"),
    (r"-(?:ти|х) (?=(?:летн|этажн|комнатн|местн|дневн)[а-яё]+)", "compound"),
)
_BEFORE_FEMININE = (
    r" (?!юбиле|музе|геро|больш|или\b|если\b|тоже\b|также\b|даже\b|уже\b|где\b|после\b|более\b|менее\b|при\b|чтобы\b)"
    r"[а-яё]{2,}(?:[еы]|(?<![аиыя]л)и|[^бсе][ое]й)(?!\w)"
)
ORDINALS = (
    # two years with a dash between them: "1914–1918 гг."
    (rf"{after(_IN, _FOUR)}{_UNTIL}", _PREPOSITIONAL), (rf"{after(_OF, _FOUR)}{_UNTIL}", _GENITIVE),
    (rf"(?<=\d{{4}}){_UNTIL}", "ordinal-masculine"), (after(_IN, _TWO_YEARS), _PREPOSITIONAL),
    (after(_OF, _TWO_YEARS), _GENITIVE), (r"(?<=\d{4}[-–—]\d{4})(?= ?(?:гг\.|год))", "ordinal-masculine"),
    (rf"-?й(?={_BEFORE_FEMININE})", "ordinal-feminine-genitive"),
    (r"-?й", "ordinal-masculine"), (r"-?я", "ordinal-feminine"),
    (r"-?е(?= (?!или\b|если\b|при\b)[а-яё]+[ыи](?!\w))", "ordinal-plural"), (r"-?е", "ordinal-neuter"),
    (r"-(?:го|ого|его)", _GENITIVE), (r"-(?:ый|ий)", "ordinal-masculine"),
    (r"-(?:ой|ей)", "ordinal-feminine-genitive"), (r"-ю(?= [а-яё]+(?:ами|ями))", "cardinal-masculine-instrumental"),
    (r"-(?:ю|ую|ью)", "ordinal-feminine-accusative"),
    (r"-(?:ая|ья)", "ordinal-feminine"), (r"-(?:ое|ье)", "ordinal-neuter"), (r"-(?:ые|ьи)", "ordinal-plural"),
    (r"-(?:му|ому|ему)", _DATIVE), (r"-(?:ом|ем)", _PREPOSITIONAL),
    *(
        (rf"{after(words, digits)}-м", rule_set)
        for words, rule_set in (
            ("в во на о об при", _PREPOSITIONAL), ("с со за перед под над", "ordinal-masculine-instrumental"))
        for digits in (r" \d", r" \d\d", r" \d{4}")
    ),
    (r"-м(?= (?:году|веке|месте|классе|этаже|туре))", _PREPOSITIONAL),
    (r"(?<=[234])-х", "cardinal-masculine-genitive"), (r"-(?:х|ых)", "ordinal-plural-genitive"),
    (r"(?:(?<=[5-90])|(?<=1\d))-ти", "cardinal-masculine-genitive"), (r"(?<=[78])-ми", "cardinal-masculine-genitive"),
    (r"(?<=[234])-мя", "cardinal-masculine-instrumental"),
)  # fmt: skip
_YEAR_ENDS = r"(?=[,;)]|\.(?!\d)|$| (?:был|стал|вышел|умер|[а-яё]+(?:ла|ло|лся|лась|лось|лись))(?!\w))"
YEARS = (
    *(
        (rf"{before}(?<![\d.,])(?P<y>\d{{1,4}})(?= г\. (?:до )?н\. ?э\.)", rule_set)
        for before, rule_set in (
            (after(_IN), _PREPOSITIONAL), (after(r"с до от после около ок\."), _GENITIVE), ("", "ordinal-masculine"))
    ),
    *(
        (rf"{before}{YEAR}(?= г\.)", rule_set)
        for before, rule_set in (
            (after(_IN), _PREPOSITIONAL), (after(_TO), _DATIVE), (after(_OF), _GENITIVE), ("", "ordinal-masculine"))
    ),
    (rf"{after(_TO)}{YEAR}(?= году)", _DATIVE), (rf"{YEAR}(?= году)", _PREPOSITIONAL),
    (rf"{YEAR}(?= годах)", _PREPOSITIONAL),
    (rf"{YEAR}(?= года(?!\w))", _GENITIVE), (rf"{YEAR}(?= год(?!\w))", "ordinal-masculine"),
    (
        rf"{after('в')}(?=1[1-9]|20[0-4]){YEAR}{_YEAR_ENDS}",
        _PREPOSITIONAL,
    ),
    (rf"{after('до после с')}{YEAR}(?=[,;:)!?]|\.(?!\d)|$| (?:и|или|по|до) )", _GENITIVE),
    # without its ending, before a noun in the singular
    (rf"{ALONE}(?P<y>[1-9]\d?)(?= (?:(?:{_CLASSES}|мест)е|уровне)(?!\w))", _PREPOSITIONAL),
    (rf"{ALONE}(?P<y>[1-9]\d?)(?= (?:(?:{_CLASSES}|мест|числ)у|уровню)(?!\w))", _DATIVE),
    (rf"{ALONE}(?P<y>[5-9]|1\d|[2-9]0|[2-9][5-9]|[2-9]?1)(?= (?:(?:{_CLASSES}|числ)а|уровня)(?!\w))", _GENITIVE),
    (rf"{after('до от из для после с у')}(?P<y>[2-9]?[2-4])(?= (?:(?:{_CLASSES}|числ)а|уровня)(?!\w))", _GENITIVE),
    (rf"{ALONE}(?P<y>[1-9]\d?)(?= (?:{_PARTS})е(?!\w))", "ordinal-feminine-genitive"),
    (rf"{ALONE}(?P<y>[2-9]|1\d|[2-9][02-9])(?= (?:{_CLASSES}|день|том|уровень)(?!\w))", "ordinal-masculine"),
    (rf"{ALONE}(?P<y>[2-9]|1\d|[2-9][02-9])(?= (?:место|число)(?!\w))", "ordinal-neuter"),
    (rf"{ALONE}(?P<y>[2-9]|1\d|[2-9][02-9])(?= (?:(?:минут|глав|школ|групп|страниц|строк)а|неделя|серия)(?!\w))",
     "ordinal-feminine"),
    # the first of two days
    (rf"{after('с')}(?P<y>\d\d?)(?= (?:по|на) \d\d? {_MONTH})", "ordinal-neuter-genitive"),
    (rf"{ALONE}(?P<y>[12]?\d|3[01])(?=(?: и |, | ?[-–—] ?)\d\d? {_MONTH})", "ordinal-neuter-genitive"),
    (rf"(?<=\d-)(?P<y>[12]?\d|3[01])(?= {_MONTH})", "ordinal-neuter-genitive"),
)  # fmt: skip
_HOUR_GENITIVE = r"(?:^|\s)(?:[Сс]|[Дд]о|[Оо]т|[Пп]осле|[Оо]коло|[Пп]озже|[Рр]аньше) $"
HOURS = ((_HOUR_GENITIVE, "cardinal-masculine-genitive"), (r"\b[Кк] $", "cardinal-masculine-dative"))
DAYS = (
    (r"\b(?:[Нн]а|[Пп]о|[Зз]а) $", "ordinal-neuter"), (r"\b[Кк] $", "ordinal-neuter-dative"),
    (r"\b[Пп]еред $", "ordinal-neuter-instrumental"),
)  # fmt: skip

_TENS = (
    "двадцатые", "тридцатые", "сороковые", "пятидесятые", "шестидесятые", "семидесятые", "восьмидесятые", "девяностые",
)  # fmt: skip


def decades() -> Iterator[tuple[str, str]]:
    """Forms of "1990-е", "90-х", "2000-х"."""
    for century, said, tens in ((19, "тысяча девятьсот ", _TENS), (20, "две тысячи ", _TENS[:2])):
        for digit, word in enumerate(tens, 2):
            yield rf"(?<![\w,.]){century}{digit}0-е(?!\w)", said + word
            yield rf"(?<![\w,.]){century}{digit}0-х(?!\w)", f"{said}{word[:-1]}х"
    for year, word in (("1900", "тысяча девятисотые"), ("2000", "двухтысячные"), ("2010", "две тысячи десятые")):
        yield rf"(?<![\w,.]){year}-е(?!\w)", word
        yield rf"(?<![\w,.]){year}-х(?!\w)", f"{word[:-1]}х"
    for digit, word in enumerate(_TENS, 2):
        yield rf"(?<![\w,.]){digit}0-е(?= г|[ ,.:;)!?»]|$)", word
        yield rf"(?<![\w,.]){digit}0-х(?!\w)", f"{word[:-1]}х"


def words_of_years() -> Iterator[tuple[str, str]]:
    """Forms of "г." and "гг." after years; the full stop stays where it ends the sentence."""
    for digits in range(1, 5):
        gap = rf" \d{{{digits}}} "
        yield rf"{after(_IN, gap)}г\.(?= (?:до )?н\. ?э\.)", "году"
        yield rf"{after(r'с до от после около ок[.]', gap)}г\.(?= (?:до )?н\. ?э\.)", "года"
    yield r"(?<=\d )г\.(?= (?:до )?н\. ?э\.)", "год"
    for short, contexts in (
        ("г", ((after(_IN, _FOUR_GAP), "году"), (after(_TO, _FOUR_GAP), "году"), (after(_OF, _FOUR_GAP), "года"),
               (r"(?<=[ая] \d{4} )", "года"),
               *((rf"(?<=\d [а-я]{{{letters}}}\. \d{{4}} )", "года") for letters in (3, 4, 5)),
               (r"(?<!\.\d{4} )(?<=\d{4} )", "год"))),
        ("гг", ((after(_IN, _TWO_YEARS_GAP), "годах"), (after(_OF, _TWO_YEARS_GAP), "годов"),
                (after(_IN, r" \d{4}-х "), "годах"), (after(_IN, r" \d{2}-х "), "годах"), (r"(?<=\d-х )", "годов"),
                (r"(?<=\d )", "годы"), (r"(?<=\d-е )", "годы"))),
    ):  # fmt: skip
        for before, word in contexts:
            yield rf"{before}{short}\.(?=[,;)]| [а-яё(—–-])", word
            yield rf"{before}{short}(?=\.(?:\s|$))", word


def one_of_each() -> Iterator[tuple[str, str]]:
    """Forms of "1" after "по": the dative."""
    one = r"(?<=\b[Пп]о )1(?= "
    yield rf"{one}(?:[а-яё]+(?:ому|ему) )?[а-яё]{{2,}}[ую](?!\w))", "одному"
    yield rf"{one}(?:[а-яё]+[ое]й )?(?!или|место|[а-яё]+[оеиь]е(?!\w))[а-яё]{{2,}}[еи](?!\w))", "одной"


_SCALES = (r"тыс\.", "млн", "млрд")
_COUNTED = (
    ("км²", "квадратных километров"), (r"кв\. ?км", "квадратных километров"), ("м²", "квадратных метров"),
    (r"кв\. ?м", "квадратных метров"), ("м³", "кубических метров"), (r"куб\. ?м", "кубических метров"),
    ("га", "гектаров"), ("т", "тонн"), ("км", "километров"), ("кВт·ч", "киловатт-часов"),
)  # fmt: skip


def units_of_scales() -> Iterator[tuple[str, str]]:
    """Forms of a unit after "тыс." and the like: the genitive plural."""
    yield from slavic.units_of_scales(_SCALES, _COUNTED)
    for scale in _SCALES:
        yield rf"(?<={scale} )чел(?:\.(?! [А-ЯЁ])|(?=\.))", "человек"


_NOUNS = {  # the genitive, dative, accusative and prepositional
    "стр": ("страниц", "ы е у е"), "рис": ("рисун", "ка ку ок ке"), "табл": ("таблиц", "ы е у е"),
    "гл": ("глав", "ы е у е"), "п": ("пункт", "а у - е"), "ст": ("стат", "ьи ье ью ье"), "ч": ("част", "и и ь и"),
}  # fmt: skip
_GOVERNORS = (after("из от до со с у для"), after("к по согласно"), after(r"см\."), after("в на о об"))


def numbered_nouns() -> Iterator[tuple[str, str]]:
    """Forms of "стр." and the like after a preposition and before a number."""
    yield r"(?:(?<=\bч\. \d )|(?<=\bп\. \d ))ст\. ?(?=\d)", "статьи "
    yield r"(?:(?<=\bст\. \d )|(?<=\bст\. \d\d )|(?<=\bст\. \d{3} ))ч\. ?(?=\d)", "часть "
    yield from slavic.numbered_nouns(_NOUNS, _GOVERNORS)


_LETTERS = {
    "Б": "бэ", "В": "вэ", "Г": "гэ", "Д": "дэ", "Ж": "жэ", "З": "зэ", "К": "ка", "Л": "эль", "М": "эм", "Н": "эн",
    "П": "пэ", "Р": "эр", "С": "эс", "Т": "тэ", "Ф": "эф", "Х": "ха", "Ц": "цэ", "Ч": "че", "Ш": "ша", "Щ": "ща",
}  # fmt: skip


def initials() -> Iterator[tuple[str, str]]:
    """The letter before a surname: alone it is read as a preposition or not at all."""
    for letter, name in _LETTERS.items():
        yield rf"(?:(?<=[-–—(,«] )|(?<=[(«])){letter}\. (?=[А-ЯЁ][а-яё])", f"{name} "
        yield rf"(?<![\w.-])(?<!\b[А-ЯЁ]\. ){letter}(?=\. [А-ЯЁ][а-яё])", name
        yield rf"(?<![\w.-]){letter}\.(?=[А-ЯЁ][а-яё])", f"{name} "


_ROMAN = "(?P<r>[IVXХ]+)"
_QUEENS = "Екатерин|Елизавет|Мари|Маргарит|Изабелл"
_KINGS = (
    "П[её]тр|Никола|Александр|Людовик|Генрих|Карл|Наполеон|Павел|Павл|Иван|Васили|Фридрих|Вильгельм|Филипп|"
    "Иоанн Павел|Иоанна Павл|Иоанну Павл|Иоанном Павл|Иоанне Павл|Бенедикт|Пи|Георг|Эдуард|Алексе|Михаил|"
    "Константин|Рамзес|Рудольф|Максимилиан"
)


RULERS = tuple(slavic.rulers(
    ("masculine", _KINGS, (("й?", ""), ("[ая]", "-genitive"), ("[ую]", "-dative"), ("[ое]м", "-instrumental"),
                           ("[еи]", "-prepositional"))),
    ("feminine", _QUEENS, (("[ая]", ""), ("[ыие]", "-genitive"), ("[ую]", "-accusative"), ("[ое]й", "-genitive"))),
))  # fmt: skip
"""Numerals after a ruler's name in any case."""
_PART = "(?i:начал(?:[оаеу]|ом)|кон(?:ец|ца|це|цу|цом)|середин[аыеу]|половин[аыеу]|четверть|четверти|трет[ьи])"


def centuries() -> Iterator[tuple[str, str, str]]:
    """Roman numerals of a century, or of two with a dash, by what stands before them."""
    for word, case in (("веков", "-genitive"), ("веках", "-prepositional"), ("веками", "-instrumental")):
        yield rf"(?<!\w){_ROMAN}(?= ?(?:[-–—]|и) ?[IVXХ]+ {word}(?!\w))", f"ordinal-masculine{case}", "{n}"
    for before, case, century, more in (
        (r"(?<!\w)(?:[ВвОо]|[Вв]о|[Нн]а) ", "-prepositional", "веке", "веках"),
        (rf"(?<!\w)(?:{_PART}|(?i:с|до|от|из|около|рубежа?|рубеже)) ", "-genitive", "века", "веков"),
        (r"(?<!\w)[Кк] ", "-dative", "веку", "векам"),
        (r"(?<!\w)", "", "век", "века"),
    ):
        rule_set = f"ordinal-masculine{case}"
        yield rf"{before}{_ROMAN}(?= ?(?:[-–—]|и) ?[IVXХ]+ (?:вв\.|век))", rule_set, "{n}"
        stop = r"(?:\.(?=[,;:)]| [^А-ЯЁ])|(?=\.))"
        yield rf"{before}[IVXХ]+ ?(?:[-–—]|и) ?(?P<all>{_ROMAN} вв{stop})", rule_set, f"{{n}} {more}"
        yield rf"{before}(?P<all>{_ROMAN} в{stop})", rule_set, f"{{n}} {century}"
    yield rf"{_PART} {_ROMAN}(?= ?[-–—] ?{_PART})", _GENITIVE, "{n}"
    yield rf"(?<=\b[Сс] ){_ROMAN}(?= по [IVXХ]+ век)", _GENITIVE, "{n}"
    for word, case in (
        ("века", "-genitive"), ("веке", "-prepositional"), ("век", ""), ("веком", "-instrumental"), ("веку", "-dative"),
        ("веков", "-genitive"), ("веках", "-prepositional"), ("веками", "-instrumental"),
    ):  # fmt: skip
        yield rf"(?<!\w){_ROMAN}(?= {word}(?!\w))", f"ordinal-masculine{case}", "{n}"


NUMERALS = tuple(slavic.numerals(
    _ROMAN,
    (
        ("мировая|половина|часть|глава|группа|степень", "ordinal-feminine"),
        ("мировой|половин[ые]|части|глав[ые]|групп[ые]|степени", "ordinal-feminine-genitive"),
        ("тысячелетие|место", "ordinal-neuter"), ("этап|съезд|тур|квартал|том|класс", "ordinal-masculine"),
        ("этапе|съезде|туре|квартале|томе|классе|тысячелетии|месте", _PREPOSITIONAL),
        ("этапа|съезда|тура|квартала|тома|класса|тысячелетия", _GENITIVE),
    ),
))  # fmt: skip

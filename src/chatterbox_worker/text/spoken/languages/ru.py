"""Russian. Numbers are read in the nominative: which case a text wants is not written. Plural forms are CLDR's. Not
CLDR's: Русская грамматика (АН СССР 1980), § 1366 ff. (одна, две with feminine nouns; ordinals in dates and years),
and Мильчин, Справочник издателя и автора (abbreviations, Roman numerals).
"""

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

_MILLION = "one{миллион} few{миллиона} many{миллионов} other{миллиона}"
_BILLION = "one{миллиард} few{миллиарда} many{миллиардов} other{миллиарда}"
_THOUSAND = "one{тысяча} few{тысячи} many{тысяч} other{тысячи}"
_Y = r"(?<![\d.])(?P<y>1\d\d\d|20\d\d)"

_HUNDREDTH = ("сот", "двухсот", "трёхсот", "четырёхсот", "пятисот", "шестисот", "семисот", "восьмисот", "девятисот")


def _spell_ordinal(number: int, rule_set: str) -> str | None:
    """Ordinals that CLDR 48 has wrong: whole hundreds ("1900-й" is a cardinal there), and the fortieth in one case."""
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


RULES = Rules(
    locale="ru", speller=_spell_ordinal, group=" .", decimal=",", cardinal="numbering",
    fixes={
        "четверт(?=ый|ого|ом|ая|ой|ое|ую)": "четвёрт", r"^одна (?=тысяча .*(?:[иыо]й|[ое]го|[ое]м|[ая]я|[ое]е)$)": "",
    },
    agreement=(
        # after 2 to 4 a noun is in the genitive singular: -ы, -и are feminine; after 1 -а, -я are
        (r"=? (?!(?:и|мы|вы|ты|бы|или|если|при|три|дни|часы|годы|люди|дети|ли|ни)\b)[а-яё]+[ыи](?![а-яё])",
         "cardinal-feminine"),
        ((r"=? (?:тысяча|копейка|минута|секунда|неделя|страница|книга|тонна|миля|калория|килокалория|крона|лира|рупия|"
         r"машина|женщина|девочка|комната|улица|ночь|дверь|часть|тонна|глава|строка|песня|линия|группа|девушка)\b"),
         "cardinal-feminine"),
        (r"=? (?:минуту|секунду|неделю|страницу|книгу|тонну|тысячу|копейку|машину|комнату)\b",
         "cardinal-feminine-accusative"),
        (r"=? (?:окно|место|слово|число|яблоко|письмо|кресло|дерево|утро)\b", "cardinal-neuter"),
    ),
    ordinals=((r"-?й", "ordinal-masculine"), (r"-?я", "ordinal-feminine"), (r"-?е", "ordinal-neuter"),
              (r"-го", "ordinal-masculine-genitive")),
    years=((r"(?<=[ВвОо] )" + _Y + r"(?= году| г\.)", "ordinal-masculine-prepositional"),
           (_Y + r"(?= года(?!\w))", "ordinal-masculine-genitive"),
           (_Y + r"(?= год(?!\w)| г\.)", "ordinal-masculine")),
    forms=(
        (r"(?<=[ая] \d\d\d\d )г\.(?= [а-яё,])", "года"), (r"(?<=[ая] \d\d\d\d )г(?=\.(?:\s|$))", "года"),
        (r"(?<=[ВвОо] \d\d\d\d )г\.(?= [а-яё,])", "году"), (r"(?<=[ВвОо] \d\d\d\d )г(?=\.(?:\s|$))", "году"),
           (r"(?<=\d\d\d\d )г\.(?= [а-яё,])", "год"), (r"(?<=\d\d\d\d )г(?=\.(?:\s|$))", "год"),
        (r"(?<!\w)стр\. ?(?=\d)", "страница "), (r"(?<!\w)рис\. ?(?=\d)", "рисунок "), (r"(?<!\w)гл\. ?(?=\d)",
            "глава ")),
    between={"/": "на", "x": "на"},
    fractions={
        "1/2": "одна вторая", "1 1/2": "полтора", "n 1/2": "{n} с половиной",
        "1/3": "одна треть", "2/3": "две трети", "1/4": "одна четверть", "3/4": "три четверти",
    },
    fraction_and=" и ",
    scales={"тыс.": _THOUSAND, "млн": _MILLION, "млрд": _BILLION, "млн.": _MILLION, "млрд.": _BILLION},
    money={
        "RUB": Money(major="one{рубль} few{рубля} many{рублей} other{рубля}",
                     minor="one{копейка} few{копейки} many{копеек} other{копейки}"),
        "USD": Money(major="one{доллар} few{доллара} many{долларов} other{доллара}",
                     minor="one{цент} few{цента} many{центов} other{цента}"),
        "EUR": Money(major="other{евро}", minor="one{цент} few{цента} many{центов} other{цента}"),
        "GBP": Money(major="one{фунт} few{фунта} many{фунтов} other{фунта}",
                     minor="one{пенс} few{пенса} many{пенсов} other{пенса}"),
    },
    symbols_of_money={"руб.": "RUB", "руб": "RUB", "р.": "RUB"},
    money_scales={"тыс.": _THOUSAND, "млн": _MILLION, "млрд": _BILLION},
    units={
        "км": "kilometer", "м": "meter", "см": "centimeter", "мм": "millimeter",
        "кг": "kilogram", "г": "gram", "мг": "milligram", "л": "liter", "мл": "milliliter",
        "км/ч": "kilometer-per-hour", "м/с": "meter-per-second", "ГБ": "gigabyte",
        "МБ": "megabyte", "ТБ": "terabyte", "°С": "celsius", "кВт": "kilowatt",
        "Вт": "watt", "ч": "hour", "мин": "minute",
        "м²": "square-meter", "км²": "square-kilometer", "т": "tonne",
    },
    time="{h} {m}", time_low="{h} ноль {m}",
    date="{d} {m} {y} года", day="ordinal-neuter-genitive", year="ordinal-masculine-genitive", day_month="{d} {m}",
    phone_plus="плюс",
    marks={
        ".": "точка", "/": "слэш", "-": "дефис", "_": "подчёркивание", "@": "собака", ":": "двоеточие",
        "?": "вопросительный знак", "=": "равно", "&": "и", "#": "решётка", "%": "процент", "+": "плюс",
        "~": "тильда",
    },
    symbols={
        "&": "и", "@": "собака", "#": "номер", "№": "номер", "§": "параграф", "+": "плюс", "=": "равно", "×": "на",
        "÷": "разделить на", "±": "плюс-минус", "≈": "примерно", "<": "меньше", ">": "больше",
        "≤": "меньше или равно", "≥": "больше или равно", "−": "минус",
    },
    titles={
        "т. е.": "то есть", "т.е.": "то есть", "т. к.": "так как", "т.к.": "так как", "напр.": "например",
        "г-н": "господин", "г-жа": "госпожа", "проф.": "профессор", "акад.": "академик", "тел.": "телефон",
        "им.": "имени",
    },
    abbreviations={
        "и т. д.": "и так далее", "и т.д.": "и так далее", "и т. п.": "и тому подобное", "и т.п.": "и тому подобное",
        "и др.": "и другие", "до н. э.": "до нашей эры", "до н.э.": "до нашей эры", "н. э.": "нашей эры",
    },
    roman=(
        (r"(?<!\w)(?P<r>[IVX]+)(?= века(?!\w))", "ordinal-masculine-genitive", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= веке(?!\w))", "ordinal-masculine-prepositional", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= век(?!\w))", "ordinal-masculine", "{n}"),
        (roman_after("[Гг]лава|[Чч]асть|[Тт]ом|[Аа]кт|[Рр]аздел"), "", "{n}"),
        (regnal("Екатерина|Елизавета|Мария|Маргарита"), "ordinal-feminine", "{n}"),
        (regnal("П[её]тр|Николай|Александр|Людовик|Генрих|Карл|Наполеон|Павел|Иван|Василий|Фридрих|Вильгельм|Филипп|"
                "Иоанн Павел|Бенедикт|Пий|Георг|Эдуард"), "ordinal-masculine", "{n}"),
    ),
    alphabet="АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ", vowels="АЕЁИОУЫЭЮЯ",
    letters="а бэ вэ гэ дэ е жэ зэ и ка эль эм эн о пэ эр эс тэ у эф ха цэ че ша ща э ю я",
    spelled=frozenset({"США", "ООО", "ОАО"}),
)  # fmt: skip

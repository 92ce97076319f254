"""Hebrew. CLDR's numbering is feminine, as a number that counts nothing is. Not CLDR's: האקדמיה ללשון העברית,
decisions on numerals (masculine forms before masculine nouns, days of a month in the masculine, the conjunction
before the last part, חלקי in fractions).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

_FEMININE = "שנים|נשים|מילים|פעמים|ערים|ביצים|דרכים|אבנים"
_TENS = "עשרים|שלושים|ארבעים|חמישים|שישים|שבעים|שמונים|תשעים"

_MONTHS = tuple(
    f"ב?{name}"
    for name in [
        "ינואר",
        "פברואר",
        "מרץ",
        "אפריל",
        "מאי",
        "יוני",
        "יולי",
        "אוגוסט",
        "ספטמבר",
        "אוקטובר",
        "נובמבר",
        "דצמבר",
    ]
)
_SHORT = {
    "עמ'": "עמוד", "טל'": "טלפון", "רח'": "רחוב", "שד'": "שדרות", "מס'": "מספר", 'עו"ד': "עורך דין", 'ת"ד': "תיבת דואר",
    'ארה"ב': "ארצות הברית", 'ע"י': "על ידי", 'עפ"י': "על פי", 'ע"פ': "על פי", 'בי"ס': "בית ספר", 'ביה"ס': "בית הספר",
    'יו"ר': "יושב ראש", 'ח"כ': "חבר כנסת", 'רה"מ': "ראש הממשלה", 'בע"מ': "בערבון מוגבל", 'אחה"צ': "אחר הצהריים",
    'לפנה"צ': "לפני הצהריים", 'לפנה"ס': "לפני הספירה", "אינג'": "אינג'ינר",
}  # fmt: skip
_ENDING = {"וכו'": "וכולי", "וכד'": "וכדומה"}


def _quoted(words: dict[str, str]) -> dict[str, str]:
    """The same, and with the Hebrew marks in place of the typewriter's."""
    return {**words, **{short.replace("'", "׳").replace('"', "״"): full for short, full in words.items()}}


RULES = Rules(
    locale="he", group=",", decimal=".", cardinal="numbering",
    fixes={  # CLDR has the conjunction before units only, not before whatever is the last part
        rf"(?<=\S )({_TENS})(?=$| (?:אלף|מיליון|מיליארד)\b)": r"ו\1",
        r"(?<=\S )(מאה|מאתיים|(?:שלוש|ארבע|חמש|שש|שבע|שמונה|תשע) מאות)$": r"ו\1",
        r"(?<=מיליון )((?:\S+ )?אלף|אלפיים|\S+ אלפים)$": r"ו\1",
        "ביליון": "טריליון",
    },
    phrase_fixes={r"^(אחד|אחת) (?!ו)(\S+)$": r"\2 \1", r"^שני ב": "שניים ב"},
    agreement=(
        (rf" (?:{'|'.join(_MONTHS)})(?!\w)", "cardinal-masculine"),
        (r"=? (?:מטרים|קילומטרים|שבועות|רחובות|מקומות|לילות|שולחנות|מקורות|רגעים|דולרים)\b", "cardinal-masculine"),
        (r"=? (?:שנים|נשים|מילים|פעמים|ערים|ביצים|דרכים|אבנים)\b", "numbering"),
        ((r"=? (?:מיליון|מיליארד|אלף|דולר|שקל|אירו|יורו|אחוז|קילומטר|קילוגרם|גרם|ליטר|מטר|יום|חודש|שבוע|ין|פאונד|"
         r"\w+ים)\b"),
         "cardinal-masculine"),
    ),
    years=((r"(?:המקום|הפרק|השלב|הדור|הסיבוב) ה-(?P<y>\d)(?!\d)", "ordinal-masculine"),),
    forms=(
        (rf"(?<![\d.,/–-])2 (?P<w>(?:{_FEMININE}|[א-ת]{{2,}}ות)(?!\w))(?<!שבועות)(?<!רחובות)(?<!מקומות)(?<!לילות)",
        "שתי {w}"),
        (r"(?<![\d.,/–-])1 (?P<w>ילד|יום|שבוע|חודש|איש|אדם|ליטר|חדר|גרם|קילו)(?!\w)", "{w} אחד"),
        (r"(?<![\d.,/–-])1 (?P<w>כפית|כף|כוס|שעה|דקה|שנה|ביצה|פעם|אישה|ילדה|יחידה)(?!\w)", "{w} אחת"),
        (r"(?<![\d.,/–-])1 (?=(?:מיליון|מיליארד)(?!\w))", ""), (r"(?<![\d.,–-])1 ?%", "אחוז אחד"),
        (r"(?<=ב)עמ['׳] ?(?=\d)", "עמוד "), (r"(?<=א['׳])[-–](?=[הו]['׳])", " עד"),
        (r"(?<![\d/])24/7(?![\d/])", "עשרים וארבע שבע"),
    ),
    to="עד",
    out_of="מתוך", between={"/": "חלקי", "x": "על", "^": "בחזקת"},
    fractions={"1/2": "חצי", "1/3": "שליש", "2/3": "שני שלישים", "1/4": "רבע", "3/4": "שלושה רבעים"},
    fraction_and=" ו",
    money={
        "ILS": Money(major="one{שקל} other{שקלים}", minor="one{אגורה} other{אגורות}"),
        "USD": Money(major="other{דולר}", minor="other{סנט}"), "EUR": Money(major="other{אירו}", minor="other{סנט}"),
        "GBP": Money(major="other{פאונד}"),
    },
    symbols_of_money={'ש"ח': "ILS", "ש״ח": "ILS"}, money_and=" ו",
    money_scales={"מיליון": "other{מיליון}", "מיליארד": "other{מיליארד}"},
    unit_words={
        "dB": "one{דציבל} other{דציבלים}",
        **dict.fromkeys(["אג'", "אג׳"], "one{אגורה} other{אגורות}"),
        **dict.fromkeys(['מ"ר', "מ״ר"], "other{מטרים רבועים}"), **dict.fromkeys(['קמ"ר', "קמ״ר"],
        "other{קילומטרים רבועים}"),
        **dict.fromkeys(["מ'", "מ׳"], "other{מטר}"), **dict.fromkeys(["גר'", "גר׳", "ג'", "ג׳"], "other{גרם}"),
    },
    units={'מ"מ': "millimeter", 'מ"ל': "milliliter", 'ק"מ': "kilometer",
        'ק"ג': "kilogram",
           'ס"מ': "centimeter", 'קמ"ש': "kilometer-per-hour",
           "קמ״ש": "kilometer-per-hour"},
    time="{h} {m}", time_low="{h} אפס {m}", hour="numbering",
    date="{d} ב{m} {y}", day_month="{d} {m}", months=_MONTHS, day="cardinal-masculine",
        phones=r"(?:טלפון|טל['׳]|נייד|פקס):? ", phone_plus="פלוס",
    marks={
        ".": "נקודה", "/": "סלש", "-": "מקף", "_": "קו תחתון", "@": "שטרודל", ":": "נקודתיים", "?": "סימן שאלה",
        "=": "שווה", "&": "ו", "#": "סולמית", "%": "אחוז", "+": "פלוס", "~": "טילדה", "hashtag": "האשטאג",
    },
    symbols={
        "&": "ו-", "@": "שטרודל", "#": "מספר", "№": "מספר", "§": "סעיף", "+": "פלוס", "=": "שווה", "×": "כפול",
        "÷": "חלקי", "±": "פלוס מינוס", "≈": "בערך", "<": "קטן מ-", ">": "גדול מ-", "−": "פחות", "≤": "קטן או שווה ל-",
        "≥": "גדול או שווה ל-", "≠": "לא שווה ל-", "²": "בריבוע", "³": "בשלישית", "√": "שורש ריבועי של",
    },
    titles={**_quoted(_SHORT), 'ד"ר': "דוקטור", "ד״ר": "דוקטור", "פרופ'": "פרופסור", "פרופ׳": "פרופסור", "גב'": "גברת",
        "גב׳": "גברת"},
    abbreviations=_quoted(_ENDING),
    alphabet="",
)  # fmt: skip

"""Hebrew. CLDR's numbering is feminine, as a number that counts nothing is. Not CLDR's: האקדמיה ללשון העברית,
decisions on numerals (masculine forms before masculine nouns, days of a month in the masculine, the conjunction
before the last part, חלקי in fractions).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

_TENS = "עשרים|שלושים|ארבעים|חמישים|שישים|שבעים|שמונים|תשעים"

RULES = Rules(
    locale="he", group=",", decimal=".", cardinal="numbering",
    fixes={  # CLDR has the conjunction before units only, not before whatever is the last part
        rf"(?<=\S )({_TENS})(?=$| (?:אלף|מיליון|מיליארד)\b)": r"ו\1",
        r"(?<=\S )(מאה|מאתיים|(?:שלוש|ארבע|חמש|שש|שבע|שמונה|תשע) מאות)$": r"ו\1",
        r"(?<=מיליון )((?:\S+ )?אלף|אלפיים|\S+ אלפים)$": r"ו\1",
        "ביליון": "טריליון",
    },
    phrase_fixes={r"^(אחד|אחת) (\S+)$": r"\2 \1", r"^שני ב": "שניים ב"},
    agreement=(
        (r"=? (?:שנים|נשים|מילים|פעמים|ערים|ביצים|דרכים|אבנים)\b", "numbering"),
        ((r"=? (?:מיליון|מיליארד|אלף|דולר|שקל|אירו|יורו|אחוז|קילומטר|קילוגרם|גרם|ליטר|מטר|יום|חודש|שבוע|ין|פאונד|"
         r"\w+ים)\b"),
         "cardinal-masculine"),
    ),
    to="עד",
    between={"/": "חלקי"},
    fractions={"1/2": "חצי", "1/3": "שליש", "2/3": "שני שלישים", "1/4": "רבע", "3/4": "שלושה רבעים"},
    fraction_and=" ו",
    money={
        "ILS": Money(major="one{שקל} other{שקלים}", minor="one{אגורה} other{אגורות}"),
        "USD": Money(major="other{דולר}", minor="other{סנט}"), "EUR": Money(major="other{אירו}", minor="other{סנט}"),
        "GBP": Money(major="other{פאונד}"),
    },
    symbols_of_money={'ש"ח': "ILS", "ש״ח": "ILS"}, money_and=" ו",
    money_scales={"מיליון": "other{מיליון}", "מיליארד": "other{מיליארד}"},
    units={'ק"מ': "kilometer", "ק״מ": "kilometer", 'ק"ג': "kilogram", "ק״ג": "kilogram",
           'ס"מ': "centimeter", "ס״מ": "centimeter", 'קמ"ש': "kilometer-per-hour",
           "קמ״ש": "kilometer-per-hour"},
    time="{h} {m}", time_low="{h} אפס {m}", hour="numbering",
    date="{d} ב{m} {y}", day="cardinal-masculine", phone_plus="פלוס",
    marks={
        ".": "נקודה", "/": "סלש", "-": "מקף", "_": "קו תחתון", "@": "שטרודל", ":": "נקודתיים", "?": "סימן שאלה",
        "=": "שווה", "&": "ו", "#": "סולמית", "%": "אחוז", "+": "פלוס", "~": "טילדה",
    },
    symbols={
        "&": "ו", "@": "שטרודל", "#": "מספר", "№": "מספר", "§": "סעיף", "+": "ועוד", "=": "שווה", "×": "כפול",
        "÷": "חלקי", "±": "פלוס מינוס", "≈": "בערך", "<": "קטן מ", ">": "גדול מ", "−": "פחות",
    },
    titles={'ד"ר': "דוקטור", "ד״ר": "דוקטור", "פרופ'": "פרופסור", "פרופ׳": "פרופסור", "גב'": "גברת", "גב׳": "גברת"},
    abbreviations={"וכו'": "וכולי", "וכו׳": "וכולי"},
    alphabet="",
)  # fmt: skip

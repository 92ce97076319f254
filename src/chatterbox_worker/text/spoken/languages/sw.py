"""Swahili. Hours are read as they are written, on the 24-hour clock; the traditional count begins at sunrise. Not
CLDR's: TUKI, Kamusi ya Kiswahili Sanifu (words of symbols and abbreviations); Swahili Made Easy, lesson 11 ("na" before
the last part, prefixes of noun classes).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

_UNITS = "moja|mbili|tatu|nne|tano|sita|saba|nane|tisa"
_TENS = "kumi|ishirini|thelathini|arobaini|hamsini|sitini|sabini|themanini|tisini"


def _after(first: str, rest: str) -> str:
    return rf"\b{first}(?:{rest}) $"


def _concord(prefix: str) -> dict[str, str]:
    """The last unit of a number after a noun of a class: watu wawili, miaka mitano; not of six, seven and nine."""
    unit = r"^(?!elfu|milioni)(.*\s)?(?<!mia ){}$"
    return {unit.format("mbili"): rf"\1{prefix}wili", unit.format("(tatu|nne|tano|nane)"): rf"\1{prefix}\2"}


RULES = Rules(
    locale="sw", to="hadi",
    fixes={  # CLDR's commas would be pauses; one stays in ten thousand and one, which else is eleven thousand
        rf"(?<!mia )\b({_UNITS}), ({_UNITS}|{_TENS})$": r"\1 na \2",
        rf", (?!(?:{_UNITS}|{_TENS})$)": " ",
    },
    concords=(
        (_after("[Ww]", "atu|atoto|anaume|anawake|anafunzi|alimu|asichana|avulana|afanyakazi"), _concord("wa")),
        (_after("[Mm]", "iaka|iezi|ikoa|iti|ikono|iguu|istari|ilango|izigo|ikutano|iji"), _concord("mi")),
        (_after("[Vv]", "itabu|iti|ijiji|yumba|ikombe|ifaa|ituo|yuo|ipande"), _concord("vi")),
        (_after("[Mm]", "agari|ayai|aswali|aneno|ajina|akosa|ajibu|abao|ambo|atunda|akundi|aduka"), _concord("ma")),
        (_after("[Mm]", "tu|toto|wanafunzi|walimu|waka|wezi|ti"), {"^moja$": "mmoja"}),
        (_after("[KkCc]", "itabu|iti|humba|ikombe|ijiji"), {"^moja$": "kimoja"}),
    ),
    between={":": "kwa", "/": "kwa"},
    fractions={
        "1/2": "nusu", "1/3": "theluthi moja", "2/3": "theluthi mbili", "1/4": "robo", "3/4": "robo tatu",
    },
    fraction_and=" na ",
    money={
        "KES": Money(major="other{shilingi}", minor="other{senti}"),
        "TZS": Money(major="other{shilingi}", minor="other{senti}"),
        "USD": Money(major="other{dola}", minor="other{senti}"), "EUR": Money(major="other{yuro}",
         minor="other{senti}"),
    },
    noun_first=True, money_and=" na ", symbols_of_money={"KSh": "KES", "Sh": "TZS", "TSh": "TZS"},
    time="{h} na dakika {m}", time_hour="{h} kamili", date="tarehe {d} {m} {y}", phone_plus="jumlisha",
    marks={
        ".": "nukta", "/": "mkwaju", "-": "kistari", "_": "mstari chini", "@": "at", ":": "nukta mbili",
        "?": "alama ya kuuliza", "=": "sawa na", "&": "na", "#": "alama ya reli", "%": "asilimia", "+": "jumlisha",
        "~": "tilde",
    },
    symbols={
        "&": "na", "@": "at", "#": "namba", "№": "namba", "§": "kifungu", "+": "jumlisha", "=": "sawa na",
        "×": "mara", "÷": "gawanya kwa", "±": "kujumlisha au kutoa", "≈": "takriban", "<": "chini ya",
        ">": "zaidi ya", "−": "kutoa",
    },
    titles={"Dkt.": "Daktari", "Bw.": "Bwana", "Bi.": "Bibi", "Prof.": "Profesa", "n.k.": "na kadhalika"},
    abbreviations={"K.K.": "Kabla ya Kristo"},
    spelled=frozenset({"AI", "API", "URL", "USB"}),
)  # fmt: skip

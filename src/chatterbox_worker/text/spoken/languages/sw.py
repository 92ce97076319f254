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


_OF = "|".join(rf"(?<=\b{word} )" for word in ["ya", "wa", "la", "za", "cha"])

RULES = Rules(
    locale="sw", to="hadi",
    fixes={  # CLDR's commas would be pauses; one stays in ten thousand and one, which else is eleven thousand
        rf"(?<!mia )\b({_UNITS}), ({_UNITS}|{_TENS})$": r"\1 na \2",
        rf", (?!(?:{_UNITS}|{_TENS})$)": " ",
    },
    concords=(
        (_after("[Ww]",
        "atu|atoto|anaume|anawake|anafunzi|alimu|asichana|avulana|afanyakazi|achezaji|abunge|agonjwa|ageni|akulima|"
                "atalii|azazi|azee|ananchi|ajumbe|akimbizi|ahusika"), _concord("wa")),
        (_after("[Mm]", "adaktari|arais|awaziri|apolisi"), _concord("wa")),
        (_after("[Mm]", "iaka|iezi|ikoa|iti|ikono|iguu|istari|ilango|izigo|ikutano|iji"), _concord("mi")),
        (_after("[Vv]", "itabu|iti|ijiji|yumba|ikombe|ifaa|ituo|yuo|ipande|ijiko|iazi|ikundi|itunguu|ipimo"),
        _concord("vi")),
        (_after("[Mm]", "agari|ayai|aswali|aneno|ajina|akosa|ajibu|abao|ambo|atunda|akundi|aduka"), _concord("ma")),
        (_after("[Mm]", "tu|toto|wanafunzi|walimu|waka|wezi|ti"), {"^moja$": "mmoja"}),
        (_after("[KkCc]", "itabu|iti|humba|ikombe|ijiji"), {"^moja$": "kimoja"}),
    ),
    forms=(  # the word that the reading itself begins with is not said twice
        (r"\b[Tt]arehe (?=\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d\d)(?!\w))", ""),
        (r"\b[Aa]silimia (?=\d[\d.,]* ?%)", ""), (r"\b[Ss]hilingi (?=[KT]?[Ss]h)", ""),
        (r"(?<![\w.,])(?:(?:K|k|T|t|)[Ss]hs?\.? ?)?(?P<n>\d[\d,]*)/[=-](?!\w)", "shilingi {n}"),
        (r"(?<!\w)(?:K|T|)[Ss]hs?\.? ?(?P<n>\d+(?:\.\d+)?) ?(?P<w>milioni|bilioni|trilioni|elfu|laki)(?!\w)",
        "shilingi {w} {n}"),
        (r"\$(?P<n>\d+(?:\.\d+)?) ?(?P<w>milioni|bilioni|trilioni)(?!\w)", "dola {w} {n}"),
        *((rf"{symbol} ?(?P<w>milioni|bilioni|trilioni|elfu|laki) (?P<n>\d+(?:\.\d+)?)(?!\w)", words + " {w} {n}")
          for symbol, words in ((r"(?:US)?\$", "dola"), ("€", "yuro"), ("£", "pauni"), ("JP¥", "yeni"),
                                ("Ksh", "shilingi"))),
        (r"(?<=\d)/saa(?!\w)", " kwa saa"),
        (rf"(?:{_OF})1(?!\d|[.,:/]\d|%)", "kwanza"), (rf"(?:{_OF})2(?!\d|[.,:/]\d|%)", "pili"),
        (r"(?<!\w)[Uu]k\. ?(?=\d)", "ukurasa "), (r"(?<!\w)[Nn]a\. ?(?=\d)", "namba "), *(
            (rf"(?<!\w){symbol} (?=[-−]?\d)", f"{words} ") for symbol, words in (
                ("km", "kilomita"), ("kg", "kilo"), ("cm", "sentimita"), ("mm", "milimita"), ("ml", "mililita"),
                ("m²", "mita za mraba"), ("km²", "kilomita za mraba"), ("kWh", "kilowati-saa"))),
        (r"(?<![\d/])24/7(?![\d/])",
        "ishirini na nne saba"),
    ),
    out_of="kati ya", between={":": "kwa", "/": "kwa", "x": "kwa", "^": "kipeo cha"},
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
    unit_words={"dB": "other{desibeli #}"}, noun_first=True, money_and=" na ", symbols_of_money={
        **dict.fromkeys(["KSh", "Ksh", "KSh.", "Ksh.", "Kshs", "Kshs."], "KES"),
        **dict.fromkeys(["Sh", "Sh.", "sh.", "Shs.", "TSh", "Tsh", "TSh.", "Tsh."], "TZS"), "USh": "UGX",
    },
    time_dotted=(r"[Ss]aa ", ""), phones=r"(?:[Ss]imu|[Aa]kaunti):? ",
    time="{h} na dakika {m}", time_hour="{h} kamili", date="tarehe {d} {m} {y}", phone_plus="jumlisha",
    marks={
        ".": "nukta", "/": "mkwaju", "-": "kistari", "_": "mstari chini", "@": "at", ":": "nukta mbili",
        "?": "alama ya kuuliza", "=": "sawa na", "&": "na", "#": "alama ya reli", "%": "asilimia", "+": "jumlisha",
        "~": "tilde",
    },
    symbols={
        "&": "na", "@": "at", "#": "namba", "№": "namba", "§": "kifungu", "+": "jumlisha", "=": "sawa na", "×": "mara",
        "÷": "gawanya kwa", "±": "kujumlisha au kutoa", "≈": "takriban", "<": "chini ya", ">": "zaidi ya",
        "−": "kutoa", "≤": "chini ya au sawa na", "≥": "zaidi ya au sawa na", "≠": "si sawa na",
        "√": "kipeuo cha pili cha", "²": "kipeo cha pili", "³": "kipeo cha tatu",
    },
    titles={"Dkt.": "Daktari", "Bw.": "Bwana", "Bw": "Bwana", "Mhe.": "Mheshimiwa", "Mh.": "Mheshimiwa",
        "Mch.": "Mchungaji", "S.L.P.": "sanduku la posta",
        "k.m.": "kwa mfano", "k.v.": "kama vile", "Bi.": "Bibi", "Prof.": "Profesa", "n.k.": "na kadhalika"},
    abbreviations={"nk": "na kadhalika", "B.K.": "Baada ya Kristo", "K.K.": "Kabla ya Kristo"},
    abbreviated=(*((rf"(?:{_OF}){numeral}(?!\w)", words) for numeral, words in (("I", "Kwanza"), ("II", "Pili"),
        ("III", "Tatu"), ("IV", "Nne"))), (r"(?<=Paulo )II(?!\w)", "wa Pili"), (r"(?<=Henry )VIII(?!\w)", "wa Nane")),
    spelled=frozenset({"AI", "API", "URL", "USB"}),
)  # fmt: skip

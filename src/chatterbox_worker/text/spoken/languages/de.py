"""German. Not CLDR's: Duden, Die Grammatik (10th ed.), numerals (§ 1245 ff.: "ein" before a noun, ordinals with
"-n"), and DIN 5008 (dates, times, abbreviations) for how they are written.
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"

_HALF = r"(?<![\d.,/\w])(?<!\d )(?:1/2|½) "

RULES = Rules(
    locale="de", group=". ", decimal=",", cardinal="numbering",
    agreement=(
        ((r"=? (?:Stunde|Minute|Sekunde|Woche|Person|Frau|Seite|Tonne|Meile|Million|Milliarde|Mark|Lira|Rupie|Unze|"
          r"Krone|"
         r"Kilowattstunde|Katze|Straße|Flasche|Tasse|\w+(?:ung|heit|keit|schaft|ion|tät))\b"), "cardinal-feminine"),
        (r"=? [A-ZÄÖÜ]", "cardinal-masculine"),
    ),
    ordinal_stops=(
        (r"\b(?:[Aa]m|[Vv]om|[Zz]um|[Bb]eim|[Ii]m|[Dd]em|[Dd]en|[Dd]es|[Aa]b|[Bb]is|[Ss]eit) ", r" [A-ZÄÖÜa-zäöü]",
         "ordinal-n"),
        (r"\b(?:[Dd]er|[Dd]ie|[Dd]as) ", r" [A-ZÄÖÜa-zäöü]", "ordinal"),
        (r"", rf" (?:{_MONTHS})\b", "ordinal-r"),
    ),
    years=((YEAR, "numbering-year"),),
    phrase_fixes={r"\bein halb (Gramm|Kilogramm|Pfund|Jahr|Dutzend|Meter|Liter|Kilometer|Kubikmeter)": r"ein halber \1",
                  r"\bein halber (Gramm|Kilogramm|Pfund|Jahr|Dutzend)": r"ein halbes \1",
                  r"\bein halb (Stunde|Minute|Meile|Tonne|Sekunde)": r"eine halbe \1"},
    forms=(
        (_HALF + r"(?=(?:Stunde|Minute|Tasse|Flasche|Seite|Portion|Zwiebel|Zitrone)\b)", "eine halbe "),
        (_HALF + r"(?=(?:Liter|Meter|Tag|Monat|Teelöffel|Esslöffel|Becher|Kilometer)\b)", "ein halber "),
        (_HALF + r"(?=(?:Kilo|Kilogramm|Pfund|Jahr|Dutzend|Glas|Prozent)\b)", "ein halbes "),
        (r"(?<!\w)Nr\. ?(?=\d)", "Nummer "), (r"(?<!\w)S\. ?(?=\d)", "Seite "), (r"§ ?(?=\d)", "Paragraf ")),
    to="bis",
    between={":": "zu", "x": "mal", "^": "hoch"},
    fractions={
        "1/2": "ein halb", "1 1/2": "eineinhalb", "n 1/2": "{n}einhalb",
        "1/3": "ein Drittel", "2/3": "zwei Drittel", "1/4": "ein Viertel", "3/4": "drei Viertel",
    },
    scales={
        "Mio.": "one{Million} other{Millionen}", "Mrd.": "one{Milliarde} other{Milliarden}", "Tsd.": "other{tausend}",
    },
    money={
        "USD": Money(major="other{Dollar}", minor="other{Cent}"), "EUR": Money(major="other{Euro}",
         minor="other{Cent}"),
        "GBP": Money(major="other{Pfund}", minor="one{Penny} other{Pence}"),
        "CHF": Money(major="other{Franken}", minor="other{Rappen}"), "JPY": Money(major="other{Yen}"),
    },
    money_and=" und ",
    money_scales={
        "Millionen": "other{Millionen}", "Million": "other{Million}", "Milliarden": "other{Milliarden}",
        "Milliarde": "other{Milliarde}", "Mio.": "one{Million} other{Millionen}",
        "Mrd.": "one{Milliarde} other{Milliarden}",
    },
    unit_words={"Std.": "one{Stunde} other{Stunden}", "Min.": "one{Minute} other{Minuten}"},
    time="{h} Uhr {m}", time_hour="{h} Uhr", time_after="Uhr", time_dotted=("", r"Uhr$"), hour="cardinal-masculine",
    date="{d} {m} {y}", day="ordinal-n", year="numbering-year",
    marks={
        ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "@": "at", ":": "Doppelpunkt",
        "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute", "%": "Prozent", "+": "plus", "~": "Tilde",
    },
    symbols={
        "&": "und", "@": "at", "#": "Nummer", "№": "Nummer", "§": "Paragraf", "+": "plus", "=": "gleich", "×": "mal",
        "÷": "geteilt durch", "±": "plus minus", "²": "hoch zwei", "³": "hoch drei",
        "≈": "ungefähr", "<": "kleiner als", ">": "größer als",
        "≤": "kleiner oder gleich", "≥": "größer oder gleich", "−": "minus",
    },
    titles={
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "bzw.": "beziehungsweise", "ca.": "circa", "Dr.": "Doktor",
        "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau", "evtl.": "eventuell", "ggf.": "gegebenenfalls",
        "inkl.": "inklusive", "bspw.": "beispielsweise", "vgl.": "vergleiche", "St.": "Sankt", "Tel.": "Telefon",
    },
    abbreviations={
        "usw.": "und so weiter", "etc.": "et cetera", "v. Chr.": "vor Christus", "v.Chr.": "vor Christus",
        "n. Chr.": "nach Christus", "n.Chr.": "nach Christus",
    },
    roman=(
        (roman_after("Kapitel|Band|Teil|Akt|Szene|Buch|Artikel|Typ"), "", "{n}"),
        (regnal("Elisabeth|Katharina|Margarethe|Beatrix"), "ordinal", "die {n}"),
        (regnal("Ludwig|Friedrich|Friedrich Wilhelm|Wilhelm|Heinrich|Karl|Otto|Johannes Paul|Benedikt|Leo|Pius|"
                "Nikolaus|"
                "Alexander|Napoleon|Georg|Philipp|Franz|Joseph|Leopold|Rudolf|Konrad"), "ordinal", "der {n}"),
    ),
    letters="a be ce de e ef ge ha i jot ka el em en o pe ku er es te u vau we ix ypsilon zett",
    spelled=frozenset({"EU", "USA", "KI", "UNO", "IT", "API", "AG", "URL", "USB", "EDV", "ADAC"}) - {"UNO"},
)  # fmt: skip

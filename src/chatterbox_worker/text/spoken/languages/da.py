"""Danish. Not CLDR's: Dansk Sprognævn, Retskrivningsordbogen, § 42 ff. (abbreviations, ordinal stop, times and
dates).
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="da", group=". ", decimal=",", cardinal="numbering",
    fixes={  # slips of CLDR 48 in ordinals, and the years up to 2009, which no one counts in hundreds
        r"\betog": "enog", "fyrrende$": "fyrretyvende", "^tyvehundrede$": "totusind",
        "^tyvehundrede og (en|et|to|tre|fire|fem|seks|syv|otte|ni)$": r"totusinde og \1",
    },
    agreement=((r"= (?:gram|kilogram|milligram|år|pund|ton)\b", "cardinal-neuter"),
               ((r"= | (?:kilometer|meter|centimeter|time|minut|sekund|dag|uge|måned|person|gang|side|krone|dollar|"
                 r"euro|"
                r"liter|grad)\b"), "cardinal-common")),
    ordinal_stops=((r"", r" [a-zæøå]", "ordinal-common"),),
    years=((YEAR, "numbering-year"),),
    forms=((r"(?<!\w)[Nn]r\. ?(?=\d)", "nummer "), (r"(?<!\w)[Kk]l\. ?(?=\d)", "klokken ")),
    to="til",
    between={":": "til"},
    fractions={
        "1/2": "en halv", "1 1/2": "halvanden", "1/3": "en tredjedel", "2/3": "to tredjedele", "1/4": "en fjerdedel",
        "3/4": "tre fjerdedele",
    },
    fraction_and=" og ",
    scales={"mio.": "one{million} other{millioner}", "mia.": "one{milliard} other{milliarder}"},
    money={
        "DKK": Money(major="one{krone} other{kroner}", minor="other{øre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "DKK", "kr.": "DKK"}, money_and=" og ",
    money_scales={
        "millioner": "other{millioner}", "million": "other{million}", "milliarder": "other{milliarder}",
        "milliard": "other{milliard}", "mio.": "one{million} other{millioner}",
        "mia.": "one{milliard} other{milliarder}",
    },
    time="{h} {m}", time_low="{h} nul {m}", time_dotted=(r"[Kk]l(?:okken|\.)? ", ""),
    date="{d} {m} {y}", day="ordinal-common", year="numbering-year",
    marks={
        ".": "punktum", "/": "skråstreg", "-": "bindestreg", "_": "understreg", "@": "snabel-a", ":": "kolon",
        "?": "spørgsmålstegn", "=": "lig med", "&": "og", "#": "havelåge", "%": "procent", "+": "plus", "~": "tilde",
    },
    symbols={
        "&": "og", "@": "snabel-a", "#": "nummer", "№": "nummer", "§": "paragraf", "+": "plus", "=": "lig med",
        "×": "gange", "÷": "divideret med", "±": "plus minus", "≈": "cirka", "<": "mindre end", ">": "større end",
        "≤": "mindre end eller lig med", "≥": "større end eller lig med", "−": "minus",
    },
    titles={
        "f.eks.": "for eksempel", "fx": "for eksempel", "bl.a.": "blandt andet", "dvs.": "det vil sige",
        "ca.": "cirka", "hr.": "herr", "tlf.": "telefon", "inkl.": "inklusive", "pga.": "på grund af",
        "vedr.": "vedrørende", "prof.": "professor",
    },
    abbreviations={"osv.": "og så videre", "m.m.": "med mere", "f.Kr.": "før Kristus", "e.Kr.": "efter Kristus"},
    roman=(
        (roman_after("[Kk]apitel|[Dd]el|[Aa]kt|[Bb]ind"), "", "{n}"),
        (regnal("Christian|Frederik|Margrethe|Ludvig|Henrik|Erik|Karl|Gustav|Johannes Paul|Benedikt|Pius|Napoleon"),
         "ordinal-common", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ", vowels="AEIOUYÆØÅ",
    letters="a be ce de e ef ge hå i jåd kå el em en o pe ku er es te u ve dobbelt-ve eks y zæt æ ø å",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB", "IT"}),
)  # fmt: skip

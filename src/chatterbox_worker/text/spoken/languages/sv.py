"""Swedish. Not CLDR's: Svenska skrivregler (Språkrådet, 4th ed.), on times, dates and abbreviations; Svenska
Akademiens grammatik, Räkneord ("en"/"ett", "tredje").
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

_AND_SO = {
    "osv.": "och så vidare",
    "m.m.": "med mera",
    "etc.": "et cetera",
    "f.Kr.": "före Kristus",
    "e.Kr.": "efter Kristus",
}

RULES = Rules(
    locale="sv", group=" .", decimal=",", cardinal="numbering",
    fixes={"^tjugohundra(|ett|två|tre|fyra|fem|sex|sju|åtta|nio)$": r"tvåtusen \1"},  # no one counts these in hundreds
    agreement=((r"= (?:gram|kilogram|milligram|år|pund|procent|ton|mikrogram)\b", "cardinal-neuter"),
               ((r"= | (?:kilometer|meter|centimeter|timme|minut|sekund|dag|vecka|månad|person|gång|sida|krona|"
                 r"dollar|euro|"
                r"liter|grad)\b"), "cardinal-reale")),
    ordinals=((r":(?:e|a)", "ordinal-reale"),),
    years=((YEAR, "numbering-year"),),
    forms=((r"(?<!\w)[Nn]r\.? ?(?=\d)", "nummer "), (r"(?<!\w)[Kk]l\.? ?(?=\d)", "klockan ")),
    to="till",
    between={":": "till"},
    fractions={
        "1/2": "en halv", "1/3": "en tredjedel", "2/3": "två tredjedelar", "1/4": "en fjärdedel",
        "3/4": "tre fjärdedelar",
    },
    fraction_and=" och ",
    scales={"mkr": "one{miljon kronor} other{miljoner kronor}", "milj.": "one{miljon} other{miljoner}",
            "mdr": "one{miljard} other{miljarder}"},
    money={
        "SEK": Money(major="one{krona} other{kronor}", minor="other{öre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "SEK", "kr.": "SEK"}, money_and=" och ",
    money_scales={
        "miljoner": "other{miljoner}", "miljon": "other{miljon}", "miljarder": "other{miljarder}",
        "miljard": "other{miljard}",
    },
    time="{h} {m}", time_low="{h} noll {m}", time_dotted=(r"[Kk]l(?:ockan|\.)? ", ""),
    date="{d} {m} {y}", day="ordinal-reale", year="numbering-year", day_month="{d} {m}",
    marks={
        ".": "punkt", "/": "snedstreck", "-": "bindestreck", "_": "understreck", "@": "snabel-a", ":": "kolon",
        "?": "frågetecken", "=": "lika med", "&": "och", "#": "nummertecken", "%": "procent", "+": "plus",
        "~": "tilde",
    },
    symbols={
        "&": "och", "@": "snabel-a", "#": "nummer", "№": "nummer", "§": "paragraf", "+": "plus", "=": "lika med",
        "×": "gånger", "÷": "delat med", "±": "plus minus", "≈": "ungefär", "<": "mindre än", ">": "större än",
        "≤": "mindre än eller lika med", "≥": "större än eller lika med", "−": "minus",
    },
    titles={
        "t.ex.": "till exempel", "bl.a.": "bland annat", "d.v.s.": "det vill säga", "dvs.": "det vill säga",
        "ca": "cirka", "s.k.": "så kallad", "prof.": "professor", "tel.": "telefon", "fr.o.m.": "från och med",
        "t.o.m.": "till och med", "inkl.": "inklusive",
    },
    abbreviations=_AND_SO,
    roman=(
        (roman_after("[Kk]apitel|[Dd]el|[Aa]kt|[Bb]ok"), "", "{n}"),
        (regnal("Gustav|Karl|Erik|Johan|Oscar|Carl|Gustaf|Ludvig|Henrik|Johannes Paulus|Benedictus|Pius|Napoleon"),
         "ordinal-masculine", "den {n}"),
        (regnal("Elisabeth|Margareta|Katarina|Margrethe"), "ordinal-reale", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖ", vowels="AEIOUYÅÄÖ",
    letters="a be ce de e eff ge hå i ji kå ell emm enn o pe ku ärr ess te u ve dubbel-ve eks y säta å ä ö",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB", "IT"}),
)  # fmt: skip

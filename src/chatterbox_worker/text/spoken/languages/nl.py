"""Dutch. Not CLDR's: Algemene Nederlandse Spraakkunst, 7 (numerals), and Taaladvies of the Taalunie (times, dates,
abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="nl", group=". ", decimal=",",
    fixes={
        r"\been\b": "één",
        "^(elf|twaalf|\\w+tien)(een|twee|drie|vier|vijf|zes|zeven|acht|negen)$": r"\1honderd\2",  # 1905
    },  # the numeral; "een" alone would be read as the article
    ordinals=((r"(?:ste|de|e)", "ordinal"),),
    years=((YEAR, "numbering-year"),),
    forms=((r"(?<!\w)nr\. ?(?=\d)", "nummer "), (r"(?<!\w)blz\. ?(?=\d)", "bladzijde ")),
    to="tot",
    between={":": "op", "x": "bij"},
    fractions={
        "1/2": "een half", "1 1/2": "anderhalf",
        "1/3": "een derde", "2/3": "twee derde", "1/4": "een kwart", "3/4": "drie kwart",
    },
    fraction_and=" en ",
    scales={"mln.": "other{miljoen}", "mld.": "other{miljard}"},
    money={
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pond}", minor="one{penny} other{pence}"), "JPY": Money(major="other{yen}"),
    },
    money_and=" en ",
    money_scales={
        "miljoen": "other{miljoen}", "miljard": "other{miljard}", "mln.": "other{miljoen}", "mld.": "other{miljard}",
        "mln": "other{miljoen}", "mld": "other{miljard}",
    },
    units={"km/u": "kilometer-per-hour"},
    time="{h} uur {m}", time_hour="{h} uur", time_after="uur|u", time_dotted=("", r"uur$"),
    date="{d} {m} {y}", year="numbering-year",
    marks={
        ".": "punt", "/": "slash", "-": "streepje", "_": "laag streepje", "@": "apenstaartje", ":": "dubbele punt",
        "?": "vraagteken", "=": "is", "&": "en", "#": "hekje", "%": "procent", "+": "plus", "~": "tilde",
    },
    symbols={
        "&": "en", "@": "at", "#": "nummer", "№": "nummer", "§": "paragraaf", "+": "plus", "=": "is", "×": "keer",
        "÷": "gedeeld door", "±": "plus of min", "²": "kwadraat", "³": "tot de derde",
        "≈": "ongeveer", "<": "kleiner dan", ">": "groter dan",
        "≤": "kleiner dan of gelijk aan", "≥": "groter dan of gelijk aan", "−": "min",
    },
    titles={
        "dhr.": "de heer", "mevr.": "mevrouw", "mw.": "mevrouw", "Dr.": "dokter", "dr.": "doctor",
        "prof.": "professor", "Prof.": "Professor", "bijv.": "bijvoorbeeld", "bv.": "bijvoorbeeld",
        "d.w.z.": "dat wil zeggen", "o.a.": "onder andere", "i.p.v.": "in plaats van", "m.b.t.": "met betrekking tot",
        "t.o.v.": "ten opzichte van", "ca.": "circa", "evt.": "eventueel", "incl.": "inclusief", "tel.": "telefoon",
    },
    abbreviations={"enz.": "enzovoort", "etc.": "et cetera", "v.Chr.": "voor Christus", "n.Chr.": "na Christus"},
    roman=(
        (roman_after("[Hh]oofdstuk|[Dd]eel|[Bb]oek|[Aa]kte|[Ss]cène"), "", "{n}"),
        (regnal("Lodewijk|Willem|Karel|Hendrik|Filips|Johannes Paulus|Benedictus|Leo|Pius|Napoleon|Frederik|Willem-"
                "Alexander|Catharina|Elizabeth"), "ordinal", "de {n}"),
    ),
    letters="a bee cee dee ee ef gee haa i jee kaa el em en oo pee kuu er es tee uu vee wee iks ij zet",
    spelled=frozenset({"EU", "VS", "AI", "API", "URL", "USB", "BTW"}),
)  # fmt: skip

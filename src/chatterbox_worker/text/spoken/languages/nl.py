"""Dutch. Not CLDR's: Algemene Nederlandse Spraakkunst, 7 (numerals), and Taaladvies of the Taalunie (times, dates,
abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_WEEKDAYS = {
    "(?:(?-i:Ma)|ma(?=[.-]))": "maandag", "(?:(?-i:Di)|di(?=[.-]))": "dinsdag", "wo": "woensdag",
    "(?:(?-i:Do)|do(?=[.-]))": "donderdag", "vr": "vrijdag",
    "za": "zaterdag", "(?-i:Zo)": "zondag",
}  # fmt: skip
_MONTHS = {
    "jan": "januari", "feb": "februari", "febr": "februari", "mrt": "maart", "apr": "april", "jun": "juni",
    "jul": "juli", "aug": "augustus", "sep": "september", "sept": "september", "okt": "oktober", "nov": "november",
    "dec": "december",
}  # fmt: skip

RULES = Rules(
    locale="nl", group=". ", decimal=",",
    sections=r"[Ss]ectie|[Pp]aragraaf|[Hh]oofdstuk|[Ff]iguur|[Tt]abel|[Vv]ersie|[Bb]ijlage",
    fixes={
        r"\been\b": "één",
        "^(elf|twaalf|\\w+tien)(een|twee|drie|vier|vijf|zes|zeven|acht|negen)$": r"\1honderd\2",  # 1905
    },  # the numeral; "een" alone would be read as the article
    ordinals=((r"(?:ste|de|e)", "ordinal"),),
    years=((YEAR, "numbering-year"),),
    forms=(
        *weekdays(_WEEKDAYS, "tot", after=r"\d{1,2}(?:[.:]\d\d|(?:[.:]\d\d)? ?[-–] ?\d| uur)"),
        (r"(?<!\w)[Mm]in\. (?=\d)(?<!\d min\. )", "minimaal "),
        (r"(?<!\w)t/m (?=\d)", "tot en met "), (r"(?<=\d) ?t/m ?(?=\d)", " tot en met "),
        (r"(?<=[Jj]aren )['’](?=\d0(?!\w))", ""),
        (r"(?<![\w/.,])1/5(?= (?:van|deel))", "een vijfde"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= (?:van|deel))",
         "{n} vijfde"),
        (r"(?<![\w/.,])1/10(?= (?:van|deel))", "een tiende"),
        (r"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?:theelepel|eetlepel|ui|citroen|liter|fles|appel)\b)", "een halve "),
    ),
    to="tot", code_number="pairs",
    emergency=r"\b(?:[Bb]el|[Bb]elt|[Bb]ellen|[Aa]larmnummer) (?:met )?",
    phones=r"(?:[Tt]el\.?|[Tt]elefoon|[Mm]obiel):? ",
    per={
        "maand": "per maand", "mnd": "per maand", "jaar": "per jaar", "jr": "per jaar", "dag": "per dag",
        "week": "per week", "uur": "per uur", "u": "per uur", "nacht": "per nacht", "persoon": "per persoon",
        "pers.": "per persoon", "m²": "per vierkante meter", "m2": "per vierkante meter", "m³": "per kubieke meter",
        "kg": "per kilo", "l": "per liter", "L": "per liter", "kWh": "per kilowattuur", "km": "per kilometer",
        "stuk": "per stuk", "st.": "per stuk",
    },
    numbered={
        "nr.": "nummer", "nrs.": "nummers", "blz.": "bladzijde", "pp.": "pagina's", "p.": "pagina", "fig.": "figuur",
        "hfdst.": "hoofdstuk", "art.": "artikel", "dl.": "deel", "par.": "paragraaf", "tab.": "tabel",
        "afb.": "afbeelding", "max.": "maximaal",
    },
    out_of="van", between={":": "op", "x": "bij", "^": "tot de macht"},
    fractions={
        "1/2": "een half", "1 1/2": "anderhalf", "n 1/2": "{n}enhalf",
        "1/3": "een derde", "2/3": "twee derde", "1/4": "een kwart", "3/4": "drie kwart",
    },
    fraction_and=" en ", phrase_fixes={"(twee|drie)enhalf": r"\1ënhalf"},
    scales={"mln.": "other{miljoen}", "mld.": "other{miljard}", "mln": "other{miljoen}", "mld": "other{miljard}"},
    money={
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pond}", minor="one{penny} other{pence}"), "JPY": Money(major="other{yen}"),
        "CHF": Money(major="other{frank}", minor="one{rappen} other{rappen}"),
    },
    money_and=" en ",
    money_scales={
        "miljoen": "other{miljoen}", "miljard": "other{miljard}", "mln.": "other{miljoen}", "mld.": "other{miljard}",
        "mln": "other{miljoen}", "mld": "other{miljard}",
    },
    units={"km/u": "kilometer-per-hour", "Mb/s": "megabit-per-second"},
    unit_words={
        "dB": "other{decibel}",
        "t": "other{ton}", "pk": "other{pk}", "ct": "other{cent}", "el": "one{eetlepel} other{eetlepels}",
        "el.": "one{eetlepel} other{eetlepels}", "tl": "one{theelepel} other{theelepels}",
        "tl.": "one{theelepel} other{theelepels}", "pers.": "one{persoon} other{personen}",
        "st.": "one{stuk} other{stuks}", "p.p.": "other{per persoon}", "mnd": "one{maand} other{maanden}",
    },
    time="{h} uur {m}", time_hour="{h} uur", time_after="uur|u",
    time_dotted=(r"(?=\d\d?\.\d\d(?: ?[–-] ?\d\d?\.\d\d)? ?(?:uur|u)(?!\w))", ""),
    date="{d} {m} {y}", year="numbering-year",
    marks={
        ".": "punt", "/": "slash", "-": "streepje", "_": "laag streepje", "@": "apenstaartje", ":": "dubbele punt",
        "?": "vraagteken", "=": "is", "&": "en", "#": "hekje", "%": "procent", "+": "plus", "~": "tilde",
    },
    symbols={
        "&": "en", "@": "at", "#": "nummer", "№": "nummer", "§": "paragraaf", "+": "plus", "=": "is", "×": "keer",
        "÷": "gedeeld door", "±": "plus of min", "²": "kwadraat", "³": "tot de derde",
        "≈": "ongeveer", "<": "kleiner dan", ">": "groter dan",
        "≤": "kleiner dan of gelijk aan", "≥": "groter dan of gelijk aan", "−": "min", "≠": "is niet gelijk aan",
    },
    titles={
        "dhr.": "de heer", "mevr.": "mevrouw", "mw.": "mevrouw", "Dr.": "dokter", "dr.": "doctor",
        "prof.": "professor", "Prof.": "Professor", "bijv.": "bijvoorbeeld", "bv.": "bijvoorbeeld",
        "d.w.z.": "dat wil zeggen", "o.a.": "onder andere", "i.p.v.": "in plaats van", "m.b.t.": "met betrekking tot",
        "t.o.v.": "ten opzichte van", "ca.": "circa", "evt.": "eventueel", "incl.": "inclusief", "tel.": "telefoon",
        "Tel.": "telefoon", "Dhr.": "de heer", "Mevr.": "mevrouw", "Mw.": "mevrouw", "drs.": "doctorandus",
        "ir.": "ingenieur", "ing.": "ingenieur", "excl.": "exclusief", "i.v.m.": "in verband met",
        "m.a.w.": "met andere woorden", "zgn.": "zogenaamde", "vgl.": "vergelijk", "vnl.": "voornamelijk",
        "o.m.": "onder meer", "m.u.v.": "met uitzondering van", "o.l.v.": "onder leiding van",
        "t.a.v.": "ter attentie van", "m.i.v.": "met ingang van", "t/m": "tot en met", "resp.": "respectievelijk",
        "p/a": "per adres", "d.m.v.": "door middel van", "o.b.v.": "op basis van", "t.g.v.": "ter gelegenheid van",
        "i.h.b.": "in het bijzonder", "a.g.v.": "als gevolg van", "n.a.v.": "naar aanleiding van",
        "i.t.t.": "in tegenstelling tot", "m.n.": "met name", "bijz.": "bijzonder", "WOI": "Eerste Wereldoorlog",
        "WOII": "Tweede Wereldoorlog", "WO II": "Tweede Wereldoorlog", "WO I": "Eerste Wereldoorlog",
    },
    abbreviations={"enz.": "enzovoort", "etc.": "et cetera", "v.Chr.": "voor Christus", "n.Chr.": "na Christus",
                   "v. Chr.": "voor Christus", "n. Chr.": "na Christus", "a.u.b.": "alstublieft",
                   "s.v.p.": "alstublieft", "e.d.": "en dergelijke", "z.o.z.": "zie ommezijde",
                   "n.v.t.": "niet van toepassing", "e.a.": "en anderen", "B.V.": "bee vee", "N.V.": "en vee",
                   "a.s.": "aanstaande", "jl.": "jongstleden"},
    abbreviated=(
        (r"(?<=\d),-(?!\w)", ""),
        (r"(?<=[a-z])str\.(?= \d)", "straat"), (r"(?<!\w)St\.(?= [A-Z])", "Sint"),
        *((rf"(?<=\d ){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (roman_after("[Hh]oofdstuk|[Dd]eel|[Bb]oek|[Aa]kte|[Ss]cène"), "", "{n}"),
        (regnal("Lodewijk|Willem|Karel|Hendrik|Filips|Johannes Paulus|Johannes|Benedictus|Leo|Pius|Napoleon|Frederik|"
                "Willem-Alexander|Catharina|Elizabeth"), "ordinal", "de {n}"),
    ),
    letters="a bee cee dee ee ef gee haa i jee kaa el em en oo pee kuu er es tee uu vee wee iks ij zet",
    spelled=frozenset({"EU", "VS", "AI", "API", "URL", "USB", "BTW", "CDA", "ANWB", "EK", "OV", "CO", "UTC", "ECB",
    "USA", "AOW"}),
)  # fmt: skip

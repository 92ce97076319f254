"""Dutch. Not CLDR's: Algemene Nederlandse Spraakkunst, 7 (numerals), and Taaladvies of the Taalunie (times, dates,
abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays, years_before
from chatterbox_worker.text.spoken.rules import Money, Rules

_WEEKDAYS = {
    r"(?:(?-i:Ma)|ma(?=[.-]| t/m| \d))": "maandag", r"(?:(?-i:Di)|di(?=[.-]| t/m| \d))": "dinsdag", "wo": "woensdag",
    r"(?:(?-i:Do)|do(?=[.-]| t/m| \d))": "donderdag", "vr": "vrijdag",
    "za": "zaterdag", "(?-i:Zo)": "zondag",
}  # fmt: skip
_MONTHS = {
    "jan": "januari", "feb": "februari", "febr": "februari", "mrt": "maart", "apr": "april", "jun": "juni",
    "jul": "juli", "aug": "augustus", "sep": "september", "sept": "september", "okt": "oktober", "nov": "november",
    "dec": "december",
}  # fmt: skip

_DAYS = "ma|di|wo|do|vr|za|zo"
_PER_UNIT = {"km²": "vierkante kilometer", "m²": "vierkante meter", "m³": "kubieke meter"}

RULES = Rules(
    locale="nl", group=". ", decimal=",",
    sections=r"[Ss]ectie|[Pp]aragraaf|[Hh]oofdstuk|[Ff]iguur|[Tt]abel|[Vv]ersie|[Bb]ijlage|[Vv]oorbeeld|[Aa]fbeelding|"
             r"[Aa]rtikel|[Pp]ar\.|[Ff]ig\.|[Aa]fb\.|[Tt]ab\.|hfdst\.",
    fixes={
        r"\been\b": "één",
        "^(elf|twaalf|\\w+tien)(een|twee|drie|vier|vijf|zes|zeven|acht|negen)$": r"\1honderd\2",  # 1905
    },  # the numeral; "een" alone would be read as the article
    ordinals=((r"(?:ste|de|e)", "ordinal"),),
    years=((YEAR, "numbering-year"),),
    forms=(
        *weekdays(
            _WEEKDAYS, "tot",
            after=rf"\d{{1,2}}(?:[.:]\d\d|(?:[.:]\d\d)? ?[-–] ?\d| uur| (?:{'|'.join(_MONTHS.values())}|mei))|"
                  rf"t/m (?:{_DAYS})",
        ),
        years_before(r"v\. ?Chr\.", "tot"), (r"(?<!\w)v\. ?Chr\.(?P<all> ?[–-] ?)(?=\d)", " tot "),
        (r"(?<![\w.,-])(?P<n>\d{1,2})[-–](?P<m>\d{1,2}) ?x(?= [a-z]{2,})", "{n} tot {m} keer"),
        (r"(?<![\w.,-])(?P<n>\d{1,4}) ?x(?= [a-z]{2,})", "{n} keer"),
        (r"(?<![\w.,:-])(?P<n>[01]?\d|2[0-4]) ?u(?![\w.])", "{n} uur"),
        (r"(?<!\d)1\d{3}(?P<all>[-–]['’])(?=\d\d(?!\d))", " tot "),
        (r"(?<!\w)['’](?P<n>\d\d)[-–]['’](?P<m>\d\d)(?!\d)", "{n} {m}"),
        (r"(?<![\w:.,])1 ?: ?(?P<m>\d{4,}|\d{1,3}(?:[. ]\d{3})+)(?![\w:])", "één op {m}"),
        (r"(?<=, )(?P<n>[1-9]\d)(?P<m>\d\d)(?= ?[A-Z]{2} [A-Z])", "{n} {m}"),
        (r"(?<![\w/.,])(?P<n>[357])/8(?![\w/]|[.,]\d)", "{n} achtste"),
        *((rf"(?<=per ){unit}(?![\w/])", words) for unit, words in _PER_UNIT.items()),
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
        "afb.": "afbeelding", "max.": "maximaal", **{f"{short}.": month for short, month in _MONTHS.items()},
    },
    out_of="van", days_before="op", between={":": "op", "x": "bij", "^": "tot de macht"},
    fractions={
        "1/2": "een half", "1 1/2": "anderhalf", "n 1/2": "{n}enhalf", "1/3": "een derde", "2/3": "twee derde",
        "1/4": "een kwart", "3/4": "drie kwart",
    },
    fraction_and=" en ", phrase_fixes={"(twee|drie)enhalf": r"\1ënhalf"},
    scales={"mln": "other{miljoen}", "mld": "other{miljard}",
            "mrd": "other{miljard}", "mrd.": "other{miljard}"},
    money={
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pond}", minor="one{penny} other{pence}"), "JPY": Money(major="other{yen}"),
        "CHF": Money(major="other{frank}", minor="one{rappen} other{rappen}"),
    },
    money_words={"euro": "EUR", "dollar": "USD"}, money_and=" en ",
    money_scales={"miljoen": "other{miljoen}", "miljard": "other{miljard}"},
    units={"km/uur": "kilometer-per-hour", "gr": "gram", "gr.": "gram",
    "sec.": "second", "Mb/s": "megabit-per-second"},
    unit_words={
        "°": "one{graad} other{graden}", "dB": "other{decibel}", "eetl.": "one{eetlepel} other{eetlepels}",
        "theel.": "one{theelepel} other{theelepels}", "t": "other{ton}", "pk": "other{pk}", "ct": "other{cent}",
        "el": "one{eetlepel} other{eetlepels}", "el.": "one{eetlepel} other{eetlepels}",
        "tl": "one{theelepel} other{theelepels}", "tl.": "one{theelepel} other{theelepels}",
        "pers.": "one{persoon} other{personen}", "st.": "one{stuk} other{stuks}", "p.p.": "other{per persoon}",
        "mnd": "one{maand} other{maanden}",
    },
    time="{h} uur {m}", time_hour="{h} uur", time_after="uur|u", time_marks=":u",
    time_dotted=(r"(?=\d\d?\.\d\d(?: ?[–-] ?\d\d?\.\d\d)? ?(?:uur|u)(?!\w))", ""),
    date="{d} {m} {y}", year="numbering-year",
    marks={
        ".": "punt", "/": "slash", "-": "streepje", "_": "laag streepje", "@": "apenstaartje", ":": "dubbele punt",
        "?": "vraagteken", "=": "is", "&": "en", "#": "hekje", "%": "procent", "+": "plus", "~": "tilde",
    },
    symbols={
        "&": "en", "@": "at", "#": "nummer", "№": "nummer", "§": "paragraaf", "+": "plus", "=": "is", "×": "keer",
        "÷": "gedeeld door", "±": "plus of min", "²": "kwadraat", "³": "tot de derde", "≈": "ongeveer",
        "<": "kleiner dan", ">": "groter dan", "≤": "kleiner dan of gelijk aan", "≥": "groter dan of gelijk aan",
        "−": "min", "≠": "is niet gelijk aan", "√": "vierkantswortel van",
    },
    titles={
        "mr.": "meester", "ds.": "dominee", "fam.": "familie", "Fam.": "familie", "geb.": "geboren",
        "afd.": "afdeling", "nl.": "namelijk", "vs.": "versus", "ong.": "ongeveer", "event.": "eventueel",
        "temp.": "temperatuur", "min.": "minimaal", "max.": "maximaal", "Bijv.": "Bijvoorbeeld", "Ca.": "Circa",
        "O.a.": "Onder andere", "D.w.z.": "Dat wil zeggen", "b.v.": "bijvoorbeeld", "i.s.m.": "in samenwerking met",
        "o.v.v.": "onder vermelding van", "t.w.v.": "ter waarde van", "a.h.w.": "als het ware",
        "m.i.": "mijns inziens", "z.g.": "zogenaamde", "w.o.": "waaronder", "m.m.v.": "met medewerking van",
        "m.b.v.": "met behulp van", "a.d.h.v.": "aan de hand van", "t.e.m.": "tot en met", "v.a.": "vanaf",
        "v.w.b.": "voor wat betreft", "d.d.": "de dato", "e.e.a.": "een en ander", "ivm": "in verband met",
        "dmv": "door middel van", "mbt": "met betrekking tot", "mbv": "met behulp van", "tov": "ten opzichte van",
        "nav": "naar aanleiding van", "ipv": "in plaats van", "tav": "ten aanzien van", "dwz": "dat wil zeggen",
        "ism": "in samenwerking met", "bijv": "bijvoorbeeld", "btw": "bee tee wee", "tv": "tee vee", "pc": "pee cee",
        "dvd": "dee vee dee", "cd": "cee dee", "wc": "wee cee", "sms": "es em es", "gps": "gee pee es",
        "zzp": "zet zet pee", "hbo": "haa bee oo", "mbo": "em bee oo", "vwo": "vee wee oo", "ict": "i cee tee",
        "hiv": "haa i vee", "PvdA": "pee vee dee a", "kg": "kilo", "km": "kilometer", "cm": "centimeter",
        "km/u": "kilometer per uur", "kWh": "kilowattuur", "dhr.": "de heer", "mevr.": "mevrouw", "mw.": "mevrouw",
        "Dr.": "doctor", "dr.": "doctor", "prof.": "professor", "Prof.": "Professor", "bijv.": "bijvoorbeeld",
        "bv.": "bijvoorbeeld", "d.w.z.": "dat wil zeggen", "o.a.": "onder andere", "i.p.v.": "in plaats van",
        "m.b.t.": "met betrekking tot", "t.o.v.": "ten opzichte van", "ca.": "circa", "evt.": "eventueel",
        "incl.": "inclusief", "tel.": "telefoon", "Tel.": "telefoon", "Dhr.": "de heer", "Mevr.": "mevrouw",
        "Mw.": "mevrouw", "drs.": "doctorandus", "ir.": "ingenieur", "ing.": "ingenieur", "excl.": "exclusief",
        "i.v.m.": "in verband met", "m.a.w.": "met andere woorden", "zgn.": "zogenaamde", "vgl.": "vergelijk",
        "vnl.": "voornamelijk", "o.m.": "onder meer", "m.u.v.": "met uitzondering van", "o.l.v.": "onder leiding van",
        "t.a.v.": "ter attentie van", "m.i.v.": "met ingang van", "t/m": "tot en met", "resp.": "respectievelijk",
        "p/a": "per adres", "d.m.v.": "door middel van", "o.b.v.": "op basis van", "t.g.v.": "ter gelegenheid van",
        "i.h.b.": "in het bijzonder", "a.g.v.": "als gevolg van", "n.a.v.": "naar aanleiding van",
        "i.t.t.": "in tegenstelling tot", "m.n.": "met name", "bijz.": "bijzonder", "WOI": "Eerste Wereldoorlog",
        "WOII": "Tweede Wereldoorlog", "WO II": "Tweede Wereldoorlog", "WO I": "Eerste Wereldoorlog",
    },
    abbreviations={"enz.": "enzovoort", "etc.": "et cetera", "v.Chr.": "voor Christus", "n.Chr.": "na Christus",
                   "v. Chr.": "voor Christus", "n. Chr.": "na Christus", "a.u.b.": "alstublieft",
                   "s.v.p.": "alstublieft", "e.d.": "en dergelijke", "z.o.z.": "zie ommezijde",
                   "n.v.t.": "niet van toepassing", "e.a.": "en anderen", "e.v.": "en volgende",
                   "t.z.t.": "te zijner tijd", "z.s.m.": "zo snel mogelijk", "B.V.": "bee vee", "N.V.": "en vee",
                   "a.s.": "aanstaande", "jl.": "jongstleden"},
    abbreviated=(
        (r"(?<=\d[ed] )min\.", "minuut."), (r"(?:(?<=\d[-–]\d )|(?<=\d[-–]\d\d ))u(?!\w)\.?", "uur."),
        (r"(?<=\d),--?(?!\w)", ""), (r"(?<=\d),[–—](?!\w)", ""),
        (r"(?<=[a-z])str\.(?= \d)", "straat"), (r"(?<!\w)St\.(?= [A-Z])", "Sint"),
        *((rf"(?<=\d ){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (roman_after("[Hh]oofdstuk|[Dd]eel|[Bb]oek|[Aa]kte|[Ss]cène"), "", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)(?:ste|de|e))(?!\w)", "ordinal", "{n}"),
        (regnal("Lodewijk|Willem|Karel|Hendrik|Filips|Johannes Paulus|Johannes|Benedictus|Leo|Pius|Napoleon|Frederik|"
                "Willem-Alexander|Catharina|Elizabeth"), "ordinal", "de {n}"),
    ),
    letters="a bee cee dee ee ef gee haa i jee kaa el em en oo pee kuu er es tee uu vee wee iks ij zet",
    spelled=frozenset({"EU", "VS", "AI", "API", "URL", "USB", "BTW", "CDA", "ANWB", "EK", "OV", "CO", "UTC", "ECB",
    "USA", "AOW", "NOS", "ING", "RIVM",
                       "CAO", "HBO", "MBO", "ID", "IC", "ICT", "UWV", "IQ", "HIV", "AIVD", "AEX", "KNMI", "IMF", "UV",
                       "EHBO", "APK", "WAO", "ADHD", "UTF", "IRC", "ISP"}),
)  # fmt: skip

"""German. Not CLDR's: Duden, Die Grammatik (10th ed.), numerals (§ 1245 ff.: "ein" before a noun, ordinals with
"-n"), and DIN 5008 (dates, times, abbreviations) for how they are written.
"""

from chatterbox_worker.text.spoken import german
from chatterbox_worker.text.spoken.patterns import (
    YEAR,
    after,
    regnal,
    roman_after,
    weekdays,
    without_spaces,
    years_before,
)
from chatterbox_worker.text.spoken.rules import Money, Rules

_BEFORE_MONTH = (
    rf"(?:(?<=\d\. )|(?<=\.[–/-])|{after('[Ii]m', 'Ende', 'Anfang', 'Mitte', '[Ss]eit')}|\b(?=\w+\. ?[–/-] ?[A-Z]))"
)
_DATES = (
    "[Aa]m", "[Vv]om", "[Zz]um", "[Bb]is", "[Aa]b", "[Ss]eit", "[Dd]e[mnrs]",
    *(f"{german.DAY}{mark}" for mark in ("", "[.,]", r"\.,")),
    *(f"{day}{comma}" for day in german.WEEKDAYS.values() for comma in ("", ",")),
)  # fmt: skip
_SUFFIX = (
    r"(?:mal|fach|jährig|monatig|wöchig|tägig|stündig|minütig|köpfig|stellig|teilig|stöckig|seitig|"
    r"prozentig)[a-zäöüß]*"
)
_BOOKS = {
    "Gen": "Genesis", "Jes": "Jesaja", "Jer": "Jeremia", "Hes": "Hesekiel", "Ps": "Psalm", "Spr": "Sprüche",
    "Mt": "Matthäus", "Mk": "Markus", "Lk": "Lukas", "Joh": "Johannes", "Apg": "Apostelgeschichte", "Röm": "Römer",
    "Kor": "Korinther", "Gal": "Galater", "Eph": "Epheser", "Kol": "Kolosser", "Mose": "Mose", "Kön": "Könige",
    "Chr": "Chronik", "Thess": "Thessalonicher", "Hebr": "Hebräer", "Jak": "Jakobus", "Petr": "Petrus",
    "Offb": "Offenbarung",
}  # fmt: skip
_PER_UNIT = {"km²": "Quadratkilometer", "m²": "Quadratmeter", "m³": "Kubikmeter"}
_KINGS = (
    r"(?:(?:König|Kaiser|Papst|Zar|Sultan|Pharao|Prinz|Fürst|Herzog|Kurfürst) [A-ZÄÖÜ][a-zäöüß]+|Ludwig|"
    r"Friedrich Wilhelm|Friedrich|Wilhelm|Heinrich|Karl|Otto|Johannes Paul|Johannes|Benedikt|Leo|Pius|Nikolaus|"
    r"Alexander|Napoleon|Georg|Philipp|Franz|Joseph|Josef|Leopold|Rudolf|Konrad|Gregor|Innozenz|Clemens|Sixtus|Urban|"
    r"Julius|Maximilian|Ferdinand|Lothar|Albrecht|August|Iwan|Gustav|Harald|Felipe|Ramses|Ptolemäus|Johann Friedrich|"
    r"(?:Paul|Peter|Richard|Eduard|Jakob|Charles|James|George|Edward|Henry|Christian|Albert)(?= [IVX]{2}))"
)
_QUEENS = (
    r"(?:(?:Königin|Kaiserin|Zarin|Fürstin) [A-ZÄÖÜ][a-zäöüß]+|Elisabeth|Katharina|Margarethe|Margrethe|Beatrix|"
    r"Maria|"
    r"Isabella)"
)
_SECTIONS = (
    r"Abschnitt|Abschnitte|Abschnitten|Kapitel|Kapiteln|Kap\.|Ziffer|Ziff\.|Abbildung|Abb\.|Tabelle|Tabellen|Tab\.|"
    r"Version|Anhang|Übung|Punkt|Beispiel|Absatz|Teil|Aufgabe|Anlage|Release"
)

RULES = Rules(
    locale="de", group=". ", decimal=",", cardinal="numbering",
    sections=_SECTIONS,
    labels=(
        r"(?:\b(?:Kapitel|Teil|Band|Nummer|Platz|Version|Stufe|Klasse|Phase|Artikel|Absatz|Satz|Seite|Raum|Zimmer|"
        r"Gleis|Tor|Abschnitt|Punkt|Ziffer|Tabelle|Abbildung|Bild|Level|Runde|Gruppe|Formel|Linie|Zone|Typ|Tag|Woche|"
        r"Schritt|Frage|Aufgabe|Übung|Lektion|Beispiel|Variante|Option|Zeile|Spalte|Akt|Szene|Vers|Psalm|Staffel|"
        r"Folge|Episode|Haus|Block|Halle|Saal|Terminal|Gate|Port|Kanal|Modell|Stelle|Modul|Fall|Liga|Paragraph|"
        r"Paragraf)|(?:Kap|Bd|Nr|Art|Abs|S|Ziff|Tab|Abb|Kl)\.|§) ?$"
    ),
    agreement=german.AGREEMENT,
    ordinals=(("-?s?te", "ordinal"), ("-?s?ten", "ordinal-n"), ("-?s?ter", "ordinal-r"), ("-?s?tes", "ordinal-s")),
    ordinal_stops=german.ORDINAL_STOPS, years=((YEAR, "numbering-year"),),
    phrase_fixes=german.HALF_FIXES,
    forms=(
        (rf"(?<!\w)(?:{_SECTIONS}) \d\d?\.\d\d? (?:und|oder|bis) (?P<all>(?P<n>\d\d?)\.(?P<m>\d\d?))(?![\w%°]|[.,]\d)",
         "{n} Punkt {m}"),
        years_before(r"v\. ?(?:Chr|u)\.", "bis"), (r"(?<!\w)v\. ?Chr\.(?P<all> ?[–-] ?)(?=\d)", " bis "),
        (r"(?<!\d)\d{1,2}\.(?P<all> ?[–-] ?)(?=\d{1,3}\.(?: [A-ZÄÖÜ]|\d{1,2}\.))", " bis "),
        (r"(?<!\d)\d{1,2}\.(?:\d{1,2}\.)?(?P<all> ?[–-] ?)(?=\d{1,2}\.\d{1,2}\.)", " bis "),
        (r"(?<!\d)\d{1,2}\.(?P<all>/)(?=\d{1,2}\. [A-ZÄÖÜ])", ", "),
        (r"(?<!\d)\d{1,2}\.\d\d(?P<all> ?[–-] ?)(?=\d\d? Uhr)", " bis "),
        *weekdays(
            german.WEEKDAYS, "bis", mark="[:,]?",
            after=rf"\d{{1,2}}(?:[.:]\d\d)?(?: ?[–-] ?\d| Uhr)|\d{{1,2}}\. ?(?:\d{{1,2}}\.|{german.ANY_MONTH})|"
                  rf"bis {german.DAY}(?!\w)",
        ),
        *german.HALVES, *german.SMALL,
        *((rf"(?<!\w){n}\. ?(?=(?:Kor|Thess|Tim|Petr|Joh|Mose|Sam|Kön|Chr)\w*\.? \d{{1,3}},)", f"{word} ")
          for n, word in enumerate(("Erster", "Zweiter", "Dritter"), 1)),
        *(
            (rf"(?<!\w){short}\.? (?=\d{{1,3}},\d+(?! ?(?:(?:[kc]?m|k?g|Mio|Mrd)\b|[%€])))", f"{name} ")
            for short, name in _BOOKS.items()
        ),
        (r"(?<![\w:.,])1:(?P<m>\d{4,}|\d{1,3}(?:[. ]\d{3})+)(?![\w:])", "eins zu {m}"),
        (r"(?<![\w:.,])(?P<n>\d{1,4}) : (?P<m>\d{1,4})(?= ?=)", "{n} geteilt durch {m}"),
        (r"(?<![\w:.,])(?P<n>\d{1,3})(?::| : )(?P<m>\d{1,3})(?![\w:]|[.,]\d)", "{n} zu {m}"),
        (r"(?<![\w.,-])(?P<n>\d{1,2})[-–](?P<m>\d{1,2}) ?x(?= [a-zäöüß]{2,})", "{n} bis {m}mal"),
        (r"(?<![\w.,])1 ?x(?= [a-zäöüß]{2,})", "einmal"),
        (r"(?<![\w.,])(?P<n>\d{1,4}) ?x(?= [a-zäöüß]{2,})", "{n}mal"),
        (rf"(?<![\w.,])1(?P<s>{_SUFFIX})", "ein{s}"), (rf"(?<![\w.,])(?P<n>\d{{1,4}})(?P<s>{_SUFFIX})", "{n}{s}"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:,\d)?) ?%-?ig(?P<e>[a-z]{0,2})(?!\w)", "{n}prozentig{e}"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})*),[-–—]{1,2} ?(?:€|EUR(?!\w))", "{n} Euro"),
        (r"(?:(?<=Fax )|(?<=Fax: )|(?<=wahl )|(?<=DW ))-(?P<n>\d{1,4})(?!\w)", "{n}"),
        (r"(?:(?<=Abs\. \d )|(?<=Absatz \d )|(?<=§ \d )|(?<=§ \d\d )|(?<=§ \d{3} ))S\. ?(?=\d)", "Satz "),
        (r"(?<![\w.,])(?P<c>1[1-9])(?P<n>\d\d)er(?![^\W\d_])", "{c}hundert{n}er"),
        (r"(?<![\w.,])(?P<n>\d{1,4}|\d{1,3}\.000)er(?P<e>lei)?(?![^\W\d_])", "{n}er{e}"),
        (r"(?<![\w/.,])1/5(?= (?:de|vo|da))", "ein Fünftel"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= (?:de|vo|da))",
        "{n} Fünftel"),
        (r"(?<![\w/.,])1/10(?= (?:de|vo|da))", "ein Zehntel"), (r"(?<![\w/.,])1/8 ?l\b", "ein Achtel Liter"),
        (r"(?<![\w/.,])1/8(?= (?:de|vo|L))", "ein Achtel"),
        (r"(?<![\w/.,])(?P<n>[3579])/8(?![\w/]|[.,]\d)", "{n} Achtel"),
        (r"(?<![\w/.,])(?P<n>[2-9]|1[0-9])/4(?=-Takt)", "{n} Viertel"),
        (r"(?<![\w/.,])(?P<n>6|12)/8(?=-Takt)", "{n} Achtel"),
        *((rf"(?:(?<=pro )|(?<=je )){unit}(?![\w/])", words) for unit, words in _PER_UNIT.items()),
        (r"(?<![\w.,])(?P<n>\d{1,4}) DM (?P<m>\d\d?) ?Pf(?!\w)\.?", "{n} Mark {m}"),
        (r"(?<!\w)Art(?:ikel|\.)-Nr\. ?(?=\d)", "Artikelnummer "), (r"(?<!\w)Best(?:ell|\.)-Nr\. ?(?=\d)",
        "Bestellnummer "),
        (r"(?<!\w)(?:Kunden|Kd\.)-Nr\. ?(?=\d)", "Kundennummer "), (r"(?<!\w)(?:Rechnungs|Rg\.)-Nr\. ?(?=\d)",
        "Rechnungsnummer "),
        (r"(?<!\w)Tel\.-Nr\. ?(?=\d)", "Telefonnummer "), (r"(?<![\w/.])(?P<n>[0-5](?:,\d)?)/5(?= Sterne)",
        "{n} von fünf"),
        (r"(?<!\w)S\. ?(?=\d)", "Seite "),
        (r"§§ ?(?=\d)", "Paragrafen "), (r"§ ?(?=\d)", "Paragraf "),
        (r"(?<!\w)(?<!\d )[Mm]in\. ?(?=\d)", "minimal "),
        (r"(?<!\w)[Aa]b S\. ?(?=\d)", "ab Seite "),
    ),
    to="bis", score="zu", code_number="pairs",
    books="|".join((*_BOOKS, *(f"{short}\\." for short in _BOOKS), *_BOOKS.values())),
    phones=after(
        *(f"{name}{mark}" for mark in ("", ":") for name in (
            "[Tt]el", r"[Tt]el\.", "[Tt]elefon", "[Ff]ax", "[Mm]obil", "[Hh]andy", "PLZ", "Postleitzahl", "BLZ",
            r"Kto\.",
            "Durchwahl", "Kundennummer", "Kontonummer", "Telefonnummer", "Handynummer", "Bestellnummer",
            "Rechnungsnummer",
        )),
    ) + r"|(?<!\w)D-|(?:(?<=\d, )|(?<=\d[a-z], ))(?=\d{5} [A-ZÄÖÜ])",
    emergency=r"\b(?:Notruf|[Ww]ähl\w+|[Rr]uf\w*)(?: Sie)?(?: die| unter)? ",
    per={
        "Monat": "pro Monat", "Jahr": "pro Jahr", "Tag": "pro Tag", "Woche": "pro Woche", "Stunde": "pro Stunde",
        "Std.": "pro Stunde", "h": "pro Stunde", "Nacht": "pro Nacht", "Person": "pro Person", "Pers.": "pro Person",
        "m²": "pro Quadratmeter", "m2": "pro Quadratmeter", "qm": "pro Quadratmeter", "m³": "pro Kubikmeter",
        "kg": "pro Kilogramm", "100 g": "pro hundert Gramm", "l": "pro Liter", "L": "pro Liter",
        "kWh": "pro Kilowattstunde", "km": "pro Kilometer", "Stück": "pro Stück", "Stk.": "pro Stück",
        "t": "pro Tonne",
    },
    numbered={
        "nrn.": "Nummern", "hausnr.": "Hausnummer", "nr.": "Nummer", "abb.": "Abbildung", "kap.": "Kapitel",
        "abs.": "Absatz", "art.": "Artikel", "bd.": "Band", "tab.": "Tabelle", "zi.": "Zimmer", "gr.": "Größe",
        "kl.": "Klasse", "whg.": "Wohnung", "geb.": "geboren", "gest.": "gestorben", "max.": "maximal",
        "mind.": "mindestens", "ziff.": "Ziffer", "no.": "Nummer", "fn.": "Fußnote", "rn.": "Randnummer",
        **{f"{short.lower()}.": long for short, long in german.SHORT_MONTHS.items()},
    },
    out_of="von", days_before="am|dem|den|vom", between={":": "zu", "x": "mal", "^": "hoch"},
    fractions={
        "1/2": "ein halb", "1 1/2": "eineinhalb", "n 1/2": "{n}einhalb", "1/3": "ein Drittel", "2/3": "zwei Drittel",
        "1/4": "ein Viertel", "3/4": "drei Viertel",
    },
    scales={
        **dict.fromkeys(["Mio.", "Mio"], "one{Million} other{Millionen}"),
        **dict.fromkeys(["Mrd.", "Mrd"], "one{Milliarde} other{Milliarden}"),
        **dict.fromkeys(["Tsd.", "Tsd"], "other{tausend}"),
    },
    money={
        "USD": Money(major="other{Dollar}", minor="other{Cent}"), "EUR": Money(major="other{Euro}",
         minor="other{Cent}"),
        "GBP": Money(major="other{Pfund}", minor="one{Penny} other{Pence}"),
        "CHF": Money(major="other{Franken}", minor="other{Rappen}"), "JPY": Money(major="other{Yen}"),
        "PLN": Money(major="other{Złoty}"), "DEM": Money(major="other{Mark}", minor="other{Pfennig}"),
    },
    symbols_of_money={"DM": "DEM", "US-$": "USD", **dict.fromkeys(["Fr.", "sFr.", "SFr."], "CHF")},
    money_words={"Euro": "EUR", "Dollar": "USD", "US-Dollar": "USD", "Franken": "CHF", "Mark": "DEM"},
    money_and=" und ",
    money_scales={
        "Millionen": "other{Millionen}", "Million": "other{Million}", "Milliarden": "other{Milliarden}",
        "Milliarde": "other{Milliarde}",
    },
    units={"t": "tonne", "qm": "square-meter", "Kilo": "kilogram"},
    unit_words={
        "dB": "other{Dezibel}", "ct": "other{Cent}", "Ct": "other{Cent}", "Ct.": "other{Cent}", "PS": "other{PS}",
        "EL": "other{Esslöffel}", "El": "other{Esslöffel}", "Tl": "other{Teelöffel}", "TL": "other{Teelöffel}",
        "St.": "other{Stück}", "Bd.": "other{Bund}", "Pr.": "one{Prise} other{Prisen}", "Pf.": "other{Pfennig}",
        "Pf": "other{Pfennig}", "Pck.": "one{Päckchen} other{Päckchen}", "Pkg.": "one{Packung} other{Packungen}",
        "Stk.": "other{Stück}", "Pers.": "one{Person} other{Personen}",
        "Msp.": "one{Messerspitze} other{Messerspitzen}", "ct/kWh": "other{Cent pro Kilowattstunde}",
        "g/km": "other{Gramm pro Kilometer}", "U/min": "other{Umdrehungen pro Minute}",
        "l/100 km": "other{Liter pro hundert Kilometer}", "kWh/100 km": "other{Kilowattstunden pro hundert Kilometer}",
        "Zi.": "other{Zimmer}", "Jh.": "one{Jahrhundert} other{Jahrhunderte}",
        **dict.fromkeys(["Std.", "Std"], "one{Stunde} other{Stunden}"),
        **dict.fromkeys(["Min.", "Min"], "one{Minute} other{Minuten}"),
    },
    time="{h} Uhr {m}", time_hour="{h} Uhr", time_after="Uhr|h",
    time_dotted=(r"(?=\d\d?\.\d\d(?: ?(?:[–-]|bis) ?\d\d?(?:\.\d\d)?)? ?(?:Uhr|h)(?!\w))", ""),
    hour="cardinal-masculine",
    date_short=(
        (after(*_DATES), r"\.(?!\w)"), (r"(?<![\w.])", r"\.(?= ?[–-] ?\d{1,2}\.\d{1,2}\.)"),
        (r"(?<![\w.])\d{1,2}\. ?[–-] ?", r"\.(?!\w)"),
        (rf"{after(*_DATES)}\d\d?\.\d\d?\.(?: ?[–-] ?| und (?:am )?| oder (?:am )?| bis |/)", r"\.(?!\w)"),
    ),
    date="{d} {m} {y}", day="ordinal-n", day_after=((r"\b[Dd]er $", "ordinal"),), year="numbering-year",
    marks={
        ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "@": "at", ":": "Doppelpunkt",
        "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute", "%": "Prozent", "+": "plus", "~": "Tilde",
    },
    symbols={
        "&": "und", "@": "at", "#": "Nummer", "№": "Nummer", "§": "Paragraf", "+": "plus", "=": "gleich", "×": "mal",
        "÷": "geteilt durch", "±": "plus minus", "²": "hoch zwei", "³": "hoch drei", "≈": "ungefähr",
        "<": "kleiner als", ">": "größer als", "≤": "kleiner oder gleich", "≥": "größer oder gleich", "−": "minus",
        "≠": "ungleich", "√": "Wurzel aus",
    },
    titles={
        **without_spaces({
            "z. B.": "zum Beispiel", "Z. B.": "Zum Beispiel", "z. Bsp.": "zum Beispiel", "d. h.": "das heißt",
            "D. h.": "Das heißt", "d. i.": "das ist", "u. a.": "unter anderem", "U. a.": "Unter anderem",
            "i. d. R.": "in der Regel", "I. d. R.": "In der Regel", "u. U.": "unter Umständen", "z. T.": "zum Teil",
            "v. a.": "vor allem", "V. a.": "Vor allem", "i. A.": "im Auftrag", "i. V.": "in Vertretung",
            "m. E.": "meines Erachtens", "m. W.": "meines Wissens", "m. a. W.": "mit anderen Worten",
            "s. o.": "siehe oben", "s. u.": "siehe unten", "s. a.": "siehe auch", "S. o.": "Siehe oben",
            "S. u.": "Siehe unten", "z. Hd.": "zu Händen", "z. Hd. v.": "zu Händen von", "z. Zt.": "zurzeit",
            "z. Z.": "zurzeit", "a. M.": "am Main", "v. d.": "von der", "v. d. H.": "vor der Höhe", "a. d.": "an der",
            "i. d.": "in der", "i. Allg.": "im Allgemeinen", "i. V. m.": "in Verbindung mit",
            "i. S. v.": "im Sinne von", "i. S. d.": "im Sinne des", "i. H. v.": "in Höhe von",
            "a. F.": "alter Fassung", "n. F.": "neuer Fassung", "h. c.": "honoris causa",
            "a. a. O.": "am angegebenen Ort", "Anm. d. Red.": "Anmerkung der Redaktion", "p. P.": "pro Person",
            "a. D.": "außer Dienst", "o. B. d. A.": "ohne Beschränkung der Allgemeinheit",
        }),
        "bzw.": "beziehungsweise", "ca.": "circa", "Ca.": "Circa", "Dr.": "Doktor", "Prof.": "Professor",
        "Hr.": "Herr", "Hrn.": "Herrn", "Fr.": "Frau", "Frl.": "Fräulein", "Fam.": "Familie", "Gebr.": "Gebrüder",
        "Mr.": "Mister", "Mrs.": "Missis", "Jr.": "junior", "jun.": "junior", "sen.": "senior", "evtl.": "eventuell",
        "Evtl.": "Eventuell", "ggf.": "gegebenenfalls", "Ggf.": "Gegebenenfalls", "inkl.": "inklusive",
        "Inkl.": "Inklusive", "bspw.": "beispielsweise", "Bsp.": "Beispiel", "vgl.": "vergleiche",
        "Vgl.": "Vergleiche", "St.": "Sankt", "Tel.": "Telefon", "Dipl.-Ing.": "Diplomingenieur", "Dipl.": "Diplom",
        "Ing.": "Ingenieur", "Univ.": "Universität", "Fa.": "Firma", "Co.": "Co", "zzgl.": "zuzüglich",
        "exkl.": "exklusive", "einschl.": "einschließlich", "ausschl.": "ausschließlich", "bzgl.": "bezüglich",
        "Bzgl.": "Bezüglich", "mind.": "mindestens", "entspr.": "entsprechend", "lt.": "laut", "max.": "maximal",
        "gem.": "gemäß", "zz.": "zurzeit", "zzt.": "zurzeit", "jew.": "jeweils", "Mag.": "Magister",
        "Abt.": "Abteilung", "Bhf.": "Bahnhof", "u.": "und", "v.": "von", "wg.": "wegen", "ggü.": "gegenüber",
        "geb.": "geboren", "bes.": "besonders", "insb.": "insbesondere", "insbes.": "insbesondere",
        "urspr.": "ursprünglich", "eigtl.": "eigentlich", "eigentl.": "eigentlich", "eig.": "eigentlich",
        "etw.": "etwas", "jmd.": "jemand", "jmdm.": "jemandem", "jmdn.": "jemanden", "tägl.": "täglich",
        "mtl.": "monatlich", "durchschn.": "durchschnittlich", "ugs.": "umgangssprachlich", "Abk.": "Abkürzung",
        "Anm.": "Anmerkung", "Hrsg.": "Herausgeber", "Hg.": "Herausgeber", "hrsg.": "herausgegeben",
        "übers.": "übersetzt", "Aufl.": "Auflage", "Forts.": "Fortsetzung", "gez.": "gezeichnet", "Betr.": "Betreff",
        "Bez.": "Bezirk", "verh.": "verheiratet", "vs.": "versus", "Az.": "Aktenzeichen", "Jg.": "Jahrgang",
        "GmbH": "ge em be ha", "mbH": "em be ha", "GbR": "ge be er", "AfD": "a ef de", "StGB": "es te ge be",
        "StVO": "es te vau o", "UdSSR": "u de es es er", "Pkw": "pe ka we", "Lkw": "el ka we", "Pkws": "pe ka wes",
        "Lkws": "el ka wes", "Kfz": "ka ef zett", "MwSt": "Mehrwertsteuer", "zB": "zum Beispiel",
        "MfG": "Mit freundlichen Grüßen", "kg": "Kilogramm", "km": "Kilometer", "cm": "Zentimeter",
        "km/h": "Kilometer pro Stunde", "kWh": "Kilowattstunde",
    },
    abbreviations={
        **without_spaces({
            "v. Chr.": "vor Christus", "n. Chr.": "nach Christus", "e. V.": "eingetragener Verein",
            "o. Ä.": "oder Ähnliches", "o. ä.": "oder Ähnliches", "u. Ä.": "und Ähnliches", "u. ä.": "und Ähnliches",
            "u. v. m.": "und vieles mehr", "u. v. a.": "und viele andere", "u. a. m.": "und andere mehr",
            "u. s. w.": "und so weiter", "d. J.": "des Jahres", "d. M.": "des Monats", "u. dgl.": "und dergleichen",
            "d. Ä.": "der Ältere", "v. u. Z.": "vor unserer Zeitrechnung", "n. u. Z.": "nach unserer Zeitrechnung",
            "i. R.": "im Ruhestand", "p. a.": "pro Jahr",
        }),
        "usw.": "und so weiter", "etc.": "et cetera", "usf.": "und so fort", "MwSt.": "Mehrwertsteuer",
        "Hbf.": "Hauptbahnhof", "Hbf": "Hauptbahnhof",
    },
    adjectives=without_spaces({
        "sog.": "sogenannt", "o. g.": "oben genannt", "dt.": "deutsch", "engl.": "englisch", "frz.": "französisch",
        "franz.": "französisch", "brit.": "britisch", "amerik.": "amerikanisch", "ital.": "italienisch",
        "span.": "spanisch", "griech.": "griechisch", "röm.": "römisch", "lat.": "lateinisch", "russ.": "russisch",
        "poln.": "polnisch", "österr.": "österreichisch", "schweiz.": "schweizerisch", "chin.": "chinesisch",
        "jap.": "japanisch", "ehem.": "ehemalig", "versch.": "verschieden", "kath.": "katholisch",
        "ev.": "evangelisch", "lfd.": "laufend", "überarb.": "überarbeitet", "erw.": "erweitert",
        "stv.": "stellvertretend", "allg.": "allgemein", "hl.": "heilig", "Hl.": "Heilig",
    }),
    endings=german.ENDINGS,
    abbreviated=(
        *((rf"(?:(?<=häufte )|(?<=häufter )|(?<=richene )|(?<=richener )|(?<=knapper ))(?P<a>{short})(?!\w)", name)
          for short, name in (("EL", "Esslöffel"), ("TL", "Teelöffel"))),
        (r"(?<=[a-zäöüß])str\.(?= \d)", "straße"), (r"(?<!\w)Str\.(?= \d)", "Straße"),
        (r"(?<=\d\. )(?:Jh|Jhdt?|Jahrh)\.", "Jahrhundert."),
        *((rf"{_BEFORE_MONTH}{short}\.", f"{long}.") for short, long in german.SHORT_MONTHS.items()),
        (r"(?<!\w)Bd\.(?= [IVXL]+\b)", "Band"), (r"(?<!\w)Kap\.(?= [IVXL]+\b)", "Kapitel"),
        (rf"{german.ANY_MONTH}(?P<a> ?[–-] ?)(?={german.ANY_MONTH})", " bis "),
        (r"\b[A-ZÄÖÜ][a-zäöüß]+ (?P<a>d\. ?J\.)", "der Jüngere."),
        (r"(?<=\d )n\. ?V\.", "nach Verlängerung."), (r"(?<=\d )i\. ?E\.", "im Elfmeterschießen."),
        (r"(?<=\d )ff\.(?= [A-Z]+[a-z]?[A-Z])", "fortfolgende"), (r"(?<=\d )ff\.", "fortfolgende."),
        (r"(?<=\d)ff\.", "fortfolgende."), (r"(?<=\d )f\.", "folgende."), (r"(?<=\d)f\.", "folgende."),
        (r"(?<=\d),--?(?!\w)", ""), (r"(?<=\d)[.,][–—](?!\w)", ""),
        (r"(?<=Dr\. )(?:med|phil|jur|iur|theol|rer|oec)(?P<a>\.)", ""), (r"(?<=Dr\. rer\. )(?:nat|pol)(?P<a>\.)", ""),
        (r"(?<!\w)v\.(?= \d{1,2}\. ?(?:\d|[A-ZÄÖÜ]))", "vom"),
        (rf"(?<!\w)geb\.(?= (?!{german.MONTHS})[A-ZÄÖÜ][a-zäöüß])", "geborene"),
        (r"(?<!\w)s\.(?= ?(?:S\.|Seite|Kap|Abschn|Abb|Tab|Anm|Bd|auch|oben|unten|hierzu|dazu|Art|§|Nr|Teil|Anhang))",
         "siehe"),
    ),
    roman=(
        (roman_after("Kapitel|Band|Teil|Akt|Szene|Buch|Artikel|Typ|Kap\\.|Bd\\.|Art\\."), "", "{n}"),
        *german.NUMERALS,
        (regnal(f"{_QUEENS}s?"), "ordinal", "die {n}"), (regnal(f"{_KINGS}s?"), "ordinal", "der {n}"),
    ),
    roman_cases=(
        (r"(?:[^uens]|[aoi]n)s $", "ordinal-n", {"der {n}": "des {n}", "die {n}": "der {n}"}),
        (r"\b(?i:von|unter|mit|bei|zu|nach|seit|aus|an|vor)(?: [A-ZÄÖÜ]\w+){1,3} $", "ordinal-n",
         {"der {n}": "dem {n}", "die {n}": "der {n}"}),
        (r"\b(?i:für|gegen|durch|ohne|um)(?: [A-ZÄÖÜ]\w+){1,3} $", "ordinal-n", {"der {n}": "den {n}"}),
    ),
    letters="a be ce de e ef ge ha i jot ka el em en o pe ku er es te u vau we ix ypsilon zett",
    spelled=frozenset({
        "USA", "KI", "IT", "API", "AG", "URL", "USB", "EDV", "ADAC", "CO", "CDU", "CSU", "ARD", "AFD", "SAP", "OP",
        "OG", "UTC",
        "EZB", "ICE", "IC", "OB", "UKW", "ADHS", "EKG", "EU", "US", "UN", "EM", "IQ", "IP", "ID", "CPU", "GPU", "UDP",
        "IRC",
        "FAQ", "LED", "UV", "HIV", "IHK", "IWF", "OECD", "BIP", "AGB", "AKW", "AOK", "FAZ", "IG", "OLG", "ISBN",
        "EKD", "NSA",
        "FBI", "CIA", "IOC", "ISS", "HNO", "LKA", "BKA", "GEZ", "UTF", "IBM", "ISP", "URI", "GUI",
    }),
)  # fmt: skip

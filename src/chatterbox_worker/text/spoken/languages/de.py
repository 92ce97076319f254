"""German. Not CLDR's: Duden, Die Grammatik (10th ed.), numerals (§ 1245 ff.: "ein" before a noun, ordinals with
"-n"), and DIN 5008 (dates, times, abbreviations) for how they are written.
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"

_WEEKDAYS = {
    "Mo": "Montag", "(?-i:Di)": "Dienstag", "(?-i:Mi)": "Mittwoch", "(?-i:Do)": "Donnerstag", "Fr": "Freitag",
    "Sa": "Samstag",
    "(?-i:So)": "Sonntag",
}  # fmt: skip
_SHORT_MONTHS = {
    "Jan": "Januar", "Feb": "Februar", "Febr": "Februar", "Apr": "April", "Jun": "Juni", "Jul": "Juli",
    "Aug": "August", "Sep": "September", "Sept": "September", "Okt": "Oktober", "Nov": "November", "Dez": "Dezember",
}  # fmt: skip

_HALF = r"(?<![\d.,/\w])(?<!\d )(?:1/2|½) "

RULES = Rules(
    locale="de", group=". ", decimal=",", cardinal="numbering",
    sections=r"Abschnitt|Kapitel|Abbildung|Abb\.|Tabelle|Tab\.|Version|Anhang|Übung|Punkt",
    agreement=(
        ((r"=? (?:Stunde|Minute|Sekunde|Woche|Person|Frau|Seite|Tonne|Meile|Million|Milliarde|Mark|Lira|Rupie|Unze|"
          r"Krone|"
         r"Kilowattstunde|Prise|Tüte|Dose|Scheibe|Zehe|Zwiebel|Karotte|Stufe|Klasse|Etage|Familie|Stimme|Aufgabe|Frage|"
         r"Antwort|Nacht|Stadt|Karte|Rolle|Runde|Schule|Tochter|Schwester|Kugel|Treppe|Gruppe|Sorte|Messerspitze|"
         r"Katze|Straße|Flasche|Tasse|\w+(?:ung|heit|keit|schaft|ion|tät))\b"), "cardinal-feminine"),
        (r"=? [A-ZÄÖÜ]", "cardinal-masculine"),
    ),
    ordinal_stops=(
        (r"\b(?:[Aa]m|[Vv]om|[Zz]um|[Bb]eim|[Ii]m|[Dd]em|[Dd]en|[Dd]es|[Aa]b|[Bb]is|[Ss]eit) ", r" [A-ZÄÖÜa-zäöü]",
         "ordinal-n"),
        (r"\b(?:[Dd]er|[Dd]ie|[Dd]as) ", r" [A-ZÄÖÜa-zäöü]", "ordinal"),
        (r"", rf" (?:{_MONTHS}|(?:{'|'.join(_SHORT_MONTHS)})\.)", "ordinal-r"),
        (r"", r" (?:Weltkrieg|Platz|Stock|Schritt|Tag|Akt|Satz|Spieltag|Sieger|Bezirk|Preis|Gang|Teil|Advent|FC)\b",
         "ordinal-r"),
        (r"", r" (?:Bundesliga|Liga|Klasse|Etage|Auflage|Kl|Runde|Halbzeit|Reihe|Staffel|Folge|Minute|Stufe|Woche)\b",
         "ordinal"),
        (r"", r" (?:Kapitel|Semester|Quartal|Halbjahr|Obergeschoss|OG|Lebensjahr)\b", "ordinal-s"),
    ),
    years=((YEAR, "numbering-year"),),
    phrase_fixes={r"\bein halb (Gramm|Kilogramm|Pfund|Jahr|Dutzend|Meter|Liter|Kilometer|Kubikmeter)": r"ein halber \1",
                  r"\bein halber (Gramm|Kilogramm|Pfund|Jahr|Dutzend)": r"ein halbes \1",
                  r"\bein halb (Stunde|Minute|Meile|Tonne|Sekunde)": r"eine halbe \1"},
    forms=(
        *weekdays(_WEEKDAYS, "bis", after=r"\d{1,2}(?:[.:]\d\d)?(?: ?[–-] ?\d| Uhr)|\d{1,2}\.\d{1,2}\."),
        (_HALF + r"(?=(?:Stunde|Minute|Tasse|Flasche|Seite|Portion|Zwiebel|Zitrone)\b)", "eine halbe "),
        (_HALF + r"(?=(?:Liter|Meter|Tag|Monat|Teelöffel|Esslöffel|Becher|Kilometer)\b)", "ein halber "),
        (_HALF + r"(?=(?:Kilo|Kilogramm|Pfund|Jahr|Dutzend|Glas|Prozent)\b)", "ein halbes "),
        (r"(?<![\w:.,])(?P<n>\d{1,3}):(?P<m>\d{1,3})(?![\w:]|[.,]\d)", "{n} zu {m}"),
        (r"(?<![\w.,])19(?P<n>[1-9]0)er(?![^\W\d_])", "neunzehnhundert{n}er"),
        (r"(?<![\w.,])18(?P<n>[1-9]0)er(?![^\W\d_])", "achtzehnhundert{n}er"),
        (r"(?<![\w.,])(?P<n>\d\d?|20[12]0)er(?![^\W\d_])", "{n}er"),
        (r"(?<![\w/.,])1/5(?= (?:de|vo|da))", "ein Fünftel"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= (?:de|vo|da))",
        "{n} Fünftel"),
        (r"(?<![\w/.,])1/10(?= (?:de|vo|da))", "ein Zehntel"), (r"(?<![\w/.,])1/8(?= (?:de|vo|l\b|L))", "ein Achtel"),
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
        "mind.": "mindestens", "ziff.": "Ziffer",
    },
    out_of="von", between={":": "zu", "x": "mal", "^": "hoch"},
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
        "PLN": Money(major="other{Złoty}"),
    },
    money_and=" und ",
    money_scales={
        "Millionen": "other{Millionen}", "Million": "other{Million}", "Milliarden": "other{Milliarden}",
        "Milliarde": "other{Milliarde}", "Mio.": "one{Million} other{Millionen}",
        "Mrd.": "one{Milliarde} other{Milliarden}",
    },
    units={"t": "tonne", "qm": "square-meter", "Sek.": "second", "Kilo": "kilogram"},
    unit_words={
        "dB": "other{Dezibel}",
        "ct": "other{Cent}", "Ct": "other{Cent}", "Ct.": "other{Cent}", "PS": "other{PS}", "EL": "other{Esslöffel}",
        "TL": "other{Teelöffel}", "Pck.": "one{Päckchen} other{Päckchen}", "Pkg.": "one{Packung} other{Packungen}",
        "Stk.": "other{Stück}", "Pers.": "one{Person} other{Personen}",
        "Msp.": "one{Messerspitze} other{Messerspitzen}",
        "ct/kWh": "other{Cent pro Kilowattstunde}", "g/km": "other{Gramm pro Kilometer}",
        "U/min": "other{Umdrehungen pro Minute}",
        "l/100 km": "other{Liter pro hundert Kilometer}", "kWh/100 km": "other{Kilowattstunden pro hundert Kilometer}",
        "Zi.": "other{Zimmer}", "Jh.": "one{Jahrhundert} other{Jahrhunderte}",
        "Std.": "one{Stunde} other{Stunden}", "Min.": "one{Minute} other{Minuten}"},
    time="{h} Uhr {m}", time_hour="{h} Uhr", time_after="Uhr",
    time_dotted=(r"(?=\d\d?\.\d\d(?: ?[–-] ?\d\d?\.\d\d)? ?Uhr)", ""), hour="cardinal-masculine",
    date_short=(((r"(?<!\w)(?:[Aa]m|[Vv]om|[Zz]um|[Bb]is|[Aa]b|[Ss]eit|[Dd]em|[Dd]en|(?:Mo|Di|Mi|Do|Fr|Sa|So)\.?,?|"
                  r"\w+tag,?) "), r"\.(?!\w)"),),
    date="{d} {m} {y}", day="ordinal-n", year="numbering-year",
    marks={
        ".": "Punkt", "/": "Schrägstrich", "-": "Bindestrich", "_": "Unterstrich", "@": "at", ":": "Doppelpunkt",
        "?": "Fragezeichen", "=": "gleich", "&": "und", "#": "Raute", "%": "Prozent", "+": "plus", "~": "Tilde",
    },
    symbols={
        "&": "und", "@": "at", "#": "Nummer", "№": "Nummer", "§": "Paragraf", "+": "plus", "=": "gleich", "×": "mal",
        "÷": "geteilt durch", "±": "plus minus", "²": "hoch zwei", "³": "hoch drei",
        "≈": "ungefähr", "<": "kleiner als", ">": "größer als",
        "≤": "kleiner oder gleich", "≥": "größer oder gleich", "−": "minus", "≠": "ungleich",
    },
    titles={
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem", "u.a.": "unter anderem", "bzw.": "beziehungsweise", "ca.": "circa", "Dr.": "Doktor",
        "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau", "evtl.": "eventuell", "ggf.": "gegebenenfalls",
        "inkl.": "inklusive", "bspw.": "beispielsweise", "vgl.": "vergleiche", "St.": "Sankt", "Tel.": "Telefon",
        "Dipl.-Ing.": "Diplomingenieur", "Hrn.": "Herrn", "Fa.": "Firma", "Co.": "Co", "i. d. R.": "in der Regel",
        "i.d.R.": "in der Regel", "u. U.": "unter Umständen", "u.U.": "unter Umständen", "z. T.": "zum Teil",
        "z.T.": "zum Teil", "v. a.": "vor allem", "v.a.": "vor allem", "i. A.": "im Auftrag",
        "m. E.": "meines Erachtens",
        "zzgl.": "zuzüglich", "exkl.": "exklusive", "einschl.": "einschließlich", "ausschl.": "ausschließlich",
        "bzgl.": "bezüglich", "sog.": "sogenannt", "mind.": "mindestens", "entspr.": "entsprechend", "lt.": "laut",
        "max.": "maximal", "gem.": "gemäß", "s. o.": "siehe oben", "s. u.": "siehe unten", "z. Hd.": "zu Händen",
        "z. Hd. v.": "zu Händen von", "z. Zt.": "zurzeit", "z. Z.": "zurzeit", "zz.": "zurzeit", "jew.": "jeweils",
        "a. M.": "am Main", "a. d.": "an der", "Mag.": "Magister", "Abt.": "Abteilung", "Bhf.": "Bahnhof",
    },
    abbreviations={
        "usw.": "und so weiter", "etc.": "et cetera", "v. Chr.": "vor Christus", "v.Chr.": "vor Christus",
        "n. Chr.": "nach Christus", "n.Chr.": "nach Christus",
        "e. V.": "eingetragener Verein", "e.V.": "eingetragener Verein", "o. Ä.": "oder Ähnliches",
        "o.Ä.": "oder Ähnliches", "u. Ä.": "und Ähnliches", "u. v. m.": "und vieles mehr", "u.v.m.": "und vieles mehr",
        "MwSt.": "Mehrwertsteuer", "Hbf.": "Hauptbahnhof", "Hbf": "Hauptbahnhof", "usf.": "und so fort",
        "d. J.": "des Jahres", "d. M.": "des Monats", "v.u.Z.": "vor unserer Zeitrechnung",
        "v. u. Z.": "vor unserer Zeitrechnung",
        "n. u. Z.": "nach unserer Zeitrechnung", "u. dgl.": "und dergleichen",
    },
    abbreviated=(
        (r"(?<=[a-zäöüß])str\.(?= \d)", "straße"), (r"(?<!\w)Str\.(?= \d)", "Straße"),
        (r"(?<=\d\. )Jh\.", "Jahrhundert."),
        *((rf"(?<=\d\. ){short}\.", f"{long}.") for short, long in _SHORT_MONTHS.items()),
    ),
    roman=(
        (roman_after("Kapitel|Band|Teil|Akt|Szene|Buch|Artikel|Typ|Kap\\.|Bd\\.|Art\\."), "", "{n}"),
        (regnal("Elisabeth|Katharina|Margarethe|Beatrix"), "ordinal", "die {n}"),
        (regnal("Ludwig|Friedrich|Friedrich Wilhelm|Wilhelm|Heinrich|Karl|Otto|Johannes Paul|Johannes|Benedikt|Leo|"
                "Pius|Nikolaus|"
                "Alexander|Napoleon|Georg|Philipp|Franz|Joseph|Leopold|Rudolf|Konrad"), "ordinal", "der {n}"),
    ),
    letters="a be ce de e ef ge ha i jot ka el em en o pe ku er es te u vau we ix ypsilon zett",
    spelled=frozenset({"USA", "KI", "IT", "API", "AG", "URL", "USB", "EDV", "ADAC", "CO", "CDU", "CSU", "ARD", "AFD",
    "SAP", "OP", "OG", "UTC", "EZB", "ICE", "IC", "OB", "UKW", "ADHS", "EKG",
                       "EU"}),
)  # fmt: skip

"""Italian. Not CLDR's: Serianni, Grammatica italiana, VI (numerals), and Accademia della Crusca's advice on dates,
hours and Roman numerals.
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_FEMININE = "tazza|tazzina|ora|settimana|giornata|pagina|mela|bottiglia|cucchiaiata"
_FEMININES = "tazze|tazzine|ore|settimane|giornate|pagine|mele|bottiglie|cucchiaiate"
_ORDINALS = (
    "primo", "secondo", "terzo", "quarto", "quinto", "sesto", "settimo", "ottavo", "nono", "decimo",
)  # fmt: skip
_COUNTED = (
    "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre|piano|posto|secolo|"
    "grado|classificato|premio|turno|livello|giorno|anno|figlio|comma|gol"
)
_WEEKDAYS = {
    "lun": "lunedì", "mar": "martedì", "mer": "mercoledì", "gio": "giovedì", "ven": "venerdì", "sab": "sabato",
    "dom": "domenica",
}  # fmt: skip
_MONTHS = {
    "gen": "gennaio", "feb": "febbraio", "apr": "aprile", "mag": "maggio", "giu": "giugno",
    "lug": "luglio", "ago": "agosto", "sett": "settembre", "ott": "ottobre", "nov": "novembre",
    "dic": "dicembre",
}  # fmt: skip

RULES = Rules(
    locale="it", group=". ", decimal=",", cardinal="numbering",
    sections=r"[Ss]ezione|[Cc]apitolo|[Ff]igura|[Tt]abella|[Vv]ersione|[Pp]aragrafo|[Ee]sercizio",
    agreement=(
        ((r"=? (?:or[ae]|settiman[ae]|person[ae]|volt[ae]|pagin[ae]|donn[ae]|sterlin[ae]|tonnellat[ae]|miglia|lir[ae]|"
         r"stanz[ae]|mel[ae]|macchin[ae]|tazz[ae]|cipoll[ae]|carot[ae]|bottigli[ae]|cas[ae]|camer[ae]|stell[ae]|"
         r"squadr[ae]|ragazz[ae]|bambin[ae]|figli[ae]|sorell[ae]|parol[ae]|rig[ae]|domand[ae]|rispost[ae]|port[ae]|"
         r"tavol[ae]|rat[ae]|vittori[ae]|giornat[ae]|letter[ae]|frazion[ei]|nott[ei]|part[ei]|moglie|fett[ae]|mort[ei]|"
         r"onc[ie]a?|coron[ae]|\w+(?:zione|zioni|tà))\b"), "cardinal-feminine"),
        (r"= ", "cardinal-masculine"),
        ((r" (?:(?:chilo|centi|milli)?metr[oi]|(?:chilo)?gramm[oi]|chil[oi]|litr[oi]|minut[oi]|second[oi]|giorn[oi]|"
          r"ann[oi]|mes[ei]|euro|dollar[oi]|grad[oi]|punt[oi]|libr[oi]|uom[oi]|bambin[oi])\b"), "cardinal-masculine"),
        # "un cane", but "uno studente"
        ((r" (?!(?:di|del|e|o|a|al|in|per|con|che|è|era|sono|si|su|da|non|il|la|lo|i|le)\b|s[^aeiou]|z|ps|gn|x|y)"
          r"[a-zàèéìòù]"), "cardinal-masculine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]apitolo|[Pp]agina|[Aa]rticolo|[Nn]umero|[Vv]olume|[Pp]arte|[Ss]ala|[Ll]inea|[Cc]anale|"
        r"[Ll]ivello|[Ff]ase|[Tt]ipo|[Vv]ersione|[Gg]ruppo|[Pp]asso|[Ff]igura|[Ii]l|[Dd]el|[Aa]l) $"
    ),
    ordinals=((r"º", "ordinal-masculine"), (r"ª", "ordinal-feminine"),
              (r"a(?= (?:volta|classe|edizione|parte|fila|media|elementare|giornata|tappa|puntata))",
               "ordinal-feminine")),
    forms=(
        *((rf"(?<![\d.,]){number}°(?= (?:{_COUNTED})\b)", word) for number, word in enumerate(_ORDINALS, 1)),
        *weekdays(_WEEKDAYS, "a", after=r"\d{1,2}(?:[:.]\d\d| ?[-–])"),
        (rf"(?<![\d.,/])1(?: ?½| 1/2) (?P<w>{_FEMININE})\b", "una {w} e mezza"),
        (rf"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>{_FEMININES})\b", "{n} {w} e mezza"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?kg\b", "un chilogrammo e mezzo"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?kg\b", "{n} chilogrammi e mezzo"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?[lL]\b", "un litro e mezzo"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?[lL]\b", "{n} litri e mezzo"),
        (rf"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?:{_FEMININE}|cipolla|carota|bustina|porzione)\b)", "mezza "),
        (r"(?<![\w/.,])1/5(?= de[il])", "un quinto"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= de[il])", "{n} quinti"),
        (r"(?<![\w/.,])1/10(?= de[il])", "un decimo"),
        (r"(?<=[Aa]nni )['’](?=\d0(?!\w))", ""), (r"(?<!\w)h ?24(?!\w)", "ventiquattr'ore su ventiquattro"),
        (r"(?<!\w)h (?=\d{1,2}[:.]\d\d)", "ore "), (r"(?<!\w)l['’]1(?= maggio| gennaio| aprile| agosto| ottobre)",
         "il primo"),
        (r"(?<!\w)[Nn]{2}\. ?(?=\d)", "numeri "), (r"(?<!\w)[Nn][°º] ?(?=\d)", "numero "),
        (r"(?<!\w)[Ll]\. ?(?=\d+/\d{4})", "legge "),
        (r"(?<!\w)n\. civ\. ?(?=\d)", "numero civico "),
        (r"(?<!\w)[Mm]ax\.? (?=\d)", "massimo "), (r"(?<![\w,.])(?P<n>\d\d?) cent\.", "{n} centesimi"),
        (r"(?<![\d.,])1 (?=ora\b)", "un'"), (r"(?<!\w)[Nn]\. ?(?=\d)", "numero "), (r"(?<!\w)pag\. ?(?=\d)",
      "pagina ")),
    to="a", score="a", code_number="pairs", emergency=r"\b(?:[Cc]hiam\w+|[Nn]umero|[Dd]igit\w+) (?:il |al )?",
    per={
        "mese": "al mese", "anno": "all'anno", "giorno": "al giorno", "settimana": "alla settimana", "ora": "all'ora",
        "h": "all'ora", "notte": "a notte", "persona": "a persona", "pers.": "a persona", "m²": "al metro quadrato",
        "m2": "al metro quadrato", "mq": "al metro quadrato", "m³": "al metro cubo", "mc": "al metro cubo",
        "kg": "al chilo", "l": "al litro", "L": "al litro", "kWh": "al kilowattora", "km": "al chilometro",
        "pz": "al pezzo", "pezzo": "al pezzo", "etto": "all'etto",
    },
    percent="{n} per cento",
    numbered={
        "pagg.": "pagine", "pp.": "pagine", "p.": "pagina", "fig.": "figura", "cap.": "capitolo", "artt.": "articoli",
        "art.": "articolo", "vol.": "volume", "int.": "interno", "tab.": "tabella", "min.": "minimo",
    },
    out_of="su", between={":": "a", "/": "su", "x": "per", "^": "alla"},
    fractions={
        "1/2": "mezzo", "n 1/2": "{n} e mezzo",
        "1/3": "un terzo", "2/3": "due terzi", "1/4": "un quarto", "3/4": "tre quarti",
    },
    fraction_and=" e ",
    scales={"mln": "one{milione} other{milioni}", "mld": "one{miliardo} other{miliardi}"},
    money={
        "USD": Money(major="one{dollaro} other{dollari}", minor="one{centesimo} other{centesimi}"),
        "EUR": Money(major="other{euro}", minor="one{centesimo} other{centesimi}"),
        "GBP": Money(major="one{sterlina} other{sterline}", minor="one{penny} other{pence}"),
        "JPY": Money(major="other{yen}"),
        "CHF": Money(major="one{franco} other{franchi}", minor="one{centesimo} other{centesimi}"),
    },
    money_and=" e ", money_of=" di ", phrase_fixes={" mila di ": "mila "},
    money_scales={
        "mila": "other{mila}", "milioni": "other{milioni}", "milione": "other{milione}", "miliardi": "other{miliardi}",
        "miliardo": "other{miliardo}", "mln": "one{milione} other{milioni}", "mld": "one{miliardo} other{miliardi}",
    },
    units={"mq": "square-meter", "mc": "cubic-meter", "lt": "liter", "gr": "gram", "hg": "hectogram"},
    not_units={"ha": r" (?:\w+(?:[aiu]to|tto|sto|rto|lto|so)|una?|il|l[aoe']|i|gli|più|già|solo|bisogno)\b"},
    unit_words={
        "dB": "other{decibel}",
        "CV": "one{cavallo} other{cavalli}", "cv": "one{cavallo} other{cavalli}",
        "pers.": "one{persona} other{persone}",
        "t": "one{tonnellata} other{tonnellate}", "pz": "one{pezzo} other{pezzi}", "pz.": "one{pezzo} other{pezzi}",
        "gg": "one{giorno} other{giorni}",
        "giri/min": "one{giro al minuto} other{giri al minuto}",
    },
    time="{h} e {m}", time_hour="{h}", hour="cardinal-feminine",
    time_dotted=(r"(?:[Aa]lle|[Dd]alle|[Oo]re|[Ll]e|[Hh]) ", ""),
    date="{d} {m} {y}", day_first="primo", phone_plus="più",
    marks={
        ".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso", "@": "chiocciola", ":": "due punti",
        "?": "punto interrogativo", "=": "uguale", "&": "e", "#": "cancelletto", "%": "per cento", "+": "più",
        "~": "tilde",
    },
    symbols={
        "&": "e", "@": "chiocciola", "#": "numero", "№": "numero", "§": "paragrafo", "+": "più", "=": "uguale a",
        "×": "per", "÷": "diviso", "±": "più o meno", "²": "al quadrato", "³": "al cubo",
        "≈": "circa", "<": "minore di", ">": "maggiore di",
        "≤": "minore o uguale a", "≥": "maggiore o uguale a", "−": "meno", "≠": "diverso da",
    },
    titles={
        "Sig.": "signor", "sig.": "signor", "Sig.ra": "signora", "sig.ra": "signora", "Dott.": "dottor",
        "Dott.ssa": "dottoressa", "Prof.": "professor", "Avv.": "avvocato", "Ing.": "ingegner",
        "p. es.": "per esempio",
        "ad es.": "ad esempio", "tel.": "telefono",
        "Tel.": "telefono", "dott.": "dottor", "dott.ssa": "dottoressa", "prof.": "professor",
        "prof.ssa": "professoressa",
        "Prof.ssa": "professoressa", "avv.": "avvocato", "ing.": "ingegner", "Arch.": "architetto",
        "arch.": "architetto",
        "Geom.": "geometra", "Rag.": "ragionier", "Sigg.": "signori", "sigg.": "signori", "Sig.na": "signorina",
        "sig.na": "signorina", "Egr.": "egregio", "Gent.ma": "gentilissima", "Gent.mo": "gentilissimo",
        "Spett.le": "spettabile", "On.": "onorevole", "on.": "onorevole", "Mons.": "monsignor", "Dr.": "dottor",
        "dr.": "dottor", "p.zza": "piazza", "P.zza": "piazza", "v.le": "viale", "V.le": "viale", "c.so": "corso",
        "C.so": "corso", "ca.": "circa", "c/o": "presso", "IVA incl.": "IVA inclusa",
        "IVA escl.": "IVA esclusa", "tot.": "totale", "cfr.": "confronta", "C.A.P.": "CAP", "q.tà": "quantità",
    },
    abbreviations={"ecc.": "eccetera", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo", "q.b.": "quanto basta",
                   "S.p.A.": "esse pi a", "S.r.l.": "esse erre elle", "s.r.l.": "esse erre elle",
                   "s.p.a.": "esse pi a", "u.s.": "ultimo scorso", "c.m.": "corrente mese"},
    abbreviated=(
        (r"(?<!\w)(?<![A-Z]\. )S\.(?= [A-ZÀ-Þ][a-zà-ÿ])", "San"), (r"(?<!\w)[Ss]ec\.(?= [IVX])", "secolo"),
        (r"(?<=[IVX] )sec\.", "secolo."),
        (r"(?<=\d )mar\.(?= \d{4})", "marzo"), (r"(?<=\d )sett?\.(?= \d{4})", "settembre"),
        *((rf"(?<=\d ){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:secolo|sec\.|millennio|Municipio|piano))", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:[Gg]uerra mondiale|Guerra Mondiale|Repubblica|edizione|dinastia|media))",
         "ordinal-feminine", "{n}"),
        (r"(?:(?<=secolo )|(?<=sec\. )|(?<=Sec\. ))(?P<r>[IVX]+)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("[Cc]apitolo|[Vv]olume|[Aa]tto|[Ll]ibro|[Tt]omo|[Tt]itolo"), "", "{n}"),
        (roman_after("[Pp]arte|[Ss]cena|Guerra Mondiale|guerra mondiale"), "", "{n}"),
        (regnal("Elisabetta|Caterina|Maria"), "ordinal-feminine", "{n}"),
        (regnal("Vittorio Emanuele|Luigi|Carlo|Giovanni Paolo|Benedetto|Pio|Enrico|Filippo|Umberto|Napoleone|Leone|"
                "Gregorio|Giovanni|Federico|Ferdinando|Nicola"), "ordinal-masculine", "{n}"),
    ),
    letters="a bi ci di e effe gi acca i i_lunga kappa elle emme enne o pi ku erre esse ti u vu doppia_vu ics "
            "ipsilon zeta",
    spelled=frozenset({"UE", "USA", "IA", "URL", "USB", "API", "CO", "UTC", "BCE", "SMS", "OMS", "FIGC"}),
)  # fmt: skip

"""Italian. Not CLDR's: Serianni, Grammatica italiana, VI (numerals), and Accademia della Crusca's advice on dates,
hours and Roman numerals.
"""

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import months_in_short, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_FEMININE = "tazza|tazzina|ora|settimana|giornata|pagina|mela|bottiglia|cucchiaiata"
_FEMININES = "tazze|tazzine|ore|settimane|giornate|pagine|mele|bottiglie|cucchiaiate"
_MONTH = (
    "(?:[Gg]ennaio|[Ff]ebbraio|[Mm]arzo|[Aa]prile|[Mm]aggio|[Gg]iugno|[Ll]uglio|[Aa]gosto|[Ss]ettembre|[Oo]ttobre|"
    "[Nn]ovembre|[Dd]icembre)"
)
_COUNTED = (
    f"{_MONTH}|piano|posto|secolo|grado|classificato|premio|turno|livello|giorno|anno|figlio|comma|gol|argomento|"
    "tentativo|minuto|capitolo|paragrafo|articolo|round|set|game|gruppo|reggimento|battaglione|congresso|festival|"
    "concorso|corso|episodio|libro|volume|atto|lotto|tempo|trimestre|semestre|quadrimestre|mese|girone|anniversario|"
    "compleanno|centenario|millennio|municipio|film|album|titolo|oro|record|derby|successo|goal|giro|parallelo"
)
_COUNTED_FEMININE = (
    "edizione|giornata|fila|classe|elementare|media|puntata|tappa|parte|stagione|serie|fase|volta|rata|divisione|"
    "armata|brigata|guerra|lezione|sezione|commissione|domenica|settimana|ora|riga|pagina|vittoria|sconfitta"
)
_MASCULINE_IN_A = (
    r"problema|programma|sistema|tema|poema|pianeta|dramma|clima|diploma|panorama|cinema|gorilla|vaglia|papa|poeta|"
    r"atleta|pirata|pigiama|delta|koala|puma|panda|\w+gramma|aroma|enigma|emblema|dogma|collega|duca|monarca|profeta|"
    r"geometra|pediatra|psichiatra|dilemma|schema|stemma|trauma|prisma|sisma|teorema|idioma|"
    r"(?!(?:l|p|v|riv|interv|conqu|provv)ista)\w+ista"
)
_NO_NOUN_IN_A = (
    r"[ads]+alla|\w*[dn]ella|sulla|prima|sopra|circa|ancora|senza|finora|questa|quella|allora|mila|contra|sembra|resta|"
    r"diventa|arriva|torna|manca|basta|passa|parla|entra|indica|significa|rappresenta|inizia|comincia|continua|ogni"
)
_FEMININE_IN_A = rf"(?!(?:{_MASCULINE_IN_A}|{_NO_NOUN_IN_A})\b)"
_NO_NOUN = (
    r" (?:d[aei]l?|del(?:l[aoe])?|dei|ed?|od?|ad?|al(?:l[aoe])?|in|nel(?:l[ao])?|per|con|che|è|era|erano|sono|si|su|"
    r"sul|non|il|l[aoe]|i|gli|ha|hanno|fa|più|meno|ma|tra|fra|dopo|prima|oppure|ogni|significa|indica|contiene|vale|"
    r"può|"
    r"deve|torna|resta|\w+mente)\b"
)
_WEEKDAYS = {
    "lun": "lunedì", "mar": "martedì", "mer": "mercoledì", "gio": "giovedì", "ven": "venerdì", "sab": "sabato",
    "dom": "domenica",
}  # fmt: skip
_MONTHS = {
    "gen": "gennaio", "feb": "febbraio", "mar(?=.? \\d{4})": "marzo", "apr": "aprile", "mag": "maggio",
    "giu": "giugno", "lug": "luglio", "ago": "agosto", "sett": "settembre", "ott": "ottobre", "nov": "novembre",
    "dic": "dicembre",
}  # fmt: skip
_DAY_BEFORE = (
    "(?:" + "|".join(f"(?<={day} )" for day in _WEEKDAYS.values())
    + r"|(?:(?<=\b[Ii]l )|(?<=\b[Dd]el )|(?<=\b[Dd]al )|(?<=\b[Aa]l ))(?=\d\d/(?:0[1-9]|1[0-2])(?!\d))"
    r"(?!(?P<x>\d\d)/(?P=x)))"
)  # fmt: skip
_BOOKS = (
    "Genesi|Esodo|Levitico|Numeri|Deuteronomio|Isaia|Geremia|Daniele|Salmo|Salmi|Proverbi|Giobbe|Matteo|Marco|Luca|"
    "Giovanni|Atti|Romani|Corinzi|Galati|Efesini|Ebrei|Apocalisse|Gen|Gn|Es|Dt|Is|Ger|Sal|Pr|Mt|Mc|Lc|Gv|At|Rm|Cor|Gal|"
    "Ef|Eb|Ap"
)
_SAN = (
    "Pietro|Paolo|Giovanni|Giuseppe|Francesco|Marco|Martino|Michele|Lorenzo|Luca|Luigi|Benedetto|Bernardo|Carlo|"
    "Domenico|Gennaro|Giacomo|Giorgio|Gregorio|Matteo|Nicola|Nicolò|Rocco|Siro|Vincenzo|Vito|Vitale|Vittore|Zeno|"
    "Bartolomeo|Biagio|Camillo|Damiano|Daniele|Donato|Donà|Felice|Filippo|Gabriele|Gaetano|Giuliano|Leonardo|Leone|"
    "Marino|Mauro|Pancrazio|Pio|Raffaele|Romano|Salvatore|Sebastiano|Severino|Silvestro|Simone|Sisto|Tommaso|Valentino|"
    "Babila|Casciano|Gimignano|Geminiano|Cristoforo|Massimo|Miniato|Nazario|Petronio|Prospero|Quirico|Secondo|Fermo|"
    "Lazzaro|Giusto|Remo|Salvario|Colombano|Candido|Floriano|Vittorino"
)
_SANTA = (
    "Maria|Margherita|Lucia|Chiara|Rita|Teresa|Teresina|Caterina|Barbara|Cecilia|Croce|Giulia|Giustina|Giuliana|Marta|"
    "Marinella|Monica|Rosalia|Rosa|Sofia|Susanna|Tecla|Brigida|Cristina|Fara|Francesca|Gemma|Marina|Messa|Sede|Severa|"
    "Vittoria|Domitilla|Faustina|Paola|Prassede|Sabina|Scolastica|Veronica|Comunione|Pasqua|Filomena|Flavia|Geltrude|"
    "Giovanna|Reparata|Rufina|Zita"
)
_SANT = (
    "Antonio|Andrea|Agostino|Ambrogio|Anna|Agata|Agnese|Angelo|Apollinare|Eustorgio|Elena|Elia|Eufemia|Eusebio|Ignazio|"
    "Ilario|Isidoro|Orsola|Onofrio|Alfonso|Alessandro|Alessio|Anastasia|Anselmo|Arcangelo|Arsenio|Emidio|Erasmo|Egidio|"
    "Elisabetta|Ivo|Orso|Osvaldo|Ubaldo|Ugo|Urbano|Eligio|Eustachio|Efisio|Uffizio|Alberto"
)
_RULERS = (
    "Riccardo|Paolo|Clemente|Alessandro|Giulio|Francesco|Innocenzo|Bonifacio|Sisto|Urbano|Adriano|Callisto|Celestino|"
    "Eugenio|Onorio|Niccolò|Martino|Stefano|Pietro|Giorgio|Edoardo|Guglielmo|Giacomo|Alfonso|Amedeo|Cosimo|Ottone|"
    "Massimiliano|Rodolfo|Corrado|Ruggero|Roberto|Costantino|Teodosio|Tolomeo|Dario|Serse|Ramses|Ramesse|Ivan|"
    "Baldovino|"
    "Leopoldo|Alberto|Cristiano|Gustavo|Ludovico|Lotario|Arrigo|Emanuele|Carlo Emanuele|Juan Carlos|Felipe|Hassan"
)
"""Names of rulers; after many of them a single letter with a full stop is a surname."""


def _spell_stem(number: int, rule_set: str) -> str | None:
    """The start of "diciott-esimo" and "diciott-enne"; from 10 on."""
    if rule_set != "stem":
        return None
    return "dec" if number == 10 else icu.spell(number, "it", "ordinal-masculine").removesuffix("esimo")


RULES = Rules(
    locale="it", group=". ", decimal=",", cardinal="numbering",
    sections=r"[Ss]ezione|[Cc]apitolo|[Ff]igura|[Tt]abella|[Vv]ersione|[Pp]aragrafo|[Ee]sercizio",
    speller=_spell_stem, books=_BOOKS, date_short=((_DAY_BEFORE, r"(?![\d/\w]|[.,]\d| ?[%€])"),),
    compass={"N": "nord", "S": "sud", "E": "est", "O": "ovest", "W": "ovest"},
    phones=(r"\b(?:[Tt]el\.?|[Tt]elefono|[Cc]ell\.?|[Cc]ellulare|[Ff]ax|WhatsApp|[Cc]hiam\w+|[Vv]erde)"
            r"(?: (?:il|al|lo))?:? "),
    singular=((rf" {_FEMININE_IN_A}[a-zàèéìòù]{{3,}}a\b", "cardinal-feminine"),),
    agreement=(
        (_NO_NOUN, ""),
        ((r"=? (?:or[ae]|settiman[ae]|person[ae]|volt[ae]|pagin[ae]|donn[ae]|sterlin[ae]|tonnellat[ae]|miglia|lir[ae]|"
         r"stanz[ae]|mel[ae]|macchin[ae]|tazz[ae]|cipoll[ae]|carot[ae]|bottigli[ae]|cas[ae]|camer[ae]|stell[ae]|"
         r"squadr[ae]|ragazz[ae]|bambin[ae]|figli[ae]|sorell[ae]|parol[ae]|rig[ae]|domand[ae]|rispost[ae]|port[ae]|"
         r"tavol[ae]|rat[ae]|vittori[ae]|giornat[ae]|letter[ae]|frazion[ei]|nott[ei]|part[ei]|moglie|fett[ae]|mort[ei]|"
         r"onc[ie]a?|coron[ae]|noce|noci|chiav[ei]|carn[ei]|luc[ei]|croc[ei]|voc[ei]|madr[ei]|class[ei]|legg[ei]|"
         r"torr[ei]|nav[ei]|mani?|\w+(?:[zsg]ion[ei]|tric[ei]|tà))\b"), "cardinal-feminine"),
        (r"= ", "cardinal-masculine"),
        ((r" (?:(?:chilo|centi|milli)?metr[oi]|(?:chilo)?gramm[oi]|chil[oi]|litr[oi]|minut[oi]|second[oi]|giorn[oi]|"
          r"ann[oi]|mes[ei]|euro|dollar[oi]|grad[oi]|punt[oi]|libr[oi]|uom[oi]|bambin[oi])\b"), "cardinal-masculine"),
        # "un cane", but "uno studente"
        (r" (?!s[^aeiou]|z|ps|gn|x|y)[a-zàèéìòù]", "cardinal-masculine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]apitolo|[Pp]agina|[Aa]rticolo|[Nn]umero|[Vv]olume|[Pp]arte|[Ss]ala|[Ll]inea|[Cc]anale|"
        r"[Ll]ivello|[Ff]ase|[Tt]ipo|[Vv]ersione|[Gg]ruppo|[Pp]asso|[Ff]igura|[Cc]orollario|[Cc]omando|[Pp]unto|"
        r"[Ee]sempio|[Tt]eorema|[Pp]arametro|[Ii]l|[Dd]el|[Aa]l|Formula|Rai|Italia|"
        r"Serie|Euro|Zona|[A-Z]{3,}) $|\w[=:#-]$|#$|\w [A-ZÀ-Þ][a-zà-ù]+ $"
    ),
    ordinals=((r"º", "ordinal-masculine"), (r"ª", "ordinal-feminine"),
              (r"\^(?= (?:classe|media|elementare|edizione|puntata|parte|giornata|serie|[A-Z](?!\w)))",
              "ordinal-feminine"),
              (r"o(?= (?:posto|piano|premio|classificato|turno|grado|anno|giorno|capitolo|tempo|comma|figlio)\b)",
               "ordinal-masculine"),
              (r"a(?= (?:volta|classe|edizione|parte|fila|media|elementare|giornata|tappa|puntata))",
               "ordinal-feminine")),
    forms=(
        (r"(?<![\w/.,])1/8(?= d(?:i|el))", "un ottavo"), (r"(?<![\w/.,])1/8 ?[lL]\b", "un ottavo di litro"),
        (rf"(?<![\d.,-])(?P<n>\d{{1,3}})°(?= (?:{_COUNTED})\b)", "{n:ordinal-masculine}"),
        (rf"(?<![\d.,-])(?P<n>\d{{1,3}})°(?= (?:{_COUNTED_FEMININE})\b)", "{n:ordinal-feminine}"),
        ((r"(?:(?<=\b[Ii]l )|(?<=\b[Aa]l )|(?<=\b[Dd]el )|(?<=\b[Dd]al )|(?<=\b[Nn]el )|(?<=\b[Ss]ul )|(?<=\()(?=\d°))"
          r"(?P<n>\d{1,2})°(?! ?[CFK](?!\w)|[\w'’]| ?\d)(?=\)| )"), "{n:ordinal-masculine}"),
        ((r"(?:(?<=\b[Ll]a )|(?<=\b[AaDd]lla )|(?<=\b[DdNn]ella )|(?<=\b[Dd]alla )|(?<=\b[Ss]ulla ))"
          r"(?P<n>\d{1,2})°(?! ?[CFK](?!\w)|[\w'’]| ?\d)"), "{n:ordinal-feminine}"),
        (r"(?<![\w.,])(?P<n>1\d|[2-9]\d|1\d\d)[ -]?enn(?P<e>[ei]|io|ale|ali)(?!\w)", "{n:stem}enn{e}"),
        (r"(?<![\w.,])(?P<n>1[1-9]|[2-9]\d|[1-9]\d\d{1,2})[ -]?esim(?P<e>[oaie])(?!\w)", "{n:stem}esim{e}"),
        (rf"(?<![\w.,/:'’-])1(?= {_MONTH}\b)", "primo"), (r"(?<=[Dd]al )1(?= al \d)", "primo"),
        *((rf"(?<!\w){elided}['’]1(?= {_MONTH}\b)", f"{whole} primo") for elided, whole in (
            ("l", "il"), ("L", "Il"), ("dall", "dal"), ("Dall", "Dal"), ("all", "al"), ("dell", "del"), ("nell", "nel"),
        )),
        ((r"(?:(?<=\b[Aa]l )|(?<=\b[Dd]al )|(?<=\b[Dd]el )|(?<=\b[Nn]el )|(?<=\b[Aa]ll['’]))(?P<n>\d{1,3})['’′]"
          r"(?![\w'’′\"])"), "{n:ordinal-masculine}"),
        (r"(?:(?<=dopo )|(?<=circa )|(?<=per )|(?<=oltre )|(?<=\bin ))(?P<n>[2-9]|\d\d\d?)['’′](?![\w'’′\"])",
         "{n} minuti"),
        (r"(?<![\w.,])(?P<n>[2-9]|[1-9]\d\d?) ?mila(?! ?[€$£]| ?EUR)(?!\w)", "{n}mila"),
        (rf"(?<![\w.,/:'’=-])1 (?={_FEMININE_IN_A}(?:[aeiou]|ho)[a-zàèéìòù]*(?:a|zione|tà)\b)", "un'"),
        ((rf"(?<![\w.,/-])(?=(?:{'|'.join(f'{n}-{n + 1}' for n in range(2, 40))}) [a-zàèéìòù]{{3,}})"
          r"(?P<a>\d\d?)-(?P<b>\d\d?)"), "{a} {b}"),
        ((r"(?<![\w/.,])(?<!\d )(?=2/3|3/4|4/5|5/6|6/7|7/8)(?P<n>\d)/(?P<m>\d)"
          r"(?= (?:volte|giorni|persone|anni|mesi|ore|settimane|minuti)\b)"), "{n} o {m}"),
        (r"(?<=\d)x/(?:die|giorno)(?!\w)", "volte al giorno"), (r"(?<=volte)/(?:die|giorno)(?!\w)", "al giorno"),
        (r"(?<=volte)/settimana(?!\w)", "alla settimana"), (r"(?<![\w.])ca?\. (?=1\d\d\d(?!\w))", "circa "),
        (r"(?<![\w'’])['’](?=(?:\d\d|[1-9]00)(?![\w'’]))", ""),
        (r"(?<=\b[Oo]re )(?P<n>[01]?\d|2[0-3]),(?P<m>[0-5]\d)(?![\d%]| ?%)", "{n} e {m}"),
        (r"(?<![\w.,])0,(?P<c>[1-9]\d) euro\b", "{c} centesimi"), (r"(?<![\w.,])1,00 euro\b", "un euro"),
        (r"(?<![\w.,])1,(?P<c>\d\d) euro\b", "un euro e {c} centesimi"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})*|\d+),00 euro\b", "{n} euro"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:\.\d{3})*|\d+),(?P<c>\d\d) euro\b", "{n} euro e {c} centesimi"),
        ((r"(?:(?<=[Ll]egge )|(?<=\b[Ll]\. )|(?<=\bL\.)|(?<=d\.l\. )|(?<=[Ll]gs\. )|(?<=D\.L\. )|(?<=D\.P\.R\. )|"
          r"(?<=DPR )|(?<=[Dd]ecreto )|(?<=\b[Nn]\. ))(?P<n>\d{1,4})/(?P<y>(?:19|20)?\d\d)(?!\w)"), "{n} del {y}"),
        (r"(?<![\w,.])1m(?P<m>\d\d)(?!\w)", "un metro e {m}"), (r"(?<![\w,.])2m(?P<m>\d\d)(?!\w)", "due metri e {m}"),
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
        (r"(?<!\w)h ?24(?!\w)", "ventiquattr'ore su ventiquattro"),
        (r"(?<!\w)[Hh]\.? (?=\d{1,2}[:.]\d\d)", "ore "),
        (r"(?<!\w)[Nn]{2}\. ?(?=\d)", "numeri "), (r"(?<!\w)[Nn][°º] ?(?=\d)", "numero "),
        (r"(?<![\w.])[Ll]\. ?(?=\d+/\d\d(?:\d\d)?(?!\d))", "legge "),
        (r"(?<!\w)n\. civ\. ?(?=\d)", "numero civico "),
        (r"(?<!\w)[Mm]ax\.? (?=\d)", "massimo "), (r"(?<![\w,.])(?P<n>\d\d?) cent\.", "{n} centesimi"),
        (r"(?<!\w)[Nn]\. ?(?=\d)", "numero "), (r"(?<!\w)[Pp]ag\. ?(?=\d)", "pagina "),
    ),
    to="a", range_fixes={r"un(?= a )": "uno"}, score="a", code_number="pairs",
    emergency=r"\b(?:[Cc]hiam\w+|[Nn]umero|[Dd]igit\w+) (?:il |al )?",
    per={
        "mese": "al mese", "anno": "all'anno", "giorno": "al giorno", "settimana": "alla settimana", "ora": "all'ora",
        "h": "all'ora", "notte": "a notte", "persona": "a persona", "pers.": "a persona", "pers": "a persona",
        "m²": "al metro quadrato", "m2": "al metro quadrato", "mq": "al metro quadrato", "m³": "al metro cubo",
        "mc": "al metro cubo", "kg": "al chilo", "l": "al litro", "L": "al litro", "kWh": "al kilowattora",
        "km": "al chilometro", "pz": "al pezzo", "pezzo": "al pezzo", "etto": "all'etto",
    },
    percent="{n} per cento",
    numbered={
        "pagg.": "pagine", "pp.": "pagine", "p.": "pagina", "fig.": "figura", "cap.": "capitolo", "artt.": "articoli",
        "art.": "articolo", "vol.": "volume", "int.": "interno", "tab.": "tabella", "min.": "minimo", "nr.": "numero",
        "all.": "allegato", "co.": "comma", "tav.": "tavola", "op.": "opera",
    },
    out_of="su", days_before="il|al|dal|del", between={":": "a", "/": "su", "x": "per", "^": "alla"},
    fractions={
        "1/2": "mezzo", "n 1/2": "{n} e mezzo", "1/3": "un terzo", "2/3": "due terzi", "1/4": "un quarto",
        "3/4": "tre quarti",
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
    money_and=" e ", money_of=" di ", phrase_fixes={
        r"^(\w+ (?:quart|terz)[oi]) (?=[a-z])": r"\1 di ", " mila di ": "mila ", r"\buna ora\b": "un'ora",
        r"\bdi (?=or[ae]\b|onc[ei]a?)": "d'",
    },
    money_scales={
        "mila": "other{mila}", "milioni": "other{milioni}", "milione": "other{milione}", "miliardi": "other{miliardi}",
        "miliardo": "other{miliardo}",
    },
    units={"mq": "square-meter", "mc": "cubic-meter", "lt": "liter", "gr": "gram", "hg": "hectogram", "Kg": "kilogram",
        "Km": "kilometer", "Km/h": "kilometer-per-hour", "cc": "cubic-centimeter", "g/m²": "gram-per-square-meter",
    },
    not_units={"ha": r" (?:\w+(?:[aiu]to|tto|sto|rto|lto|so)|una?|il|l[aoe']|i|gli|più|già|solo|bisogno)\b"},
    unit_words={
        "ab./km²": "one{abitante per chilometro quadrato} other{abitanti per chilometro quadrato}",
        "dB": "other{decibel}", "CV": "one{cavallo} other{cavalli}", "cv": "one{cavallo} other{cavalli}",
        "pers.": "one{persona} other{persone}", "t": "one{tonnellata} other{tonnellate}",
        "pz": "one{pezzo} other{pezzi}", "pz.": "one{pezzo} other{pezzi}", "gg": "one{giorno} other{giorni}",
        "q": "one{quintale} other{quintali}", "q.li": "one{quintale} other{quintali}", "pt": "one{punto} other{punti}",
        "bpm": "one{battito al minuto} other{battiti al minuto}",
        "giri/min": "one{giro al minuto} other{giri al minuto}",
    },
    time="{h} e {m}", time_hour="{h}", hour="cardinal-feminine", time_fixes={"^ventuna": "ventuno"},
    time_dotted=(r"(?:(?:[Aa]lle|[Dd]alle|[Dd]elle|[Oo]re|[Ll]e|[Hh]\.?) |(?:[Aa]ll|[Dd]all)['’](?=1\.))", ""),
    date="{d} {m} {y}", day_first="primo", phone_plus="più",
    marks={
        ".": "punto", "/": "barra", "-": "trattino", "_": "trattino basso", "@": "chiocciola", ":": "due punti",
        "?": "punto interrogativo", "=": "uguale", "&": "e", "#": "cancelletto", "%": "per cento", "+": "più",
        "~": "tilde",
    },
    symbols={
        "&": "e", "@": "chiocciola", "#": "numero", "№": "numero", "§": "paragrafo", "+": "più", "=": "uguale a",
        "×": "per", "÷": "diviso", "±": "più o meno", "²": "al quadrato", "³": "al cubo", "≈": "circa",
        "<": "minore di", ">": "maggiore di", "≤": "minore o uguale a", "≥": "maggiore o uguale a", "−": "meno",
        "≠": "diverso da", "√": "radice quadrata di",
    },
    titles={
        "Sig.": "signor", "sig.": "signor", "Sig.ra": "signora", "sig.ra": "signora", "Dott.": "dottor",
        "Dott.ssa": "dottoressa", "Prof.": "professor", "Avv.": "avvocato", "Ing.": "ingegner",
        "p. es.": "per esempio", "ad es.": "ad esempio", "tel.": "telefono", "Tel.": "telefono", "dott.": "dottor",
        "dott.ssa": "dottoressa", "prof.": "professor", "prof.ssa": "professoressa", "Prof.ssa": "professoressa",
        "avv.": "avvocato", "ing.": "ingegner", "Arch.": "architetto", "arch.": "architetto", "Geom.": "geometra",
        "Rag.": "ragionier", "Sigg.": "signori", "sigg.": "signori", "Sig.na": "signorina", "sig.na": "signorina",
        "Egr.": "egregio", "Gent.ma": "gentilissima", "Gent.mo": "gentilissimo", "Spett.le": "spettabile",
        "On.": "onorevole", "on.": "onorevole", "Mons.": "monsignor", "Dr.": "dottor", "dr.": "dottor",
        "p.zza": "piazza", "P.zza": "piazza", "v.le": "viale", "V.le": "viale", "c.so": "corso", "C.so": "corso",
        "ca.": "circa", "c/o": "presso", "IVA incl.": "IVA inclusa", "IVA escl.": "IVA esclusa", "tot.": "totale",
        "cfr.": "confronta", "C.A.P.": "CAP", "q.tà": "quantità", "P.le": "piazzale", "p.le": "piazzale",
        "L.go": "largo", "l.go": "largo", "C.da": "contrada", "c.da": "contrada", "F.lli": "fratelli",
        "f.lli": "fratelli", "loc.": "località", "fraz.": "frazione", "p.es.": "per esempio", "p.e.": "per esempio",
        "per es.": "per esempio", "N.B.": "nota bene", "Cfr.": "confronta", "prot.": "protocollo",
        "Prot.": "protocollo", "rif.": "riferimento", "Rif.": "riferimento", "f.to": "firmato",
        "N.d.R.": "nota del redattore", "N.d.T.": "nota del traduttore", "N.d.A.": "nota dell'autore",
        "n.d.r.": "nota del redattore", "ndr": "nota del redattore", "c.v.d.": "come volevasi dimostrare",
        "D.Lgs.": "decreto legislativo", "D. Lgs.": "decreto legislativo", "D.lgs.": "decreto legislativo",
        "d.lgs.": "decreto legislativo", "D.L.": "decreto legge", "d.l.": "decreto legge", "D.ssa": "dottoressa",
        "Rev.": "reverendo", "lun.": "lunedì", "mer.": "mercoledì", "gio.": "giovedì", "ven.": "venerdì",
        "sab.": "sabato", "dom.": "domenica", "geom.": "geometra", "rag.": "ragionier", "DJ": "deejay",
        "cell.": "cellulare", "Cell.": "cellulare", "cod. civ.": "codice civile", "cod. pen.": "codice penale",
        "secc.": "secoli", "s.n.c.": "senza numero civico", "vs": "contro", "vs.": "contro",
    },
    abbreviations={"ecc.": "eccetera", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo",
                   "q.b.": "quanto basta", "S.p.A.": "esse pi a", "S.r.l.": "esse erre elle",
                   "s.r.l.": "esse erre elle",
                   "s.p.a.": "esse pi a", "u.s.": "ultimo scorso", "c.m.": "corrente mese"},
    abbreviated=(
        (rf"(?<![\w.])(?<![A-Z]\. )S\. ?(?=(?:{_SANT})\b)", "Sant'"), (rf"(?<![\w.])S\. ?(?=(?:{_SANTA})\b)", "Santa "),
        (r"(?<!\w)S\. ?(?=(?:Stefano|Spirito|Stanislao|Natale|Padre)\b)", "Santo "),
        (rf"(?<![\w.])(?<![A-Z]\. )S\. ?(?=(?:{_SAN})\b)", "San "),
        ((r"(?:(?<=\b[Vv]ia )|(?<=[Pp]iazza )|(?<=[Cc]hiesa di )|(?<=[Bb]asilica di )|(?<=[Oo]spedale )|"
          r"(?<=\b[Cc]orso )|(?<=\b[Mm]onte )|(?<=\b[Pp]orta ))S\.(?= [A-ZÀ-Þ][a-zà-ÿ])"), "San"),
        (r"(?<!\w)S[Ss]\.(?= (?:Trinità|Annunziata|Vergine)\b)", "Santissima"),
        (r"(?<!\w)S[Ss]\.(?= (?:Sacramento|Crocifisso|Salvatore|Redentore|Rosario)\b)", "Santissimo"),
        (r"(?<!\w)S[Ss]\.(?= [A-ZÀ-Þ][a-zà-ÿ]+ ed? [A-ZÀ-Þ])", "Santi"),
        (r"(?<![\w.])[Pp]rof\.(?!\w| ?(?:[A-ZÀ-Þ]|ing|avv|dott))", "professore"),
        (r"(?<![\w.])[Ii]ng\.(?!\w| [A-ZÀ-Þ])", "ingegnere"),
        (r"(?<![\w.])[Dd](?:ott|r)\.(?!\w| (?:[A-ZÀ-Þ]|ing|avv))", "dottore"),
        ((r"(?<![\w.])[Ss]ig\.(?!\w| (?:[A-ZÀ-Þ]|presidente|ministro|sindaco|giudice|direttore|dott|avv|ing|"
          r"prof))"), "signore"),
        (r"(?<![\w.])(?<!\d )[Gg]en\.(?= [A-ZÀ-Þ][a-zà-ÿ])", "generale"),
        (r"(?<![\w.])[Cc]ol\.(?= [A-ZÀ-Þ][a-zà-ÿ])", "colonnello"),
        (r"(?<![\w.])[Tt]en\.(?= [A-ZÀ-Þ][a-zà-ÿ])", "tenente"), (r"(?<![\w.])Pres\.(?= [A-ZÀ-Þ])", "presidente"),
        (r"(?<![\w.])[Cc]av\.(?= [A-ZÀ-Þ][a-zà-ÿ])", "cavalier"), (r"(?<!\w)P\.(?= Pio\b)", "padre"),
        (r"(?<![\w.])(?<!ad )(?<!per )(?<!p\. )es\.(?=,? [^\W\d])", "per esempio"),
        (r"(?<![\w.])[Ee]s\.(?=:)", "esempio"), (r"(?<![\w.])Es\.(?= [^\W\d])", "esempio"),
        (r"(?<![\w./~])(?:etc|ecc)(?![\w./])", "eccetera"),
        (r"(?<![\w./~])etc\.", "eccetera."),
        (r"(?:(?<=\b[Ii]l )|(?<=\b[Dd]el )|(?<=\b[Aa]l )|(?<=\b[Dd]al )|(?<=Em\. ))[Cc]ard\.(?= [A-ZÀ-Þ])", "cardinal"),
        (r"(?<![\w.])prov\.(?= di [A-Z])", "provincia"),
        (r"(?<![\w.])[Vv]\.(?= (?:pagg?\.|pp?\.|figg?\.|cap\.|artt?\.|tab\.|nota|anche|sopra|sotto)(?!\w))",
         "vedi"),
        (r"(?<![\w.])[Ll]ett\.(?= ?[a-z]\))", "lettera"), (r"(?<=\d )Cost\.", "Costituzione."),
        (r"(?<=\d )c\.c\.", "codice civile."), (r"(?<=\d )c\.p\.(?!\w)", "codice penale."),
        (r"(?<=\d )(?:e )?(?:ss|segg)\.", "e seguenti."),
        (r"(?:(?<=\d )|(?<=[IVX] )|(?<=secolo )|(?<=sec\. ))[Aa]\. ?C\.", "avanti Cristo."),
        (r"(?:(?<=\d )|(?<=[IVX] )|(?<=secolo )|(?<=sec\. ))[Dd]\. ?C\.", "dopo Cristo."),
        (r"(?:(?<=\b[NnDd]ei )|(?<=\b[Aa]i )|(?<=\b[Dd]ai ))sec\.(?= [IVX])", "secoli"),
        (r"(?<!\w)[Ss]ec\.(?= [IVX])", "secolo"), (r"(?<!\w)[Nn][°º](?= [a-z])", "numero"),
        (r"(?<!\w)[Nn]\.(?= verde)", "numero"),
        *((rf"(?<!\w)[{short[0].upper()}{short[0]}]{short[1:]}\.(?= [IVX]+(?!\w))", long) for short, long in (
            ("cap", "capitolo"), ("vol", "volume"), ("art", "articolo"), ("tav", "tavola"),
        )),
        (r"(?<=[IVX] )sec\.", "secolo."),
        (r"(?<=\d )set\.(?= \d{4})", "settembre"), *months_in_short(_MONTHS),
    ),
    roman=(
        ((r"(?<!\w)(?P<r>[IVX]+)(?=(?:[-–/][IVX]+)? (?:secolo|sec\.|millennio|[Mm]unicipio|piano|libro|tempo|atto|"
         r"liceo|ginnasio|semestre|trimestre|quadrimestre|reggimento|battaglione|distretto|turno|girone|"
         r"anniversario)(?!\w))"),
         "ordinal-masculine", "{n}"),
        ((r"(?<!\w)(?P<r>[IVX]{2,}|[VX])(?= (?:[Cc]ongresso|Concilio|Festival|Premio|Corso|Reich|Forum|Convegno|Salone|"
         r"Raduno|Trofeo|Memorial|Gran Premio|Sinodo|Concorso|Simposio|Corpo|Governo|Centenario|Meeting)\b)"),
         "ordinal-masculine", "{n}"),
        ((r"(?<!\w)(?P<r>[IVX]+)(?= (?:[Gg]uerra|Repubblica|[Ee]dizione|dinastia|[Ll]egislatura|elementare|[Aa]rmata|"
          r"[Cc]rociata|giornata|domenica|tappa|Olimpiade|[Cc]onferenza|[Aa]ssemblea|divisione|brigata|Internazionale|"
          r"[Cc]ircoscrizione|classe|Biennale|Triennale|[Cc]ommissione|sessione|sezione)\b)"),
         "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:al|e|o|e il) [IVX]+ (?:sec|mill))", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<r>II|III)(?= media\b)", "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)[°º])(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)ª)(?!\w)", "ordinal-feminine", "{n}"),
        (rf"(?<!\w)(?P<r>I)(?= {_MONTH}\b)", "ordinal-masculine", "{n}"),
        (rf"(?<!\w)(?P<r>[IVX]{{2,}}|[VX])(?= {_MONTH}\b)", "", "{n}"),
        (r"(?<!\w)(?:secoli|secc\.|sec\.) (?:dal )?(?P<r>[IVX]+)(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?:secoli|secc\.|sec\.) (?:dal )?[IVX]+(?:, [IVX]+)?(?:-| ed? | al |, )(?P<r>[IVX]+)(?!\w)",
         "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?:secoli|secc\.) [IVX]+, [IVX]+ ed? (?P<r>[IVX]+)(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?:(?<=secolo )|(?<=sec\. )|(?<=Sec\. ))(?P<r>[IVX]+)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("[Cc]apitolo|[Vv]olume|[Aa]tto|[Ll]ibro|[Tt]omo|[Tt]itolo|[Cc]ap\\.|[Vv]ol\\.|[Aa]rt\\.|"
                     "[Tt]av\\.|[Tt]avola|[Ff]ase|[Aa]llegato|[Aa]rticolo|[Tt]ipo"), "", "{n}"),
        (roman_after("[Cc]anto"), "ordinal-masculine", "{n}"), (roman_after("[Nn]ovella|[Gg]iornata"),
         "ordinal-feminine", "{n}"),
        (roman_after("[Pp]arte|[Ss]cena|Guerra Mondiale|guerra mondiale"), "", "{n}"),
        (regnal("Elisabetta|Caterina|Maria|Margherita|Cleopatra"), "ordinal-feminine", "{n}"),
        (rf"(?<!\w)(?:{_RULERS}) (?P<r>[IVX]{{2,}}|[IVX](?!\.))(?!\w)", "ordinal-masculine", "{n}"),
        (regnal("Vittorio Emanuele|Luigi|Carlo|Giovanni Paolo|Benedetto|Pio|Enrico|Filippo|Umberto|Napoleone|Leone|"
                "Gregorio|Giovanni|Federico|Ferdinando|Nicola"), "ordinal-masculine", "{n}"),
    ),
    letters="a bi ci di e effe gi acca i i_lunga kappa elle emme enne o pi ku erre esse ti u vu doppia_vu ics "
            "ipsilon zeta",
    spelled=frozenset({"UE", "IA", "CGIL", "PCI", "PSI", "MSI", "UDC", "DNA", "RNA", "ADSL", "IBM", "OGM", "HIV", "IGP",
    "DDA", "ABC", "SOS", "CNEL", "UHT", "URL", "USB", "API", "CO", "UTC", "BCE", "SMS", "OMS", "FIGC"}),
)  # fmt: skip

"""French. Not CLDR's: Lexique des règles typographiques en usage à l'Imprimerie nationale (numbers, times, dates,
Roman numerals, abbreviations) and Grevisse, Le bon usage, § 595 ff. (agreement of "un", "premier" in dates and
names).
"""

from dataclasses import replace

from chatterbox_worker.text.spoken.patterns import months_in_short, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_KINGS = (
    "Louis|Charles|Henri|François|Napoléon|Philippe|Jean-Paul|Benoît|Pie|Élisabeth|Jean|Léopold|Albert|Guillaume|"
    "Georges|Nicolas|Alexandre|Édouard|Léon|Grégoire|Élizabeth|Elisabeth|Elizabeth|Frédéric|Ramsès|Clément|Innocent|"
    "Sixte|Boniface|Alphonse|Ferdinand|Baudouin|Victor-Emmanuel|Umberto|Ptolémée|Soliman|Hassan|Mohammed|Gustave|Othon"
)
_NAMES = "Paul|Pierre|Jacques|Robert|Richard|Joseph|Catherine|Isabelle|Jules|Marie|Christian|Christine|Hugues|Ivan"
"""Of rulers, too, but after most of them a single letter with a full stop is a surname."""

_FEMININE = (
    "heure|semaine|tasse|cuillère|douzaine|journée|année|bouteille|minute|page|livre|tonne|pomme|carotte|tranche"
)
_MASCULINE = "kilo|litre|mètre|gramme|kilomètre|verre|jour|an|pot|sachet|point"
_WEEKDAYS = {
    "lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi", "sam": "samedi",
    "dim": "dimanche",
}  # fmt: skip
_MONTHS = {"janv": "janvier", "jan": "janvier", "févr": "février", "fév": "février", "avr": "avril",
           "juil": "juillet", "juill": "juillet", "sept": "septembre", "oct": "octobre", "nov": "novembre",
           "déc": "décembre"}  # fmt: skip
_MONTH = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
_PARTS = {
    "5": "cinquième", "6": "sixième", "7": "septième", "8": "huitième", "9": "neuvième", "10": "dixième",
    "100": "centième", "1000": "millième",
}  # fmt: skip
_DAY_BEFORE = (
    "(?:" + "|".join(f"(?<={day} )" for day in _WEEKDAYS.values()) + r"|(?:(?<=\b[Ll]e )|(?<=\b[Dd]u )|(?<=\b[Aa]u ))"
    r"(?=\d\d/(?:0[1-9]|1[0-2])(?!\d))(?!(?P<x>\d\d)/(?P=x)))"
)
_BOOKS = (
    "Genèse|Exode|Lévitique|Nombres|Deutéronome|Josué|Isaïe|Jérémie|Daniel|Psaume|Psaumes|Proverbes|Job|Matthieu|Marc|"
    "Luc|Jean|Actes|Romains|Corinthiens|Galates|Éphésiens|Hébreux|Apocalypse|Gn|Ex|Dt|Is|Jr|Ps|Pr|Mt|Mc|Lc|Jn|Ac|Rm|Co|"
    "Ga|Ep|He|Ap"
)

RULES = Rules(
    locale="fr", group=" .", decimal=",", cardinal="numbering",
    sections=r"[Ss]ection|[Cc]hapitre|[Ff]igure|[Tt]ableau|[Vv]ersion|[Aa]nnexe|[Ee]xercice",
    agreement=(
        ((r"=? (?:heures?|minutes?|secondes?|semaines?|années?|fois|personnes?|pages?|livres?|tonnes?|femmes?|filles?|"
         r"voitures?|maisons?|tasses?|cuillères?|pommes?|carottes?|tomates?|tranches?|gousses?|pincées?|boîtes?|"
         r"bouteilles?|chambres?|portes?|tables?|rues?|villes?|places?|chansons?|journées?|nuits?|soirées?|lettres?|"
         r"lignes?|images?|photos?|vidéos?|réponses?|étoiles?|victoires?|équipes?|familles?|écoles?|classes?|"
         r"marches?|étapes?|douzaines?|vies?|mains?|pièces?|couronnes?|onces?|roupies?|calories|kilocalories|"
         r"sœurs?|clés?|clefs?|souris|mères?|tantes?|cuillerées?|poignées?|feuilles?|branches?|bottes?|noix|"
         r"oranges?|bananes?|fraises?|"
         r"aubergines?|échalotes?|salles?|routes?|chaises?|cartes?|fêtes?|règles?|listes?|dents?|voix|reines?|"
         r"(?!squelette|gorille|violoncelle|vermicelle|renne)"
         r"\w+(?:tion|sion|té|tte|ance|ence|euse|trice|esse|ille|elle|onne|enne)s?)\b"),
         "cardinal-feminine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]hapitre|[Pp]age|[Aa]rticle|[Nn]uméro|[Tt]ome|[Vv]olume|[Pp]artie|[Ss]alle|[Cc]hambre|[Ll]igne|"
        r"[Cc]anal|[Nn]iveau|[Pp]hase|[Tt]ype|[Vv]ersion|[Gg]roupe|[ÉEée]tape|[Ff]igure|[Tt]ableau|[Aa]nnexe|[Aa]cte|"
        r"[Ss]cène|[Ll]e|[Dd]u|[Aa]u|Formule|Ligue|[A-Z]{3,}) $|\w[=:#-]$|#$"
    ),
    ordinals=((r"(?:er|ᵉʳ)", "ordinal-masculine"), (r"(?:re|[eè]re)", "ordinal-feminine"),
              (r"(?:[eè]mes?|es?|ᵉˢ?|nde?s?)", "ordinal-masculine")),
    books=_BOOKS,
    date_short=((_DAY_BEFORE, r"(?![\d/\w]|[.,]\d| ?[%€])"),),
    forms=(
        *weekdays(_WEEKDAYS, "à", after=r"\d{1,2}(?:h|:\d| ?[-–])"),
        (rf"(?<![\w.,/:-])1(?= (?:{_MONTH})\b)", "premier"), (r"(?<=[Dd]u )1(?= au \d)", "premier"),
        (r"(?<!\w)[Nn][°º]\s?(?=\d)", "numéro "),
        (r"(?<!\w)[Nn]os (?=\d)", "numéros "), (r"(?<!\w)[Nn]o (?=\d)", "numéro "),
        ((r"(?<![\w/.,])(?<!\d )(?=2/3|3/4|4/5|5/6|6/7|7/8)(?P<n>\d)/(?P<m>\d)"
          r"(?= (?:fois|jours|personnes|ans|mois|heures|semaines|minutes)\b)"),
        "{n} ou {m}"),
        (r"(?<![\w.,])00 h\b", "zéro heure"), (r"(?<![\w.])(?:v|ca?)\.? (?=1\d\d\d(?!\w))", "vers "),
        (r"(?:(?<=[Nn]° )|(?<=[Nn]°))(?P<a>\d{2,4})-(?P<b>\d{1,4})(?!\w)", "{a} tiret {b}"),
        (r"(?<=\d)x/j(?:our)?(?!\w)", "fois par jour"), (r"(?<=fois)/j(?:our|r)?(?!\w)", "par jour"),
        (r"(?<=fois)/(?=an\b|mois\b|semaine\b)", "par"),
        (r"(?<=\d h )0(?P<m>[1-9])(?!\d)", "{m}"),
        (r"(?:(?<=\b[Ll]a )|(?<=\ben )|(?<=\bde ))(?P<n>[3-6])e(?P<m>\d\d?)(?!\w)", "{n:ordinal-masculine} {m}"),
        (r"(?<!\w)[Tt]\. ?(?=\d)", "tome "),
        (r"(?<![\d.,])(?P<a>\d{1,4}) ?[-–] ?(?P<b>\d{1,4})(?= av(?:ant|\.))", "{a} à {b}"),
        ((r"(?:(?<=[Gg]uerre de )|(?<=[Gg]uerre )|(?<=mondiale )|(?<=\ben ))(?P<a>14|39)-(?P<b>18|45)"
          r"(?![\w/-]|[.,]\d| ?[%€]| ans| mois| jours)"), "{a} {b}"),
        (r"(?<=\b[Ll]e )1/3(?= d)", "tiers"), (r"(?<=\b[Ll]e )1/4(?= d)", "quart"),
        (r"(?:(?<=\b[Ll]e )|(?<=\b[Dd]u )|(?<=\b[Aa]u )|(?<=rticle ))49[.-]3(?![\w%]|[.,]\d)", "quarante-neuf trois"),
        (r"(?<![\w.,])1€(?P<c>\d\d)(?![\w€]|[.,]\d)", "un euro {c}"),
        (r"(?<![\w.,])(?P<n>\d{1,4})€(?P<c>\d\d)(?![\w€]|[.,]\d)", "{n} euros {c}"),
        (r"(?<![\w.,])0,(?P<c>[1-9]\d) euros?\b", "{c} centimes"), (r"(?<![\w.,])1,00 euro\b", "un euro"),
        (r"(?<![\w.,])1,(?P<c>\d\d) euros?\b", "un euro {c}"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:[ .]\d{3})*|\d+),00 euros\b", "{n} euros"),
        (r"(?<![\w.,])(?P<n>\d{1,3}(?:[ .]\d{3})*|\d+),(?P<c>\d\d) euros\b", "{n} euros {c}"),
        (r"(?<=\d)x(?= (?:plus|moins)\b)", "fois"), (r"(?<=\d) x (?=\d+ ?=)", " fois "),
        (r"(?<=\d)x(?=\d+ ?=)", "fois"), (r"(?<=[Bb]ac)\+(?=\d)", "plus "), (r"(?<=Canal)\+", "plus"),
        (r"(?<!\w)24/7(?!\w)", "vingt-quatre sept"),
        (r"(?<!\w)(?P<n>[2-9])CV(?!\w)", "{n} chevaux"),
        (r"(?<!\w)[Aa]pp?t(?:\.| ) ?(?=\d)", "appartement "),
        (r"(?<![\w,.])1(?:ers|ᵉʳˢ)(?!\w)", "premiers"), (r"(?<![\w,.])1(?:res|ères)(?!\w)", "premières"),
        (r"(?<=[Aa]nnées )80(?![\d-])", "quatre-vingt"), (r"(?<![\d/])24 ?h/24(?!\w)",
        "vingt-quatre heures sur vingt-quatre"),
        (r"(?<![\d/])7 ?j(?:ours)?/7(?!\w)", "sept jours sur sept"),
        (r"(?<![\w,.])(?P<n>[12])m(?P<m>\d\d)(?!\w)", "{n} mètre {m}"),
        (r"(?<![\w,.])(?P<n>\d\d?)j(?!\w)", "{n} jours"),
        (rf"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>(?:{_FEMININE})s?)\b", "{n} {w} et demie"),
        (rf"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) (?P<w>(?:{_MASCULINE})s?)\b", "{n} {w} et demi"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?kg\b", "un kilogramme et demi"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?kg\b", "{n} kilogrammes et demi"),
        (r"(?<![\d.,/])1(?: ?½| 1/2) ?(?:l|L)\b", "un litre et demi"),
        (r"(?<![\d.,/])(?P<n>\d\d?)(?: ?½| 1/2) ?(?:l|L)\b", "{n} litres et demi"),
        (rf"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?:{_FEMININE}|cuillère)\b)", "une demi-"),
        (rf"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=(?:{_MASCULINE}|oignon|citron|poivron)\b)", "un demi-"),
        *((rf"(?<![\w/.,])1/{part} ?{short}\b", f"un {word} de {unit}")
          for part, word in _PARTS.items() for short, unit in (("[lL]", "litre"), ("kg", "kilogramme"))),
        *((rf"(?<![\w/.,])1/{part}(?= d(?:es?|u|['’]))", f"un {word}") for part, word in _PARTS.items()),
        *((rf"(?<![\w/.,])(?P<n>[2-9])/{part}(?= d(?:es?|u|['’]))", f"{{n}} {word}s") for part, word in _PARTS.items()),
        (r"(?:(?<=[LRD]\. )|(?<=[Aa]rticle )|(?<=[Aa]rt\. ))(?P<n>\d{1,4})-(?P<m>\d{1,2})(?!\w)", "{n} tiret {m}"),
    ),
    to="à", score="à", code_number="pairs",
    scale_letters=((r" ?M(?= d(?:['’]|e )[a-zé])", "one{million} other{millions}"),),
    numbered={
        "pp.": "pages", "p.": "page", "fig.": "figure", "chap.": "chapitre", "art.": "article", "vol.": "volume",
        "réf.": "référence", "ann.": "annexe", "th.": "thermostat", "al.": "alinéa", "op.": "opus", "esc.": "escalier",
        "max.": "maximum", "min.": "minimum",
    },
    out_of="sur", days_before="le|au|du", between={":": "à", "/": "sur", "x": "par", "^": "puissance"},
    compass={"N": "nord", "S": "sud", "E": "est", "O": "ouest", "W": "ouest"},
    fractions={
        "1/2": "un demi", "n 1/2": "{n} et demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart",
        "3/4": "trois quarts",
    },
    fraction_and=" et ",
    money={
        "USD": Money(major="one{dollar} other{dollars}", minor="one{cent} other{cents}"),
        "EUR": Money(major="one{euro} other{euros}", minor="one{centime} other{centimes}"),
        "GBP": Money(major="one{livre} other{livres}", minor="one{penny} other{pence}"),
        "CHF": Money(major="one{franc} other{francs}", minor="one{centime} other{centimes}"),
        "JPY": Money(major="one{yen} other{yens}"),
        "CAD": Money(major="one{dollar canadien} other{dollars canadiens}", minor="one{cent} other{cents}"),
    },
    money_and=" et ", money_of=" de ", phrase_fixes={
        "^un demi (?=cuillère|heure|livre|tonne|minute|seconde)": "une demi-",
        r"^(\w+ (?:tiers|quarts?)) (?=[a-zé])": r"\1 de ",
        " mille de ": " mille ", r"\b(cent|vingt)s mille\b": r"\1 mille", r" de (?=[aeiouéh])": " d'",
    },
    symbols_of_money={"$ CA": "CAD", "$CA": "CAD", "Fr.": "CHF"},
    per={
        "mois": "par mois", "an": "par an", "jour": "par jour", "semaine": "par semaine", "h": "de l'heure",
        "heure": "de l'heure", "nuit": "par nuit", "pers.": "par personne", "pers": "par personne",
        "personne": "par personne", "m²": "le mètre carré", "m2": "le mètre carré", "m³": "le mètre cube",
        "kg": "le kilo", "L": "le litre", "l": "le litre", "kWh": "le kilowattheure", "km": "le kilomètre",
        "unité": "l'unité", "pièce": "la pièce", "min": "par minute", "utilisateur": "par utilisateur",
    },
    money_scales={
        "mille": "other{mille}", "k": "other{mille}", "K": "other{mille}", "millions": "other{millions}",
        "million": "other{million}", "milliards": "other{milliards}", "milliard": "other{milliard}",
    },
    scales={" k": "other{mille}", **dict.fromkeys(("Md", "Mds"), "one{milliard} other{milliards}")},
    units={
        "ko": "kilobyte", "Ko": "kilobyte", "Mo": "megabyte", "Go": "gigabyte", "To": "terabyte", "t": "tonne",
        "Mo/s": "megabyte-per-second", "Go/s": "gigabyte-per-second", "mn": "minute", "cL": "centiliter",
        "cc": "cubic-centimeter", "Kg": "kilogram", "Km": "kilometer", "Km/h": "kilometer-per-hour",
        "g/m²": "gram-per-square-meter",
    },
    unit_words={
        "dB": "one{décibel} other{décibels}", "ct": "one{centime} other{centimes}", "cts": "other{centimes}",
        "tr/min": "one{tour par minute} other{tours par minute}",
        **{
            f"{spoon} à {what}": f"one{{cuillère à {long}}} other{{cuillères à {long}}}"
            for long, short in (("soupe", "s."), ("café", "c."))
            for what in (long, short)
            for spoon in ("c.", "cuil.", "cuill.")
        },
        **dict.fromkeys(("c.à.s.", "c.à.s", "càs", "CàS"), "one{cuillère à soupe} other{cuillères à soupe}"),
        **dict.fromkeys(("c.à.c.", "c.à.c", "càc", "CàC"), "one{cuillère à café} other{cuillères à café}"),
        "ch": "one{cheval} other{chevaux}", "FF": "one{franc} other{francs}", "pt": "one{point} other{points}",
        "pts": "one{point} other{points}",
        "hab./km²": "one{habitant au kilomètre carré} other{habitants au kilomètre carré}",
        "hab.": "one{habitant} other{habitants}", "bpm": "one{battement par minute} other{battements par minute}",
        "pers.": "one{personne} other{personnes}",
    },
    time="{h} heures {m}", time_hour="{h} heures", time_marks=":h", time_after="heures", hour="cardinal-feminine",
    time_fixes={r"^une heures": "une heure", r"^zéro heures": "zéro heure"},
    date="{d} {m} {y}", day_first="premier",
    marks={
        ".": "point", "/": "slash", "-": "tiret", "_": "tiret bas", "@": "arobase", ":": "deux points",
        "?": "point d'interrogation", "=": "égal", "&": "et", "#": "dièse", "%": "pour cent", "+": "plus",
        "~": "tilde",
    },
    symbols={
        "&": "et", "@": "arobase", "#": "numéro", "№": "numéro", "§": "paragraphe", "+": "plus", "=": "égale",
        "×": "fois", "÷": "divisé par", "±": "plus ou moins", "²": "au carré", "³": "au cube", "≈": "environ",
        "<": "inférieur à", ">": "supérieur à", "≤": "inférieur ou égal à", "≥": "supérieur ou égal à", "−": "moins",
        "≠": "différent de", "√": "racine carrée de",
    },
    titles={
        "Mme": "Madame", "Mmes": "Mesdames", "Mlle": "Mademoiselle", "MM.": "Messieurs", "Dr": "docteur",
        "Dr.": "docteur", "Pr.": "professeur", "Mr": "Monsieur", "Mr.": "Monsieur", "Mme.": "Madame",
        "Mlle.": "Mademoiselle", "Tle": "terminale", "Cdlt": "cordialement", "cdlt": "cordialement",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "env.": "environ",
        "tél.": "téléphone", "Tél.": "téléphone", "bd": "boulevard", "Bd": "boulevard", "Bd.": "boulevard",
        "bd.": "boulevard", "av.": "avenue", "Av.": "avenue", "rte": "route", "Pr": "professeur", "Drs": "docteurs",
        "Mlles": "Mesdemoiselles", "Mgr": "Monseigneur", "Cie": "compagnie", "càd": "c'est-à-dire",
        "c-à-d": "c'est-à-dire", "cad.": "c'est-à-dire", "i.e.": "c'est-à-dire", "par ex.": "par exemple",
        "qqn": "quelqu'un", "qqch": "quelque chose", "tjs": "toujours", "stp": "s'il te plaît", "auj.": "aujourd'hui",
        "vs": "versus", "vs.": "versus", "Réf.": "référence", "chem.": "chemin", "P.-S.": "post-scriptum",
        "N.B.": "nota bene", "lun.": "lundi", "ven.": "vendredi", "sam.": "samedi", "dim.": "dimanche",
        "bât.": "bâtiment", "Bât.": "bâtiment", "NDLR": "note de la rédaction", "n.d.l.r.": "note de la rédaction",
        "Cf.": "confer", "cf.": "confer", "éd.": "éditions", "coll.": "collection", "chap.": "chapitre",
        "Rdv": "rendez-vous", "RDV": "rendez-vous", "rdv": "rendez-vous", "svp": "s'il vous plaît", "bcp": "beaucoup",
        "Vve": "veuve",
    },
    abbreviations={
        "etc.": "et cetera", "Av. J.-C.": "avant Jésus-Christ",
        **{
            f"{word} {christ}": f"{long} Jésus-Christ"
            for word, long in (
                ("av.", "avant"), ("avant", "avant"), ("apr.", "après"), ("ap.", "après"), ("après", "après"),
            )
            for christ in ("J.-C.", "J-C", "JC", "J.C.")
        },
        "av. n. è.": "avant notre ère", "de n. è.": "de notre ère",
    },
    abbreviated=(
        (r"(?<!\w)M\.(?= (?:(?:l[ae]|d[eu]|des)(?: |$)|[ld]['’])?[A-ZÀ-Þ]| l[ae] [a-z]| et M(?:me|lle|\.))",
        "Monsieur"),
        (r"(?<!\w)Me(?= [A-ZÀ-Þ][a-zà-ÿ])", "Maître"),
        (r"(?<!\w)St(?=[- ][A-ZÀ-Þ][a-zà-ÿ])", "Saint"), (r"(?<!\w)Ste(?=[- ][A-ZÀ-Þ][a-zà-ÿ])", "Sainte"),
        (r"(?<!\w)r\.(?= (?:de |du |des |d['’])[A-ZÀ-Þ])", "rue"), (r"(?<!\w)[Aa]rt\.(?= [LRD]\. ?\d)", "article"),
        (r"(?<!\w)pl\.(?= (?:de |du |des |d['’]|[A-ZÀ-Þ]))", "place"),
        (r"(?<=[IVX]e )s\.", "siècle."), (r"(?<=[IVX]ᵉ )s\.", "siècle."), (r"(?<=Ier )s\.", "siècle."),
        (r"(?<!\w)[Nn][°º](?= [a-zà-ÿ])", "numéro"), (r"(?<!\w)[Tt]\.(?= [IVX]+(?!\w))", "tome"),
        (r"(?<!\w)[Vv]ol\.(?= [IVX]+(?!\w))", "volume"), (r"(?<!\w)[Cc]hap\.(?= [IVX]+(?!\w))", "chapitre"),
        (r"(?<=\de )ét\.", "étage."), (r"(?<=\de )arr\.", "arrondissement."), (r"(?<=[IVX]e )arr\.",
        "arrondissement."), (r"(?<!\w)[Ee]x\.(?= ?:)", "exemple"), (r"(?<![\w.])NB(?= ?:)", "nota bene"),
        (r"(?<![\w.])(?<!p\. )(?<!par )ex\.(?=,? [^\W\d])", "par exemple"),
        (r"(?<![\w./~])etc(?![\w./])", "et cetera"), (r"(?<!\w)P\. ?J\.(?= ?:)", "pièces jointes"),
        (r"(?<=\d )et suiv\.", "et suivantes."),
        *months_in_short(_MONTHS), *((rf"(?<=\der ){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)(?:er|ème|e|ᵉ))(?= (?:siècles?|s\.|arrondissement|millénaire|congrès))",
         "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>I|V)(?:re|ère|e|ᵉ))(?= (?:République|dynastie|partie|armée|Internationale))",
         "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]{2,})(?:èmes?|es?|ᵉ))(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?:(?<=\b[Ll]e )|(?<=\b[Ll]a )|(?<=\b[Dd]u )|(?<=\b[Aa]u ))(?P<all>(?P<r>[VX])(?:ème|e))(?!\w)",
         "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>I)er)(?!\w)", "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>I)(?:re|ère))(?!\w)", "ordinal-feminine", "{n}"),
        (roman_after("[Cc]hapitre|[Tt]ome|[Vv]olume|[Pp]artie|[Aa]cte|[Ss]cène|[Tt]itre|[Ll]ivre|[Aa]nnexe|Guerre "
                     "mondiale|[Cc]hant|[Tt]\\.|[Vv]ol\\.|[Cc]hap\\.|[Pp]hase|[Aa]rticle|[Aa]n"),
         "", "{n}"),
        (rf"(?<!\w)(?:{_NAMES}) (?P<r>[IVX]{{2,}}|[VX](?!\.))(?!\w)", "", "{n}"),
        (regnal(_KINGS), "", "{n}"),
    ),
    letters="a bé cé dé e effe gé hache i ji ka elle emme enne o pé ku erre esse té u vé double_vé ixe i_grec zède",
    spelled=frozenset({"UE", "USA", "IA", "URL", "USB", "ADN", "API", "ONG", "PDG", "CO", "RATP", "UTC", "EDF", "SA",
    "OMS", "FAQ", "IVG", "ADSL", "TPE", "PME", "AFP", "RER", "BCE",
                       "USD", "EUR", "TVA", "CDI", "LFI", "UMP", "UDI", "EELV", "PIB", "AVC", "IRM", "OGM", "RSA",
    "RMI",
    "ISF", "PMA", "GPA", "CIA", "FBI", "URSS", "RDA", "RFA", "IUT", "CIO", "CHU", "OQTF", "DGSE", "DGSI", "IGN", "ARN",
    "IBM", "AOC", "AOP", "IGP", "EPS", "PEA", "HEC", "VIH", "IPC", "APL", "OM", "OL", "JO", "SOS", "GIGN", "UHT"}),
    plurals=((r"(?<=\w)\(s\)", "s"),),
)  # fmt: skip

REGIONS = {region: replace(RULES, locale=f"fr-{region}") for region in ("BE", "CH")}  # "septante", "nonante"

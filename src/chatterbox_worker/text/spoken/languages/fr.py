"""French. Not CLDR's: Lexique des règles typographiques en usage à l'Imprimerie nationale (numbers, times, dates,
Roman numerals, abbreviations) and Grevisse, Le bon usage, § 595 ff. (agreement of "un", "premier" in dates and
names).
"""

from dataclasses import replace

from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_KINGS = (
    "Louis|Charles|Henri|François|Napoléon|Philippe|Jean-Paul|Benoît|Pie|Élisabeth|Jean|Léopold|Albert|Guillaume|"
    "Georges|Nicolas|Alexandre|Édouard|Léon|Grégoire"
)

_FEMININE = (
    "heure|semaine|tasse|cuillère|douzaine|journée|année|bouteille|minute|page|livre|tonne|pomme|carotte|tranche"
)
_MASCULINE = "kilo|litre|mètre|gramme|kilomètre|verre|jour|an|pot|sachet|point"
_WEEKDAYS = {
    "lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi", "sam": "samedi",
    "dim": "dimanche",
}  # fmt: skip
_MONTHS = {"janv": "janvier", "févr": "février", "avr": "avril", "juil": "juillet", "sept": "septembre",
           "oct": "octobre", "nov": "novembre", "déc": "décembre"}  # fmt: skip

RULES = Rules(
    locale="fr", group=" .", decimal=",", cardinal="numbering",
    sections=r"[Ss]ection|[Cc]hapitre|[Ff]igure|[Tt]ableau|[Vv]ersion|[Aa]nnexe|[Ee]xercice",
    agreement=(
        ((r"=? (?:heures?|minutes?|secondes?|semaines?|années?|fois|personnes?|pages?|livres?|tonnes?|femmes?|filles?|"
         r"voitures?|maisons?|tasses?|cuillères?|pommes?|carottes?|tomates?|tranches?|gousses?|pincées?|boîtes?|"
         r"bouteilles?|chambres?|portes?|tables?|rues?|villes?|places?|chansons?|journées?|nuits?|soirées?|lettres?|"
         r"lignes?|images?|photos?|vidéos?|réponses?|étoiles?|victoires?|équipes?|familles?|écoles?|classes?|"
         r"marches?|étapes?|douzaines?|vies?|mains?|pièces?|couronnes?|onces?|roupies?|calories|kilocalories|"
         r"\w+(?:tion|sion|té|ette|ance|ence)s?)\b"),
         "cardinal-feminine"),
    ),
    ordinals=((r"(?:er|ᵉʳ)", "ordinal-masculine"), (r"(?:re|ère)", "ordinal-feminine"),
              (r"(?:ème|eme|e|ᵉ|nde?)", "ordinal-masculine")),
    forms=(
        *weekdays(_WEEKDAYS, "à", after=r"\d{1,2}(?:h|:\d| ?[-–])"),
        (r"(?<!\w)[Nn]°\s?(?=\d)", "numéro "), (r"(?<!\w)[Nn]os (?=\d)", "numéros "),
        (r"(?<!\w)[Tt]\. (?=\d)", "tome "),
        (r"(?<!\w)[Aa]pp?t\. ?(?=\d)", "appartement "),
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
        (r"(?<![\w/.,])1/5(?= d[eu'’])", "un cinquième"), (r"(?<![\w/.,])(?P<n>[2-4])/5(?= d[eu'’])",
        "{n} cinquièmes"),
        (r"(?:(?<=[LRD]\. )|(?<=[Aa]rticle )|(?<=[Aa]rt\. ))(?P<n>\d{1,4})-(?P<m>\d{1,2})(?!\w)", "{n} tiret {m}"),
        (r"(?<![\w/.,])1/10(?= d[eu'’])", "un dixième"),
    ),
    to="à", score="à", code_number="pairs",
    numbered={
        "pp.": "pages", "p.": "page", "fig.": "figure", "chap.": "chapitre", "art.": "article", "vol.": "volume",
        "réf.": "référence", "ann.": "annexe",
    },
    between={":": "à", "/": "sur", "x": "par", "^": "puissance"},
    fractions={
        "1/2": "un demi", "n 1/2": "{n} et demi",
        "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart", "3/4": "trois quarts",
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
    money_and=" et ", money_of=" de ", phrase_fixes={" mille de ": " mille ", r" de (?=[aeiouéh])": " d'"},
    symbols_of_money={"$ CA": "CAD", "$CA": "CAD", "Fr.": "CHF"},
    per={
        "mois": "par mois", "an": "par an", "jour": "par jour", "semaine": "par semaine", "h": "de l'heure",
        "heure": "de l'heure", "nuit": "par nuit", "pers.": "par personne", "personne": "par personne",
        "m²": "le mètre carré", "m2": "le mètre carré", "m³": "le mètre cube", "kg": "le kilo", "L": "le litre",
        "l": "le litre", "kWh": "le kilowattheure", "km": "le kilomètre", "unité": "l'unité", "pièce": "la pièce",
        "min": "par minute", "utilisateur": "par utilisateur",
    },
    money_scales={
        "mille": "other{mille}", "millions": "other{millions}", "million": "other{million}",
        "milliards": "other{milliards}",
        "milliard": "other{milliard}", "M": "one{million} other{millions}",
        "Md": "one{milliard} other{milliards}", "Mds": "one{milliard} other{milliards}",
    },
    scales={"Mds": "other{milliards}"},
    units={
        "ko": "kilobyte", "Ko": "kilobyte", "Mo": "megabyte", "Go": "gigabyte", "To": "terabyte", "t": "tonne",
        "Mo/s": "megabyte-per-second", "Go/s": "gigabyte-per-second", "mn": "minute",
    },
    unit_words={
        "dB": "one{décibel} other{décibels}",
        "ct": "one{centime} other{centimes}", "cts": "other{centimes}",
        "tr/min": "one{tour par minute} other{tours par minute}",
        "c. à s.": "one{cuillère à soupe} other{cuillères à soupe}",
        "c. à soupe": "one{cuillère à soupe} other{cuillères à soupe}",
        "c. à c.": "one{cuillère à café} other{cuillères à café}",
        "c. à café": "one{cuillère à café} other{cuillères à café}",
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
        "×": "fois", "÷": "divisé par", "±": "plus ou moins", "²": "au carré", "³": "au cube",
        "≈": "environ", "<": "inférieur à", ">": "supérieur à",
        "≤": "inférieur ou égal à", "≥": "supérieur ou égal à", "−": "moins", "≠": "différent de",
    },
    titles={
        "Mme": "Madame", "Mmes": "Mesdames", "Mlle": "Mademoiselle", "MM.": "Messieurs", "Dr": "docteur",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "env.": "environ",
        "tél.": "téléphone", "Tél.": "téléphone", "bd": "boulevard", "Bd": "boulevard",
        "Bd.": "boulevard", "bd.": "boulevard", "av.": "avenue", "Av.": "avenue", "rte": "route", "Pr": "professeur",
        "Drs": "docteurs", "Mlles": "Mesdemoiselles", "Mgr": "Monseigneur", "Cie": "compagnie",
        "cf.": "confer", "éd.": "éditions", "coll.": "collection", "chap.": "chapitre", "Rdv": "rendez-vous",
        "RDV": "rendez-vous", "rdv": "rendez-vous", "svp": "s'il vous plaît", "bcp": "beaucoup", "Vve": "veuve",
    },
    abbreviations={
        "etc.": "et cetera", "av. J.-C.": "avant Jésus-Christ", "Av. J.-C.": "avant Jésus-Christ",
        "apr. J.-C.": "après Jésus-Christ",
    },
    abbreviated=(
        (r"(?<!\w)M\.(?= (?:le |la |l['’])?[A-ZÀ-Þ])", "Monsieur"), (r"(?<!\w)Me(?= [A-ZÀ-Þ][a-zà-ÿ])", "Maître"),
        (r"(?<!\w)St(?=[- ][A-ZÀ-Þ][a-zà-ÿ])", "Saint"), (r"(?<!\w)Ste(?=[- ][A-ZÀ-Þ][a-zà-ÿ])", "Sainte"),
        (r"(?<!\w)pl\.(?= (?:de |du |des |d['’]|[A-ZÀ-Þ]))", "place"),
        (r"(?<=[IVX]e )s\.", "siècle."), (r"(?<=[IVX]ᵉ )s\.", "siècle."),
        *((rf"(?:(?<=\d )|(?<=\der )){short}\.", f"{long}.") for short, long in _MONTHS.items()),
    ),
    roman=(
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)(?:er|ème|e|ᵉ))(?= (?:siècles?|s\.|arrondissement|millénaire|congrès))",
         "ordinal-masculine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>I|V)(?:re|ère|e|ᵉ))(?= (?:République|dynastie|partie|armée|Internationale))",
         "ordinal-feminine", "{n}"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]{2,})(?:ème|e|ᵉ))(?!\w)", "ordinal-masculine", "{n}"),
        (rf"(?<!\w)(?:{_KINGS}) (?P<all>(?P<r>I)er)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("[Cc]hapitre|[Tt]ome|[Vv]olume|[Pp]artie|[Aa]cte|[Ss]cène|[Tt]itre|[Ll]ivre|[Aa]nnexe|Guerre "
                     "mondiale"),
         "", "{n}"),
        (regnal(_KINGS), "", "{n}"),
    ),
    letters="a bé cé dé e effe gé hache i ji ka elle emme enne o pé ku erre esse té u vé double_vé ixe i_grec zède",
    spelled=frozenset({"UE", "USA", "IA", "URL", "USB", "ADN", "API", "ONG", "PDG", "CO", "RATP", "UTC", "EDF", "SA",
    "OMS", "FAQ", "IVG", "ADSL", "TPE", "PME", "AFP", "RER", "BCE",
                       "USD", "EUR"}),
    plurals=((r"(?<=\w)\(s\)", "s"),),
)  # fmt: skip

REGIONS = {region: replace(RULES, locale=f"fr-{region}") for region in ("BE", "CH")}  # "septante", "nonante"

"""French. Not CLDR's: Lexique des règles typographiques en usage à l'Imprimerie nationale (numbers, times, dates,
Roman numerals, abbreviations) and Grevisse, Le bon usage, § 595 ff. (agreement of "un", "premier" in dates and
names).
"""

from dataclasses import replace

from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

_KINGS = (
    "Louis|Charles|Henri|François|Napoléon|Philippe|Jean-Paul|Benoît|Pie|Élisabeth|Jean|Léopold|Albert|Guillaume|"
    "Georges|Nicolas|Alexandre|Édouard|Léon|Grégoire"
)

RULES = Rules(
    locale="fr", group=" .", decimal=",", cardinal="numbering",
    agreement=(
        ((r"=? (?:heures?|minutes?|secondes?|semaines?|années?|fois|personnes?|pages?|livres?|tonnes?|femmes?|filles?|"
         r"pièces?|couronnes?|onces?|roupies?|calories|kilocalories|\w+(?:tion|sion|té|ette|ance|ence)s?)\b"),
         "cardinal-feminine"),
    ),
    ordinals=((r"er", "ordinal-masculine"), (r"(?:re|ère)", "ordinal-feminine"),
              (r"(?:ème|eme|e|nde?)", "ordinal-masculine")),
    forms=((r"(?<!\w)[Nn]°\s?(?=\d)", "numéro "), (r"(?<!\w)pp?\. ?(?=\d)", "page ")),
    to="à",
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
    },
    money_and=" et ", money_of=" de ", phrase_fixes={" de euros": " d'euros"},
    money_scales={
        "millions": "other{millions}", "million": "other{million}", "milliards": "other{milliards}",
        "milliard": "other{milliard}", "M": "one{million} other{millions}",
    },
    scales={"Mds": "other{milliards}"},
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
        "≤": "inférieur ou égal à", "≥": "supérieur ou égal à", "−": "moins",
    },
    titles={
        "Mme": "Madame", "Mmes": "Mesdames", "Mlle": "Mademoiselle", "MM.": "Messieurs", "Dr": "docteur",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "env.": "environ",
        "tél.": "téléphone", "Tél.": "téléphone", "bd": "boulevard",
    },
    abbreviations={
        "etc.": "et cetera", "av. J.-C.": "avant Jésus-Christ", "apr. J.-C.": "après Jésus-Christ",
    },
    roman=(
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)(?:er|ème|e|ᵉ))(?= siècles?)", "ordinal-masculine", "{n}"),
        (rf"(?<!\w)(?:{_KINGS}) (?P<all>(?P<r>I)er)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("[Cc]hapitre|[Tt]ome|[Vv]olume|[Pp]artie|[Aa]cte|[Ss]cène|[Tt]itre|[Ll]ivre|[Aa]nnexe|Guerre "
                     "mondiale"),
         "", "{n}"),
        (regnal(_KINGS), "", "{n}"),
    ),
    letters="a bé cé dé e effe gé hache i ji ka elle emme enne o pé ku erre esse té u vé double_vé ixe i_grec zède",
    spelled=frozenset({"UE", "USA", "IA", "URL", "USB", "ADN", "API", "ONG", "PDG"}),
    plurals=((r"(?<=\w)\(s\)", "s"),),
)  # fmt: skip

REGIONS = {region: replace(RULES, locale=f"fr-{region}") for region in ("BE", "CH")}  # "septante", "nonante"

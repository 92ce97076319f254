"""Italian. Not CLDR's: Serianni, Grammatica italiana, VI (numerals), and Accademia della Crusca's advice on dates,
hours and Roman numerals.
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="it", group=". ", decimal=",", cardinal="numbering",
    agreement=(
        ((r"=? (?:or[ae]|settiman[ae]|person[ae]|volt[ae]|pagin[ae]|donn[ae]|sterlin[ae]|tonnellat[ae]|miglia|lir[ae]|"
         r"onc[ie]a?|coron[ae]|\w+(?:zione|zioni|tà))\b"), "cardinal-feminine"),
        (r"= ", "cardinal-masculine"),
        ((r" (?:(?:chilo|centi|milli)?metr[oi]|(?:chilo)?gramm[oi]|chil[oi]|litr[oi]|minut[oi]|second[oi]|giorn[oi]|"
          r"ann[oi]|mes[ei]|euro|dollar[oi]|grad[oi]|punt[oi]|libr[oi]|uom[oi]|bambin[oi])\b"), "cardinal-masculine"),
        # "un cane", but "uno studente"
        ((r" (?!(?:di|del|e|o|a|al|in|per|con|che|è|era|sono|si|su|da|non|il|la|lo|i|le)\b|s[^aeiou]|z|ps|gn|x|y)"
          r"[a-zàèéìòù]"), "cardinal-masculine"),
    ),
    labels=(
        r"(?:^|\W)(?:[Cc]apitolo|[Pp]agina|[Aa]rticolo|[Nn]umero|[Vv]olume|[Pp]arte|[Ss]ala|[Ll]inea|[Cc]anale|[Ll]ivello|"
        r"[Ff]ase|[Tt]ipo|[Vv]ersione|[Gg]ruppo|[Pp]asso|[Ff]igura|[Ii]l|[Dd]el|[Aa]l) $"
    ),
    ordinals=((r"º", "ordinal-masculine"), (r"ª", "ordinal-feminine")),
    forms=((r"(?<![\d.,])1 (?=ora\b)", "un'"), (r"(?<!\w)[Nn]\. ?(?=\d)", "numero "), (r"(?<!\w)pag\. ?(?=\d)",
      "pagina ")),
    to="a", percent="{n} per cento",
    between={":": "a", "/": "su", "x": "per", "^": "alla"},
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
    },
    money_and=" e ", money_of=" di ",
    money_scales={
        "milioni": "other{milioni}", "milione": "other{milione}", "miliardi": "other{miliardi}",
        "miliardo": "other{miliardo}", "mln": "one{milione} other{milioni}", "mld": "one{miliardo} other{miliardi}",
    },
    time="{h} e {m}", time_hour="{h}", hour="cardinal-feminine", time_dotted=(r"(?:alle|dalle|ore) ", ""),
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
        "≤": "minore o uguale a", "≥": "maggiore o uguale a", "−": "meno",
    },
    titles={
        "Sig.": "signor", "sig.": "signor", "Sig.ra": "signora", "sig.ra": "signora", "Dott.": "dottor",
        "Dott.ssa": "dottoressa", "Prof.": "professor", "Avv.": "avvocato", "Ing.": "ingegner",
        "p. es.": "per esempio",
        "ad es.": "ad esempio", "tel.": "telefono",
    },
    abbreviations={"ecc.": "eccetera", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo"},
    roman=(
        (r"(?<!\w)(?P<r>[IVX]+)(?= secolo)", "ordinal-masculine", "{n}"),
        (r"(?<=secolo )(?P<r>[IVX]+)(?!\w)", "ordinal-masculine", "{n}"),
        (roman_after("[Cc]apitolo|[Vv]olume|[Aa]tto|[Ll]ibro|[Tt]omo|[Tt]itolo"), "", "{n}"),
        (roman_after("[Pp]arte|[Ss]cena|Guerra Mondiale|guerra mondiale"), "", "{n}"),
        (regnal("Elisabetta|Caterina|Maria"), "ordinal-feminine", "{n}"),
        (regnal("Vittorio Emanuele|Luigi|Carlo|Giovanni Paolo|Benedetto|Pio|Enrico|Filippo|Umberto|Napoleone|Leone|"
                "Gregorio|Giovanni|Federico|Ferdinando|Nicola"), "ordinal-masculine", "{n}"),
    ),
    letters="a bi ci di e effe gi acca i i_lunga kappa elle emme enne o pi ku erre esse ti u vu doppia_vu ics "
            "ipsilon zeta",
    spelled=frozenset({"UE", "USA", "IA", "URL", "USB", "API"}) - {"USA"},
)  # fmt: skip

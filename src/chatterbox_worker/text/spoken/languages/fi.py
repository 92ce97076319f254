"""Finnish. Numbers are read in the nominative: which case a text wants is not written. Not CLDR's: Kielitoimiston
ohjepankki (numbers, ordinal stop, times, dates, abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="fi", group=" .", decimal=",", cardinal="numbering",
    ordinal_stops=((r"", r" [a-zäöå]", "ordinal"),),
    forms=((r"(?<!\w)[Nn]:o ?(?=\d)", "numero "), (r"(?<!\w)nro ?(?=\d)", "numero ")),
    to="viiva",
    fractions={
        "1/2": "puoli", "1 1/2": "puolitoista", "n 1/2": "{n} ja puoli",
        "1/3": "yksi kolmasosa", "2/3": "kaksi kolmasosaa", "1/4": "yksi neljäsosa",
        "3/4": "kolme neljäsosaa",
    },
    fraction_and=" ja ",
    scales={"milj.": "one{miljoona} other{miljoonaa}", "mrd.": "one{miljardi} other{miljardia}"},
    money={
        "EUR": Money(major="one{euro} other{euroa}", minor="one{sentti} other{senttiä}"),
        "USD": Money(major="one{dollari} other{dollaria}", minor="one{sentti} other{senttiä}"),
        "GBP": Money(major="one{punta} other{puntaa}", minor="one{penny} other{pennyä}"),
    },
    money_and=" ja ",
    money_scales={
        "miljoonaa": "other{miljoonaa}", "miljoona": "other{miljoona}", "miljardia": "other{miljardia}",
        "miljardi": "other{miljardi}", "milj.": "one{miljoona} other{miljoonaa}",
        "mrd.": "one{miljardi} other{miljardia}",
    },
    time="{h} {m}", time_low="{h} nolla {m}", time_dotted=(r"(?:[Kk]ello|[Kk]lo) ", ""),
    date="{d} {m} {y}", day="ordinal",
    marks={
        ".": "piste", "/": "kauttaviiva", "-": "väliviiva", "_": "alaviiva", "@": "ät", ":": "kaksoispiste",
        "?": "kysymysmerkki", "=": "yhtä kuin", "&": "ja", "#": "risuaita", "%": "prosentti", "+": "plus",
        "~": "tilde",
    },
    symbols={
        "&": "ja", "@": "ät", "#": "numero", "№": "numero", "§": "pykälä", "+": "plus", "=": "on yhtä kuin",
        "×": "kertaa", "÷": "jaettuna", "±": "plus miinus", "≈": "noin", "<": "pienempi kuin", ">": "suurempi kuin",
        "≤": "enintään", "≥": "vähintään", "−": "miinus",
    },
    titles={
        "esim.": "esimerkiksi", "ks.": "katso", "mm.": "muun muassa", "klo": "kello", "puh.": "puhelin",
        "ns.": "niin sanottu", "prof.": "professori", "toim.": "toimittanut", "vrt.": "vertaa",
    },
    abbreviations={
        "jne.": "ja niin edelleen", "ym.": "ynnä muuta", "yms.": "ynnä muuta sellaista", "eKr.": "ennen Kristusta",
        "jKr.": "jälkeen Kristuksen",
    },
    roman=(
        (roman_after("[Ll]uku|[Oo]sa|[Nn]äytös"), "", "{n}"),
        (regnal("Kustaa|Kaarle|Aleksanteri|Nikolai|Ludvig|Henrik|Johannes Paavali|Benedictus|Pius|Napoleon|Elisabet|"
                "Katariina|Erik|Juhana"), "ordinal", "{n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖ", vowels="AEIOUYÅÄÖ",
    letters="aa bee see dee ee äf gee hoo ii jii koo äl äm än oo pee kuu är äs tee uu vee kaksoisvee äks yy tset "
            "ruotsalainen_oo ää öö",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB"}),
)  # fmt: skip

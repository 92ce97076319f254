"""Finnish. Numbers are read in the nominative but where an ending follows a colon: "5:llä", "10 %:n", "5 km:n". Not
CLDR's: Kielitoimiston ohjepankki (numbers, their endings, ordinal stop, times, dates, abbreviations).
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_WEAK = {  # endings after the weak grade, with their cases
    "n": "genitive", "ss[aä]": "inessive", "st[aä]": "elative", "ll[aä]": "adessive", "lt[aä]": "ablative",
    "lle": "allative", "ksi": "translative",
}  # fmt: skip
_ENDINGS = _WEAK | {"t[aä]|ä|aa?": "partitive", "een|aan": "illative", "n[aä]": "essive"}
_NUMBER = r"(?<![\w.,:/–—-])(?<![\d–-] )(?P<n>\d{1,3}(?: \d{3})*|\d+)"
_UNITS = {  # with the strong grade, and the weak one where it differs
    "%": ("prosentti", "prosenti"), "€": ("euro", ""), "km": ("kilometri", ""), "m": ("metri", ""),
    "cm": ("senttimetri", ""), "mm": ("millimetri", ""), "kg": ("kilogramma", ""), "g": ("gramma", ""),
    "l": ("litra", ""), "h": ("tunti", "tunni"), "min": ("minuutti", "minuuti"), "ha": ("hehtaari", ""),
    "GHz": ("gigahertsi", ""), "MHz": ("megahertsi", ""), "kW": ("kilowatti", "kilowati"),
}  # fmt: skip


def _strong(word: str) -> tuple[tuple[str, str, str], ...]:
    """The partitive, illative and essive: endings as they are written after a colon, cases, words."""
    main = word.removeprefix("kilo").removeprefix("sentti").removeprefix("milli").removeprefix("giga")
    last, a = word[-1], "a" if set(main.removeprefix("mega")) & set("aou") else "ä"
    return (
        (f"{last}?{a}", "partitive", word + a), (f"{last}{{1,2}}n", "illative", f"{word}{last}n"),
        (f"n{a}", "essive", f"{word}n{a}"),
    )  # fmt: skip


_SECTIONS = tuple(
    f"[{word[0].upper()}{word[0]}]{word[1:]}{ending}"
    for word, endings in (
        ("versio", " n ta ssa sta on lla lle"), ("kuva", " n ssa sta an"), ("luku", " un"), ("luvu", "n ssa sta"),
        ("kohta", " an"), ("kohda", "n ssa sta"), ("taulukko", " on"), ("tauluko", "n ssa sta"),
    )
    for ending in endings.split(" ")
)  # fmt: skip

_NO_TIME = r"(?<![\w./,-])(?<![Kk]lo )(?<![Kk]ello )"

RULES = Rules(
    locale="fi", group=" .", decimal=",", cardinal="numbering",
    sections="|".join(_SECTIONS),
    years=((r"(?<![\d.,:/])(?P<y>\d{1,3})(?= ?§(?! ?\d))", "ordinal"),),
    ordinals=((":s", "ordinal"), (":nnen", "ordinal-genitive")),
    ordinal_stops=((r"", r" ?[–-] ?\d{1,2}\.(?:\d| [a-zäöå]+kuu)", "ordinal"), (r"", r" [a-zäöå]", "ordinal")),
    forms=(*weekdays({"ma": "maanantai", "ti": "tiistai", "ke": "keskiviikko", "to": "torstai", "pe": "perjantai",
                      "la": "lauantai", "su": "sunnuntai"}, "viiva", after=r"\d|klo"),
           *((rf"{_NUMBER}:(?:{ending})(?!\w)", f"{{n:cardinal-{case}}}") for ending, case in _ENDINGS.items()),
           *((rf"(?<![\w.,:/–—-])(?P<a>\d+),(?P<n>\d):(?:{ending})(?!\w)", f"{{a}} pilkku {{n:cardinal-{case}}}")
             for ending, case in _ENDINGS.items()),
           *((rf"{_NUMBER} ?{unit}:(?P<e>{ending})(?!\w)", f"{{n:cardinal-{case}}} {weak or word}{{e}}")
             for unit, (word, weak) in _UNITS.items() for ending, case in _WEAK.items()),
           *((rf"{_NUMBER} ?{unit}:(?:{ending})(?!\w)", f"{{n:cardinal-{case}}} {words}")
             for unit, (word, _) in _UNITS.items() for ending, case, words in _strong(word)),
           (r"(?<=\d\.)[–-](?=\d\d?\.(?:\d| [a-zäöå]+kuu))", " viiva "), (r"(?<=€)/kk(?!\w)", " kuukaudessa"),
           (r"(?<=€)/(?:v|vuosi)(?!\w)", " vuodessa"), (r"(?<=€)/kpl(?!\w)", " kappale"), (r"(?<=€)/kg(?!\w)", " kilo"),
           (r"(?<=\d) ?§(?! ?\d)", "pykälä"), (r"(?<!\w)(?<!\d )[Ss]\. ?(?=\d)", "sivu "),
           (r"(?<!\w)[Nn]\. (?=\d)", "noin "), (r"(?<!\w)[Vv]ko (?=\d)", "viikko "), (r"(?<!\w)Nro ?(?=\d)",
           "Numero "), (r"(?<!\w)[Nn]:o ?(?=\d)", "numero "), (r"(?<!\w)nro ?(?=\d)", "numero ")),
    to="viiva",
    fractions={
        "1/2": "puoli", "1 1/2": "puolitoista", "n 1/2": "{n} ja puoli", "1/3": "yksi kolmasosa",
        "2/3": "kaksi kolmasosaa", "1/4": "yksi neljäsosa", "3/4": "kolme neljäsosaa",
    },
    fraction_and=" ja ", between={"^": "potenssiin", "x": "kertaa"},
    money={
        "EUR": Money(major="one{euro} other{euroa}", minor="one{sentti} other{senttiä}"),
        "USD": Money(major="one{dollari} other{dollaria}", minor="one{sentti} other{senttiä}"),
        "GBP": Money(major="one{punta} other{puntaa}", minor="one{penny} other{pennyä}"),
    },
    money_words={"euroa": "EUR", "dollaria": "USD"}, money_and=" ja ",
    money_scales={
        "miljoonaa": "other{miljoonaa}", "miljoona": "other{miljoona}", "miljardia": "other{miljardia}",
        "miljardi": "other{miljardi}",
    },
    symbols_of_money={"eur": "EUR"},
    units={"Gt": "gigabyte", "Mt": "megabyte", "kt": "kilobyte", "Tt": "terabyte", "pv": "day", "vk": "week",
        "kk": "month"},
    unit_words={
        "dB": "one{desibeli} other{desibeliä}", "rkl": "one{ruokalusikallinen} other{ruokalusikallista}",
        "tl": "one{teelusikallinen} other{teelusikallista}", "kpl": "one{kappale} other{kappaletta}",
        "snt": "one{sentti} other{senttiä}", "hlö": "one{henkilö} other{henkilöä}", "hlöä": "other{henkilöä}",
    },
    phrase_fixes={  # a half is followed by the partitive
        r"^(puoli|puolitoista) (\w+a|\w*[aou]\w*i)$": r"\1 \2a",
        r"^(puoli|puolitoista) ([^aou\s]+i)$": r"\1 \2ä",
    },
    time="{h} {m}", time_low="{h} nolla {m}", time_dotted=(r"(?:[Kk]ello|[Kk]lo) ", ""),
    date="{d} {m} {y}", day="ordinal",
    date_short=((_NO_TIME + "".join(f"(?<!{word} )" for word in _SECTIONS), r"\.(?!\d)"),),
    phones=r"(?:[Pp]uh\.?|[Pp]uhelin|[Gg]sm):? ",
    marks={
        ".": "piste", "/": "kauttaviiva", "-": "väliviiva", "_": "alaviiva", "@": "ät", ":": "kaksoispiste",
        "?": "kysymysmerkki", "=": "yhtä kuin", "&": "ja", "#": "risuaita", "%": "prosentti", "+": "plus",
        "~": "tilde",
    },
    symbols={
        "²": "toiseen", "³": "kolmanteen", "≠": "on eri kuin", "&": "ja", "@": "ät", "#": "numero", "№": "numero",
        "§": "pykälä", "+": "plus", "=": "on yhtä kuin", "×": "kertaa", "÷": "jaettuna", "±": "plus miinus",
        "≈": "noin", "<": "pienempi kuin", ">": "suurempi kuin", "≤": "enintään", "≥": "vähintään", "−": "miinus",
        "√": "neliöjuuri",
    },
    titles={
        "esim.": "esimerkiksi", "ks.": "katso", "Ks.": "Katso", "Esim.": "Esimerkiksi", "Klo": "Kello",
        "Puh.": "Puhelin", "hra": "herra", "Hra": "Herra", "rva": "rouva", "Rva": "Rouva", "tri": "tohtori",
        "krs.": "kerros", "ko.": "kyseinen", "em.": "edellä mainittu", "ts.": "toisin sanoen", "yht.": "yhteensä",
        "alk.": "alkaen", "sis.": "sisältää", "huom.": "huomaa", "enint.": "enintään", "väh.": "vähintään",
        "alv": "arvonlisävero", "alv.": "arvonlisävero", "mm.": "muun muassa", "klo": "kello", "puh.": "puhelin",
        "ns.": "niin sanottu", "prof.": "professori", "toim.": "toimittanut", "vrt.": "vertaa",
    },
    abbreviations={
        "jne.": "ja niin edelleen", "ym.": "ynnä muuta", "tms.": "tai muuta sellaista",
        "eaa.": "ennen ajanlaskun alkua", "jaa.": "jälkeen ajanlaskun alun", "yms.": "ynnä muuta sellaista",
        "eKr.": "ennen Kristusta", "jKr.": "jälkeen Kristuksen",
    },
    roman=(
        (r"(?<!\w)(?P<r>I{1,2}) maailmansota(?!\w)", "ordinal", "{n}"),
        (roman_after("[Ll]uku|[Oo]sa|[Nn]äytös"), "", "{n}"),
        (regnal("Kustaa|Kaarle|Aleksanteri|Nikolai|Ludvig|Henrik|Johannes Paavali|Benedictus|Pius|Napoleon|Elisabet|"
                "Katariina|Erik|Juhana"), "ordinal", "{n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖ", vowels="AEIOUYÅÄÖ",
    letters="aa bee see dee ee äf gee hoo ii jii koo äl äm än oo pee kuu är äs tee uu vee kaksoisvee äks yy tset "
            "ruotsalainen_oo ää öö",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB"}),
)  # fmt: skip

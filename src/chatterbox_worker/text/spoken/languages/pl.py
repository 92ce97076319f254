"""Polish. Numbers are read in the nominative: which case a text wants is not written. Not CLDR's: Wielki słownik
ortograficzny PWN, rules 12-13 (numerals, dates, hours, abbreviations), and Bańko, Wykłady z polskiej fleksji
("dwie").
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="pl", group=" .", decimal=",", cardinal="numbering",
    fixes={"iętdziesiąt": "ięćdziesiąt", "szesdziesiąt": "sześćdziesiąt"},  # slips of CLDR 48 in ordinals
    agreement=(
        ((r"=? (?:godzin[ay]|minut[ay]|sekund[ay]|stron[ay]|osob[ay]|kobiet[ay]|książk[ai]|ton[ay]|mil[aei]|rupi[ae]|"
         r"koron[ay]|lir[ay]|uncj[ae]|kaloria?e?|kilokalori[ae]|ulic[ae]|noc[ey]?|dziewczyn[ay]|szklank[ai])\b"),
         "cardinal-feminine"),
    ),
    years=((r"(?<=[Ww] )(?P<y>1\d\d\d|20\d\d)(?= roku| r\.)", "ordinal-masculine-locative"),
           (r"(?<![\d.])(?P<y>1\d\d\d|20\d\d)(?= roku| r\.)", "numbering-year")),
    forms=((r"(?<=\d\d\d\d )r\.(?= [a-ząćęłńóśźż,])", "roku"), (r"(?<=\d\d\d\d )r(?=\.(?:\s|$))", "roku"),
           (r"(?<!\w)nr (?=\d)", "numer "), (r"(?<!\w)s\. (?=\d)", "strona ")),
    between={":": "do", "/": "na", "x": "na"},
    fractions={
        "1/2": "jedna druga", "1 1/2": "półtora", "n 1/2": "{n} i pół",
        "1/3": "jedna trzecia", "2/3": "dwie trzecie", "1/4": "jedna czwarta",
        "3/4": "trzy czwarte",
    },
    fraction_and=" i ",
    scales={
        "tys.": "one{tysiąc} few{tysiące} many{tysięcy} other{tysiąca}",
        "mln": "one{milion} few{miliony} many{milionów} other{miliona}",
        "mld": "one{miliard} few{miliardy} many{miliardów} other{miliarda}",
    },
    money={
        "PLN": Money(major="one{złoty} few{złote} many{złotych} other{złotego}",
                     minor="one{grosz} few{grosze} many{groszy} other{grosza}"),
        "USD": Money(major="one{dolar} few{dolary} many{dolarów} other{dolara}",
                     minor="one{cent} few{centy} many{centów} other{centa}"),
        "EUR": Money(major="other{euro}", minor="one{cent} few{centy} many{centów} other{centa}"),
        "GBP": Money(major="one{funt} few{funty} many{funtów} other{funta}",
                     minor="one{pens} few{pensy} many{pensów} other{pensa}"),
    },
    money_and=" ",
    money_scales={
        "tys.": "one{tysiąc} few{tysiące} many{tysięcy} other{tysiąca}",
        "mln": "one{milion} few{miliony} many{milionów} other{miliona}",
        "mld": "one{miliard} few{miliardy} many{miliardów} other{miliarda}",
    },
    unit_words={"godz.": "one{godzina} few{godziny} many{godzin} other{godziny}"},
    time="{h} {m}", time_low="{h} zero {m}", hour="ordinal-feminine",
    hour_after=((r"(?:^|\s)(?:[Oo]|[Oo]d|[Dd]o|[Pp]o|[Oo]koło|godz\.) $", "ordinal-feminine-genitive"),),
    time_dotted=(r"(?:[Oo] |godz\. )", ""),
    date="{d} {m} {y} roku", day="ordinal-masculine-genitive", year="numbering-year", day_month="{d} {m}",
    marks={
        ".": "kropka", "/": "ukośnik", "-": "myślnik", "_": "podkreślenie", "@": "małpa", ":": "dwukropek",
        "?": "znak zapytania", "=": "równa się", "&": "i", "#": "krzyżyk", "%": "procent", "+": "plus", "~": "tylda",
    },
    symbols={
        "&": "i", "@": "małpa", "#": "numer", "№": "numer", "§": "paragraf", "+": "plus", "=": "równa się",
        "×": "razy", "÷": "podzielić przez", "±": "plus minus", "≈": "około", "<": "mniejsze niż", ">": "większe niż",
        "≤": "mniejsze lub równe", "≥": "większe lub równe", "−": "minus",
    },
    titles={
        "np.": "na przykład", "m.in.": "między innymi", "tzn.": "to znaczy", "dr": "doktor", "prof.": "profesor",
        "ok.": "około", "tel.": "telefon", "tj.": "to jest", "tzw.": "tak zwany", "mgr": "magister",
        "inż.": "inżynier",
    },
    abbreviations={
        "itd.": "i tak dalej", "itp.": "i tym podobne", "p.n.e.": "przed naszą erą", "n.e.": "naszej ery",
    },
    roman=(
        (r"(?<!\w)(?P<r>[IVX]+)(?= wieku)", "ordinal-masculine-genitive", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= wiek(?!\w))", "ordinal-masculine", "{n}"),
        (roman_after("[Rr]ozdział|[Tt]om|[Aa]kt|[Cc]zęść"), "", "{n}"),
        (regnal("Elżbieta|Katarzyna"), "ordinal-feminine", "{n}"),
        (regnal("Jan Paweł|Benedykt|Pius|Leon|Jan|Zygmunt|Władysław|Kazimierz|Ludwik|Henryk|Karol|Mikołaj|Aleksander|"
                "Bolesław|Mieszko|Napoleon|Stefan|August"), "ordinal-masculine", "{n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    letters="a be ce de e ef gie ha i jot ka el em en o pe ku er es te u fał wu iks igrek zet",
    spelled=frozenset({"UE", "USA", "AI", "API", "URL", "USB", "ONZ"}),
)  # fmt: skip

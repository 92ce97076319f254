"""Polish. Numbers are read in the nominative: which case a text wants is not written. Not CLDR's: Wielki słownik
ortograficzny PWN, rules 12-13 (numerals, dates, hours, abbreviations), and Bańko, Wykłady z polskiej fleksji
("dwie").
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_WEEKDAYS = {
    "pon": "poniedziałek", "pn": "poniedziałek", "wt": "wtorek", "śr": "środa", "czw": "czwartek",
    "pt": "piątek", "sob": "sobota", "niedz": "niedziela", "ndz": "niedziela",
}  # fmt: skip
_MONTHS = (
    "stycznia|sty\\.", "lutego|lut\\.", "marca|mar\\.", "kwietnia|kwi\\.", "maja", "czerwca|cze\\.", "lipca|lip\\.",
    "sierpnia|sie\\.", "września|wrz\\.", "października|paź\\.", "listopada|lis\\.", "grudnia|gru\\.",
)  # fmt: skip

_DECADES = (
    "dwudzieste", "trzydzieste", "czterdzieste", "pięćdziesiąte", "sześćdziesiąte", "siedemdziesiąte", "osiemdziesiąte",
    "dziewięćdziesiąte",
)  # fmt: skip

RULES = Rules(
    locale="pl", group=" .", decimal=",", cardinal="numbering",
    sections=(
        r"[Rr]ozdział|[Rr]ozdziale|[Ss]ekcja|[Ss]ekcji|[Rr]ysunek|"
        r"[Tt]abela|[Tt]abeli|[Ww]ersja|[Ww]ersji|[Pp]unkt"
    ),
    fixes={"iętdziesiąt": "ięćdziesiąt", "szesdziesiąt": "sześćdziesiąt"},  # slips of CLDR 48 in ordinals
    agreement=(
        ((r"=? (?:godzin[ay]|minut[ay]|sekund[ay]|stron[ay]|osob[ay]|kobiet[ay]|książk[ai]|ton[ay]|mil[aei]|rupi[ae]|"
         r"koron[ay]|lir[ay]|uncj[ae]|kaloria?e?|kilokalori[ae]|ulic[ae]|noc[ey]?|dziewczyn[ay]|szklank[ai]|łyżk[ai]|"
         r"łyżeczk[ai]|sztuk[ai]|filiżank[ai]|butelk[ai]|rodzin[ay]|drużyn[ay]|gwiazdk[ai]|cebul[aei]|"
         r"marchewk[ai]|kropl[ae]|szczypt[ay]|puszk[ai]|kostk[ai]|tabletk[ai]|córk[ai]|siostr[ay]|klas[ay]|rat[ay])\b"),
         "cardinal-feminine"),
    ),
    years=((r"(?<=[Ww] )(?P<y>1\d\d\d|20\d\d)(?= roku| r\.)", "ordinal-masculine-locative"),
           (r"(?<![\d.])(?P<y>1\d\d\d|20\d\d)(?= roku| r\.)", "numbering-year")),
    ordinal_stops=(
        (r"", r" (?:miejsce|piętro|zdanie|ćwiczenie)\b", "ordinal-neuter"),
        (r"", r" (?:klasa|minuta|część|edycja|liga|runda|kolejka|rocznica|strona|grupa)\b", "ordinal-feminine"),
        (r"", r" (?:raz|dzień|rok|tydzień|krok|rozdział|etap|tom|sezon|odcinek)\b", "ordinal-masculine"),
    ),
    forms=(
        *weekdays(_WEEKDAYS, "–", after=r"\d{1,2}(?:[:.]\d\d| ?[-–])"),
        *((rf"(?<=[Ll]ata ){number}0\.", word) for number, word in enumerate(_DECADES, 2)),
        (r"(?<![\w/.,])1/5(?= [a-zżźć])", "jedna piąta"), (r"(?<![\w/.,])2/5(?= [a-zżźć])", "dwie piąte"),
        (r"(?<![\w/.,])(?P<n>[34])/5(?= [a-zżźć])", "{n} piąte"), (r"(?<![\w/.,])1/10(?= [a-zżźć])", "jedna dziesiąta"),
        (r"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=[a-ząęółśżźćń]+\b)", "pół "),
        (r"(?<=\d\d\d\d )r\.(?=[,;)])", "roku"),
        (r"(?<=\d\d\d\d )r\.(?= [a-ząćęłńóśźż,])", "roku"), (r"(?<=\d\d\d\d )r(?=\.(?:\s|$))", "roku"),
           (r"(?<!\w)nr (?=\d)", "numer "), (r"(?<!\w)r\. (?=1\d\d\d|20\d\d)", "rok ")),
    numbered={
        "s.": "strona", "str.": "strona", "rys.": "rysunek", "rozdz.": "rozdział", "art.": "artykuł", "t.": "tom",
        "pkt": "punkt", "ust.": "ustęp", "tab.": "tabela", "min.": "minimum", "maks.": "maksimum",
        "m.": "mieszkanie", "lok.": "lokal", "poz.": "pozycja", "par.": "paragraf",
        "tel.": "telefon",
    },
    code_number="pairs", emergency=r"(?:[Zz]adzwoń|[Dd]zwoń|[Nn]umer\w*|[Tt]el\.) (?:pod |na )?(?:numer )?",
    phones=r"(?:[Tt]el\.|[Tt]elefon|[Kk]om\.):? ",
    per={
        "mies.": "za miesiąc", "mies": "za miesiąc", "miesiąc": "za miesiąc", "rok": "za rok", "dzień": "za dzień",
        "dobę": "za dobę", "godz.": "za godzinę", "h": "za godzinę", "os.": "od osoby", "m²": "za metr kwadratowy",
        "m2": "za metr kwadratowy", "mkw.": "za metr kwadratowy", "kg": "za kilogram", "l": "za litr",
        "szt.": "za sztukę",
        "kWh": "za kilowatogodzinę", "km": "za kilometr", "t": "za tonę", "noc": "za noc",
    },
    out_of="na", between={":": "do", "/": "na", "x": "na", "^": "do potęgi"},
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
    units={"t": "tonne", "Mb/s": "megabit-per-second"},
    unit_words={
        "dB": "one{decybel} few{decybele} many{decybeli} other{decybela}",
        "gr": "one{grosz} few{grosze} many{groszy} other{grosza}",
        "os.": "one{osoba} few{osoby} many{osób} other{osoby}",
        "KM": "one{koń mechaniczny} few{konie mechaniczne} many{koni mechanicznych} other{konia mechanicznego}",
        "sek.": "one{sekunda} few{sekundy} many{sekund} other{sekundy}",
        "szt.": "one{sztuka} few{sztuki} many{sztuk} other{sztuki}",
        "min.": "one{minuta} few{minuty} many{minut} other{minuty}",
        "godz.": "one{godzina} few{godziny} many{godzin} other{godziny}"},
    time="{h} {m}", time_low="{h} zero {m}", hour="ordinal-feminine",
    hour_after=((r"(?:^|\s)(?:[Oo]|[Oo]d|[Dd]o|[Pp]o|[Oo]koło|[Oo] godz\.|[Oo]d godz\.|[Dd]o godz\.) $",
    "ordinal-feminine-genitive"),),
    time_dotted=(r"(?:[Oo] |godz\. )", ""), time_fixes={"^zerowa": "zero", "^zerowej": "zero"},
    date="{d} {m} {y} roku", day="ordinal-masculine-genitive", year="numbering-year", day_month="{d} {m}",
    months=_MONTHS,
    marks={
        ".": "kropka", "/": "ukośnik", "-": "myślnik", "_": "podkreślenie", "@": "małpa", ":": "dwukropek",
        "?": "znak zapytania", "=": "równa się", "&": "i", "#": "krzyżyk", "%": "procent", "+": "plus", "~": "tylda",
    },
    symbols={
        "&": "i", "@": "małpa", "#": "numer", "№": "numer", "§": "paragraf", "+": "plus", "=": "równa się",
        "×": "razy", "÷": "podzielić przez", "±": "plus minus", "≈": "około", "<": "mniejsze niż", ">": "większe niż",
        "≤": "mniejsze lub równe", "≥": "większe lub równe", "−": "minus", "≠": "nie równa się", "²": "do kwadratu",
        "³": "do sześcianu",
    },
    titles={
        "np.": "na przykład", "m.in.": "między innymi", "tzn.": "to znaczy", "dr": "doktor", "prof.": "profesor",
        "ok.": "około", "tel.": "telefon", "tj.": "to jest", "tzw.": "tak zwany", "mgr": "magister",
        "inż.": "inżynier",
        "Zob.": "zobacz", "zob.": "zobacz",
        "wg": "według", "Tel.": "telefon", "por.": "porównaj", "ww.": "wyżej wymieniony",
        "jw.": "jak wyżej", "nt.": "na temat", "ds.": "do spraw", "hab.": "habilitowany", "ks.": "ksiądz",
        "dot.": "dotyczy",
    },
    abbreviations={
        "itd.": "i tak dalej", "itp.": "i tym podobne", "p.n.e.": "przed naszą erą", "n.e.": "naszej ery",
        "cdn.": "ciąg dalszy nastąpi", "Sp. z o.o.": "spółka z o o", "sp. z o.o.": "spółka z o o", "S.A.": "es a",
    },
    abbreviated=(
        (r"(?<=[Oo] )godz\.(?= \d)", "godzinie"), (r"(?:(?<=[Oo]d )|(?<=[Dd]o ))godz\.(?= \d)", "godziny"),
        (r"(?<!\w)godz\.(?= \d)", "godzina"),
        (r"(?:(?<=[Nn]a )|(?<=[Pp]rzy ))ul\.", "ulicy"), (r"(?:^|(?<=, ))ul\.", "ulica"),
        (r"(?:^|(?<=, ))al\.(?= \w+ie\b)", "aleje"), (r"(?:^|(?<=, ))al\.", "aleja"),
        (r"(?:^|(?<=, ))pl\.", "plac"), (r"(?:^|(?<=, ))os\.", "osiedle"),
    ),
    roman=(
        (r"(?<=[Ww] )(?P<all>(?P<r>[IVX]+) w\.)", "ordinal-masculine-locative", "{n} wieku"),
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+) w\.)", "ordinal-masculine", "{n} wiek"),
        (r"(?<=[Ww] )(?P<r>[IVX]+)(?= wieku)", "ordinal-masculine-locative", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:wojna|Wojna|Rzeczpospolita|RP|część|edycja|liga|klasa))", "ordinal-feminine",
         "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:wojny|Wojny|Rzeczypospolitej))", "ordinal-feminine-genitive", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= (?:tysiąclecie|piętro|miejsce))", "ordinal-neuter", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= wieku)", "ordinal-masculine-genitive", "{n}"),
        (r"(?<!\w)(?P<r>[IVX]+)(?= wiek(?!\w))", "ordinal-masculine", "{n}"),
        (roman_after("[Rr]ozdział|[Tt]om|[Aa]kt|[Cc]zęść"), "", "{n}"),
        (regnal("Elżbieta|Katarzyna"), "ordinal-feminine", "{n}"),
        (regnal("Jan Paweł|Benedykt|Pius|Leon|Jan|Zygmunt|Władysław|Kazimierz|Ludwik|Henryk|Karol|Mikołaj|Aleksander|"
                "Bolesław|Mieszko|Napoleon|Stefan|August"), "ordinal-masculine", "{n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    letters="a be ce de e ef gie ha i jot ka el em en o pe ku er es te u fał wu iks igrek zet",
    spelled=frozenset({"UE", "USA", "AI", "API", "URL", "USB", "ONZ", "AGD", "PO", "CO", "UTC"}),
)  # fmt: skip

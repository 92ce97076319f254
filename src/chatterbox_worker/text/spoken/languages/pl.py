"""Polish. Numbers are read in the nominative but where a preposition or the noun after them says another case (see
`polish`). Not CLDR's: Wielki słownik ortograficzny PWN, rules 12-13 (numerals, dates, hours, abbreviations), and
Bańko, Wykłady z polskiej fleksji ("dwie").
"""

from chatterbox_worker.text.spoken import polish
from chatterbox_worker.text.spoken.patterns import roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_WEEKDAYS = {
    "pon": "poniedziałek", "pn": "poniedziałek", "wt": "wtorek", "śr": "środa", "czw": "czwartek", "pt": "piątek",
    "sob": "sobota", "niedz": "niedziela", "ndz": "niedziela",
}  # fmt: skip
RULES = Rules(
    locale="pl", group=" .", decimal=",", cardinal="numbering",
    sections=(
        r"[Rr]ozdział|[Rr]ozdziale|[Ss]ekcja|[Ss]ekcji|[Rr]ysunek|"
        r"[Tt]abela|[Tt]abeli|[Ww]ersja|[Ww]ersji|[Pp]unkt"
    ),
    fixes={"iętdziesiąt": "ięćdziesiąt", "szesdziesiąt": "sześćdziesiąt"},  # slips of CLDR 48 in ordinals
    speller=polish.spell,
    agreement=(
        *polish.AGREEMENT,
        ((r"=? (?:godzin[ay]|minut[ay]|sekund[ay]|stron[ay]|osob[ay]|kobiet[ay]|książk[ai]|ton[ay]|mil[aei]|rupi[ae]|"
         r"koron[ay]|lir[ay]|uncj[ae]|kaloria?e?|kilokalori[ae]|ulic[ae]|noc[ey]?|dziewczyn[ay]|szklank[ai]|łyżk[ai]|"
         r"łyżeczk[ai]|sztuk[ai]|filiżank[ai]|butelk[ai]|rodzin[ay]|drużyn[ay]|gwiazdk[ai]|cebul[aei]|"
         r"marchewk[ai]|kropl[ae]|szczypt[ay]|puszk[ai]|kostk[ai]|tabletk[ai]|córk[ai]|siostr[ay]|klas[ay]|rat[ay]|"
         r"bramk[ai]|złotówk[ai]|paczk[ai]|szkoł[ay]|grup[ay]|firm[ay]|gmin[ay]|płyt[ay]|rund[ay]|dob[ay]|kart[ay]|"
         r"chwil[ae]|możliwości|części|rzeczy|nog[ai]|piosenk[ai]|wsie|matk[ai]|ofiar[ay]|"
         r"[a-zęół]+[csz]j[ae]|[a-zęół]+ówk[ai])\b"),
         "cardinal-feminine"),
    ),
    cases=polish.CASES, compounds=polish.COMPOUNDS, ordinals=polish.ORDINALS, years=polish.YEARS,
    ordinal_stops=polish.ORDINAL_STOPS,
    forms=(
        *weekdays(_WEEKDAYS, "–", after=r"\d{1,2}(?:[:.]\d\d| ?[-–])"),
        *polish.forms(), *polish.NUMBERED_NOUNS,
        *((rf"(?<![\d.,/\w])(?<!\d )(?:½|1/2) {unit}(?!\w)", f"pół {word}") for unit, word in (
            ("kg", "kilograma"), ("l", "litra"), ("km", "kilometra"), ("m", "metra"), ("h", "godziny"))),
        (r"(?<![\w/.,])1/5(?= [a-zżźć])", "jedna piąta"), (r"(?<![\w/.,])2/5(?= [a-zżźć])", "dwie piąte"),
        (r"(?<![\w/.,])(?P<n>[34])/5(?= [a-zżźć])", "{n} piąte"), (r"(?<![\w/.,])1/10(?= [a-zżźć])", "jedna dziesiąta"),
        (r"(?<![\w/.,])1/8(?= [a-zżźć])", "jedna ósma"), (r"(?<![\w/.,])1/16(?= [a-zżźć])", "jedna szesnasta"),
        (r"(?<![\d.,/\w])(?<!\d )(?:½|1/2) (?=[a-ząęółśżźćń]{3,}\b)", "pół "),
           (r"(?<!\w)nr (?=\d)", "numer "), (r"(?<!\w)r\. (?=1\d\d\d|20\d\d)", "rok ")),
    numbered={
        "s.": "strona", "str.": "strona", "rys.": "rysunek", "rozdz.": "rozdział", "art.": "artykuł", "t.": "tom",
        "pkt": "punkt", "ust.": "ustęp", "tab.": "tabela", "min.": "minimum", "maks.": "maksimum", "m.": "mieszkanie",
        "lok.": "lokal", "poz.": "pozycja", "par.": "paragraf", "tel.": "telefon", "kom.": "komórka",
        "pow.": "powierzchnia",
    },
    code_number="pairs", emergency=r"(?:[Zz]adzwoń|[Dd]zwoń|[Nn]umer\w*|[Tt]el\.) (?:pod |na )?(?:numer )?",
    phones=r"(?:[Tt]el\.|[Tt]elefon|[Kk]om\.|NIP|PESEL|REGON|KRS):? ",
    per={
        "mies.": "za miesiąc", "mies": "za miesiąc", "miesiąc": "za miesiąc", "rok": "za rok", "dzień": "za dzień",
        "dobę": "za dobę", "godz.": "za godzinę", "h": "za godzinę", "os.": "od osoby", "m²": "za metr kwadratowy",
        "m2": "za metr kwadratowy", "mkw.": "za metr kwadratowy", "kg": "za kilogram", "l": "za litr",
        "szt.": "za sztukę", "kWh": "za kilowatogodzinę", "km": "za kilometr", "t": "za tonę", "noc": "za noc",
    },
    out_of="na", days_before="do|od|dnia", between={":": "do", "/": "na", "x": "na", "^": "do potęgi"},
    fractions={
        "1/2": "jedna druga", "1 1/2": "półtora", "n 1/2": "{n} i pół", "1/3": "jedna trzecia", "2/3": "dwie trzecie",
        "1/4": "jedna czwarta", "3/4": "trzy czwarte",
    },
    fraction_and=" i ",
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
    not_units={"m": r"\. \d"},
    units={"mkw.": "square-meter", "m kw.": "square-meter", "km kw.": "square-kilometer", "t": "tonne",
    "Mb/s": "megabit-per-second"},
    unit_words={
        "dB": "one{decybel} few{decybele} many{decybeli} other{decybela}",
        "gr": "one{grosz} few{grosze} many{groszy} other{grosza}",
        "os.": "one{osoba} few{osoby} many{osób} other{osoby}",
        "KM": "one{koń mechaniczny} few{konie mechaniczne} many{koni mechanicznych} other{konia mechanicznego}",
        **dict.fromkeys(["dag", "dkg"], "one{dekagram} few{dekagramy} many{dekagramów} other{dekagrama}"),
        "proc.": "other{procent}",
        "pkt proc.": "one{punkt procentowy} few{punkty procentowe} many{punktów procentowych} "
                     "other{punktu procentowego}",
        "st. C": "one{stopień Celsjusza} few{stopnie Celsjusza} many{stopni Celsjusza} other{stopnia Celsjusza}",
        "sek.": "one{sekunda} few{sekundy} many{sekund} other{sekundy}",
        "szt.": "one{sztuka} few{sztuki} many{sztuk} other{sztuki}",
        "min.": "one{minuta} few{minuty} many{minut} other{minuty}",
        "godz.": "one{godzina} few{godziny} many{godzin} other{godziny}"},
    time="{h} {m}", time_low="{h} zero {m}", hour="ordinal-feminine",
    hour_after=polish.HOURS, day_after=polish.DAYS,
    date_short=((r"(?<!\w)(?:[Dd]nia|dniu|[Dd]o|[Oo]d|[Nn]a|[Pp]o|[Pp]rzed) ", r"\.(?![\w])"),),
    time_dotted=(r"(?:[Oo] |godz\. )", ""), time_fixes={"^zerowa": "zero", "^zerowej": "zero"},
    date="{d} {m} {y} roku", day="ordinal-masculine-genitive", year="numbering-year", day_month="{d} {m}",
    months=polish.MONTHS,
    marks={
        ".": "kropka", "/": "ukośnik", "-": "myślnik", "_": "podkreślenie", "@": "małpa", ":": "dwukropek",
        "?": "znak zapytania", "=": "równa się", "&": "i", "#": "krzyżyk", "%": "procent", "+": "plus", "~": "tylda",
    },
    symbols={
        "&": "i", "@": "małpa", "#": "numer", "№": "numer", "§": "paragraf", "+": "plus", "=": "równa się",
        "×": "razy", "÷": "podzielić przez", "±": "plus minus", "≈": "około", "<": "mniejsze niż", ">": "większe niż",
        "≤": "mniejsze lub równe", "≥": "większe lub równe", "−": "minus", "≠": "nie równa się", "²": "do kwadratu",
        "³": "do sześcianu", "√": "pierwiastek z",
    },
    titles={
        "np.": "na przykład", "m.in.": "między innymi", "tzn.": "to znaczy", "dr": "doktor", "prof.": "profesor",
        "ok.": "około", "tel.": "telefon", "tj.": "to jest", "tzw.": "tak zwany", "mgr": "magister",
        "inż.": "inżynier", "Zob.": "zobacz", "zob.": "zobacz", "wg": "według", "Tel.": "telefon", "por.": "porównaj",
        "ww.": "wyżej wymieniony", "jw.": "jak wyżej", "nt.": "na temat", "ds.": "do spraw", "hab.": "habilitowany",
        "ks.": "ksiądz", "dot.": "dotyczy", "płk": "pułkownik", "ppłk": "podpułkownik", "mjr": "major",
        "kpt.": "kapitan", "sierż.": "sierżant", "abp": "arcybiskup", "bp": "biskup", "kard.": "kardynał",
        "red. nacz.": "redaktor naczelny", "mec.": "mecenas", "ew.": "ewentualnie", "m. in.": "między innymi",
        "d/s": "do spraw", "pp.": "państwo",
    },
    abbreviations={
        "itd.": "i tak dalej", "itp.": "i tym podobne", "p.n.e.": "przed naszą erą", "n.e.": "naszej ery",
        "br.": "bieżącego roku", "ub.r.": "ubiegłego roku", "ub. r.": "ubiegłego roku", "bm.": "bieżącego miesiąca",
        "n.p.m.": "nad poziomem morza", "etc.": "et cetera", "c.d.": "ciąg dalszy", "cdn.": "ciąg dalszy nastąpi",
        "Sp. z o.o.": "spółka z o o", "sp. z o.o.": "spółka z o o", "S.A.": "es a",
    },
    abbreviated=(
        (r"(?:(?<=\b[Oo] )|(?<=\b[Pp]o ))godz\.(?= \d)", "godzinie"), (r"(?<=[Pp]rzed )godz\.(?= \d)", "godziną"),
        (r"(?:(?<=\b[Oo]d )|(?<=\b[Dd]o )|(?<=\b[Oo]k\. )|(?<=koło ))godz\.(?= \d)", "godziny"),
        (r"(?<=\b[Nn]a )godz\.(?= \d)", "godzinę"), (r"(?<=\b[Ww] )godz\.(?= \d)", "godzinach"),
        # the word is in the reading of a date in digits
        (r"(?<=\d\.\d\d\.\d{4}) ?r\.(?=[,;)]| [a-ząćęłńóśźż(—–-])", ""), (r"(?<=\d\.\d\d\.\d{4}) ?r(?=\.(?:\s|$))", ""),
        *((rf"(?<!\w)woj\.(?= [a-ząćęłńóśźż-]+{end}\b)", f"województw{word}") for end, word in (
            ("kie", "o"), ("kiego", "a"), ("kim", "ie"))),
        *((rf"(?<!\w)pow\.(?= [a-ząćęłńóśźż-]+{end}\b)", f"powia{word}") for end, word in (
            ("ki", "t"), ("kiego", "tu"), ("kim", "cie"))),
        (r"(?<!\w)p\.(?= [A-ZŁŚŻ]\w+[sc]ki\b)", "pan"), (r"(?<!\w)p\.(?= [A-ZŁŚŻ]\w+[sc]ka\b)", "pani"),
        *((rf"(?<!\w){short}\.(?= [A-ZŁŚŻĆ])", word) for short, word in (
            ("dr", "doktora"), ("im", "imienia"), ("gen", "generał"), ("adm", "admirał"), ("red", "redaktor"))),
        (r"(?<!\w)im\.(?= [„\"])", "imienia"), (r"(?<!\w)pt\.(?= [„\"«])", "pod tytułem"),
        (r"(?<=\()ang\.", "po angielsku"), (r"(?<=\()niem\.", "po niemiecku"), (r"(?<=\()łac\.", "po łacinie"),
        (r"(?<=\()fr\.", "po francusku"), (r"(?<=\()ros\.", "po rosyjsku"),
        (r"(?<!\w)godz\.(?= \d)", "godzina"),
        (r"(?:(?<=[Nn]a )|(?<=[Pp]rzy ))ul\.", "ulicy"), (r"(?:^|(?<=[,:] ))ul\.", "ulica"),
        (r"(?:^|(?<=, ))al\.(?= \w+ie\b)", "aleje"), (r"(?:^|(?<=, ))al\.", "aleja"),
        (r"(?:^|(?<=, ))pl\.", "plac"), (r"(?:^|(?<=, ))os\.", "osiedle"),
    ),
    roman=(
        (r"(?<!\w)(?P<all>(?P<r>[IVX]+)-)(?=wieczn)", "compound", "{n}"), *polish.centuries(), *polish.NUMERALS,
        (roman_after("[Rr]ozdział|[Tt]om|[Aa]kt|[Cc]zęść"), "", "{n}"),
        *polish.RULERS,
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    letters="a be ce de e ef gie ha i jot ka el em en o pe ku er es te u fał wu iks igrek zet",
    spelled=frozenset({"UE", "USA", "AI", "API", "URL", "USB", "ONZ", "AGD", "PO", "CO", "UTC", "AGH", "UJ", "UW", "AK",
    "IPN", "ABW", "CBA", "ONR", "AWF", "IMGW", "OSP", "ASP", "EKG", "USG", "DNA", "IQ", "SOS", "PKO", "RPO"}),
)  # fmt: skip

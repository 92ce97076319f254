"""Polish cases: of numbers after prepositions and before nouns, of years, centuries, rulers and what has a number.

Source: Wielki słownik ortograficzny PWN, rules 12-13; Bańko, Wykłady z polskiej fleksji (numerals).
"""

from __future__ import annotations

from collections.abc import Iterator

from chatterbox_worker.text.spoken import slavic
from chatterbox_worker.text.spoken.slavic import ALONE, YEAR, after

MONTHS = (
    "stycznia|sty\\.", "lutego|lut\\.", "[Mm]arca|mar\\.", "kwietnia|kwi\\.", "[Mm]aja", "[Cc]zerwca|cze\\.",
    "[Ll]ipca|lip\\.", "[Ss]ierpnia|sie\\.", "września|wrz\\.", "października|paź\\.", "[Ll]istopada|lis\\.",
    "[Gg]rudnia|gru\\.",
)  # fmt: skip
_MONTH = f"(?:{'|'.join(MONTHS)})"
_GENITIVES = (
    "stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października",
    "listopada", "grudnia",
)  # fmt: skip
_ROMAN_MONTHS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_ROMAN_MONTH = "(?:I{1,3}|I[VX]|VI{0,3}|XI{0,2})"

_UNITS = (
    "", "jedno", "dwu", "trzy", "cztero", "pięcio", "sześcio", "siedmio", "ośmio", "dziewięcio", "dziesięcio",
    "jedenasto", "dwunasto", "trzynasto", "czternasto", "piętnasto", "szesnasto", "siedemnasto", "osiemnasto",
    "dziewiętnasto",
)  # fmt: skip
_TENS = (
    "", "", "dwudziesto", "trzydziesto", "czterdziesto", "pięćdziesięcio", "sześćdziesięcio", "siedemdziesięcio",
    "osiemdziesięcio", "dziewięćdziesięcio",
)  # fmt: skip
_HUNDREDS = (
    "", "stu", "dwustu", "trzystu", "czterystu", "pięćset", "sześćset", "siedemset", "osiemset", "dziewięćset",
)  # fmt: skip


def spell(number: int, rule_set: str) -> str | None:
    """The first part of an adjective ("compound"), which CLDR lacks."""
    if rule_set != "compound" or not 0 < number < 10_000:
        return None
    thousands, rest = divmod(number, 1000)
    hundreds, rest = divmod(rest, 100)
    tens, unit = divmod(rest, 10) if rest >= len(_UNITS) else (0, rest)
    before = "" if not thousands else "tysiąc" if thousands == 1 else f"{_UNITS[thousands]}tysiąc"
    return before + _HUNDREDS[hundreds] + _TENS[tens] + _UNITS[unit]


_PREPOSITIONAL, _GENITIVE, _INSTRUMENTAL = (
    f"ordinal-masculine-{case}" for case in ("locative", "genitive", "instrumental")
)
_FEMININE = "ordinal-feminine-genitive"  # and locative, and dative
_LETTER = "[a-ząćęłńóśźż]"

CASES = (
    (
        (
            r"(?<![\w-])(?:[Dd]o|[Oo]d|[Bb]ez|[Dd]la|[Oo]koło|[Oo]k\.|[Uu]|[Ww]śród|[Ss]pośród|[Oo]prócz|[Zz]amiast|"
            r"[Pp]odczas|[Pp]owyżej|[Pp]oniżej|[Ww] ciągu|[Pp]rzez okres|[Ww] wieku) "
            r"(?:(?:prawie|niemal|\d{1,4} lub) |\d{1,4}[-–—])?$"
        ),
        "",
        "genitive",
    ),
    (r"(?<![\w-])[Zz] (?:\d{1,4}[-–—])?$", rf" (?:{_LETTER}{{3,}}|na \d|do \d)", "genitive"),
    ("√ ?$", "", "genitive"),
)
AGREEMENT = tuple(
    (
        (
            rf"=? (?:{_LETTER}+[yi]{adjective} )?(?!(?:dach|gmach|dom|tom|atom|poziom|dyplom|tsunami)(?!\w))"
            rf"{_LETTER}+(?:{noun})(?!\w)"
        ),
        f"cardinal-masculine-{case}",
    )
    for adjective, noun, case in (("ch", "ach", "locative"), ("m", "om", "dative"), ("mi", "ami|[ćźńł]mi|laty",
    "instrumental"))
)  # fmt: skip
"""Before a noun whose ending in the plural is of one case only."""
_ADJECTIVE = (
    rf"{_LETTER}{{2,}}(?:w|n|sk|t)(?:y|a|e|ego|ej|emu|ą|ym|ych|ymi|i|ia|ie|iego|iej|iemu|ią|im|ich|imi)"
    rf"|lec{_LETTER}+|lat(?:ek|k{_LETTER}+|ków)"
)
COMPOUNDS = (
    (rf"(?:-|-?(?:cio|ro|to)-?)(?=(?:{_ADJECTIVE})(?!\w))", "compound"),
    (rf"(?=[-–—]\d{{1,3}}-(?:{_ADJECTIVE})(?!\w))", "compound"),
)
ORDINALS = (
    (r"(?:-?(?:szy|gi|ci|ty|my)|-y)", "ordinal-masculine"), (r"(?:-?(?:sza|ga|cia|ta)|-(?:ma|a))", "ordinal-feminine"),
    (r"(?:-?(?:sze|gie|cie)|-(?:te|me|e))", "ordinal-neuter"),
    (r"(?:-?(?:szego|giego|ciego|tego|mego)|-e?go)", _GENITIVE), (r"(?:-?(?:szej|giej|ciej|tej|mej)|-ej)", _FEMININE),
    (r"-(?:szym|gim|cim|tym|mym|ym|m)", _PREPOSITIONAL), (r"-(?:szą|gą|cią|tą|mą|ą)", "ordinal-feminine-accusative"),
    (r"-?(?:ciu|óch|uch|ech|miu|stu|tu)", "cardinal-masculine-genitive"),
    # the day before a month in Roman digits, with its year
    (rf"(?= {_ROMAN_MONTH} (?:1\d\d\d|20\d\d)(?!\d))", _GENITIVE),
)  # fmt: skip
_LOCATIVE_NOUNS = (
    "miejscu|piętrze|rozdziale|tomie|etapie|sezonie|odcinku|meczu|secie|dniu|tygodniu|kwartale|rzędzie|poziomie|"
    "kilometrze|semestrze|wyścigu|biegu|punkcie|akcie|kroku|zdaniu"
)
_FEMININE_LOCATIVE_NOUNS = (
    "minucie|klasie|rundzie|kolejce|edycji|lidze|stronie|grupie|serii|połowie|godzinie|dekadzie|sekundzie|linii|"
    "próbie|rocznicy|kadencji|rocznicą"
)
_GENITIVE_NOUNS = "dnia|tygodnia|rozdziału|tomu|etapu|sezonu|odcinka|kwartału|semestru|wieku|rzędu|poziomu|kroku"
_FEMININE_GENITIVE_NOUNS = "klasy|rundy|kolejki|ligi|strony|grupy|godziny|połowy|minuty|serii|edycji|kadencji"
_ACCUSATIVE_NOUNS = "minutę|klasę|rundę|kolejkę|stronę|edycję|godzinę|połowę|rocznicę|serię|część|grupę"
ORDINAL_STOPS = tuple(
    ("", rf" (?:{nouns})(?!\w)", rule_set)
    for nouns, rule_set in (
        ("miejsce|piętro|zdanie|ćwiczenie", "ordinal-neuter"),
        ("klasa|minuta|część|edycja|liga|runda|kolejka|rocznica|strona|grupa|połowa|godzina", "ordinal-feminine"),
        (r"raz|dzień|rok|tydzień|krok|rozdział|etap|tom|sezon|odcinek|mecz|set|w tabeli|w klasyfikacji",
         "ordinal-masculine"),
        (_LOCATIVE_NOUNS, _PREPOSITIONAL), (_FEMININE_LOCATIVE_NOUNS, _FEMININE),
        (f"{_GENITIVE_NOUNS}|piętra|miejsca", _GENITIVE), (f"{_FEMININE_GENITIVE_NOUNS}|części", _FEMININE),
        (_ACCUSATIVE_NOUNS, "ordinal-feminine-accusative"),
    )
)  # fmt: skip
_PERSONS = (
    "mężczyzn|studentów|uczniów|panów|żołnierzy|policjantów|pracowników|mieszkańców|posłów|chłopców|ludzi|zawodników|"
    "piłkarzy|kandydatów|pasażerów|lekarzy|nauczycieli|kierowców|braci|synów|przyjaciół|kolegów|świadków|górników|"
    "strażaków|turystów|widzów|graczy|senatorów|obywateli|członków|uczestników|gości|klientów|pacjentów|przestępców|"
    "rannych|zabitych|sędziów|autorów|naukowców|radnych|więźniów|facetów|chłopaków|użytkowników|Polaków|Niemców|Żydów"
)
_YEAR_ENDS = rf"(?=[,;)]|\.(?!\d)|$| (?:na|do|po|w|przez|jako|nad|pod|od|się|{_LETTER}+(?:ł[aoy]?|li))(?!\w))"
YEARS = (
    *(
        (rf"{before}(?<![\d.,])(?P<y>\d{{1,4}})(?= r\. (?:p\.)?n\.e\.)", rule_set)
        for before, rule_set in ((after("w o po"), _PREPOSITIONAL), (after("przed"), _INSTRUMENTAL), ("", _GENITIVE))
    ),
    (rf"{after('w o po')}{YEAR}(?= roku| r\.)", _PREPOSITIONAL), (rf"{after('przed')}{YEAR}(?= r)", _INSTRUMENTAL),
    (
        rf"{after('w')}(?=1[1-9]|20[0-4]){YEAR}{_YEAR_ENDS}",
        _PREPOSITIONAL,
    ),
    (rf"{after('w')}(?P<y>[1-9]\d\d)(?= r\. {_LETTER})", _PREPOSITIONAL),
    (rf"{YEAR}(?= rok(?!\w))", "ordinal-masculine"), (rf"{YEAR}(?= rokiem)", _INSTRUMENTAL),
    (rf"{YEAR}(?= roku| r\.)", "numbering-year"),
    (rf"(?<=\b[Rr]ok ){YEAR}(?!\d| r)", "ordinal-masculine"), (rf"(?<=\b[Ww] roku ){YEAR}(?!\d)", _PREPOSITIONAL),
    (rf"(?<=\broku ){YEAR}(?!\d)", "numbering-year"),
    (rf"{after('od do')}{YEAR}(?=[,;:)!?]|\.(?!\d)|$| (?:i|lub|do) )", "numbering-year"),
    (rf"{after('po')}{YEAR}(?=[,;:)!?]|\.(?!\d)|$| i )", _PREPOSITIONAL),
    (rf"(?:(?<=\d [IVX] )|(?<=\d [IVX]{{2}} )|(?<=\d [IVX]{{3}} )|(?<=\d VIII )){YEAR}", "numbering-year"),
    # persons: the genitive stands for the nominative; the same form is right for what else has this ending after two
    (rf"{ALONE}(?P<y>\d{{1,3}})(?= (?:{_LETTER}+ych |{_LETTER}+ich )?(?:{_PERSONS})(?!\w))",
     "cardinal-masculine-genitive"),
    (rf"{ALONE}(?P<y>[2-9]?[2-4])(?= {_LETTER}+ów(?!\w))", "cardinal-masculine-genitive"),
    # without its full stop, before a noun in the singular
    (rf"{ALONE}(?P<y>[1-9]\d?)(?= (?:{_LOCATIVE_NOUNS})(?!\w))", _PREPOSITIONAL),
    (rf"{ALONE}(?P<y>[1-9]\d?)(?= (?:{_FEMININE_LOCATIVE_NOUNS})(?!\w))", _FEMININE),
    (rf"{after('w o po')}(?P<y>[1-9]\d?)(?= wieku(?!\w))", _PREPOSITIONAL),
    (rf"{after('w')}(?P<y>[1-9]\d?)(?= części(?!\w))", _FEMININE),
    (rf"{ALONE}(?P<y>[2-9]|[1-9]\d)(?= (?:{_GENITIVE_NOUNS})(?!\w))", _GENITIVE),
    (rf"{after('do od z dla')}(?P<y>[1-9]\d?)(?= (?:{_FEMININE_GENITIVE_NOUNS})(?!\w))", _FEMININE),
    (rf"{ALONE}(?P<y>[2-9]|[1-9]\d)(?= (?:klasa|minuta|runda|liga|edycja|kolejka|grupa|połowa)(?!\w))",
     "ordinal-feminine"),
    (rf"{ALONE}(?P<y>[2-9]|[1-9]\d)(?= (?:piętro|miejsce)(?!\w))", "ordinal-neuter"),
    (rf"{ALONE}(?P<y>[2-9]|[1-9]\d)(?= (?:dzień|rok|tydzień|rozdział|etap|tom|sezon|odcinek)(?!\w))",
     "ordinal-masculine"),
    # the first of two days
    (rf"{after('od z')}(?P<y>\d\d?)(?= (?:do|na) \d\d? {_MONTH})", _GENITIVE),
    (rf"{ALONE}(?P<y>[12]?\d|3[01])(?=(?: i |, | ?[-–—] ?)\d\d? {_MONTH})", _GENITIVE),
    (rf"(?<=\d-)(?P<y>[12]?\d|3[01])(?= {_MONTH})", _GENITIVE),
    # full hours
    (rf"{after('o od do po około koło ok[.]')}(?P<y>[012]?\d)(?= (?:rano|wieczorem|po południu|w nocy)(?!\w))",
     _FEMININE),
    (r"(?<=przed godz\. )(?P<y>[012]?\d)(?![\d.:,]?\d)", "ordinal-feminine-instrumental"),
    (rf"{after('o od do po około ok[.]', r' godz[.] ')}(?P<y>[012]?\d)(?![\d.:,]?\d)", _FEMININE),
    (r"(?:(?<=\bgodz\. )|(?<=\bgodz\. \d[-–])|(?<=\bgodz\. \d\d[-–]))(?P<y>[012]?\d)(?![\d.:,]?\d)",
     "ordinal-feminine"),
    (rf"{after('godzinie godziny')}(?P<y>[012]?\d)(?![\d.:,]?\d)", _FEMININE),
    (r"(?<=\b[Gg]odzina )(?P<y>[012]?\d)(?![\d.:,]?\d)", "ordinal-feminine"),
    (r"(?<=\b[Gg]odzinę )(?P<y>[012]?\d)(?![\d.:,]?\d)", "ordinal-feminine-accusative"),
    (r"(?<=\b[Gg]odziną )(?P<y>[012]?\d)(?![\d.:,]?\d)", "ordinal-feminine-instrumental"),
)  # fmt: skip
HOURS = (
    (r"(?:^|\s)(?:[Zz]|(?:[Oo]|[Oo]d|[Dd]o|[Pp]o|[Oo]koło|[Oo]k\.)(?: godz\.)?|godzinie|godziny) $", _FEMININE),
    (r"\d:\d\d a $", "ordinal-feminine-instrumental"),
    (r"(?:^|\s)(?:[Pp]rzed|[Mm]iędzy|[Pp]omiędzy|[Pp]rzed godz\.) $", "ordinal-feminine-instrumental"),
    (r"(?:^|\s)(?:[Nn]a|[Nn]a godz\.|godzinę) $", "ordinal-feminine-accusative"),
)  # fmt: skip
DAYS = ((r"\b[Pp]rzed $", _INSTRUMENTAL), (r"\b[Pp]o $", _PREPOSITIONAL))

_DECADES = (
    "dwudzieste", "trzydzieste", "czterdzieste", "pięćdziesiąte", "sześćdziesiąte", "siedemdziesiąte", "osiemdziesiąte",
    "dziewięćdziesiąte",
)  # fmt: skip
_COLLECTIVE = (
    "dwoje",
    "troje",
    "czworo",
    "pięcioro",
    "sześcioro",
    "siedmioro",
    "ośmioro",
    "dziewięcioro",
    "dziesięcioro",
)
_SCALES = (r"tys\.", "mln", "mld")
_COUNTED = (
    ("km²", "kilometrów kwadratowych"), ("km2", "kilometrów kwadratowych"), (r"km kw\.", "kilometrów kwadratowych"),
    ("m²", "metrów kwadratowych"), (r"m kw\.", "metrów kwadratowych"), (r"mkw\.", "metrów kwadratowych"),
    ("m³", "metrów sześciennych"), ("ha", "hektarów"), ("t", "ton"), ("km", "kilometrów"), (r"os\.", "osób"),
    ("MWh", "megawatogodzin"),
)  # fmt: skip


def forms() -> Iterator[tuple[str, str]]:
    """Decades, "r." after years, units after "tys.", children and months in Roman digits."""
    for digit, word in enumerate(_DECADES, 2):
        century = "tysiąc dziewięćset "
        for before, said in (("ata", word), ("atach", f"{word[:-1]}ych"), ("at", f"{word[:-1]}ych")):
            yield rf"(?<=\b[Ll]{before} ){digit}0\.", said
            yield rf"(?<=\b[Ll]{before} )19{digit}0\.", century + said
            yield rf"(?<=\b[Ll]{before} \d0\. i ){digit}0\.", said
    yield from words_of_years()
    yield from slavic.units_of_scales(_SCALES, _COUNTED)
    feminine = rf"{_LETTER}+(?:ce|ji)|kropli|godzinie|minucie|osobie"
    for nouns, word in ((feminine, "jednej"), (rf"{_LETTER}+(?:u|ym)", "jednym")):
        yield rf"(?<=\b[Pp]o )1(?= (?:{nouns})(?!\w))", word
    for number, word in enumerate(_COLLECTIVE, 2):
        yield rf"{after('do od dla bez u z')}{number}(?= dzieci(?!\w))", f"{word[:-1]}ga"
        yield rf"(?<![\w.,/-]){number}(?= dzieci(?!\w))", word
    for roman, month in zip(_ROMAN_MONTHS, _GENITIVES, strict=True):
        yield rf"(?<=\d ){roman}(?= (?:1\d\d\d|20\d\d)(?!\d))", month


def words_of_years() -> Iterator[tuple[str, str]]:
    for digits in range(1, 5):
        for before, word in ((after("przed", rf" \d{{{digits}}} "), "rokiem"), (rf"(?<= \d{{{digits}}} )", "roku")):
            yield rf"{before}r\.(?= (?:p\.)?n\.e\.)", word
    yield rf"(?<=\b[Ww] \d{{3}} )r\.(?= {_LETTER})", "roku"
    for before, word in ((after("przed", r" \d{4} "), "rokiem"), (r"(?<!\.\d{4} )(?<=\d{4} )", "roku")):
        yield rf"{before}r\.(?=[,;)]| [a-ząćęłńóśźż(—–-])", word
        yield rf"{before}r(?=\.(?:\s|$))", word


_ROMAN = "(?P<r>[IVX]+)"
_KINGS = (
    "Jan Paweł|Jana Pawł|Janowi Pawł|Janem Pawł|Janie Pawl|Benedykt|Pius|Leon|Jan|Zygmunt|Władysław|Kazimierz|Ludwik|"
    "Henryk|Karol|Mikołaj|Aleksander|Aleksandr|Bolesław|Mieszko|Mieszk|Napoleon|Stefan|August|Piotr|Fryderyk|Wilhelm|"
    "Filip|Edward|Ferdynand|Rudolf"
)


RULERS = tuple(slavic.rulers(
    ("masculine", _KINGS, (("", ""), ("a", "-genitive"), ("owi", "-dative"), ("i?em", "-instrumental"),
                           ("(?:ie|u|e)", "-locative"))),
    ("feminine", "Elżbie[tc]|Katarzyn|Mari|Wiktori|Ann", (("a", ""), ("(?:y|ie|i)", "-genitive"),
                 ("ę", "-accusative"), ("ą", "-instrumental"))),
))  # fmt: skip
"""Numerals after a ruler's name in any case."""
_PART = (
    "(?i:koniec|końca|końcu|końcem|początek|początku|początkiem|połow[ayęą]|połowie|ćwierć|przełom|przełomu|przełomie)"
)


def centuries() -> Iterator[tuple[str, str, str]]:
    """Roman numerals of a century, or of two with a dash, by what stands before them."""
    stop = r"(?:\.(?=[,;:)]| [^A-ZĄĆĘŁŃÓŚŹŻ])|(?=\.))"
    for before, case, century, more in (
        (r"(?<!\w)(?:[WwOo]|[Ww]e|[Pp]o) ", "-locative", "wieku", "wieku"),
        (rf"(?<!\w)(?:{_PART}|(?i:z|od|do|ok\.|około|lat \d\d\.|latach \d\d\.)) ", "-genitive", "wieku", "wieku"),
        (r"(?<!\w)(?i:przed) ", "-instrumental", "wiekiem", "wiekiem"),
        (r"(?<!\w)", "", "wiek", "wiek"),
    ):
        rule_set = f"ordinal-masculine{case}"
        yield rf"{before}{_ROMAN}(?= ?(?:[-–—]|i|/) ?[IVX]+ (?:w\.|wiek))", rule_set, "{n}"
        yield rf"{before}[IVX]+ ?(?:[-–—]|i|/) ?(?P<all>{_ROMAN} w{stop})", rule_set, f"{{n}} {more}"
        yield rf"{before}(?P<all>{_ROMAN} w{stop})", rule_set, f"{{n}} {century}"
    yield rf"(?<=\b[Ww] ){_ROMAN}(?= wieku)", _PREPOSITIONAL, "{n}"
    for word, case in (("wieku", "-genitive"), ("wiekiem", "-instrumental"), ("wiek", "")):
        yield rf"(?<!\w){_ROMAN}(?= {word}(?!\w))", f"ordinal-masculine{case}", "{n}"


NUMERALS = tuple(slavic.numerals(
    _ROMAN,
    (
        ("wojna|Wojna|Rzeczpospolita|RP|część|edycja|liga|klasa|połowa|tura|kadencja|grupa", "ordinal-feminine"),
        (("[Ww]ojny|[Ww]ojnie|Rzeczypospolitej|części|edycji|lidze|ligi|klas(?:ie|y)|połow(?:ie|y)|"
         "turze|tury|kadencji|grupy"),
         _FEMININE),
        ("wojnę|edycję|ligę|klasę|połowę|turę|kadencję|grupę", "ordinal-feminine-accusative"),
        ("wojną|turą", "ordinal-feminine-instrumental"), ("tysiąclecie|piętro|miejsce", "ordinal-neuter"),
        ("tysiącleciu|piętrze|miejscu|kwartale|etapie|tomie|akcie|semestrze|filarze", _PREPOSITIONAL),
        ("tysiąclecia|piętra|kwartału|etapu|tomu|semestru|filaru", _GENITIVE),
        ("kwartał|etap|tom|semestr|filar|stopień|rok|zjazd|kongres", "ordinal-masculine"),
    ),
))  # fmt: skip
_NOUNS = {  # the genitive, locative and accusative
    "s": ("stro", "ny nie nę"), "str": ("stro", "ny nie nę"), "rys": ("rysun", "ku ku ek"),
    "rozdz": ("rozdzia", "łu le ł"), "art": ("artyku", "łu le ł"), "tab": ("tabel", "i i ę"),
    "ust": ("ust", "ępu ępie ęp"), "poz": ("pozycj", "i i ę"),
}  # fmt: skip
NUMBERED_NOUNS = tuple(
    slavic.numbered_nouns(_NOUNS, (after("z ze od do"), after("w na o po"), after("zob[.] por[.] patrz")))
)

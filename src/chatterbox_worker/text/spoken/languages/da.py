"""Danish. Not CLDR's: Dansk Sprognævn, Retskrivningsordbogen, § 42 ff. (abbreviations, ordinal stop, times and
dates).
"""

from chatterbox_worker.text.spoken import scandinavian
from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = (
    r"januar|jan\.?", r"februar|feb\.?", r"marts|mar\.?", r"april|apr\.?", "maj", r"juni|jun\.?", r"juli|jul\.?",
    r"august|aug\.?", r"september|sept?\.?", r"oktober|okt\.?", r"november|nov\.?", r"december|dec\.?",
)  # fmt: skip
_DECADES = {
    "20": "tyverne", "30": "trediverne", "40": "fyrrerne", "50": "halvtredserne", "60": "tresserne",
    "70": "halvfjerdserne", "80": "firserne", "90": "halvfemserne",
}  # fmt: skip
_SHORT = {
    "mht": "med hensyn til", "ift": "i forhold til", "ifm": "i forbindelse med", "iht": "i henhold til",
    "pga": "på grund af", "dvs": "det vil sige", "evt": "eventuelt", "inkl": "inklusive", "ekskl": "eksklusive",
    "vha": "ved hjælp af", "jf": "jævnfør", "iflg": "ifølge",
}  # fmt: skip
_KINGS = "Christian|Frederik|Margrethe|Ludvig|Henrik|Erik|Karl|Gustav|Johannes Paul|Benedikt|Pius|Napoleon|Elizabeth"
_COMMON = (  # counted nouns with "en"; those in -e but for these, and by their endings
    r"(?:bil|bog|billet|lejlighed|portion|kamp|plads|elev|kat|hund|kop|pose|nat|stol|liter|mand|gulerod|tomat|"
    r"citron|banan|"
    r"knivspids|dag|uge|måned|gang|side|krone|dollar|euro|kilometer|meter|centimeter|person|time|minut|sekund|"
    r"grad|million|"
    r"milliard|ven|søn|bror|søster|datter|by|sø|pizza|øl|del|bid|"
    r"(?!(?:æble|billede|menneske|øje|øre|hjerte|minde|stykke|møde|område|hæfte|værelse|rejse|ikke|eller|alle|"
    r"andre|samme|"
    r"disse|være|have|blive|efter)\b)[a-zæøå]{2,}(?:e|ing|tion|hed))"
)
_ADJECTIVE = r"(?:(?:stor|lille|hel|ny|gammel|gul|rød|hvid|grøn|frisk|revet|hakket|lang|kort) )?"
_RULERS = r"(?:(?<=Christian)|(?<=Frederik)|(?<=Margrethe)|(?<=Erik)|(?<=Valdemar)|(?<=Knud))"

RULES = Rules(
    locale="da", group=". ", decimal=",", cardinal="numbering",
    sections=r"[Aa]fsnit|"
             r"[Kk]apitel|[Ff]igur|[Tt]abel|[Vv]ersion|[Bb]ilag|[Kk]ap\.|[Ff]ig\.|[Tt]ab\.|[Ee]ksempel|[Pp]unkt",
    fixes={  # slips of CLDR 48 in ordinals, and the years up to 2009, which no one counts in hundreds
        r"^(million|milliard)\b": r"en \1", r"\betog": "enog", "fyrrende$": "fyrretyvende",
        "^tyvehundrede$": "totusind",
        "^tyvehundrede og (en|et|to|tre|fire|fem|seks|syv|otte|ni)$": r"totusinde og \1",
    },
    agreement=((r"= (?:styk)\b", "cardinal-neuter"), (r"= (?:gram|kilogram|milligram|år|pund|ton)\b",
    "cardinal-neuter"),
               (rf"= | {_ADJECTIVE}{_COMMON}\b", "cardinal-common")),
    ordinal_stops=((rf"{_RULERS} ", r"(?!\d)", "ordinal-common"), (r"(?<=\bden )", r"[,;:)]|$", "ordinal-common"),
                   ("", r" (?:Mosebog|Kongebog|Krønikebog|Samuelsbog|Korintherbrev)", "ordinal-common"), (r"",
                    r" [a-zæøå]", "ordinal-common")),
    years=((YEAR, "numbering-year"),),
    numbered={
        "jan.": "januar", "feb.": "februar", "apr.": "april", "aug.": "august", "sep.": "september",
        "sept.": "september", "okt.": "oktober", "nov.": "november", "dec.": "december", "art.": "artikel",
    },
    forms=(*scandinavian.forms(to="til", once="en gang", times="gange", one_to="en til", eighths="ottendedele",
             born="født", died="død", per=r"pr\.", cubic="kubikmeter"),
           *weekdays({"man": "mandag", "tirs": "tirsdag", "ons": "onsdag", "tors": "torsdag", "fre": "fredag",
                      "lør": "lørdag", "søn": "søndag"}, "til", after=r"\d|kl"),
           *((rf"(?<!\w)(?:[’'])?{digits}['’]?erne(?!\w)", words) for digits, words in _DECADES.items()),
           *((rf"(?<!\w)(?P<c>1[89]){digits}['’]?erne(?!\w)", "{c} " + words) for digits, words in _DECADES.items()),
           (rf"{_RULERS} (?=\d\d?\.)", " den "),
           (r"(?<![\w.,])(?:kr\.? ?)?(?P<n>\d{1,3}(?:\.\d{3})*),-(?: ?kr\.?)?(?!\w)", "{n} kroner"),
           (r"(?<=kr\.)/md\.?(?!\w)", " om måneden"), (r"(?<=kr\.)/år(?!\w)", " om året"),
           (r"(?<=kr\.)/kg(?!\w)", " per kilo"), (r"(?<=kr\.)/stk\.?(?!\w)", " per styk"),
           (r"(?<=\d\. )th\.?(?!\w)", "til højre"), (r"(?<=\d\. )tv\.?(?!\w)", "til venstre"),
           (r"(?<!\w)(?<!\d )[Ss](?:id)?\. ?(?=\d)", "side "), (r"(?<!\w)[Ff]ig\. ?(?=\d)", "figur "),
           (r"(?<!\w)[Tt]ab\. ?(?=\d)", "tabel "), (r"(?<!\w)[Kk]ap\. ?(?=\d)", "kapitel "),
           (r"(?<!\w)[Ss]tk\. ?(?=\d)", "stykke "), (r"(?<!\w)d\. ?(?=\d)", "den "),
           (r"(?<!\w)[Nn]r\.? ?(?=\d)", "nummer "), (r"(?<!\w)[Kk]l\. ?(?=\d)", "klokken ")),
    to="til",
    out_of="af", days_before="den|til", between={"^": "opløftet i", ":": "til", "x": "gange"},
    fractions={
        "1/2": "en halv", "1 1/2": "halvanden", "1/3": "en tredjedel", "2/3": "to tredjedele", "1/4": "en fjerdedel",
        "3/4": "tre fjerdedele",
    },
    fraction_and=" og ",
    scales={
        **dict.fromkeys(["mio.", "mio"], "=1{million} other{millioner}"),
        **dict.fromkeys(["mia.", "mia"], "=1{milliard} other{milliarder}"),
    },
    money={
        "DKK": Money(major="one{krone} other{kroner}", minor="other{øre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "DKK", "kr.": "DKK"},
    money_words={"kroner": "DKK", "euro": "EUR", "dollar": "USD"}, money_and=" og ",
    money_scales={
        "millioner": "other{millioner}", "million": "other{million}", "milliarder": "other{milliarder}",
        "milliard": "other{milliard}",
    },
    units={"kvm": "square-meter", "sek": "second", "km/t": "kilometer-per-hour"},
    unit_words={
        "dB": "other{decibel}", "pers.": "one{person} other{personer}", "spsk.": "one{spiseske} other{spiseskeer}",
        "spsk": "one{spiseske} other{spiseskeer}", "tsk.": "one{teske} other{teskeer}",
        "tsk": "one{teske} other{teskeer}", "stk.": "other{styk}", "stk": "other{styk}", "pct.": "other{procent}",
        "pct": "other{procent}", "km/l": "other{kilometer per liter}", "kB": "other{kilobyte}",
        "KB": "other{kilobyte}", "MB": "other{megabyte}", "GB": "other{gigabyte}", "TB": "other{terabyte}",
    },
    time="{h} {m}", time_low="{h} nul {m}", time_dotted=(r"[Kk]l(?:okken|\.)? ", ""),
    date="{d} {m} {y}", day="ordinal-common", year="numbering-year", day_month="{d} {m}", months=_MONTHS,
    date_short=((r"(?<!\w)(?:[Dd]en|d\.) ", r"(?![\w/]|[.,]\d)"),),
        phones=r"(?:[Tt]lf\.?|[Tt]elefon|[Mm]obil|CVR(?:-nr\.)?):? ",
    marks={
        ".": "punktum", "/": "skråstreg", "-": "bindestreg", "_": "understreg", "@": "snabel-a", ":": "kolon",
        "?": "spørgsmålstegn", "=": "lig med", "&": "og", "#": "havelåge", "%": "procent", "+": "plus", "~": "tilde",
    },
    symbols={
        "²": "i anden", "³": "i tredje", "≠": "er forskellig fra", "&": "og", "@": "snabel-a", "#": "nummer",
        "№": "nummer", "§": "paragraf", "+": "plus", "=": "lig med", "×": "gange", "÷": "divideret med",
        "±": "plus minus", "≈": "cirka", "<": "mindre end", ">": "større end", "≤": "mindre end eller lig med",
        "≥": "større end eller lig med", "−": "minus", "√": "kvadratroden af",
    },
    titles={
        "Dr.": "Doktor", "F.eks.": "For eksempel", "Bl.a.": "Blandt andet", "Fx": "For eksempel",
        "f.eks": "for eksempel", "hhv.": "henholdsvis",
        "bl.a": "blandt andet", "fhv.": "forhenværende", "s.k.": "såkaldte",
        "i st.f.": "i stedet for", "afd.": "afdeling", "m.a.o.": "med andre ord", "ang.": "angående",
        **{f"{short}{stop}": words for stop in ("", ".") for short, words in _SHORT.items()},
        "kgl.": "kongelig", "Skt.": "Sankt", "Sct.": "Sankt", "A/S": "a es", "ApS": "a pe es", "I/S": "i es",
        "tv": "te ve", "pc": "pe ce", "dvd": "de ve de", "cd": "ce de", "wc": "ve ce", "sms": "es em es",
        "gps": "ge pe es", "kg": "kilo", "km": "kilometer", "cm": "centimeter", "km/t": "kilometer i timen",
        "kWh": "kilowatttimer", "kr.": "kroner", "f.eks.": "for eksempel", "fx": "for eksempel",
        "bl.a.": "blandt andet", "ca.": "cirka", "dr.": "doktor", "Hr.": "Herr", "m.h.t.": "med hensyn til",
        "f.o.m.": "fra og med", "t.o.m.": "til og med", "p.t.": "for tiden", "pr.": "per", "maks.": "maksimalt",
        "d.v.s.": "det vil sige", "Ca.": "Cirka", "Tlf.": "Telefon", "md.": "måned", "mdr.": "måneder", "hr.": "herr",
        "tlf.": "telefon", "vedr.": "vedrørende", "prof.": "professor",
    },
    abbreviations={"etc.": "et cetera", "osv": "og så videre", "o.lign.": "og lignende",
                   "el.lign.": "eller lignende", "mfl.": "med flere", "f. Kr.": "før Kristus",
                   "e. Kr.": "efter Kristus", "o.s.v.": "og så videre", "m.v.": "med videre", "mv.": "med videre",
                   "m.fl.": "med flere", "o.l.": "og lignende", "osv.": "og så videre", "m.m.": "med mere",
                   "f.Kr.": "før Kristus",
                   "e.Kr.": "efter Kristus"},
    abbreviated=((r"(?<!\S)ca(?= \d)", "cirka"),),
    roman=(
        (roman_after("[Kk]apitel|[Dd]el|[Aa]kt|[Bb]ind"), "", "{n}"),
        (rf"(?<!\w)(?:{_KINGS}) (?P<all>(?P<r>[IVX]+)['’]?s)(?!\w)", "ordinal-common", "den {n}s"),
        (regnal(_KINGS), "ordinal-common", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ", vowels="AEIOUYÆØÅ",
    letters="a be ce de e ef ge hå i jåd kå el em en o pe ku er es te u ve dobbelt-ve eks y zæt æ ø å",
    spelled=frozenset({"OL", "EM", "ID", "LO", "AGF", "OB", "SU", "EKG", "IQ", "HIV", "UTF", "IRC", "ISP", "EU",
    "USA", "AI", "API", "URL", "USB", "IT"}),
)  # fmt: skip

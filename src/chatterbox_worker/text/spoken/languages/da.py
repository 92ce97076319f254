"""Danish. Not CLDR's: Dansk Sprognævn, Retskrivningsordbogen, § 42 ff. (abbreviations, ordinal stop, times and
dates).
"""

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
_RULERS = r"(?:(?<=Christian)|(?<=Frederik)|(?<=Margrethe)|(?<=Erik)|(?<=Valdemar)|(?<=Knud))"

RULES = Rules(
    locale="da", group=". ", decimal=",", cardinal="numbering",
    sections=r"[Aa]fsnit|[Kk]apitel|[Ff]igur|[Tt]abel|[Vv]ersion|[Bb]ilag",
    fixes={  # slips of CLDR 48 in ordinals, and the years up to 2009, which no one counts in hundreds
        r"^(million|milliard)\b": r"en \1", r"\betog": "enog", "fyrrende$": "fyrretyvende",
        "^tyvehundrede$": "totusind",
        "^tyvehundrede og (en|et|to|tre|fire|fem|seks|syv|otte|ni)$": r"totusinde og \1",
    },
    agreement=((r"= (?:styk)\b", "cardinal-neuter"), ((r" (?:bil|bog|billet|lejlighed|flaske|dåse|portion|klasse|kamp|"
               r"plads|elev|kunde|kat|hund|kop|pose|skive|nat|stol|liter)\b"), "cardinal-common"),
               (r"= (?:gram|kilogram|milligram|år|pund|ton)\b", "cardinal-neuter"),
               ((r"= | (?:kilometer|meter|centimeter|time|minut|sekund|dag|uge|måned|person|gang|side|krone|dollar|"
                 r"euro|"
                r"liter|grad)\b"), "cardinal-common")),
    ordinal_stops=((rf"{_RULERS} ", r"(?!\d)", "ordinal-common"), (r"", r" [a-zæøå]", "ordinal-common")),
    years=((YEAR, "numbering-year"),),
    forms=(*weekdays({"man": "mandag", "tirs": "tirsdag", "ons": "onsdag", "tors": "torsdag", "fre": "fredag",
                      "lør": "lørdag", "søn": "søndag"}, "til", after=r"\d|kl"),
           *((rf"(?<!\w)(?:[’'])?{digits}['’]?erne(?!\w)", words) for digits, words in _DECADES.items()),
           *((rf"(?<!\w)(?P<c>1[89]){digits}['’]?erne(?!\w)", "{c} " + words) for digits, words in _DECADES.items()),
           (rf"{_RULERS} (?=\d\d?\.)", " den "),
           (r"(?<![\w.,])(?:kr\.? ?)?(?P<n>\d{1,3}(?:\.\d{3})*),-(?!\w)", "{n} kroner"),
           (r"(?<=kr\.)/md\.?(?!\w)", " om måneden"), (r"(?<=kr\.)/år(?!\w)", " om året"),
           (r"(?<=\d\. )th\.?(?!\w)", "til højre"), (r"(?<=\d\. )tv\.?(?!\w)", "til venstre"),
           (r"(?<!\w)(?<!\d )[Ss](?:id)?\. ?(?=\d)", "side "), (r"(?<!\w)[Ff]ig\. ?(?=\d)", "figur "),
           (r"(?<!\w)[Tt]ab\. ?(?=\d)", "tabel "), (r"(?<!\w)[Kk]ap\. ?(?=\d)", "kapitel "),
           (r"(?<!\w)[Ss]tk\. ?(?=\d)", "stykke "), (r"(?<!\w)d\. ?(?=\d)", "den "),
           (r"(?<!\w)[Nn]r\.? ?(?=\d)", "nummer "), (r"(?<!\w)[Kk]l\. ?(?=\d)", "klokken ")),
    to="til",
    out_of="af", between={"^": "opløftet i", ":": "til", "x": "gange"},
    fractions={
        "1/2": "en halv", "1 1/2": "halvanden", "1/3": "en tredjedel", "2/3": "to tredjedele", "1/4": "en fjerdedel",
        "3/4": "tre fjerdedele",
    },
    fraction_and=" og ",
    scales={"mio.": "one{million} other{millioner}", "mia.": "one{milliard} other{milliarder}"},
    money={
        "DKK": Money(major="one{krone} other{kroner}", minor="other{øre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "DKK", "kr.": "DKK"}, money_and=" og ",
    money_scales={
        "millioner": "other{millioner}", "million": "other{million}", "milliarder": "other{milliarder}",
        "milliard": "other{milliard}", "mio.": "one{million} other{millioner}",
        "mia.": "one{milliard} other{milliarder}",
    },
    units={"kvm": "square-meter", "km/t": "kilometer-per-hour", "km/t.": "kilometer-per-hour"},
    unit_words={
        "dB": "other{decibel}",
        "spsk.": "one{spiseske} other{spiseskeer}", "spsk": "one{spiseske} other{spiseskeer}",
        "tsk.": "one{teske} other{teskeer}", "tsk": "one{teske} other{teskeer}", "stk.": "other{styk}",
        "stk": "other{styk}", "pct.": "other{procent}", "pct": "other{procent}", "km/l": "other{kilometer per liter}",
        "kB": "other{kilobyte}", "KB": "other{kilobyte}", "MB": "other{megabyte}", "GB": "other{gigabyte}",
        "TB": "other{terabyte}",
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
        "²": "i anden", "³": "i tredje", "≠": "er forskellig fra",
        "&": "og", "@": "snabel-a", "#": "nummer", "№": "nummer", "§": "paragraf", "+": "plus", "=": "lig med",
        "×": "gange", "÷": "divideret med", "±": "plus minus", "≈": "cirka", "<": "mindre end", ">": "større end",
        "≤": "mindre end eller lig med", "≥": "større end eller lig med", "−": "minus",
    },
    titles={
        "f.eks.": "for eksempel", "fx": "for eksempel", "bl.a.": "blandt andet", "dvs.": "det vil sige",
        "ca.": "cirka", "dr.": "doktor", "Hr.": "Herr", "evt.": "eventuelt", "ekskl.": "eksklusive", "iflg.": "ifølge",
        "mht.": "med hensyn til", "m.h.t.": "med hensyn til", "ift.": "i forhold til", "f.o.m.": "fra og med",
        "t.o.m.": "til og med", "p.t.": "for tiden", "pr.": "per", "maks.": "maksimalt", "jf.": "jævnfør",
        "d.v.s.": "det vil sige", "Ca.": "Cirka", "Tlf.": "Telefon", "md.": "måned", "mdr.": "måneder", "hr.": "herr",
        "tlf.": "telefon", "inkl.": "inklusive", "pga.": "på grund af",
        "vedr.": "vedrørende", "prof.": "professor",
    },
    abbreviations={"o.s.v.": "og så videre", "m.v.": "med videre", "mv.": "med videre", "m.fl.": "med flere",
                   "o.l.": "og lignende", "osv.": "og så videre", "m.m.": "med mere", "f.Kr.": "før Kristus",
                   "e.Kr.": "efter Kristus"},
    roman=(
        (roman_after("[Kk]apitel|[Dd]el|[Aa]kt|[Bb]ind"), "", "{n}"),
        (regnal("Christian|Frederik|Margrethe|Ludvig|Henrik|Erik|Karl|Gustav|Johannes Paul|Benedikt|Pius|Napoleon"),
         "ordinal-common", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ", vowels="AEIOUYÆØÅ",
    letters="a be ce de e ef ge hå i jåd kå el em en o pe ku er es te u ve dobbelt-ve eks y zæt æ ø å",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB", "IT"}),
)  # fmt: skip

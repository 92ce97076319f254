"""Norwegian: Bokmål, CLDR's nb. Not CLDR's: Språkrådet, Skriveregler (abbreviations, dates, times, ordinal stop)."""

from chatterbox_worker.text.spoken import scandinavian
from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = (
    r"januar|jan\.?", r"februar|feb\.?", r"mars|mar\.?", r"april|apr\.?", "mai", r"juni|jun\.?", r"juli|jul\.?",
    r"august|aug\.?", r"september|sept?\.?", r"oktober|okt\.?", r"november|nov\.?", r"desember|des\.?",
)  # fmt: skip
_SHORT = {
    "mht": "med hensyn til", "ift": "i forhold til", "ifm": "i forbindelse med", "iht": "i henhold til",
    "pga": "på grunn av", "dvs": "det vil si", "evt": "eventuelt", "inkl": "inklusive", "ekskl": "eksklusive",
    "vha": "ved hjelp av", "jf": "jamfør", "iflg": "ifølge", "mva": "merverdiavgift",
}  # fmt: skip
_KINGS = (
    "Harald|Olav|Håkon|Haakon|Christian|Frederik|Ludvig|Henrik|Karl|Gustav|Johannes Paul|Benedikt|Pius|Margrethe|"
    "Elisabeth|Elizabeth"
)
_RULERS = r"(?:(?<=Harald)|(?<=Olav)|(?<=Haakon)|(?<=Håkon)|(?<=Christian)|(?<=Frederik)|(?<=Magnus))"

RULES = Rules(
    locale="nb", group=" .", decimal=",", cardinal="numbering",
    sections=r"[Aa]vsnitt|"
             r"[Kk]apittel|[Ff]igur|[Tt]abell|[Vv]ersjon|[Vv]edlegg|[Kk]ap\.|[Ff]ig\.|[Tt]ab\.|[Ee]ksempel|[Pp]unkt",
    fixes={  # slips of CLDR 48 in ordinals, and the years up to 2009, which no one counts in hundreds
        "tjueende": "tjuende", "^énhundrede$": "hundrede", "^énhundre ": "hundre og ",
        "^(to|tre|fire|fem|seks|sju|åtte|ni)hundre (?=.*[drt]e$)": r"\1 hundre og ", "^tjuehundre$": "to tusen",
        "^tjuehundre og (én|to|tre|fire|fem|seks|sju|åtte|ni)$": r"to tusen og \1",
    },
    agreement=((r"=? (?:hus|barn|gram|kilogram|milligram|år|pund|tonn)\b", "cardinal-neuter"),),
    ordinal_stops=((rf"{_RULERS} ", r"(?!\d)", "ordinal-masculine"), (r"(?<=\bden )", r"[,;:)]|$",
    "ordinal-masculine"),
                   ("", r" (?:Mosebok|Kongebok|Krønikebok|Samuelsbok|Korinterbrev)", "ordinal-masculine"), (r"",
                    r" [a-zæøå]", "ordinal-masculine")),
    years=((YEAR, "numbering-year"),),
    numbered={
        "jan.": "januar", "feb.": "februar", "apr.": "april", "aug.": "august", "sep.": "september",
        "sept.": "september", "okt.": "oktober", "nov.": "november", "des.": "desember", "art.": "artikkel",
    },
    forms=(*scandinavian.forms(to="til", once="én gang", times="ganger", one_to="én til", eighths="åttedeler",
             born="født", died="død", per="per", cubic="kubikkmeter"),
           *weekdays({"man": "mandag", "tirs": "tirsdag", "ons": "onsdag", "tors": "torsdag", "fre": "fredag",
                      "lør": "lørdag", "søn": "søndag"}, "til", after=r"\d|kl"),
           (r"(?<!\d)(?P<c>1[89])(?P<n>[1-9]0)(?=-tall|-år)", "{c} {n}"), (rf"{_RULERS} (?=\d\d?\.)", " den "),
           (r"(?<![\w.,])(?:kr\.? ?)?(?P<n>\d{1,3}(?:[ .]\d{3})*),-(?!\w)", "{n} kroner"),
           (r"(?<=kr)/mnd\.?(?!\w)", "per måned"), (r"(?<=kr)/år(?!\w)", "per år"), (r"(?<=kr)/kg(?!\w)", "per kilo"),
           (r"(?<=kr)/stk\.?(?!\w)", "per stykk"),
           (r"(?<!\w)(?<!\d )[Ss]\. ?(?=\d)", "side "), (r"(?<!\w)[Ff]ig\. ?(?=\d)", "figur "),
           (r"(?<!\w)[Tt]ab\. ?(?=\d)", "tabell "), (r"(?<!\w)[Kk]ap\. ?(?=\d)", "kapittel "),
           (r"(?<!\w)[Rr]v\. ?(?=\d)", "riksvei "), (r"(?<!\w)[Nn]r\.? ?(?=\d)", "nummer "),
           (r"(?<!\w)[Kk]l\. ?(?=\d)", "klokken ")),
    to="til",
    out_of="av", days_before="den|til", between={"^": "opphøyd i", ":": "til", "x": "ganger"},
    fractions={
        "1/2": "en halv", "1/3": "en tredjedel", "2/3": "to tredjedeler", "1/4": "en fjerdedel",
        "3/4": "tre fjerdedeler",
    },
    fraction_and=" og ",
    money={
        "NOK": Money(major="one{krone} other{kroner}", minor="other{øre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "NOK", "kr.": "NOK"},
    money_words={"kroner": "NOK", "euro": "EUR", "dollar": "USD"}, money_and=" og ",
    money_scales={
        "millioner": "other{millioner}", "million": "other{million}", "milliarder": "other{milliarder}",
        "milliard": "other{milliard}",
    },
    units={"kvm": "square-meter", "km/t.": "kilometer-per-hour"},
    unit_words={
        "dB": "other{desibel}", "pers.": "one{person} other{personer}", "ss": "one{spiseskje} other{spiseskjeer}",
        "ts": "one{teskje} other{teskjeer}", "stk.": "other{stykk}", "stk": "other{stykk}", "pst.": "other{prosent}",
        "l/mil": "other{liter per mil}",
    },
    time="{h} {m}", time_low="{h} null {m}", time_dotted=(r"[Kk]l(?:okken|\.)? ", ""),
    date="{d} {m} {y}", day="ordinal-masculine", year="numbering-year", day_month="{d} {m}", months=_MONTHS,
    date_short=((r"(?<!\w)[Dd]en ", r"(?![\w/]|[.,]\d)"),), phones=r"(?:[Tt]lf\.?|[Tt]elefon|[Mm]obil):? ",
    marks={
        ".": "punktum", "/": "skråstrek", "-": "bindestrek", "_": "understrek", "@": "krøllalfa", ":": "kolon",
        "?": "spørsmålstegn", "=": "er lik", "&": "og", "#": "emneknagg", "%": "prosent", "+": "pluss", "~": "tilde",
    },
    phone_plus="pluss",
    symbols={
        "²": "i annen", "³": "i tredje", "≠": "er ulik", "&": "og", "@": "krøllalfa", "#": "nummer", "№": "nummer",
        "§": "paragraf", "+": "pluss", "=": "er lik", "×": "ganger", "÷": "delt på", "±": "pluss minus",
        "≈": "omtrent", "<": "mindre enn", ">": "større enn", "≤": "mindre enn eller lik", "≥": "større enn eller lik",
        "−": "minus", "√": "kvadratroten av",
    },
    titles={
        "Dr.": "Doktor", "F.eks.": "For eksempel", "Bl.a.": "Blant annet", "f.eks": "for eksempel",
        "f eks": "for eksempel", "bl a": "blant annet", "d v s": "det vil si", "hhv.": "henholdsvis",
        "bl.a": "blant annet",
        "i st.f.": "i stedet for", "avd.": "avdeling", "ang.": "angående", "adm.dir.": "administrerende direktør",
        **{f"{short}{stop}": words for stop in ("", ".") for short, words in _SHORT.items()},
        "FrP": "eff err pe", "KrF": "kå err eff", "tv": "te ve", "pc": "pe se", "dvd": "de ve de", "cd": "se de",
        "wc": "ve se", "sms": "ess emm ess", "gps": "ge pe ess", "kr": "kroner", "kg": "kilo", "km": "kilometer",
        "cm": "centimeter", "km/t": "kilometer i timen", "kWh": "kilowattimer", "f.eks.": "for eksempel",
        "bl.a.": "blant annet", "ca.": "cirka", "Ca.": "Cirka", "dr.": "doktor", "hr.": "herr", "Hr.": "Herr",
        "ev.": "eventuelt", "f.o.m.": "fra og med", "t.o.m.": "til og med", "p.t.": "for tiden",
        "d.v.s.": "det vil si", "m.a.o.": "med andre ord", "pr.": "per", "maks.": "maksimalt", "Tlf.": "Telefon",
        "etg.": "etasje", "mnd.": "måned", "tlf.": "telefon", "vedr.": "vedrørende", "prof.": "professor",

    },
    abbreviations={"etc.": "et cetera", "osv": "og så videre", "el.l.": "eller lignende", "o l": "og lignende",
                   "moh.": "meter over havet", "f. Kr.": "før Kristus", "e. Kr.": "etter Kristus",
                   "o.s.v.": "og så videre", "m.v.": "med videre", "mv.": "med videre", "m.fl.": "med flere",
                   "mfl.": "med flere", "o.l.": "og lignende", "osv.": "og så videre", "m.m.": "med mer",
                   "f.Kr.": "før Kristus", "e.Kr.": "etter Kristus"},
    abbreviated=((r"(?<!\S)ca(?= \d)", "cirka"),),
    roman=(
        (roman_after("[Kk]apittel|[Dd]el|[Aa]kt|[Bb]ind"), "", "{n}"),
        (rf"(?<!\w)(?:{_KINGS}) (?P<all>(?P<r>[IVX]+)['’]?s)(?!\w)", "ordinal-masculine", "den {n}s"),
        (regnal(_KINGS), "ordinal-masculine", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÅ", vowels="AEIOUYÆØÅ",
    letters="a be se de e eff ge hå i je kå ell emm enn o pe ku err ess te u ve dobbelt-ve eks y sett æ ø å",
    spelled=frozenset({"OL", "EM", "ID", "LO", "AS", "ASA", "NHO", "NTNU", "EKG", "IQ", "HIV", "UTF", "IRC", "ISP",
    "EU", "USA", "AI", "API", "URL", "USB", "IT"}),
)  # fmt: skip

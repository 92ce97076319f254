"""Swedish. Not CLDR's: Svenska skrivregler (Språkrådet, 4th ed.), on times, dates and abbreviations; Svenska
Akademiens grammatik, Räkneord ("en"/"ett", "tredje").
"""

from chatterbox_worker.text.spoken import scandinavian
from chatterbox_worker.text.spoken.patterns import YEAR, regnal, roman_after, weekdays, without_spaces
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = (
    r"januari|jan\.?", r"februari|febr?\.?", r"mars|mar\.?", r"april|apr\.?", "maj", r"juni|jun\.?", r"juli|jul\.?",
    r"augusti|aug\.?", r"september|sept?\.?", r"oktober|okt\.?", r"november|nov\.?", r"december|dec\.?",
)  # fmt: skip
_KINGS = "Gustav|Karl|Erik|Johan|Oscar|Carl|Gustaf|Ludvig|Henrik|Johannes Paulus|Benedictus|Pius|Napoleon"
_QUEENS = "Elisabeth|Elizabeth|Margareta|Katarina|Margrethe"
_COMMON = (  # counted nouns with "en"; those in -a but for three, and by their endings
    r"(?:bil|bok|biljett|lägenhet|burk|portion|klass|match|plats|elev|kund|katt|hund|kopp|påse|lök|natt|stol|"
    r"liter|man|"
    r"pojke|sked|kniv|morot|tomat|citron|apelsin|banan|paprika|ask|bit|del|dag|vecka|månad|gång|sida|krona|dollar|"
    r"euro|kilometer|meter|centimeter|person|timme|"
    r"minut|sekund|grad|mil|miljon|miljard|pizza|öl|kaffe|vän|son|bror|syster|dotter|stad|by|sjö|röst|"
    r"(?!(?:öga|öra|hjärta|tema|drama|schema|ska|bara|alla|andra|inga|samma|dessa|kunna|vara|få|"
    r"gånga)\b)[a-zåäö]{3,}(?:a|ning|tion|het|else))"
)
_ADJECTIVE = r"(?:(?:stor|liten|hel|ny|gammal|gul|röd|vit|grön|färsk|riven|hackad|skivad|god|lång|kort) )?"
_PER = {"mån": "månad", "år": "år", "dag": "dag", "st": "styck", "kg": "kilo", "tim": "timme", "person": "person"}
_AND_SO = {
    "o.s.v.": "och så vidare", "o s v": "och så vidare", "m m": "med mera", "m.fl.": "med flera", "m fl": "med flera",
    "mfl.": "med flera", "osv.": "och så vidare", "m.m.": "med mera", "etc.": "et cetera", "f.Kr.": "före Kristus",
    "e.Kr.": "efter Kristus",
}  # fmt: skip

RULES = Rules(
    locale="sv", group=" .", decimal=",", cardinal="numbering",
    sections=r"[Aa]vsnitt|"
             r"[Kk]apitel|[Ff]igur|[Tt]abell|[Vv]ersion|[Bb]ilaga|[Kk]ap\.|[Ff]ig\.|[Tt]ab\.|[Ee]xempel|[Pp]unkt",
    fixes={"^tjugohundra(|ett|två|tre|fyra|fem|sex|sju|åtta|nio)$": r"tvåtusen \1"},
    # no one counts these in hundreds
    agreement=((r"= (?:gram|kilogram|milligram|år|pund|procent|ton|mikrogram)\b", "cardinal-neuter"),
               (r"= (?:kryddmått|styck)\b", "cardinal-neuter"),
               (rf"= | {_ADJECTIVE}{_COMMON}\b", "cardinal-reale")),
    ordinals=((r":(?:e|a)", "ordinal-reale"),),
    years=((r"(?<![\d.,:/])(?P<y>\d{1,3})(?= §(?! ?\d)| kap\.)", "ordinal-reale"), (YEAR, "numbering-year")),
    numbered={
        "jan.": "januari", "feb.": "februari", "febr.": "februari", "apr.": "april", "aug.": "augusti",
        "sep.": "september", "sept.": "september", "okt.": "oktober", "nov.": "november", "dec.": "december",
    },
    forms=(*scandinavian.forms(to="till", once="en gång", times="gånger", one_to="ett till", eighths="åttondelar",
             born="född", died="död", per="per", cubic="kubikmeter"),
           *weekdays({"mån": "måndag", "tis": "tisdag", "ons": "onsdag", "tors": "torsdag", "fre": "fredag",
                      "lör": "lördag", "sön": "söndag"}, "till", after=r"\d|kl"),
           *((rf"(?<=kr)/{short}(?!\w)(?:\.(?=,| [^\W\dA-ZÅÄÖ]))?", f"per {name}") for short, name in _PER.items()),
           (r"(?<![\d.,:])(?P<n>\d{1,3}(?: \d{3})*):-(?!\w)", "{n} kronor"),
           (r"(?<=[12]\d{3}):(?=\d{1,4}(?!\d))", "kolon "), (r"(?<=\d )§(?! ?\d)", "paragrafen"), (r"(?<=\d )kap\.",
           "kapitlet"),
           (r"(?<!\w)(?<!\d )[Ss](?:id)?\. ?(?=\d)", "sidan "), (r"(?<!\w)[Ff]ig\. ?(?=\d)", "figur "),
           (r"(?<!\w)[Tt]ab\. ?(?=\d)", "tabell "), (r"(?<!\w)[Kk]ap\. ?(?=\d)", "kapitel "),
           (r"(?<!\w)v\. ?(?=\d)", "vecka "), (r"(?<!\w)lgh\.? ?(?=\d)", "lägenhet "),
           (r"(?<!\w)[Nn]r\.? ?(?=\d)", "nummer "), (r"(?<!\w)[Kk]l\.? ?(?=\d)", "klockan ")),
    to="till",
    out_of="av", days_before="till", between={"^": "upphöjt till", ":": "till", "x": "gånger"},
    fractions={
        "1/2": "en halv", "1/3": "en tredjedel", "2/3": "två tredjedelar", "1/4": "en fjärdedel",
        "3/4": "tre fjärdedelar",
    },
    fraction_and=" och ", phrase_fixes={r"^ett(?= och en halv\b)": "en"},
    scales={"tkr": "other{tusen kronor}", "mkr": "one{miljon kronor} other{miljoner kronor}",
        "milj.": "one{miljon} other{miljoner}",
            "mdr": "one{miljard} other{miljarder}"},
    money={
        "SEK": Money(major="one{krona} other{kronor}", minor="other{öre}"),
        "USD": Money(major="other{dollar}", minor="other{cent}"), "EUR": Money(major="other{euro}",
         minor="other{cent}"),
        "GBP": Money(major="other{pund}", minor="other{pence}"), "JPY": Money(major="other{yen}"),
    },
    symbols_of_money={"kr": "SEK", "kr.": "SEK"},
    money_words={"kronor": "SEK", "euro": "EUR", "dollar": "USD"}, money_and=" och ",
    money_scales={
        "miljoner": "other{miljoner}", "miljon": "other{miljon}", "miljarder": "other{miljarder}",
        "miljard": "other{miljard}",
    },
    units={"sek": "second", "km/tim": "kilometer-per-hour", "kvm": "square-meter"},
    unit_words={
        "dB": "other{decibel}", "msk": "one{matsked} other{matskedar}", "tsk": "one{tesked} other{teskedar}",
        "krm": "other{kryddmått}", "st": "one{styck} other{stycken}", "st.": "one{styck} other{stycken}",
        "hg": "other{hekto}", "port.": "one{portion} other{portioner}", "l/mil": "other{liter per mil}",
    },
    time="{h} {m}", time_low="{h} noll {m}",
    halves=((r"fm\.?(?!\w)", "på förmiddagen"), (r"em\.?(?!\w)", "på eftermiddagen")),
    time_dotted=(r"[Kk]l(?:ockan|\.)? ", ""),
    date="{d} {m} {y}", day="ordinal-reale", year="numbering-year", day_month="{d} {m}", months=_MONTHS,
    date_short=((r"(?<!\w)[Dd]en ", r"(?![\w/]|[.,]\d)"),),
    phones=r"(?:[Tt]el(?:efon|\.)?|[Tt]fn\.?|[Mm]obil|OCR):? ",
    marks={
        ".": "punkt", "/": "snedstreck", "-": "bindestreck", "_": "understreck", "@": "snabel-a", ":": "kolon",
        "?": "frågetecken", "=": "lika med", "&": "och", "#": "nummertecken", "%": "procent", "+": "plus",
        "~": "tilde",
    },
    symbols={
        "²": "i kvadrat", "³": "i kubik", "≠": "är inte lika med", "&": "och", "@": "snabel-a", "#": "nummer",
        "№": "nummer", "§": "paragraf", "+": "plus", "=": "lika med", "×": "gånger", "÷": "delat med",
        "±": "plus minus", "≈": "ungefär", "<": "mindre än", ">": "större än", "≤": "mindre än eller lika med",
        "≥": "större än eller lika med", "−": "minus", "√": "kvadratroten ur",
    },
    titles={
        "t.ex": "till exempel", "bl.a": "bland annat", "d.v.s": "det vill säga", "dvs": "det vill säga",
        "T.ex.": "Till exempel", "Bl.a.": "Bland annat", "f.d.": "före detta", "f d": "före detta",
        "i st.f.": "i stället för", "ev.": "eventuellt", "Ev.": "Eventuellt", "enl.": "enligt", "avd.": "avdelning",
        "obs.": "observera", "pga": "på grund av", "pga.": "på grund av", "mha": "med hjälp av",
        "m.a.o.": "med andra ord", "f.n.": "för närvarande", "c:a": "cirka", "S:t": "Sankt", "S:ta": "Sankta",
        "s:t": "sankt", "ggr": "gånger", "tv": "te ve", "TV": "te ve", "pc": "pe ce", "dvd": "de ve de", "cd": "ce de",
        "wc": "ve ce", "sms": "ess emm ess", "gps": "ge pe ess", "vd": "ve de", "kr": "kronor", "kg": "kilo",
        "km": "kilometer", "cm": "centimeter", "km/h": "kilometer per timme", "kWh": "kilowattimmar",
        "t.ex.": "till exempel", "bl.a.": "bland annat", "d.v.s.": "det vill säga", "dvs.": "det vill säga",
        "ca": "cirka", "ca.": "cirka", "Ca": "Cirka", "Ca.": "Cirka", "dr": "doktor", "Dr": "Doktor", "hr": "herr",
        "Hr.": "Herr", "hr.": "herr", "t ex": "till exempel", "bl a": "bland annat", "d v s": "det vill säga",
        "s k": "så kallad", "fr o m": "från och med", "t o m": "till och med", "p.g.a.": "på grund av",
        "p g a": "på grund av", "m.h.a.": "med hjälp av", "resp.": "respektive", "exkl.": "exklusive",
        "ang.": "angående", "jfr": "jämför", "Tel.": "Telefon", "tfn": "telefon", "forts.": "fortsättning",
        "s.k.": "så kallad", "prof.": "professor", "tel.": "telefon", "fr.o.m.": "från och med",
        "t.o.m.": "till och med", "inkl.": "inklusive",
    },
    abbreviations=without_spaces({
        **_AND_SO, "f. Kr.": "före Kristus", "e. Kr.": "efter Kristus", "o.dyl.": "och dylikt", "o.d.": "och dylikt",
        "osv": "och så vidare", "mfl": "med flera", "m.m": "med mera",
    }),
    abbreviated=(
        (r"(?<=[^\W\d_])(?<!\b[Ss]):(?=(?:s|n|ns|t|ts)(?!\w))", ""),
        (r"(?<=[A-ZÅÄÖ]):(?=(?:en|ens|et|ar|er|arna|erna)(?!\w))", " "),
    ),
    roman=(
        (roman_after("[Kk]apitel|[Dd]el|[Aa]kt|[Bb]ok"), "", "{n}"),
        (rf"(?<!\w)(?:{_KINGS}) (?P<all>(?P<r>[IVX]+):s)(?!\w)", "ordinal-masculine", "den {n}s"),
        (rf"(?<!\w)(?:{_QUEENS}) (?P<all>(?P<r>[IVX]+):s)(?!\w)", "ordinal-reale", "den {n}s"),
        (regnal(_KINGS), "ordinal-masculine", "den {n}"), (regnal(_QUEENS), "ordinal-reale", "den {n}"),
    ),
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖ", vowels="AEIOUYÅÄÖ",
    letters="a be ce de e eff ge hå i ji kå ell emm enn o pe ku ärr ess te u ve dubbel-ve eks y säta å ä ö",
    spelled=frozenset({"EU", "USA", "AI", "API", "URL", "USB", "IT", "VD", "PM", "ABF", "TCO", "SEB", "IF", "AIK",
    "OS", "EM",
                       "ID", "AB", "EKG", "LED", "IQ", "HIV", "UD", "UTF", "IRC", "ISP", "KI", "IOK"}),
)  # fmt: skip

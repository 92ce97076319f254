"""English, as it is read in the United States: CLDR's en. Not CLDR's: The Chicago Manual of Style, 17th ed.,
chapters 9 (numbers, years, times, Roman numerals) and 10 (abbreviations), for how they are read.
"""

from dataclasses import replace

from chatterbox_worker.text.spoken.patterns import YEAR, regnal_english, roman_after_english, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_DECADES = {
    "1": "tens", "2": "twenties", "3": "thirties", "4": "forties", "5": "fifties", "6": "sixties", "7": "seventies",
    "8": "eighties", "9": "nineties",
}  # fmt: skip
_MONTHS = (
    "January|Jan\\.?", "February|Feb\\.?", "March|Mar\\.?", "April|Apr\\.?", "May", "June|Jun\\.?", "July|Jul\\.?",
    "August|Aug\\.?", "September|Sept?\\.?", "October|Oct\\.?", "November|Nov\\.?", "December|Dec\\.?",
)  # fmt: skip

_LABELS = "|".join(
    f"(?<={word} )"
    for word in (
        "Room", "Route", "Highway", "Hwy", "Interstate", "Flight", "[Ff]light [A-Z]{2}", "Suite", "Boeing", "Airbus",
        "[Ee]rror", "HTTP", "Channel", "Unit", "Gate", "Building", "Model", "Bus", "Studio", "Area", "Lot", "Platform",
        "Locker", "Fahrenheit",
    )
) + "|" + "|".join(
    f"(?<=\\b{road}-)" for road in ("I", "US", "SR", "CA")
)  # fmt: skip
_NAMED = rf"(?:{_LABELS}|(?<![A-Za-z][A-Z])(?<=[A-Z]))"
"""Before a number of three digits that names something: "room four oh four", "A three eighty"."""
_BOOKS = {
    "Gen": "Genesis", "Exod": "Exodus", "Lev": "Leviticus", "Num": "Numbers", "Deut": "Deuteronomy", "Josh": "Joshua",
    "Sam": "Samuel", "Chron": "Chronicles", "Ps": "Psalm", "Prov": "Proverbs", "Eccl": "Ecclesiastes", "Isa": "Isaiah",
    "Jer": "Jeremiah", "Ezek": "Ezekiel", "Dan": "Daniel", "Matt": "Matthew", "Rom": "Romans", "Cor": "Corinthians",
    "Gal": "Galatians", "Eph": "Ephesians", "Phil": "Philippians", "Col": "Colossians", "Thess": "Thessalonians",
    "Tim": "Timothy", "Heb": "Hebrews", "Pet": "Peter", "Rev": "Revelation",
}  # fmt: skip
_DAYS = {
    "Mon": "Monday", "Tues": "Tuesday", "Tue": "Tuesday", "Wed": "Wednesday", "Thurs": "Thursday", "Thur": "Thursday",
    "Thu": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

_NO_PLURAL = r"(?! (?!(?:was|is|has|as|does|its|this|saw|vs|versus)\b)[a-z]{3,}s\b)"
_NUMBERED_BOOKS = (
    r"Samuel|Kings|Chronicles|Cor(?:inthians|\.)|Thess(?:alonians|\.)|Tim(?:othy|\.)|Pet(?:er|\.)|John|Sam\.|Chron\."
)
_COMPOUND_UNITS = {
    "yr": "year", "oz": "ounce", "lb": "pound", "ft": "foot", "mi": "mile", "hr": "hour", "sec": "second",
    "gal": "gallon",    "qt": "quart", "mm": "millimeter", "cm": "centimeter",
    "km": "kilometer", "kg": "kilogram", "yd": "yard",
}  # fmt: skip
"""In "a 14-oz can" the unit is singular."""
_STREETS = {
    "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "St": "Street", "Dr": "Drive", "Pkwy": "Parkway",
    "Ct": "Court", "Pl": "Place", "Hwy": "Highway",
}  # fmt: skip
_HOUSE = r"(?<!\w)\d{1,5}[A-Z]? (?:[NSEW]\.? )?(?:[A-Z][a-z]+|\d{1,3}(?:st|nd|rd|th))(?: [A-Z][a-z]+)? "
_DESCRIBED = (
    "menu|bill|note|banknote|coin|ticket|fee|fine|deal|coupon|voucher|discount|reward|prize|bet|deposit|donation|meal|"
    "lunch|dinner|breakfast|bonus|grant|loan|budget|fund|tip|gift card|bottle|burger|pizza|contract|settlement|lawsuit|"
    "investment|acquisition|takeover|jackpot|ransom|subscription|tax|toll|fare|race|hike|swim|sprint|marathon|"
    "radius|zone|trail|journey|dash|relay|lens|cable|battery|tank|barrel|dumbbell"
)
"""What an amount describes after "the" and the like, where a verb may also follow: "the $5 he paid"."""

RULES = Rules(
    locale="en",
    sections=r"[Ss]ection|[Cc]hapter|[Ff]igure|[Tt]able|[Ee]xercise|[Aa]ppendix",
    ordinals=((r"(?:st|nd|rd|th)", "ordinal"),),
    years=((r"(?:(?<=[Mm]id-)|(?<=[Pp]re-)|(?<=[Pp]ost-))(?P<y>1[1-9]\d\d|20\d\d)(?!\w)", "numbering-year"),
           (r"(?<=Q[1-4] )(?P<y>20\d\d|19\d\d)(?!\w)", "numbering-year"),
           (r"(?!(?<!\b[Ii]n )\d{4} (?:people|men|women|children|feet)\b)" + YEAR + _NO_PLURAL, "numbering-year")),
    decades=_DECADES,
    out_of="out of", days_before="on", between={":": "to", "/": "over", "x": "by", "^": "to the power of"},
    emergency=r"\b(?:[Cc]all(?:s|ed|ing)?|[Dd]ial(?:l?ed|l?ing)?|[Pp]honed?|[Tt]ext) ",
    scale_letters=(
        (r"M(?= [a-z])", "other{million}"), (r"(?<=\d\.\d)M(?!\w)", "other{million}"),
        (r"(?<=\d\.\d)B(?!\w)", "other{billion}"),
        (r"B(?= [a-z])", "other{billion}"), (r"(?<=\d\d)k(?= [a-z]+s\b| people\b)", "other{thousand}"),
    ),
    forms=(
        *weekdays(_DAYS, "to", after=r"\d{1,2}(?::\d\d)? ?(?:[ap]\.?m|[-–])"),
        (r"(?<=\d ft )(?P<n>1[01]|\d) ?in(?!\w)", "{n} inches"),
        (r"(?<=\d\.\d) in(?=[.,;)](?!\d)|$)", " inches"),
        (r"(?<=\d{4} )x(?= ?\d{2,5}(?!\w))", "extension"),
        (rf"(?=[1-9][1-9]\d(?!\w)){_NAMED}(?P<h>[1-9])(?P<t>[1-9]\d)(?!\w|[.,:/]\d)", "{h} {t}"),
        (rf"(?=[1-9]0[1-9](?!\w)){_NAMED}(?P<h>[1-9])0(?P<t>[1-9])(?!\w|[.,:/]\d)", "{h} oh {t}"),
        (r"(?<![\w.,])(?P<h>\d\d?)(?P<t>[2-8]\d)(?=[pi](?!\w))", "{h} {t}"),
        (r"(?<=[A-Z])(?P<n>\d)s(?!\w)", "{n}s"),
        (r"(?<![\w.,])[Cc]\. ?(?=1\d{3}(?!\d))", "circa "), (r"(?<!\w)b\. (?=(?:1\d|20)\d\d(?!\d))", "born "),
        (r"(?<!\w)d\. (?=(?:1\d|20)\d\d(?!\d))", "died "), (r"(?<!\w)f/(?=\d)", "f "),
        (r"(?<=Q[1-4])['’](?=\d\d(?!\w))", ""),
        (r"(?<![\w.,])(?P<n>\d)K(?= (?:likes|views|followers|users|subscribers|people|downloads|stars|members)\b)",
         "{n} thousand"),
        (r"(?<![\d/])9/11(?![\d/])", "nine eleven"),
        *((rf"(?<!\w){n}(?= (?:{_NUMBERED_BOOKS}) \d{{1,3}}(?!\w))", word)
          for n, word in enumerate(("First", "Second", "Third"), 1)),
        *((rf"(?<!\w){short}\. (?=\d{{1,3}}:\d)", f"{name} ") for short, name in _BOOKS.items()),
        (r"(?<=[012]\d[0-5]\d )hrs\b(?:\.(?= [a-z]))?", "hours"), (r"(?<=\d-)in\.(?= [a-z])", "inch"),
        (r"(?<=\d:\d\d)a(?!\w)", "a.m."), (r"(?<=\d:\d\d)p(?!\w)", "p.m."),
        (r"(?<![\w.])(?P<feet>\d)['’′] ?(?P<n>1[01]|\d)(?:[\"”″]|['’′]{2})", "{feet} foot {n}"),
        (r"(?<!\d)(?P<h>[01]\d|2[0-3])00(?= (?:hours|hrs)\b)", "{h} hundred"),
        (r"(?<!\d)(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)(?= (?:hours|hrs)\b)", "{h} {m}"),
        (r"(?<=\d)x(?= [a-z])", "times"),
        (r"(?<![\w.,])(?P<n>\d{1,2})¢", "{n} cents"),
        (r"(?<![\w'’])['’](?=\d\d(?![\ds\w]))", ""),
        (r"(?<=[A-Z]-)(?P<n>\d{1,3})s(?!\w)", "{n}s"), (r"(?<![\w$])\$\.(?P<n>\d\d)(?!\d)", "{n} cents"),
        (r"(?<=\d)x/(?P<w>day|week|month|year)(?!\w)", "times a {w}"),
        (r"(?<![\w.,])(?P<n>\d{1,2})-?yo(?!\w)", "{n}-year-old"),
        (r"(?<![\w/.])(?P<n>[12])/3r?ds?(?!\w)", "{n} thirds"),
        (r"(?:(?<=\d/[248])|(?<=\d/16))[\"”″](?!\w)", " inch"),
        (r"(?<![\w/.])1/8(?![\w/])", "one eighth"), (r"(?<![\w/.])1/16(?![\w/])", "one sixteenth"),
        (r"(?<![\w/.])(?P<n>[35])/8(?![\w/])", "{n} eighths"), (r"(?<![\w/.])7/8(?![\w/])", "seven eighths"),
        (r"(?<![\w/.])(?P<n>\d\d?)/16(?![\w/])", "{n} sixteenths"),
        (r"(?<![\w,.])(?P<n>1[1-9])00s(?!\w)", "{n} hundreds"),
        (r"(?<![\w,.])2000s(?!\w)", "two thousands"),
        (r"(?<=[=<>≤≥] )[-−](?=\.\d)", "minus "),
        (r"(?<![\w.])\.(?P<n>[1-9])(?P<m>\d)(?!\w|[.,]\d| ?(?:cal|Mag|Spec|rif|pis|rou|bul|sho|han|rev))",
         "point {n} {m}"),
        (r"(?<![\w.])\.(?=\d)", "point "),
        (r"(?<![\d/])24/7(?![\d/])", "twenty-four seven"),
        (r"(?<![\w.])(?P<n>\d\d?)[kK](?= (?:gold|yellow|white|rose)\b)", "{n} karat"),
        (r"(?<!\w)WW1(?!\w)", "World War One"), (r"(?<!\w)WW2(?!\w)", "World War Two"),
        (r"(?:(?<=\b[Ii] )|(?<=\b[Ww]e ))<3 (?=[^\W\d_])", "love "),
    ),
    numbered={
        "no.": "number", "nos.": "numbers", "p.": "page", "pp.": "pages", "ext.": "extension", "ext": "extension",
        "ch.": "chapter", "sec.": "section", "art.": "article", "eq.": "equation", "vol.": "volume", "fig.": "figure",
        "figs.": "figures", "rm.": "room", "rm": "room", "bldg.": "building", "apt.": "apartment", "ste.": "suite",
        "inv.": "invoice",
    },
    to="to", score="to", code_number="numbering-year",
    compass={"N": "north", "S": "south", "E": "east", "W": "west"},
    fractions={
        "1/2": "one half", "n 1/2": "{n} and a half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter",
        "3/4": "three quarters",
    },
    fraction_and=" and ",
    per={
        "yr": "per year", "year": "per year", "mo": "per month", "month": "per month", "wk": "per week",
        "week": "per week", "day": "per day", "hr": "per hour", "hour": "per hour", "h": "per hour",
        "min": "per minute", "minute": "per minute", "sec": "per second", "lb": "per pound", "oz": "per ounce",
        "gal": "per gallon", "bbl": "per barrel", "kg": "per kilogram", "mi": "per mile", "mile": "per mile",
        "sq ft": "per square foot", "person": "per person", "night": "per night", "user": "per user",
        "unit": "per unit", "share": "per share", "GB": "per gigabyte", "kWh": "per kilowatt-hour", "ton": "per ton",
        "token": "per token", "seat": "per seat",
    },
    money={
        "USD": Money(major="one{dollar} other{dollars}", minor="one{cent} other{cents}"),
        "EUR": Money(major="one{euro} other{euros}", minor="one{cent} other{cents}"),
        "GBP": Money(major="one{pound} other{pounds}", minor="one{penny} other{pence}"),
        "JPY": Money(major="other{yen}"),
        "INR": Money(major="one{rupee} other{rupees}", minor="other{paise}"),
        "CRC": Money(major="one{colón} other{colones}"),
    },
    attributive=(
        (r"(?<!\w)[Aa]n? $", r" (?!(?:and|or|of|per|in|to|for|at|on|is|was|less|more|a|each)(?!\w))[a-z]"),
        ((r"(?<!\w)(?:[Tt]he|[Tt]his|[Tt]hat|[Mm]y|[Yy]our|[Hh]is|[Hh]er|[Ii]ts|[Oo]ur|[Tt]heir|[Ee]very|[Ee]ach|"
         r"[Aa]nother) $"), rf" (?:{_DESCRIBED})(?!\w)"),
        (r"$", r" (?:bills|notes|banknotes|coins)(?!\w)"),
    ),
    symbols_of_money={"Rs.": "INR", "Rs": "INR"}, money_and=" and ",
    money_scales={
        "thousand": "other{thousand}", "million": "other{million}", "billion": "other{billion}",
        "trillion": "other{trillion}", "k": "other{thousand}", "m": "other{million}", "mn": "other{million}",
        "bn": "other{billion}", "tn": "other{trillion}", "lakh": "other{lakh}", "crore": "other{crore}",
    },
    units={

        "mi": "mile", "mpg": "mile-per-gallon", "sq ft": "square-foot", "hrs": "hour", "hr": "hour", "mins": "minute",
        "tbsp": "tablespoon", "tbsp.": "tablespoon", "Tbsp": "tablespoon", "tsp.": "teaspoon",
        "fl. oz.": "fluid-ounce", "oz.": "ounce", "lb.": "pound", "lbs.": "pound", "sq. ft.": "square-foot",
        "ft.": "foot", "qt": "quart", "pt": "pint", "yr": "year", "ft/s": "foot-per-second", "mos": "month",
        "hrs.": "hour", "hr.": "hour", "mins.": "minute", "secs.": "second", "yrs.": "year", "secs": "second",
        "mths": "month", "″": "inch", "′": "foot", "kn": "knot", "sq mi": "square-mile",
    },
    unit_words={
        "dB": "one{decibel} other{decibels}", "bpm": "other{beats per minute}", "pts": "one{point} other{points}",
        "fps": "one{frame per second} other{frames per second}", "rpm": "other{revolutions per minute}",
    },
    time_after=r"o['’]clock", time="{h} {m}", time_low="{h} oh {m}", time_hour="{h} o'clock",
    time_fixes={"^(?:zero|twenty-four) o'clock$": "midnight"},
    halves=(
        (r"a\.m\.|A\.M\.|am|AM", "a.m."),
        (r"p\.m\.|P\.M\.|pm|PM", "p.m."),
    ),
    date="{m} {d}, {y}", date_order="mdy", day="ordinal", year="numbering-year",
    day_month="the {d} of {m}", month_day="{m} {d}", months=_MONTHS,
    marks={
        ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "?": "question mark",
        "=": "equals", "&": "and", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "point": "point",
    },
    symbols={
        "&": "and", "@": "at", "#": "number", "№": "number", "§": "section", "+": "plus", "=": "equals", "×": "times",
        "÷": "divided by", "±": "plus or minus", "²": "squared", "³": "cubed", "≈": "approximately", "<": "less than",
        ">": "greater than", "≤": "less than or equal to", "≥": "greater than or equal to", "−": "minus",
        "≠": "is not equal to", "√": "the square root of",
    },
    titles={
        **{f"{short}.,": f"{name}," for short, name in _DAYS.items()},  # before the date; "Sun." may end a sentence
        "Mr.": "Mister", "Mrs.": "Missus", "Dr.": "Doctor", "Prof.": "Professor", "Gen.": "General",
        "Sgt.": "Sergeant", "Capt.": "Captain", "Lt.": "Lieutenant", "Col.": "Colonel", "Rev.": "Reverend",
        "Gov.": "Governor", "Sen.": "Senator", "vs.": "versus", "e.g.": "for example", "i.e.": "that is",
        "approx.": "approximately", "Mt.": "Mount", "Blvd.": "Boulevard", "Ave.": "Avenue", "a.k.a.": "also known as",
        "vs": "versus", "w/o": "without", "w/": "with", "b/c": "because", "Apt.": "Apartment", "apt.": "apartment",
        "Hon.": "Honorable", "Pres.": "President", "Maj.": "Major", "Cpl.": "Corporal", "Cmdr.": "Commander",
        "Rep.": "Representative", "Supt.": "Superintendent", "Ft.": "Fort", "Rd.": "Road", "Hwy.": "Highway",
        "Pkwy.": "Parkway", "Ln.": "Lane", "Univ.": "University", "Assn.": "Association", "est.": "estimated",
        "cf.": "compare", "WWI": "World War One", "WWII": "World War Two", "viz.": "namely", "incl.": "including",
        "excl.": "excluding", "max.": "maximum", "temp.": "temperature", "dept.": "department", "Dept.": "Department",
        "Messrs.": "Messieurs",
    },
    abbreviations={
        "etc.": "et cetera", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation", "Jr.": "Junior",
        "Sr.": "Senior", "Co.": "Company", "Bros.": "Brothers", "Ph.D.": "P H D", "M.D.": "M D", "B.A.": "B A",
        "M.A.": "M A", "B.S.": "B S", "B.Sc.": "B S C", "M.Sc.": "M S C", "D.D.S.": "D D S", "R.N.": "R N",
        "U.S.": "U S", "U.S.A.": "U S A", "U.K.": "U K", "U.N.": "U N", "E.U.": "E U", "D.C.": "D C", "L.A.": "L A",
        "N.Y.": "N Y", "B.C.": "B C", "A.D.": "A D", "p.s.": "P S", "P.S.": "P S", "Jan.": "January",
        "Feb.": "February", "Aug.": "August", "Sept.": "September", "Sep.": "September", "Oct.": "October",
        "Nov.": "November", "Dec.": "December", "A.M.": "a.m.", "P.M.": "p.m.", "Esq.": "Esquire",
    },
    abbreviated=(
        *((rf"{_HOUSE}(?P<a>{short})(?=[,;]| [NSEW]{{1,2}}(?!\w)|$)", name) for short, name in _STREETS.items()),
        (r"[\w.] [A-Z][a-z]+ (?P<a>St\.)", "Street."), (r"\d(?:st|nd|rd|th) (?P<a>St\.)", "Street."),
        (r"\b[A-Z][a-z]+ (?P<a>St\.)(?! [A-Z])", "Street."), (r"(?<!\w)St\.(?= [A-Z])", "Saint"),
        (r"(?<=[Tt]he )WHO(?!\w)", "W H O"),
        ((r"(?<!\w)IT(?= (?:department|team|support|manager|industry|staff|services?|infrastructure|security|company|"
          r"professionals?|systems?)\b)"), "I T"),
        *((rf"(?<=\d)-{short}(?![\w-])", f"-{name}") for short, name in _COMPOUND_UNITS.items()),
        (r"(?<!\w)[Ee]st\.(?= (?:1[5-9]|20)\d\d(?!\w))", "established"), (r"(?<=\dth )c\.", "century."),
        (r"(?<=\d(?:st|nd|rd|th) )[Ff]l\.", "floor."),
        (r"(?<!\w)Ch\.(?= [IVXLC]+(?!\w))", "Chapter"),
    ),
    roman=(
        (roman_after_english(
            "[Cc]hapter|Part|Book|Act|[Ss]cene|[Vv]olume|[Ss]ection|[Pp]hase|World War|[Tt]ype|[Tt]itle|"
            "[Aa]rticle|[Aa]ppendix|[Ll]evel|[Ss]tage|Super Bowl|Episode|Vol\\.|[Cc]h\\.|[Ss]ec\\.|"
            "[Aa]rt\\.|[Ff]ig\\.|Final Fantasy|Rocky|Figure|Table|Mark"),
         "", "{n}"),
        (regnal_english(
            "Henry|Edward|George|William|Richard|James|Charles|Elizabeth|Mary|Louis|Napoleon|Francis|Philip|Ferdinand|"
            "Frederick|Wilhelm|Nicholas|Alexander|Catherine|Peter|Ivan|John Paul|Benedict|Pius|Leo|Innocent|Gregory|"
            "Ramesses|Thutmose|Ptolemy|Pope [A-Z][a-z]+|King [A-Z][a-z]+|Queen [A-Z][a-z]+"), "ordinal", "the {n}"),
    ),
    spelled=frozenset({
        "USA", "EU", "UK", "UN", "AI", "API", "CEO", "CIA", "FBI", "URL", "USB", "ATM", "UFO", "IQ", "IP", "DIY",
        "FAQ", "GPU", "CPU", "ETA", "HIV", "IBM", "LED", "VIP", "EDM", "OED", "IRS", "FDA", "EPA", "USSR", "AC",
        "AD", "BCE", "CE", "UTC", "EST", "EDT", "CET", "IDK", "NBA", "MBA", "UAE", "ABC", "AWS", "OS", "UI",
        "UX", "HR", "IDE", "SUV", "EV", "ADHD", "OCD", "MRI", "DNA", "RNA", "NSA", "TSA", "ACLU", "NRA", "GOP", "MVP",
        "NCAA", "ESPN", "HBO", "IPO", "ETF", "APR", "ROI", "KPI", "CFO", "CTO", "COO", "CIO", "VAT", "ISO", "IMF",
        "WTO", "UCLA", "MIT", "UPS", "USPS", "NY", "NYC", "LA", "DOB", "EOD", "FYI", "RSVP", "BYOB", "AKA", "ID",
        "CO", "LPG", "LNG", "ECG", "EKG", "IVF", "ICU", "EMT", "DUI", "DOJ", "DHS", "ATV", "AM", "PM", "UHF",
        "USD", "EUR", "GBP", "BA", "IOU", "OTC", "PVC", "RPG", "SEO", "SKU", "AA", "UA", "US",
    }),
    plurals=((r"(?<=[a-z])\(s\)", "s"), (r"(?<=[a-z])\(es\)", "es")),
)  # fmt: skip

# "One hundred and one", and the day before the month (CLDR's dates; New Hart's Rules, 11, for the numbers).
_BRITISH = replace(RULES, cardinal="cardinal-verbose", date_order="dmy", date="the {d} of {m} {y}")
REGIONS = dict.fromkeys(("AU", "GB", "HK", "IE", "IN", "NZ", "SG", "ZA"), _BRITISH)

"""English, as it is read in the United States: CLDR's en. Not CLDR's: The Chicago Manual of Style, 17th ed.,
chapters 9 (numbers, years, times, Roman numerals) and 10 (abbreviations), for how they are read.
"""

from chatterbox_worker.text.spoken.patterns import YEAR, regnal_english, roman_after_english
from chatterbox_worker.text.spoken.rules import Money, Rules

_DECADES = {
    "1": "tens", "2": "twenties", "3": "thirties", "4": "forties", "5": "fifties", "6": "sixties", "7": "seventies",
    "8": "eighties", "9": "nineties",
}  # fmt: skip
_MONTHS = (
    "January|Jan\\.?", "February|Feb\\.?", "March|Mar\\.?", "April|Apr\\.?", "May", "June|Jun\\.?", "July|Jul\\.?",
    "August|Aug\\.?", "September|Sept?\\.?", "October|Oct\\.?", "November|Nov\\.?", "December|Dec\\.?",
)  # fmt: skip

RULES = Rules(
    locale="en",
    ordinals=((r"(?:st|nd|rd|th)", "ordinal"),),
    years=((r"(?<=Q[1-4] )(?P<y>20\d\d|19\d\d)(?!\w)", "numbering-year"),
           (YEAR + r"(?! (?!(?:was|is|has|as|does|its|this|saw|vs|versus)\b)[a-z]{3,}s\b)", "numbering-year")),
    decades=_DECADES,
    between={":": "to", "/": "over", "x": "by", "^": "to the power of"},
    emergency=r"\b(?:[Cc]all(?:s|ed|ing)?|[Dd]ial(?:l?ed|l?ing)?|[Pp]honed?|[Tt]ext) ",
    scale_letters=(
        (r"M(?= [a-z])", "other{million}"), (r"(?<=\d\.\d)M(?!\w)", "other{million}"),
        (r"(?<=\d\.\d)B(?!\w)", "other{billion}"),
        (r"B(?= [a-z])", "other{billion}"), (r"(?<=\d\d)k(?= [a-z]+s\b| people\b)", "other{thousand}"),
    ),
    forms=(
        (r"(?<![\d/])9/11(?![\d/])", "nine eleven"),
        (r"(?<![\d.,/])1(?: ?½| 1/2)(?![\w/])", "one and a half"),
        (r"(?<![\w.])(?P<feet>\d)['’′] ?(?P<n>1[01]|\d)(?:[\"”″]|['’′]{2})", "{feet} foot {n}"),
        (r"(?<!\d)(?P<h>[01]\d|2[0-3])00(?= (?:hours|hrs)\b)", "{h} hundred"),
        (r"(?<!\d)(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)(?= (?:hours|hrs)\b)", "{h} {m}"),
        (r"(?<=\d)x(?= [a-z])", "times"),
        (r"(?<![\w.,])(?P<n>\d{1,2})¢", "{n} cents"),
        (r"(?<![\w'’])['’](?=\d\d(?![\ds\w]))", ""),
        (r"(?<![\w/.])(?P<n>[135])/8(?![\w/])", "{n} eighths"), (r"(?<![\w/.])7/8(?![\w/])", "seven eighths"),
        (r"(?<![\w/.])(?P<n>\d\d?)/16(?![\w/])", "{n} sixteenths"),
        (r"(?<![\w,.])(?P<n>1[1-9])00s(?!\w)", "{n} hundreds"),
        (r"(?<![\w,.])2000s(?!\w)", "two thousands"),
        (r"(?<![\w.])\.(?=\d)", "point "),
        (r"(?<![\d/])24/7(?![\d/])", "twenty-four seven"),
        (r"(?<!\w)[Nn]o\. ?(?=\d)", "number "),
        (r"(?<!\w)[Nn]os\. ?(?=\d)", "numbers "),
        (r"(?<!\w)pp\. ?(?=\d)", "pages "),
        (r"(?<!\w)p\. ?(?=\d)", "page "),
    ),
    to="to",
    compass={"N": "north", "S": "south", "E": "east", "W": "west"},
    fractions={
        "1/2": "one half", "n 1/2": "{n} and a half",
        "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters",
    },
    fraction_and=" and ",
    money={
        "USD": Money(major="one{dollar} other{dollars}", minor="one{cent} other{cents}"),
        "EUR": Money(major="one{euro} other{euros}", minor="one{cent} other{cents}"),
        "GBP": Money(major="one{pound} other{pounds}", minor="one{penny} other{pence}"),
        "JPY": Money(major="other{yen}"),
        "INR": Money(major="one{rupee} other{rupees}", minor="other{paise}"),
    },
    symbols_of_money={"Rs.": "INR", "Rs": "INR"}, money_and=" and ",
    money_scales={
        "thousand": "other{thousand}", "million": "other{million}", "billion": "other{billion}",
        "trillion": "other{trillion}", "k": "other{thousand}", "K": "other{thousand}", "m": "other{million}",
        "M": "other{million}", "mn": "other{million}", "B": "other{billion}", "bn": "other{billion}",
        "T": "other{trillion}", "tn": "other{trillion}",
    },
    units={
        "mph": "mile-per-hour", "ft": "foot", "lb": "pound", "lbs": "pound", "oz": "ounce",
        "mi": "mile", "yd": "yard", "psi": "pound-force-per-square-inch", "mpg": "mile-per-gallon",
        "gal": "gallon", "sq ft": "square-foot", "hrs": "hour", "mins": "minute",
    },
    unit_words={"fps": "one{frame per second} other{frames per second}", "rpm": "other{revolutions per minute}"},
    time_after=r"o['’]clock", time="{h} {m}", time_low="{h} oh {m}", time_hour="{h} o'clock",
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
        "&": "and", "@": "at", "#": "number", "№": "number", "§": "section", "+": "plus", "=": "equals",
        "×": "times", "÷": "divided by", "±": "plus or minus", "²": "squared", "³": "cubed",
        "≈": "approximately", "<": "less than",
        ">": "greater than", "≤": "less than or equal to", "≥": "greater than or equal to", "−": "minus",
    },
    titles={
        "Mr.": "Mister", "Mrs.": "Missus", "Dr.": "Doctor", "Prof.": "Professor", "Gen.": "General",
        "Sgt.": "Sergeant", "Capt.": "Captain", "Lt.": "Lieutenant", "Col.": "Colonel", "Rev.": "Reverend",
        "Gov.": "Governor", "Sen.": "Senator", "vs.": "versus", "e.g.": "for example", "i.e.": "that is",
        "approx.": "approximately", "Mt.": "Mount", "Blvd.": "Boulevard", "Ave.": "Avenue",
        "dept.": "department", "Dept.": "Department", "Messrs.": "Messieurs",
    },
    abbreviations={
        "etc.": "et cetera", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation", "Jr.": "Junior",
        "Sr.": "Senior",
    },
    roman=(
        (roman_after_english(
            "[Cc]hapter|Part|Book|Act|[Ss]cene|[Vv]olume|[Ss]ection|[Pp]hase|World War|[Tt]ype|[Tt]itle|"
            "[Aa]rticle|[Aa]ppendix|[Ll]evel|[Ss]tage|Super Bowl|Episode|Vol\\.|Final Fantasy|Rocky|Figure|Table|Mark"),
         "", "{n}"),
        (regnal_english(
            "Henry|Edward|George|William|Richard|James|Charles|Elizabeth|Mary|Louis|Napoleon|Francis|Philip|Ferdinand|"
            "Frederick|Wilhelm|Nicholas|Alexander|Catherine|Peter|Ivan|John Paul|Benedict|Pius|Leo|Innocent|Gregory|"
            "Ramesses|Thutmose|Ptolemy"), "ordinal", "the {n}"),
    ),
    spelled=frozenset({
        "USA", "EU", "UK", "UN", "AI", "API", "CEO", "CIA", "FBI", "URL", "USB", "ATM", "UFO", "IQ", "IP", "DIY",
        "FAQ", "GPU", "CPU", "ETA", "HIV", "IBM", "LED", "VIP", "EDM", "OED", "IRS", "FDA", "EPA", "USSR", "AC",
        "AD", "BCE", "CE",
    }),
    plurals=((r"(?<=[a-z])\(s\)", "s"), (r"(?<=[a-z])\(es\)", "es")),
)  # fmt: skip

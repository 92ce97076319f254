"""German genders and endings: of "ein", ordinal numbers and abbreviated adjectives; and the names of the calendar.

Source: Duden, Die Grammatik (10th ed.), numerals (§ 1245 ff.).
"""

from __future__ import annotations

from chatterbox_worker.text.spoken.patterns import after

MONTHS = "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"

WEEKDAYS = {
    "Mo": "Montag", "(?-i:Di)": "Dienstag", "(?-i:Mi)": "Mittwoch", "(?-i:Do)": "Donnerstag", "Fr": "Freitag",
    "Sa": "Samstag", "(?-i:So)": "Sonntag",
}  # fmt: skip
SHORT_MONTHS = {
    "Jan": "Januar", "Feb": "Februar", "Febr": "Februar", "Apr": "April", "Jun": "Juni", "Jul": "Juli",
    "Aug": "August", "Sep": "September", "Sept": "September", "Okt": "Oktober", "Nov": "November", "Dez": "Dezember",
}  # fmt: skip

ANY_MONTH = rf"(?:{MONTHS}|(?:{'|'.join(SHORT_MONTHS)})(?:\.|(?!\w)))"
DAY = r"(?:Mo|Di|Mi|Do|Fr|Sa|So)"

_OTHERS_IN_E = (  # nouns in -e are feminine; these are the masculine and neuter ones among those that are counted
    r"(?!\w*(?:[Ss]ekunde|[Uu]rkunde|[Pp]hase|[Ww]affe|[Gg]iraffe|[Kk]araffe|[Mm]etropole|[Ss]pende|[Ww]ende|"
    r"[Ll]egende|[Dd]ividende|[Ff]ontäne|[Ll]auge|[Kk]erbe|[Ff]regatte)\b)"
    r"(?:\w*(?:[Kk]äse|[Nn]ame|[Bb]uchstabe|[Jj]unge|[Kk]unde|[Kk]ollege|[Ee]xperte|[Bb]ote|[Zz]euge|[Nn]effe|"
    r"[Rr]iese|[Hh]ase|[Ll]öwe|[Aa]ffe|[Oo]chse|[Bb]ulle|[Gg]atte|[Gg]enosse|[Ii]nsasse|[Gg]edanke|[Gg]laube|[Ww]ille|"
    r"[Ff]unke|[Ff]riede|[Ss]klave|[Mm]atrose|[Pp]irat|[Ff]ranzose|[Rr]usse|[Pp]ole|[Tt]ürke|[Gg]rieche|[Dd]äne|"
    r"[Ss]chwede|[Ff]inne|[Bb]rite|[Ss]chotte|[Cc]hinese|[Tt]scheche|loge|[Dd]eutsche|[Aa]ngestellte|[Bb]eamte|"
    r"[Tt]ote|[Vv]erletzte|[Ee]nde|[Aa]uge|[Ii]nteresse|[Ee]rbe|[Ff]inale|[Gg]enre|[Ii]mage|[Uu]pdate|[Cc]ode|"
    r"[Ss]ervice|[Bb]ike|phone|[Ff]ile|[Bb]yte|[Pp]romille)|Ire|Ge(?:bäude|müse|tränke|birge|lände|werbe|treide|"
    r"setze))"
)
_FEMININE = (
    rf"(?:(?!{_OTHERS_IN_E}\b)[A-ZÄÖÜ][a-zäöüß]+e|[A-ZÄÖÜ]\w+(?:ung|heit|keit|schaft|ion|tät|enz|anz|(?:er|ist|or|"
    rf"nt)in)|"
    r"(?=[A-ZÄÖÜ])\w*(?:[Pp]erson|[Zz]wiebel|[Kk]artoffel|[Gg]urke|[Nn]acht|[Ss]tadt|[Tt]afel|[Kk]ugel|[Nn]udel|"
    r"[Ss]chachtel|[Ii]nsel|[Rr]egel|[Mm]auer|[Ff]eder|[Nn]ummer|[Kk]ammer|[Kk]lammer|[Tt]ochter|[Ss]chwester|"
    r"[Mm]utter|[Ff]rau|[Pp]artei|[Dd]atei|[Bb]äckerei|[Tt]ür|[Bb]ank|[Hh]and|[Ww]and|[Aa]rbeit|[Zz]ahl|[Ff]ahrt|"
    r"[Aa]ntwort|[Kk]ultur|[Ff]igur|[Ll]iga)|Mark|Lira|Paprika|Avocado|Mango|KW|Kl|Aufl|AG|GmbH|CD|DVD)"
)
_NO_ADJECTIVE = r"(?:[kmdsi]?eine|[dm]?ihre|unsere|diese|jede|alle|viele|beide|ohne|heute|gerne?|bitte)"
_NO_STRONG = r"(?:oder|aber|unter|über|hinter|immer|wieder|außer|weiter|später)"
_NEUTER = (
    r"(?:Kapitel|Semester|Trimester|Quartal|Halbjahr|Obergeschoss|Untergeschoss|OG|UG|Lebensjahr|Jahrhundert|"
    r"Jahrtausend|Jahrzehnt|Jahr|Jhd?t?|Jahrh|Mal|Kind|Spiel|Drittel|Viertel|Tor|Buch|Album|Rennen|Treffen)(?!\w)"
)
_MASCULINE = (
    r"(?:Weltkrieg|Platz|Stock|Schritt|Tag|Akt|Satz|Spieltag|Sieger|Bezirk|Preis|Gang|Teil|Advent|FC|FSV|FFC|"
    r"Geburtstag|Todestag|Hochzeitstag|Versuch|Abschnitt|Absatz|Durchgang|Lauf|Rang|Band|Jahrgang|Vorsitzende|"
    r"Bürgermeister|Parteitag|Verhandlungstag)(?!\w)"
)
_BARE_FEMININE = (
    r"(?:Bundesliga|Liga|Klasse|Etage|Auflage|Aufl|Ausgabe|Kl|Runde|Halbzeit|Reihe|Staffel|Folge|Minute|Stufe|Woche|"
    r"KW|Generation|Hälfte|Strophe|Mannschaft|Etappe|Person)(?!\w)"
)

_EIN = ("[Ee]in", "[Kk]ein", "[Mm]ein", "[Dd]ein", "[Ss]ein", "[Ii]hr", "[Uu]nser")
_WITH_N = (  # an ordinal number or an adjective after it ends in -n
    "[Aa]m", "[Vv]om", r"v\.", "[Zz]u[mr]", "[Bb]eim", "[Ii]m", "[Dd]e[mns]", "[Dd]ieses",
    *(f"{word}e[mnrs]" for word in _EIN),
    *(f"{word}e[mn]" for word in ("[Jj]ed", "[Dd]ies", "[Jj]en", "[Ww]elch")),
    *(f"{word} der" for word in (
        "[Aa]b", "[Aa]n", "[Aa]uf", "[Aa]us", "[Bb]ei", "[Hh]inter", "[Ii]n", "[Mm]it", "[Nn]ach", "[Nn]eben",
        "[Ss]eit", "[Tt]rotz", "[Üü]ber", "[Uu]nter", "[Vv]on", "[Vv]or", "[Ww]ährend", "[Ww]egen", "[Zz]u",
        "[Zz]wischen", "[Ll]aut", "Ende", "Anfang", "Mitte", "Beginn",
    )),
)  # fmt: skip
_WITH_E = (
    "[Dd]er", "[Dd]ie", "[Dd]as", "[Ee]ine", "[KkMmDdSs]eine", "[Ii]hre", "[Uu]nsere", "[Ii]ns", "[Aa]ns", "[Aa]ufs",
    *(f"{word}{ending}" for word in ("[Jj]ed", "[Dd]ies", "[Jj]en") for ending in ("e", "e[rs]")),
)  # fmt: skip
_AND = r"(?: (?:und|oder|bis|bzw\.|sowie) | ?[/–-] ?)"
_AND_ONE = rf"(?:{_AND}\d{{1,3}}\.)?"

_HALF = r"(?<![\d.,/\w])(?<!\d )(?:1/2|½) "

AGREEMENT = (
    (rf"=? (?:kl\. )?{_FEMININE}\b", "cardinal-feminine"),
    (r" kl\. [A-ZÄÖÜ]", "cardinal-masculine"),
    (rf" (?!{_NO_ADJECTIVE} )[a-zäöüß]{{3,}}e [A-ZÄÖÜ]", "cardinal-feminine"),
    (rf" (?!{_NO_STRONG} )[a-zäöüß]{{3,}}(?:er|es) [A-ZÄÖÜ]|=? [A-ZÄÖÜ]", "cardinal-masculine"),
)
ORDINAL_STOPS = (
    (r"(?<=[.,] )", rf" ?[–-] {DAY}\.,? \d", "ordinal-r"),
    (rf"{after(*_WITH_N)}\d{{1,3}}\.{_AND}", " [A-ZÄÖÜa-zäöü]", "ordinal-n"),
    (after(*_WITH_N), r" [A-ZÄÖÜa-zäöü]|[–/-]\d", "ordinal-n"),
    (after("[Aa]b", "[Bb]is", "[Ss]eit"), rf" {ANY_MONTH}", "ordinal-n"),
    (after("[Dd]er"), rf" {_FEMININE}\b", "ordinal-n"),
    (rf"{after(*_WITH_E)}\d{{1,3}}\.{_AND}", " [A-ZÄÖÜa-zäöü]", "ordinal"),
    (after(*_WITH_E), r" [A-ZÄÖÜa-zäöü]|[–/-]\d", "ordinal"),
    ("", rf"{_AND_ONE} (?:{ANY_MONTH}|{_MASCULINE})", "ordinal-r"),
    ("", rf"{_AND_ONE} {_BARE_FEMININE}", "ordinal"), ("", rf"{_AND_ONE} {_NEUTER}", "ordinal-s"),
    (after(*_EIN), " [A-ZÄÖÜ]", "ordinal-r"),
)  # fmt: skip
HALF_FIXES = {
    r"\bein halb (\w*(?:[Mm]eter|[Ll]iter|löffel|[Gg]rad))\b": r"ein halber \1",
    rf"\bein halb (?={_FEMININE}\b)": "eine halbe ",
    r"\bein halb (?=[A-ZÄÖÜ])": "ein halbes ",
}
HALVES = (
    (rf"{_HALF}(?={_FEMININE}\b)", "eine halbe "),
    (rf"{_HALF}(?=(?:\w*[Ll]iter|\w*[Mm]eter|Tag|Monat|\w*löffel|Becher|Apfel|Würfel|Kopf)\b)", "ein halber "),
    (rf"{_HALF}(?=(?:Kilo|Kilogramm|Pfund|Jahr|Dutzend|Glas|Prozent|Bund|Päckchen|Brot|Brötchen|Ei|Hähnchen)\b)",
     "ein halbes "),
)  # fmt: skip
_LIST = r"(?:^|(?<=\n)|(?<=, ))"  # no article or preposition before it
_SMALL_MASCULINE = (
    r"(?:\w*[Aa]pfel|Kopf|Becher|Würfel|Topf|Löffel|Kohlrabi|\w*kohl|Zweig|Kürbis|Fenchel|Rettich|Schuss|Spritzer|"
    r"Sellerie|Salat|Teller|Strauß)\b"
)
_SMALL_NEUTER = r"(?:\w+chen|\w+lein|\w*[Gg]las|Ei|Stück|\w*[Bb]rot|Blatt|Huhn|Schnitzel|Steak|Baguette)\b"
SMALL = (
    (rf"{_LIST}1 (?P<all>kl\.)(?= {_FEMININE}\b)", "kleine"),
    (rf"{_LIST}1 (?P<all>kl\.)(?= {_SMALL_MASCULINE})", "kleiner"),
    (rf"{_LIST}1 (?P<all>kl\.)(?= {_SMALL_NEUTER})", "kleines"),
    (rf"{_LIST}(?:[2-9]|\d\d|\d[–-]\d) (?P<all>kl\.)(?= [A-ZÄÖÜ])", "kleine"),
)
ENDINGS = (
    (rf"{after(*_WITH_N)}$", " ", "en"), (after("[Dd]er") + "$", rf" {_FEMININE}\b", "en"),
    (after("[Dd]ie") + "$", r" [A-ZÄÖÜ]\w*(?:en|ern|er|eln|s|leute)\b", "en"), (rf"{after(*_WITH_E)}$", " ", "e"),
    ("", r" [A-ZÄÖÜ]\w+(?:ern|eln)\b", "en"),
    ("", rf" (?:Nr\.|{_FEMININE}\b|[A-ZÄÖÜ]\w+en\b)", "e"), ("", " [A-ZÄÖÜ]", "er"),
)  # fmt: skip
NUMERALS = (
    (rf"{after(*_WITH_N)}(?P<all>(?P<r>[IVX]+)\.)(?= [A-ZÄÖÜ][a-zäöüß])", "ordinal-n", "{n}"),
    (rf"{after(*_WITH_E)}(?P<all>(?P<r>[IVX]+)\.)(?= [A-ZÄÖÜ][a-zäöüß])", "ordinal", "{n}"),
    (rf"(?<!\w)(?P<all>(?P<r>[IVX]+)\.)(?= {_MASCULINE})", "ordinal-r", "{n}"),
)

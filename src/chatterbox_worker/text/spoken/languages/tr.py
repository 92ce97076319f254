"""Turkish. Not CLDR's: Türk Dil Kurumu, Yazım Kılavuzu (Sayıların yazılışı, Kısaltmalar: ordinal stop, "%" before
the number, times).
"""

from chatterbox_worker.text.spoken.patterns import roman_after
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="tr", group=".", decimal=",",
    ordinal_stops=((r"", r" [a-zçğıöşü]", "ordinal"),),
    ordinals=((r"['’](?:inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü)", "ordinal"),),
    forms=((r"%(?=\d)", "yüzde "),
           (r"(?<!\w)MÖ (?=\d)", "milattan önce "),
           (r"(?<!\w)MS (?=\d)", "milattan sonra "), (r"(?<!\w)[Nn]o[.:] ?(?=\d)", "numara ")),
    to="ila",
    between={"/": "bölü"},
    fractions={
        "1/2": "bir bölü iki", "1 1/2": "bir buçuk", "n 1/2": "{n} buçuk",
        "1/3": "üçte bir", "2/3": "üçte iki", "1/4": "dörtte bir", "3/4": "dörtte üç",
    },
    scales={"mn": "other{milyon}", "mr": "other{milyar}"},
    money={
        "TRY": Money(major="other{lira}", minor="other{kuruş}"), "USD": Money(major="other{dolar}",
         minor="other{sent}"),
        "EUR": Money(major="other{avro}", minor="other{sent}"), "GBP": Money(major="other{sterlin}",
         minor="other{peni}"),
    },
    symbols_of_money={"TL": "TRY"},
    money_scales={"milyon": "other{milyon}", "milyar": "other{milyar}", "bin": "other{bin}"},
    units={"sa": "hour", "dk": "minute"},
    unit_words={"km/h": "other{saatte # kilometre}", "km/sa": "other{saatte # kilometre}"},
    time="{h} {m}", time_low="{h} sıfır {m}", time_dotted=(r"[Ss]aat ", ""), date="{d} {m} {y}", phone_plus="artı",
    marks={
        ".": "nokta", "/": "bölü", "-": "tire", "_": "alt çizgi", "@": "et", ":": "iki nokta", "?": "soru işareti",
        "=": "eşittir", "&": "ve", "#": "diyez", "%": "yüzde", "+": "artı", "~": "tilde",
    },
    symbols={
        "&": "ve", "@": "et", "#": "numara", "№": "numara", "§": "madde", "+": "artı", "=": "eşittir", "×": "çarpı",
        "÷": "bölü", "±": "artı eksi", "≈": "yaklaşık", "<": "küçüktür", ">": "büyüktür", "−": "eksi",
    },
    titles={
        "Dr.": "doktor", "Prof.": "profesör", "Doç.": "doçent", "Av.": "avukat", "Sn.": "sayın", "örn.": "örneğin",
        "bkz.": "bakınız", "Bkz.": "bakınız", "yy.": "yüzyıl", "Tel.": "telefon", "Sok.": "sokak", "Cad.": "cadde",
    },
    abbreviations={"vb.": "ve benzeri", "vs.": "vesaire"},
    roman=((roman_after("[Bb]ölüm|[Cc]ilt|[Kk]ısım"), "", "{n}"),),
    alphabet="ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ", vowels="AEIİOÖUÜ",
    letters="a be ce çe de e fe ge yumuşak_ge he ı i je ke le me ne o ö pe re se şe te u ü ve ye ze",
    spelled=frozenset({"AB", "ABD", "API", "USB"}),
)  # fmt: skip

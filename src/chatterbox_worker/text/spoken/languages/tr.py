"""Turkish. Not CLDR's: Türk Dil Kurumu, Yazım Kılavuzu (Sayıların yazılışı, Kısaltmalar: ordinal stop, "%" before
the number, times).
"""

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = (
    "Ocak|Oca\\.?", "Şubat|Şub\\.?", "Mart|Mar\\.?", "Nisan|Nis\\.?", "Mayıs|May\\.?", "Haziran|Haz\\.?",
    "Temmuz|Tem\\.?",
    "Ağustos|Ağu\\.?", "Eylül|Eyl\\.?", "Ekim|Eki\\.?", "Kasım|Kas\\.?", "Aralık|Ara\\.?",
)  # fmt: skip
_ORDINAL_NAMES = (
    "Dünya|Balkan|Körfez|Haçlı|Cadde|Sokak|Bölüm|Kısım|Lig|Ordu|Kolordu|Tümen|Daire|Asliye|Ağır|Sulh|İcra|Noter|Hukuk|"
    "Geleneksel|Uluslararası|Ulusal|Olağan|Dönem|Abdülhamit|Abdülhamid|Murat|Mehmet|Selim|Süleyman|Mahmut|Ahmet|"
    "Mustafa|Osman|Bayezid|Kat|Etap|Hafta|Sınıf|Gün|Yıl"
)

_DOTTED_TIME = (
    r"(?:[Ss]aat |(?=[01]\d\.[0-5][05] ?[-–] ?[0-2]\d\.[0-5][05](?! ?[€$₺%\w]))|"
    r"(?=[012]?\d\.[0-5]\d['’](?:[dt][ae]n?|y[aeıiuü]|[aeıiuü])\b))"
)


def _spell(number: int, rule_set: str) -> str | None:
    """Four in "before-vowel" ends in d before a suffix that begins with a vowel: "dördü"."""
    return icu.spell(number, "tr", "cardinal")[:-1] + "d" if rule_set == "before-vowel" else None


RULES = Rules(
    locale="tr", group=".", decimal=",", speller=_spell,
    years=((r"(?<![\d.,:/-])(?P<y>\d{0,5}4)(?=['’][aeıiuü])", "before-vowel"),),
    sections=r"[Bb]ölüm|[Şş]ekil|[Tt]ablo|[Ss]ürüm",
    ordinal_stops=((r"", r" [a-zçğıöşü]", "ordinal"), (r"", rf" (?:{_ORDINAL_NAMES})\b", "ordinal")),
    ordinals=((r"['’](?:inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü)", "ordinal"),),
    forms=(*weekdays({"Pzt": "Pazartesi", "Sal": "Salı", "Çar": "Çarşamba", "Per": "Perşembe", "Cum": "Cuma",
                      "Cmt": "Cumartesi", "Paz": "Pazar"}, "ila", after=r"\d|saat"),
           (r"(?<![\d/])7/24(?![\d/])", "yedi yirmi dört"), (r"(?<![\d/])24/7(?![\d/])", "yirmi dört yedi"),
           (r"(?<![\w,.])½(?= [a-zçğıöşü]{2})", "yarım"),
           (r"(?<![\w/,.])(?<!\d )1/2(?= (?:su|çay|yemek|bardak|kilo|limon|demet|paket|litre|saat)\b)", "yarım"),
           (r"(?<!\w)M\.Ö\. ?(?=\d)", "milattan önce "), (r"(?<!\w)M\.S\. ?(?=\d)", "milattan sonra "),
           (r"(?<!\w)(?<!\d )s\. ?(?=\d)", "sayfa "), (r"(?<!\w)[Şş]ek\. ?(?=\d)", "şekil "),
           (r"(?<!\w)[Bb]öl\. ?(?=\d)", "bölüm "),
           (r"(?<!\w)[Mm]d\. ?(?=\d)", "madde "), (r"(?<!\w)no (?=\d)", "numara "), (r"(?<!\w)ss\. ?(?=\d)", "sayfa "),
           (r"(?<!\w)(?<!\d )m\. (?=\d)", "madde "), (r"(?<!\w)D: ?(?=\d)", "daire "), (r"(?<!\w)K: ?(?=\d)",
            "kat "), (r"‰(?=\d)", "binde "),
           (r"(?<![\w)])[-−]%(?=\d)", "eksi yüzde "), (r"% ?(?=\d)", "yüzde "),
           (r"(?<!\w)MÖ (?=\d)", "milattan önce "),
           (r"(?<!\w)MS (?=\d)", "milattan sonra "), (r"(?<!\w)[Nn]o[.:] ?(?=\d)", "numara ")),
    to="ila",
    between={"^": "üzeri", "/": "bölü", "x": "çarpı"},
    fractions={
        "1/2": "bir bölü iki", "1 1/2": "bir buçuk", "n 1/2": "{n} buçuk", "1/3": "üçte bir", "2/3": "üçte iki",
        "1/4": "dörtte bir", "3/4": "dörtte üç",
    },
    scales={"mlyr": "other{milyar}", "mn": "other{milyon}", "mr": "other{milyar}"},
    money={
        "TRY": Money(major="other{lira}", minor="other{kuruş}"), "USD": Money(major="other{dolar}",
         minor="other{sent}"),
        "EUR": Money(major="other{avro}", minor="other{sent}"), "GBP": Money(major="other{sterlin}",
         minor="other{peni}"),
    },
    symbols_of_money={"TL": "TRY"},
    money_scales={"milyon": "other{milyon}", "milyar": "other{milyar}", "bin": "other{bin}"},
    units={"sa": "hour", "dk": "minute", "sn": "second", "gr": "gram", "gr.": "gram", "lt": "liter",
        "lt.": "liter"},
    unit_words={
        "dB": "other{desibel}", "m/s": "other{saniyede # metre}", "Mbps": "other{saniyede # megabit}",
        "km/h": "other{saatte # kilometre}", "km/sa": "other{saatte # kilometre}",
        "km/saat": "other{saatte # kilometre}", "km/s": "other{saniyede # kilometre}",
        "km/sn": "other{saniyede # kilometre}", "m/sn": "other{saniyede # metre}", "mil/sa": "other{saatte # mil}",
        "mph": "other{saatte # mil}", "mi/h": "other{saatte # mil}", "km/l": "other{litrede # kilometre}",
        **dict.fromkeys(("l/100 km", "l/100km", "L/100 km", "L/100km"), "other{yüz kilometrede # litre}"),
    },
    time="{h} {m}", time_low="{h} sıfır {m}",
        time_dotted=(_DOTTED_TIME, ""),
        date="{d} {m} {y}", day_month="{d} {m}", months=_MONTHS, phones=r"(?:[Tt]el\.?|[Tt]elefon|GSM|kimlik no):? ",
        phone_plus="artı",
    marks={
        ".": "nokta", "/": "bölü", "-": "tire", "_": "alt çizgi", "@": "et", ":": "iki nokta", "?": "soru işareti",
        "=": "eşittir", "&": "ve", "#": "diyez", "%": "yüzde", "+": "artı", "~": "tilde", "hashtag": "etiket",
    },
    symbols={
        "²": "kare", "³": "küp", "≠": "eşit değildir", "&": "ve", "@": "et", "#": "numara", "№": "numara",
        "§": "madde", "+": "artı", "=": "eşittir", "×": "çarpı", "÷": "bölü", "±": "artı eksi", "≈": "yaklaşık",
        "≤": "küçük eşittir", "≥": "büyük eşittir", "<": "küçüktür", ">": "büyüktür", "−": "eksi", "√": "karekök",
    },
    titles={
        "IBM": "ay bi em", "IMF": "ay em ef", "IP": "ay pi", "Dr.": "doktor", "Yrd.": "yardımcı", "Org.": "orgeneral",
        "Op.": "operatör", "Alb.": "albay", "Hz.": "hazreti", "Sk.": "Sokak", "Mah.": "Mahallesi", "Apt.": "Apartmanı",
        "Bul.": "Bulvarı", "Blv.": "Bulvarı", "yakl.": "yaklaşık", "haz.": "hazırlayan", "çev.": "çeviren",
        "krş.": "karşılaştırınız", "a.g.e.": "adı geçen eser", "Prof.": "profesör", "Doç.": "doçent", "Av.": "avukat",
        "Sn.": "sayın", "örn.": "örneğin", "bkz.": "bakınız", "Bkz.": "bakınız", "yy.": "yüzyıl", "Tel.": "telefon",
        "Sok.": "Sokak", "Cad.": "Caddesi",
    },
    abbreviations={"vd.": "ve diğerleri", "A.Ş.": "anonim şirketi", "Ltd. Şti.": "limited şirketi",
        "vb.": "ve benzeri", "vs.": "vesaire"},
    # a suffix is written together with the words of its number
    abbreviated=((r"(?<=\d)['’](?=[a-zçğıöşü]{1,8}(?!\w))", ""),),
    roman=(
        (r"(?<!\w)(?P<all>(?P<r>[IVX]{2,5})\.) (?=[A-ZÇĞİÖŞÜ][a-zçğıöşü]|yüzyıl|yy\.)", "ordinal", "{n}"),
        ((r"(?<!\w)(?P<all>(?P<r>[IVX])\.) (?=(?:Dünya|Balkan|Meşrutiyet|Murat|Mehmet|Mehmed|Selim|Süleyman|"
         r"Ahmet|Ahmed|Mustafa|Osman|Mahmut|Mahmud|Bayezid|Abdülhamid|Abdülhamit|"
          r"Elizabeth|Charles|Louis|yüzyıl)\b)"), "ordinal", "{n}"),
        (roman_after("[Bb]ölüm|[Cc]ilt|[Kk]ısım"), "", "{n}")),
    alphabet="ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ", vowels="AEIİOÖUÜ",
    letters="a be ce çe de e fe ge yumuşak_ge he ı i je ke le me ne o ö pe re se şe te u ü ve ye ze",
    spelled=frozenset({"AKP", "ÖSYM", "AYM", "AİHM", "AVM", "EKG", "ÖTV", "AB", "ABD", "API", "USB"}),
)  # fmt: skip

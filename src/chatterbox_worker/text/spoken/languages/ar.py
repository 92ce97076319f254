"""Arabic: Modern Standard, without case endings, as CLDR has it. Of the genders CLDR has those of one and two only.
Not CLDR's: مصطفى الغلاييني، جامع الدروس العربية، أحكام العدد (words of money and time).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="ar", group=",٬", decimal=".٫", cardinal="cardinal-masculine",
    fixes={"ألفي و": "ألفان و"},  # CLDR has the form of the genitive
    agreement=(
        (r"=? (?:ساعة|سنة|دقيقة|ثانية|مرة|صفحة|ليرة|روبية|درجة|كلمة|سيارة)\b", "cardinal-feminine"),
    ),
    percent="{n} بالمئة",
    fractions={"1/2": "نصف", "1/3": "ثلث", "2/3": "ثلثان", "1/4": "ربع", "3/4": "ثلاثة أرباع"}, fraction_and=" و",
    money={
        "USD": Money(major="two{دولاران} few{دولارات} other{دولار}", minor="few{سنتات} other{سنت}"),
        "EUR": Money(major="other{يورو}", minor="few{سنتات} other{سنت}"),
        "GBP": Money(major="few{جنيهات} other{جنيه}"), "SAR": Money(major="few{ريالات} other{ريال}"),
        "EGP": Money(major="few{جنيهات} other{جنيه}"), "AED": Money(major="few{دراهم} other{درهم}"),
    },
    money_and=" و", money_scales={"مليون": "other{مليون}", "مليار": "other{مليار}"},
    units={
        "كم": "kilometer", "كجم": "kilogram", "كغ": "kilogram",
        "سم": "centimeter", "كم/س": "kilometer-per-hour",
    },
    time="{h} و{m} دقيقة", time_low="{h} و{m} دقائق", time_hour="{h}", hour="cardinal-feminine",
    minute="cardinal-feminine",
    halves=((r"ص(?!\w)|صباحًا|صباحا", "صباحا"), (r"م(?!\w)|مساءً|مساء", "مساء")),
    date="{d} {m} {y}", phone_plus="زائد",
    marks={
        ".": "نقطة", "/": "شرطة مائلة", "-": "شرطة", "_": "شرطة سفلية", "@": "آت", ":": "نقطتان",
        "?": "علامة استفهام", "=": "يساوي", "&": "و", "#": "هاشتاغ", "%": "بالمئة", "+": "زائد", "~": "تيلدا",
    },
    symbols={
        "&": "و", "@": "آت", "#": "رقم", "№": "رقم", "§": "فقرة", "+": "زائد", "=": "يساوي", "×": "في", "÷": "على",
        "±": "زائد أو ناقص", "≈": "حوالي", "<": "أصغر من", ">": "أكبر من", "−": "ناقص",
    },
    titles={"د.": "دكتور", "أ.د.": "الأستاذ الدكتور"},
    abbreviations={"إلخ.": "إلى آخره", "إلخ": "إلى آخره", "ق.م.": "قبل الميلاد"},
    alphabet="",
)  # fmt: skip

"""Arabic: Modern Standard, without case endings. Not CLDR's: cardinals (see `arabic`) and, by مصطفى الغلاييني، جامع
الدروس العربية، أحكام العدد, the words of money, hours and days (the fourteenth hour, the third of May).
"""

from chatterbox_worker.text.spoken.arabic import spell
from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="ar", group=",٬", decimal=".٫", cardinal="cardinal-masculine",
    speller=spell, fixes={"  ": " "},
    agreement=(
        ((r"=? (?:ساعة|سنة|دقيقة|ثانية|مرة|صفحة|ليرة|روبية|درجة|كلمة|سيارة|ساعات|سنوات|سنين|دقائق|ثوان|ثواني|"
          r"مرات|صفحات|ليرات|روبيات|درجات|كلمات|سيارات|ليال|نساء|بنات|طالبات|مدن|دول|شركات|غرف|نقاط|نقطة|مدينة|دولة|شركة|غرفة)\b"),
         "cardinal-feminine"),
    ),
    phrase_fixes={
        r"^(واحدة?) (\S+)": r"\2 \1",  # "one" follows its noun
        r"^(?:اثنان|اثنتان) (\S+ان)\b": r"\1",  # the dual says two
        r"(مئت|ألف|مليون|مليار)ان (?=[^و])": r"\1ا ",
    },
    percent="{n} بالمئة",
    between={":": "إلى", "/": "على"},
    fractions={"1/2": "نصف", "1/3": "ثلث", "2/3": "ثلثان", "1/4": "ربع", "3/4": "ثلاثة أرباع"}, fraction_and=" و",
    money={
        "USD": Money(major="two{دولاران} few{دولارات} other{دولار}", minor="two{سنتان} few{سنتات} other{سنت}"),
        "EUR": Money(major="other{يورو}", minor="two{سنتان} few{سنتات} other{سنت}"),
        "GBP": Money(major="two{جنيهان} few{جنيهات} other{جنيه}"),
        "SAR": Money(major="two{ريالان} few{ريالات} other{ريال}"),
        "EGP": Money(major="two{جنيهان} few{جنيهات} other{جنيه}"),
        "AED": Money(major="two{درهمان} few{دراهم} other{درهم}"),
    },
    money_and=" و", money_scales={"مليون": "other{مليون}", "مليار": "other{مليار}"},
    units={
        "كم": "kilometer", "كجم": "kilogram", "كغ": "kilogram",
        "سم": "centimeter", "كم/س": "kilometer-per-hour",
    },
    time="{h} و{m} دقيقة", time_low="{h} و{m} دقائق", time_hour="{h}", hour="ordinal-feminine",
    minute="cardinal-feminine",
    time_fixes={"^الأولى": "الواحدة", "واحدة دقائق": "دقيقة واحدة", "اثنتان دقائق": "دقيقتان"},
    halves=((r"ص(?!\w)|صباحًا|صباحا", "صباحا"), (r"م(?!\w)|مساءً|مساء", "مساء")),
    date="{d} من {m} {y}", day="ordinal-masculine", phone_plus="زائد",
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

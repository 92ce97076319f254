"""Hindi. Not CLDR's: केंद्रीय हिंदी निदेशालय, देवनागरी लिपि एवं हिंदी वर्तनी (abbreviations, the standard
forms of numerals); times with बजे and
बजकर as in Kachru, Hindi (2006), 5.2.
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="hi", group=",", group_digits="{2,3}", decimal=".",
    fixes={"चौवालीस": "चवालीस", "तिरेपन": "तिरपन", "तिरेसठ": "तिरसठ", "वी$": "वीं"},
    ordinals=((r"(?:वाँ|वां)", "ordinal-masculine"), (r"वीं", "ordinal-feminine")),
    to="से",
    between={":": "अनुपात", "/": "बटा"},
    fractions={"1/2": "आधा", "1 1/2": "डेढ़", "2 1/2": "ढाई", "n 1/2": "साढ़े {n}", "1 1/4": "सवा",
        "n 1/4": "सवा {n}", "1/3": "एक तिहाई", "2/3": "दो तिहाई", "1/4": "एक चौथाई", "3/4": "तीन चौथाई"},
    fraction_and=" और ",
    money={
        "INR": Money(major="one{रुपया} other{रुपये}", minor="one{पैसा} other{पैसे}"),
        "USD": Money(major="other{डॉलर}", minor="other{सेंट}"), "EUR": Money(major="other{यूरो}",
         minor="other{सेंट}"),
        "GBP": Money(major="other{पाउंड}"),
    },
    symbols_of_money={"रु.": "INR", "रु": "INR"}, money_and=" ",
    money_scales={"लाख": "other{लाख}", "करोड़": "other{करोड़}", "हज़ार": "other{हज़ार}"},
    units={
        "किमी": "kilometer", "कि.मी.": "kilometer", "किग्रा": "kilogram", "कि.ग्रा.": "kilogram",
        "मी": "meter", "सेमी": "centimeter", "किमी/घंटा": "kilometer-per-hour",
    },
    time="{h} बजकर {m} मिनट", time_hour="{h} बजे", time_after="बजे", date="{d} {m} {y}", phone_plus="प्लस",
    marks={
        ".": "डॉट", "/": "स्लैश", "-": "डैश", "_": "अंडरस्कोर", "@": "ऐट", ":": "कोलन", "?": "प्रश्न चिह्न",
        "=": "बराबर", "&": "और", "#": "हैश", "%": "प्रतिशत", "+": "प्लस", "~": "टिल्ड", "point": "दशमलव",
    },
    symbols={
        "&": "और", "@": "ऐट", "#": "नंबर", "№": "नंबर", "§": "धारा", "+": "जमा", "=": "बराबर", "×": "गुणा",
        "÷": "भाग",
        "±": "जमा या घटा", "≈": "लगभग", "<": "से कम", ">": "से अधिक", "−": "घटा",
    },
    titles={"डॉ.": "डॉक्टर", "प्रो.": "प्रोफ़ेसर", "कृ.": "कृपया", "सं.": "संख्या"},
    abbreviations={"ई.पू.": "ईसा पूर्व"},
    alphabet="",
)  # fmt: skip

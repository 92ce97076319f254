"""Swahili. Hours are read as they are written, on the 24-hour clock; the traditional count begins at sunrise. Not
CLDR's: TUKI, Kamusi ya Kiswahili Sanifu (words of symbols and abbreviations).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="sw", to="hadi",
    fixes={",": ""},  # CLDR's commas between thousands would be pauses
    fractions={
        "1/2": "nusu", "1/3": "theluthi moja", "2/3": "theluthi mbili", "1/4": "robo", "3/4": "robo tatu",
    },
    fraction_and=" na ",
    money={
        "KES": Money(major="other{shilingi}", minor="other{senti}"),
        "TZS": Money(major="other{shilingi}", minor="other{senti}"),
        "USD": Money(major="other{dola}", minor="other{senti}"), "EUR": Money(major="other{yuro}",
         minor="other{senti}"),
    },
    noun_first=True, money_and=" na ", symbols_of_money={"KSh": "KES", "Sh": "TZS", "TSh": "TZS"},
    time="{h} na dakika {m}", time_hour="{h} kamili", date="tarehe {d} {m} {y}", phone_plus="jumlisha",
    marks={
        ".": "nukta", "/": "mkwaju", "-": "kistari", "_": "mstari chini", "@": "at", ":": "nukta mbili",
        "?": "alama ya kuuliza", "=": "sawa na", "&": "na", "#": "alama ya reli", "%": "asilimia", "+": "jumlisha",
        "~": "tilde",
    },
    symbols={
        "&": "na", "@": "at", "#": "namba", "№": "namba", "§": "kifungu", "+": "jumlisha", "=": "sawa na",
        "×": "mara", "÷": "gawanya kwa", "±": "kujumlisha au kutoa", "≈": "takriban", "<": "chini ya",
        ">": "zaidi ya", "−": "kutoa",
    },
    titles={"Dkt.": "Daktari", "Bw.": "Bwana", "Bi.": "Bibi", "Prof.": "Profesa", "n.k.": "na kadhalika"},
    abbreviations={"K.K.": "Kabla ya Kristo"},
    spelled=frozenset({"AI", "API", "URL", "USB"}),
)  # fmt: skip

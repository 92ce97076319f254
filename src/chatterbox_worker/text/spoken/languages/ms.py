"""Malay. Not CLDR's: Tatabahasa Dewan (3rd ed.), Kata bilangan; Dewan Bahasa dan Pustaka's advice on hours and
abbreviations.
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

RULES = Rules(
    locale="ms",
    forms=((r"(?<!\w)[Nn]o\. ?(?=\d)", "nombor "), (r"(?<!\w)ke-1(?!\d)", "pertama"),
     (r"(?<!\w)ke-(?P<n>\d{1,3})(?!\d)", "ke{n}")),
    to="hingga",
    between={":": "kepada", "/": "per"},
    fractions={
        "1/2": "setengah", "1/3": "satu pertiga", "2/3": "dua pertiga", "1/4": "satu suku", "3/4": "tiga suku",
    },
    money={
        "MYR": Money(major="other{ringgit}", minor="other{sen}"), "USD": Money(major="other{dolar}",
         minor="other{sen}"),
        "EUR": Money(major="other{euro}", minor="other{sen}"), "GBP": Money(major="other{paun}"),
    },
    symbols_of_money={"RM": "MYR"}, money_scales={"juta": "other{juta}", "bilion": "other{bilion}",
     "ribu": "other{ribu}"},
    time="{h} {m}", time_low="{h} kosong {m}", date="{d} {m} {y}", phone_plus="tambah",
    marks={
        ".": "titik", "/": "garis miring", "-": "sengkang", "_": "garis bawah", "@": "alias", ":": "titik bertindih",
        "?": "tanda soal", "=": "sama dengan", "&": "dan", "#": "tanda pagar", "%": "peratus", "+": "tambah",
        "~": "tilde",
        "point": "perpuluhan",
    },
    symbols={
        "&": "dan", "@": "alias", "#": "nombor", "№": "nombor", "§": "seksyen", "+": "tambah", "=": "sama dengan",
        "×": "darab", "÷": "bahagi", "±": "tambah tolak", "≈": "lebih kurang", "<": "kurang daripada",
        ">": "lebih daripada", "−": "tolak",
    },
    titles={"Dr.": "Doktor", "Prof.": "Profesor", "En.": "Encik", "Pn.": "Puan", "cth.": "contohnya",
     "dr.": "doktor"},
    abbreviations={"dll.": "dan lain-lain", "dsb.": "dan sebagainya"},
    spelled=frozenset({"AI", "API", "URL", "USB"}),
)  # fmt: skip

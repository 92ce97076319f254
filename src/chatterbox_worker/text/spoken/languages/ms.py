"""Malay. Not CLDR's: Tatabahasa Dewan (3rd ed.), Kata bilangan; Dewan Bahasa dan Pustaka's advice on hours and
abbreviations.
"""

from chatterbox_worker.text.spoken.patterns import regnal, roman_after, weekdays
from chatterbox_worker.text.spoken.rules import Money, Rules

_MONTHS = (
    r"Januari|Jan\.?", r"Februari|Feb\.?", "Mac", r"April|Apr\.?", "Mei", "Jun", "Julai", r"Ogos|Ogo\.?",
        r"September|Sept?\.?",
    r"Oktober|Okt\.?", r"November|Nov\.?", r"Disember|Dis\.?",
)  # fmt: skip

RULES = Rules(
    locale="ms",
    forms=(*weekdays({"Isn": "Isnin", "Sel": "Selasa", "Rab": "Rabu", "Kha": "Khamis", "Jum": "Jumaat", "Sab": "Sabtu",
                      "Ahd": "Ahad"}, "hingga"),
     (r"(?<!\w)[Hh]lm\. ?(?=\d)", "halaman "), (r"(?<!\w)m\.?s\. ?(?=\d)", "muka surat "), (r"(?<=\d) SM(?!\w)",
     "sebelum Masihi"),
     (r"(?<=\d{3}) M(?!\w)", "Masihi"), (r"(?<=\d) TM(?!\w)", "tahun Masihi"),
     (r"(?<!\w)Ke-(?P<n>\d{1,3})(?!\d)", "Ke{n}"),
     (r"(?<=\d)/bulan(?!\w)", "sebulan"), (r"(?<=\d)/tahun(?!\w)", "setahun"), (r"(?<=\d)/hari(?!\w)", "sehari"),
     (r"(?<!\w)[Bb]il\. ?(?=\d)", "bilangan "), (r"(?<!\w)[Ss]amb\. ?(?=\d)", "sambungan "),
     (r"(?<!\w)[Tt]kt\. ?(?=\d)", "tingkat "),
     (r"(?<![\d/])24/7(?![\d/])", "dua puluh empat tujuh"), (r"(?<!\w)[Nn]o\.? ?(?=\d)", "nombor "),
     (r"(?<!\w)ke-1(?!\d)", "pertama"),
     (r"(?<!\w)ke-(?P<n>\d{1,3})(?!\d)", "ke{n}")),
    to="hingga",
    out_of="daripada", between={":": "kepada", "/": "per", "x": "darab", "^": "kuasa"},
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
    units={"km/j": "kilometer-per-hour", "km/jam": "kilometer-per-hour"},
    unit_words={
        "dB": "other{desibel}", "hb": "other{hari bulan}", "sdb": "other{sudu besar}", "sdk": "other{sudu kecil}",
        "sdt": "other{sudu teh}", "Mbps": "other{megabit sesaat}",
    },
    time_dotted=(r"(?:(?:[Pp]ukul|[Jj]am) )?", r"^(?:[Pp]ukul|[Jj]am) |(?:pagi|petang|malam|tengah hari|PG|PTG)$"),
    halves=(
        *((rf"{words}(?!\w)", words) for words in ["pagi", "petang", "malam", "tengah hari"]),
        (r"PG(?!\w)", "pagi"), (r"PTG(?!\w)", "petang"),
    ),
    time="{h} {m}", time_low="{h} kosong {m}", date="{d} {m} {y}", day_month="{d} {m}", months=_MONTHS,
        phones=r"(?:[Tt]el\.?|[Tt]elefon|[Aa]kaun):? ", phone_plus="tambah",
    marks={
        ".": "titik", "/": "garis miring", "-": "sengkang", "_": "garis bawah", "@": "alias", ":": "titik bertindih",
        "?": "tanda soal", "=": "sama dengan", "&": "dan", "#": "tanda pagar", "%": "peratus", "+": "tambah",
        "~": "tilde", "point": "perpuluhan",
    },
    symbols={
        "&": "dan", "@": "alias", "#": "nombor", "№": "nombor", "§": "seksyen", "+": "tambah", "=": "sama dengan",
        "×": "darab", "÷": "bahagi", "±": "tambah tolak", "≈": "lebih kurang", "<": "kurang daripada",
        ">": "lebih daripada", "−": "tolak", "≤": "kurang daripada atau sama dengan",
        "≥": "lebih besar daripada atau sama dengan", "≠": "tidak sama dengan", "²": "kuasa dua", "³": "kuasa tiga",
        "√": "punca kuasa dua bagi",
    },
    titles={"Dr.": "Doktor", "Prof.": "Profesor", "En.": "Encik", "Tn.": "Tuan", "Hj.": "Haji", "Hjh.": "Hajah",
        "Jln.": "Jalan", "Tmn.": "Taman", "Bhg.": "Bahagian", "spt.": "seperti", "dgn.": "dengan", "yg": "yang",
        "Pn.": "Puan", "cth.": "contohnya",
     "dr.": "doktor"},
    abbreviations={"Sdn. Bhd.": "Sendirian Berhad", "Bhd.": "Berhad", "dll.": "dan lain-lain",
        "dsb.": "dan sebagainya"},
    abbreviated=((r"(?<=Perang Dunia )II(?!\w)", "Kedua"), (r"(?<=Perang Dunia )I(?!\w)", "Pertama"),
                 (r"(?<!\w)(?<!\d )Kg\.(?= [A-Z])", "Kampung")),
    roman=(
        (roman_after("[Bb]ab|[Jj]ilid|[Bb]ahagian"), "", "{n}"),
        (regnal("Henry|Charles|George|Elizabeth|Louis|Edward|William|John Paul|Napoleon"), "ordinal", "{n}"),
    ),
    spelled=frozenset({"AI", "API", "URL", "USB"}),
)  # fmt: skip

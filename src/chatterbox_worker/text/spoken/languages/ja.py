"""Japanese. Numbers are read in kana: CLDR's words are kanji, which have several readings. Not CLDR's:
NHK日本語発音アクセント新辞典, appendix 数詞＋助数詞の発音 (counters with their sound changes, days of a month,
people).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

_P = {"…1": "いっ{}", "…6": "ろっ{}", "…8": "はっ{}", "…10": "じゅっ{}", "…100": "ひゃっ{}"}


def _with_p(first: str, third: str, rest: str) -> tuple[str, dict[str, str]]:
    """A counter that begins with h: 一本 いっぽん, 三本 さんぼん."""
    changed = {digits: reading.format(first) for digits, reading in _P.items()}
    return rest, {**changed, "…3": f"さん{third}", "…1000": f"せん{third}"}


def _doubled(rest: str, third: str = "", *, six: bool = True) -> tuple[str, dict[str, str]]:
    """A counter that begins with k, s or t: 一回 いっかい, 三階 さんがい."""
    changed = {digits: reading.format(rest) for digits, reading in _P.items() if six or digits not in ("…6", "…100")}
    return rest, {**changed, **({"…3": f"さん{third}"} if third else {})}


_DAYS = [
    "ついたち",
    "ふつか",
    "みっか",
    "よっか",
    "いつか",
    "むいか",
    "なのか",
    "ようか",
    "ここのか",
    "とおか",
    "じゅういちにち",
    "じゅうににち",
    "じゅうさんにち",
    "じゅうよっか",
]
_MONTHS = tuple(
    f"{name}がつ"
    for name in ["いち", "に", "さん", "し", "ご", "ろく", "しち", "はち", "く", "じゅう", "じゅういち", "じゅうに"]
)

RULES = Rules(
    locale="ja", spaced=False, kana=True,
    counters={
        "人": ("にん", {"1": "ひとり", "2": "ふたり", "…4": "よにん"}),
        "月": ("がつ", {str(month): name for month, name in enumerate(_MONTHS, 1)}),
        "日": ("にち", {**{str(day): name for day, name in enumerate(_DAYS, 1)}, "20": "はつか",
          "24": "にじゅうよっか",
          "17": "じゅうしちにち", "19": "じゅうくにち", "27": "にじゅうしちにち", "29": "にじゅうくにち"}),
        "時": ("じ", {"0": "れいじ", "…4": "よじ", "…7": "しちじ", "…9": "くじ"}),
        "時間": ("じかん", {"…4": "よじかん", "…7": "しちじかん", "…9": "くじかん"}),
        "分": ("ふん", {**_with_p("ぷん", "ぷん", "ふん")[1], "…4": "よんぷん"}),
        "秒": ("びょう", {}),
        "年": ("ねん", {"…4": "よねん", "…9": "きゅうねん"}),
        "年間": ("ねんかん", {"…4": "よねんかん"}),
        "円": ("えん", {"…4": "よえん"}),
        "歳": (_doubled("さい", six=False)[0], {**_doubled("さい", six=False)[1], "20": "はたち"}),
        "回": _doubled("かい"),
        "階": _doubled("かい", "がい"),
        "個": _doubled("こ"),
        "冊": _doubled("さつ", six=False),
        "本": _with_p("ぽん", "ぼん", "ほん"),
        "匹": _with_p("ぴき", "びき", "ひき"),
        "杯": _with_p("ぱい", "ばい", "はい"),
        "枚": ("まい", {}),
        "台": ("だい", {}),
        "番": ("ばん", {}),
        "度": ("ど", {}),
        "つ": ("つ", dict(zip("123456789", ["ひとつ", "ふたつ", "みっつ", "よっつ", "いつつ", "むっつ", "ななつ",
            "やっつ", "ここのつ"], strict=True))),
        "件": _doubled("けん"), "軒": _doubled("けん", "げん"), "頭": _doubled("とう", six=False),
        "足": _doubled("そく", "ぞく", six=False), "点": _doubled("てん", six=False), "曲": _doubled("きょく"),
        "泊": _with_p("ぱく", "ぱく", "はく"), "丁目": _doubled("ちょうめ", six=False),
        "章": _doubled("しょう", six=False),
        "か国": _doubled("かこく"), "ヶ国": _doubled("かこく"), "カ国": _doubled("かこく"),
        "名": ("めい", {}), "倍": ("ばい", {}),
        "週間": _doubled("しゅうかん", six=False),
        "ヶ月": _doubled("かげつ"), "か月": _doubled("かげつ"), "カ月": _doubled("かげつ"),
        "世紀": _doubled("せいき", six=False),
        "ページ": ("ページ", {}), "メートル": ("メートル", {}), "キロ": ("キロ", {}),
    },
    forms=((r"(?<![\d/])(?P<n>\d{1,3})/(?P<d>1000?|10)(?![\d/])", "{d}ぶんの{n}"),
           (r"(?<!月)(?<![\d.,])1日", "いちにち")),  # of a day; the first of a month is ついたち
    between={":": "たい", "x": "かける"},
    fractions={
        "1/2": "にぶんのいち", "1/3": "さんぶんのいち", "2/3": "さんぶんのに", "1/4": "よんぶんのいち",
        "3/4": "よんぶんのさん",
    },
    fraction_and="と",
    percent="{n}パーセント", to="から",
    money={
        "JPY": Money(major="other{えん}"), "USD": Money(major="other{ドル}", minor="other{セント}"),
        "EUR": Money(major="other{ユーロ}", minor="other{セント}"), "GBP": Money(major="other{ポンド}"),
    },
    symbols_of_money={"￥": "JPY"}, money_and="", money_of="",
    money_scales={"万": "other{まん}", "億": "other{おく}"},
    unit_words={
        "km": "other{キロメートル}", "m": "other{メートル}", "cm": "other{センチメートル}",
        "mm": "other{ミリメートル}",
        "kg": "other{キログラム}", "g": "other{グラム}", "km/h": "other{キロメートルまいじ}", "L": "other{リットル}",
        "℃": "other{ど}", "°C": "other{ど}", "GB": "other{ギガバイト}", "MB": "other{メガバイト}",
    },
    time="{h}じ{m}ぷん", time_hour="{h}じ",
    time_fixes={
        "^ぜろじ": "れいじ",
        "(よん)じ": "よじ", "ななじ": "しちじ", "きゅうじ": "くじ", "(じゅう)ぷん": "じゅっぷん",
        "いちぷん": "いっぷん",
        "にぷん": "にふん", "ごぷん": "ごふん", "ろくぷん": "ろっぷん", "ななぷん": "ななふん",
        "はちぷん": "はっぷん",
        "きゅうぷん": "きゅうふん",
    },
    date="{y}{m}{d}", date_order="ymd", month_words=_MONTHS, phone_plus="プラス",
    marks={".": "ドット", "/": "スラッシュ", "-": "ハイフン", "_": "アンダーバー", "@": "アットマーク", ":": "コロン",
           "?": "はてな", "=": "イコール", "&": "アンド", "#": "シャープ", "%": "パーセント", "+": "プラス",
           "~": "チルダ"},
    symbols={"&": "アンド", "#": "ナンバー", "№": "ナンバー", "+": "たす", "=": "は", "×": "かける", "÷": "わる",
             "±": "プラスマイナス", "≈": "やく", "−": "ひく"},
    alphabet="",
)  # fmt: skip

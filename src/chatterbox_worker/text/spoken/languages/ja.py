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

_THOUSANDS = {"3": "さんぜん", "8": "はっせん", "1": "いっせん"}
_COUNTERS: dict[str, tuple[str, dict[str, str]]] = {
    "日間": ("にちかん", {**{str(day): f"{name}かん" for day, name in enumerate(_DAYS, 1)}, "1": "いちにちかん",
             "20": "はつかかん"}),
    "分間": ("ふんかん", {**{key: f"{words}かん" for key, words in _with_p("ぷん", "ぷん", "ふん")[1].items()},
             "…4": "よんぷんかん"}),
    "秒間": ("びょうかん", {}), "年代": ("ねんだい", {}), "年度": ("ねんど", {"…4": "よねんど"}),
    "年生": ("ねんせい", {"…4": "よねんせい"}), "年前": ("ねんまえ", {"…4": "よねんまえ"}),
    "年後": ("ねんご", {"…4": "よねんご"}), "人目": ("にんめ", {"1": "ひとりめ", "2": "ふたりめ", "…4": "よにんめ"}),
    "番目": ("ばんめ", {}), "回目": _doubled("かいめ"), "つ目": ("つめ", dict(zip("123456789", ["ひとつめ", "ふたつめ",
             "みっつめ", "よっつめ", "いつつめ", "むっつめ", "ななつめ", "やっつめ", "ここのつめ"], strict=True))),
    "代": ("だい", {}), "世": _doubled("せい", six=False), "位": ("い", {}), "次": ("じ", {}),
    "組": ("くみ", {"1": "ひとくみ", "2": "ふたくみ"}), "着": _doubled("ちゃく", six=False),
    "通": _doubled("つう", six=False), "社": _doubled("しゃ", six=False), "校": _doubled("こう"), "羽": ("わ", {}),
    "箱": ("はこ", {"1": "ひとはこ", "2": "ふたはこ", "…3": "さんぱこ", "…6": "ろっぱこ", "…8": "はっぱこ",
           "…10": "じゅっぱこ"}),
    "袋": ("ふくろ", {"1": "ひとふくろ", "2": "ふたふくろ"}), "皿": ("さら", {"1": "ひとさら", "2": "ふたさら"}),
    "切れ": ("きれ", {"1": "ひときれ", "2": "ふたきれ"}), "割": ("わり", {}), "部": ("ぶ", {}), "話": ("わ", {}),
    "段": ("だん", {}), "局": _doubled("きょく"), "号": ("ごう", {}), "号車": ("ごうしゃ", {}),
    "号室": ("ごうしつ", {}), "番線": ("ばんせん", {}), "番地": ("ばんち", {}), "畳": ("じょう", {"…4": "よじょう"}),
    "等": _doubled("とう", six=False), "千円": ("せんえん", {key: f"{words}えん" for key, words in _THOUSANDS.items()}),
    "千人": ("せんにん", {key: f"{words}にん" for key, words in _THOUSANDS.items()}),
    "千": ("せん", _THOUSANDS), "千万": ("せんまん", {key: f"{words}まん" for key, words in _THOUSANDS.items()}),
    "千万円": ("せんまんえん", {key: f"{words}まんえん" for key, words in _THOUSANDS.items()}),
    "巻": _doubled("かん"), "株": ("かぶ", {}), "戸": _doubled("こ"), "歩": _with_p("ぽ", "ぽ", "ほ"),
    "発": _with_p("ぱつ", "ぱつ", "はつ"), "週": _doubled("しゅう", six=False), "缶": _doubled("かん"),
    "票": _with_p("ぴょう", "びょう", "ひょう"), "勝": _doubled("しょう", six=False), "敗": _with_p("ぱい", "ぱい",
        "はい"),
    "戦": _doubled("せん", six=False), "試合": _doubled("しあい", six=False), "節": _doubled("せつ", six=False),
    "条": ("じょう", {}), "項": _doubled("こう"), "版": ("はん", {}), "期": _doubled("き"),
    "世帯": _doubled("せたい", six=False), "種類": _doubled("しゅるい", six=False), "錠": ("じょう", {}),
    "銭": _doubled("せん", six=False), "京": ("けい", {}), "駅": ("えき", {}), "両": ("りょう", {}),
}  # fmt: skip
_DECIMALS = {"倍": "ばい", "度": "ど", "時間": "じかん", "年": "ねん", "畳": "じょう", "点": "てん", "万": "まん",
             "億": "おく", "兆": "ちょう", "万円": "まんえん", "億円": "おくえん", "兆円": "ちょうえん",
             "万人": "まんにん",
             "億人": "おくにん", "秒": "びょう", "分": "ふん"}  # fmt: skip

RULES = Rules(
    locale="ja", spaced=False, kana=True,
    counters={
        **_COUNTERS, "人": ("にん", {"1": "ひとり", "2": "ふたり", "…4": "よにん"}),
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
    forms=(*((rf"(?<![\d.,])(?P<n>\d[\d,]*\.\d+){unit}(?![一-龥])", "{n}" + words)
             for unit, words in sorted(_DECIMALS.items(), key=lambda item: -len(item[0]))),
           (r"(?P<d>\d+)分の(?P<n>\d+)", "{d}ぶんの{n}"), (r"(?<=割)(?P<n>[1-9])分", "{n}ぶ"),
           (r"(?<!\d)110番", "ひゃくとおばん"), (r"〒 ?(?=\d)", "郵便番号"), (r"AM ?(?=\d{1,2}:\d\d)", "ごぜん"),
           (r"PM ?(?=\d{1,2}:\d\d)", "ごご"), (r"(?<![A-Za-z])[Nn]o\. ?(?=\d)", "ナンバー"),
           (r"(?<![A-Za-z])pp?\. ?(?P<n>\d+)(?![\d–-])", "{n}ページ"),
           (r"(?<=[一-龥ァ-ヶー])(?P<a>\d{1,3})[-−](?P<b>\d{1,3})[-−](?P<c>\d{1,4})(?![\d-])", "{a}の{b}の{c}"),
           (r"(?<![\d-])(?P<a>\d{1,2})[-–](?P<b>\d{1,2})(?=で(?:勝|負|敗|引|大勝|快勝|逆転|ドロー))", "{a}たい{b}"),
           (r"(?<=[ぁ-ん])[+＋](?=\d)", "プラス"), (r"(?<![\w)])[-−](?=\d+(?:\.\d+)?度)", "マイナス"),
           (r"(?<=[ルロ円元])=(?=\d)",
           "は"), (r"24/7", "にじゅうよじかんななにち"), (r"(?<![\d/])(?P<n>\d{1,3})/(?P<d>1000?|10)(?![\d/])",
           "{d}ぶんの{n}"),
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
        "dB": "other{デシベル}",
        "km": "other{キロメートル}", "m": "other{メートル}", "cm": "other{センチメートル}",
        "mm": "other{ミリメートル}",
        "kg": "other{キログラム}", "g": "other{グラム}", "km/h": "other{キロメートルまいじ}", "L": "other{リットル}",
        "ml": "other{ミリリットル}", "mL": "other{ミリリットル}", "cc": "other{シーシー}", "W": "other{ワット}",
        "V": "other{ボルト}", "kWh": "other{キロワットじ}", "TB": "other{テラバイト}", "KB": "other{キロバイト}",
        "Mbps": "other{メガビーピーエス}", "Gbps": "other{ギガビーピーエス}", "mmHg": "other{ミリエイチジー}",
        "m²": "other{へいほうメートル}", "㎡": "other{へいほうメートル}", "m2": "other{へいほうメートル}",
        "km²": "other{へいほうキロメートル}", "m³": "other{りっぽうメートル}", "cm²": "other{へいほうセンチメートル}",
        "m/s": "other{メートルまいびょう}", "‰": "other{パーミル}", "mg": "other{ミリグラム}",
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
    date="{y}{m}{d}", date_order="ymd", date_short=((r"(?<![\d/.-])", r"(?=[(（][月火水木金土日])"),),
        month_words=_MONTHS,
        phone_plus="プラス",
    marks={".": "ドット", "/": "スラッシュ", "-": "ハイフン", "_": "アンダーバー", "@": "アットマーク", ":": "コロン",
           "?": "はてな", "=": "イコール", "&": "アンド", "#": "シャープ", "%": "パーセント", "+": "プラス",
           "~": "チルダ", "hashtag": "ハッシュタグ"},
    symbols={"&": "アンド", "#": "ナンバー", "№": "ナンバー", "+": "たす", "=": "は", "×": "かける", "÷": "わる",
             "±": "プラスマイナス", "≈": "やく", "−": "ひく"},
    alphabet="",
)  # fmt: skip

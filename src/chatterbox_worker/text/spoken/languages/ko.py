"""Korean. Not CLDR's: 국립국어원, 표준국어대사전 and 한글 맞춤법 § 43-44 (native numerals before counters,
Sino-Korean in dates, minutes and money; 유월, 시월).
"""

from chatterbox_worker.text.spoken.rules import Money, Rules

_NATIVE = (
    "개(?!월|국|년)|명|살|마리|시간|사람|권|잔|병|대(?![가-힣])|그루|송이|번째|가지|달(?!러)|벌|켤레|군데|곳|"
    "배(?![가-힣])|차례|척|채|자루|그릇|쌍|끼"
)
_HOUR = "시(?![가-힣])|시(?=에|부터|까지|쯤|경|반|정각|의|가|는|로|를)"
"""Up to twelve; on the 24-hour clock as other numbers."""

RULES = Rules(
    locale="ko", cardinal="cardinal-sinokorean",
    years=((rf"(?<![\d.,])(?P<y>[1-9]\d?)(?= ?(?:{_NATIVE}))", "cardinal-native-attributive"),
           (rf"(?<![\d.,])(?P<y>[1-9]|1[0-2])(?= ?(?:{_HOUR}))", "cardinal-native-attributive")),
    forms=((r"(?<![\d/])(?P<n>\d{1,3})/(?P<d>1000?|10)(?![\d/])", "{d}분의 {n}"),
           (r"(?<!\d)1번째", "첫 번째"), (r"(?<!\d)0?6월", "유월"), (r"(?<!\d)10월", "시월")),
    digits={"0": "공"}, percent="{n} 퍼센트", to="-에서",
    between={":": "대"},
    fractions={
        "1/2": "이분의 일", "1/3": "삼분의 일", "2/3": "삼분의 이", "1/4": "사분의 일", "3/4": "사분의 삼",
    },
    fraction_and="과 ",
    money={
        "KRW": Money(major="other{원}"), "USD": Money(major="other{달러}", minor="other{센트}"),
        "EUR": Money(major="other{유로}", minor="other{센트}"), "GBP": Money(major="other{파운드}"),
        "JPY": Money(major="other{엔}"),
    },
    money_scales={"만": "other{만}", "억": "other{억}"},
    unit_words={
        "km": "other{킬로미터}", "m": "other{미터}", "cm": "other{센티미터}", "kg": "other{킬로그램}",
        "g": "other{그램}",
    },
    time="{h} 시 {m} 분", time_hour="{h} 시", hour_to_12="cardinal-native-attributive",
    date="{y}년 {m} {d}일", date_order="ymd",
    month_words=tuple(f"{name}월" for name in ["일", "이", "삼", "사", "오", "유", "칠", "팔", "구", "시", "십일",
      "십이"]), phone_plus="플러스",
    marks={
        ".": "점", "/": "슬래시", "-": "대시", "_": "밑줄", "@": "골뱅이", ":": "콜론", "?": "물음표", "=": "등호",
        "&": "앤드", "#": "샵", "%": "퍼센트", "+": "플러스", "~": "물결표",
    },
    symbols={
        "&": "앤드", "@": "골뱅이", "#": "번호", "№": "번호", "+": "더하기", "=": "는", "×": "곱하기", "÷": "나누기",
        "±": "플러스마이너스", "≈": "약", "−": "빼기",
    },
    alphabet="",
)  # fmt: skip

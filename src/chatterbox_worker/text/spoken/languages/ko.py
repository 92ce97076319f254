"""Korean. Not CLDR's: 국립국어원, 표준국어대사전 and 한글 맞춤법 § 43-44 (native numerals before counters,
Sino-Korean in dates, minutes and money; 유월, 시월).
"""

from chatterbox_worker.text.spoken.patterns import compared, power
from chatterbox_worker.text.spoken.rules import Money, Rules

_NATIVE = (
    "개(?!월|국|년)|명|살|마리|시간|사람|권|잔|병|대(?![가-힣]| ?\\d| (?:도시|강국|원칙|의무))|그루|송이|번째|가지|"
    "달(?!러)|벌|켤레|군데|곳|배(?![가-힣])|차례|척|채|자루|그릇|쌍|끼|큰술|작은술|스푼|숟가락|봉지|상자|박스|조각|포기|줌|꼬집|방울|모금|바퀴|걸음|다발|움큼|토막|"
    "(?:장|컵|줄|칸|골|곡|통|팀|알)(?:(?![가-힣])|(?=을|를|이|가|은|는|의|에|도|만|씩|으로|로|과|와|정도|이상|이하))"
)
_HOUR = "시(?![가-힣])|시(?=에|부터|까지|쯤|경|반|정각|의|가|는|로|를)"
"""Up to twelve; on the 24-hour clock as other numbers."""

_COMPARED = {
    "": "{n}", " ?%": "{n} 퍼센트", " ?kg": "{n} 킬로그램", " ?g": "{n} 그램", " ?km": "{n} 킬로미터",
    " ?m": "{n} 미터", " ?cm": "{n} 센티미터", " ?mm": "{n} 밀리미터", " ?(?:°C|℃)": "섭씨 {n}도",
    "(?P<c>세|점|원|년|개월|일|회|초)": "{n}{c}", " ?(?P<c>명|개)": "{n:cardinal-native-attributive} {c}",
}  # fmt: skip

RULES = Rules(
    locale="ko", cardinal="cardinal-sinokorean",
    joined=r"[천백만억]|조(?!각)|(?:에서|에|의|을|를|은|는|으로|로|과|와|부터|까지|만큼)(?![가-힣])",
    years=((r"(?<![\d.,])(?P<y>\d\d?)(?= ?장에서|장(?:과|와|,|부터) ?\d\d? ?장에서)",
            "cardinal-sinokorean"), (r"^(?P<y>\d\d?)(?=장[. :])", "cardinal-sinokorean"),
           (r"(?<![\d.,])(?P<y>[1-9]0)(?=대(?!\d))", "cardinal-sinokorean"),
           (rf"(?<![\d.,])(?P<y>[1-9]\d?)(?=[~～∼–-]\d\d? ?(?:{_NATIVE}))", "cardinal-native-attributive"),
           (rf"(?<![\d.,제])(?<!제 )(?P<y>[1-9]\d?)(?= ?(?:{_NATIVE}))", "cardinal-native-attributive"),
           (rf"(?<![\d.,])(?P<y>[1-9]|1[0-2])(?= ?(?:{_HOUR}))", "cardinal-native-attributive")),
    forms=(*compared({"<": "미만", ">": "초과", "≤|≦|<=": "이하", "≥|≧|>=": "이상"}, _COMPARED),
           *((rf"(?<!\d)(?P<y>{year}\. ?{month}\. ?(?P<d>[0-3]?\d)\.{end}", "{y}년 " + name + "월 {d}일")
             for year, end in ((r"(?:19|20)\d\d)", r"?(?!\d)"),
                               (r"(?<![\w.])(?<!\. )[0-4]\d)(?=\. \d\d?\. )", r"(?! ?\d)"))
             for month, name in (("0?6", "유"), ("10", "시"), ("0?(?P<m>[1-9]|1[12])", "{m}"))),
           (r"(?<!\d)(?P<a>\d)[·.](?P<b>\d)(?P<c>\d)(?= ?(?:전쟁|혁명|운동|사태|광복절|항쟁|민주))", "{a}{b}{c}"),
           (r"(?<!\d)(?P<a>1[0-2])·(?P<b>[12]\d|3[01])(?!\d)", "{a}{b}"),
           (r"(?<!\d)(?P<a>\d)·(?P<b>\d)(?P<c>\d)(?!\d)", "{a}{b}{c}"), (r"(?<!\d)(?P<a>\d)·(?P<b>\d)(?!\d)", "{a}{b}"),
           *((rf"(?<![\d.,]){few}(?= ?(?:{_NATIVE}))", words) for few, words in (
               ("1[~～∼-]2", "한두"), ("2[~～∼-]3", "두세"), ("3[~～∼-]4", "서너"))),
           (r"(?<![\d-])(?P<a>\d{1,4})-(?P<b>\d{1,3})(?= ?번지)", "{a} 다시 {b}"),
           power("의 {n}제곱"), (r"(?<![\d,.])1(?=[천백])", ""),
           (r"(?<!\d)3\.1(?= ?(?:운동|절))", "삼일"), (rf"(?<=\d)[-–](?=\d\d? ?(?:{_NATIVE}))", "에서 "),
           (r"(?<=\d)(?:%p(?!\w)|%포인트)", "퍼센트포인트"),
           (r"(?<![\d-])(?P<a>\d{1,3})[-–](?P<b>\d{1,3})(?=으?로(?![가-힣])| 승| 패)", "{a} 대 {b}"),
           (r"(?<![\d-])(?P<a>\d{1,3}) ?대 ?(?P<b>\d{1,3})(?=로 |으로 |,|\.|$| 승| 무| 패)", "{a} 대 {b}"),
           (r"(?<![\d-])1(?P<a>[5-8])(?P<b>\d)(?P<c>\d)-(?P<d>\d)(?P<e>\d)(?P<f>\d)(?P<g>\d)(?![\d-])",
            "일 {a} {b} {c}, {d} {e} {f} {g}"),
           (r"AM ?(?=\d{1,2}:\d\d)", "오전 "), (r"PM ?(?=\d{1,2}:\d\d)", "오후 "),
           (r"(?<![A-Za-z])[Nn]o\. ?(?=\d)", "넘버 "), (r"(?<![\d/])(?P<n>\d{1,3})/(?P<d>1000?|10)(?![\d/])",
           "{d}분의 {n}"),
           (r"(?<!\d)1번째", "첫 번째"), (r"(?<!\d)0?6월", "유월"), (r"(?<!\d)10월", "시월")),
    digits={"0": "공"}, percent="{n} 퍼센트", to="-에서",
    between={":": "대", "x": "곱하기"},
    fractions={
        "1/2": "이분의 일", "1/3": "삼분의 일", "2/3": "삼분의 이", "1/4": "사분의 일", "3/4": "사분의 삼",
    },
    fraction_and="과 ",
    money={
        "KRW": Money(major="other{원}"), "USD": Money(major="other{달러}", minor="other{센트}"),
        "EUR": Money(major="other{유로}", minor="other{센트}"), "GBP": Money(major="other{파운드}"),
        "JPY": Money(major="other{엔}"),
    },
    unit_words={
        **dict.fromkeys(("l/100 km", "l/100km", "L/100 km", "L/100km"), "other{백 킬로미터당 # 리터}"),
        "dB": "other{데시벨}", "km": "other{킬로미터}", "m": "other{미터}", "cm": "other{센티미터}",
        "kg": "other{킬로그램}", "g": "other{그램}", "‰": "other{퍼밀}", "ppm": "other{피피엠}", "cc": "other{시시}",
        "mAh": "other{밀리암페어시}", "㎡": "other{제곱미터}", "㎏": "other{킬로그램}", "㎞": "other{킬로미터}",
    },
    time="{h} 시 {m} 분", time_hour="{h} 시", hour_to_12="cardinal-native-attributive",
    date="{y}년 {m} {d}일", date_order="ymd",
    month_words=tuple(f"{name}월" for name in ["일", "이", "삼", "사", "오", "유", "칠", "팔", "구", "시", "십일",
      "십이"]), phone_plus="플러스",
    marks={
        ".": "점", "/": "슬래시", "-": "대시", "_": "밑줄", "@": "골뱅이", ":": "콜론", "?": "물음표", "=": "등호",
        "&": "앤드", "#": "샵", "%": "퍼센트", "+": "플러스", "~": "물결표", "hashtag": "해시태그",
    },
    symbols={
        "²": "제곱", "³": "세제곱", "&": "앤드", "@": "골뱅이", "#": "번호", "№": "번호", "+": "더하기", "=": "이퀄",
        "×": "곱하기", "÷": "나누기", "±": "플러스마이너스", "≈": "약", "−": "빼기", "≠": "낫 이퀄", "√": "루트",
    },
    alphabet="",
)  # fmt: skip

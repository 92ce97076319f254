"""Chinese: Mandarin. Not CLDR's: GB/T 15835-2011 出版物上数字用法 (years digit by digit, times), and 吕叔湘,
现代汉语八百词 (两 before measure words).
"""

from chatterbox_worker.text.spoken.patterns import power
from chatterbox_worker.text.spoken.rules import Money, Rules

_MEASURES = (
    "斤|倍|遍|双|瓶|周|句|米|克|公斤|公里|千米|千克|厘米|毫升|升|人|勺|颗|粒|袋|包|盒|箱|碗|片|根|"
    "匙|项|套|枚|头|匹|篇|首|部|门|节|段|"
    "份|笔|栋|座|架|艘|幅|朵|棵|排|场|支|把|组|对|批|元|个|位|本|只|次|天|岁|张|件|条|辆|名|小时|分钟|块|杯|家|间|层|种|台|年(?![\\d级])|万|亿|千|吨|秒|寸|尺|毛|角|"
    "点(?!\\d)|滴|行|列|步|圈|串|捆|卷|罐|扇|盏|顿|束|桶|壶|股|户|处|分(?![之\\d])"
)

RULES = Rules(
    locale="zh", spaced=False,
    fixes={"〇": "零", "^二(?=[千万亿])": "两"},
    years=((r"(?<!\d)(?P<y>\d{4})(?= ?年|[-–—~～至到]\d{4} ?年)", "numbering-year"),
           (r"(?<!\d)(?P<y>\d{3,4})(?=室|房间)", "numbering-year")),
    code_number="numbering-year",
    forms=((r"(?<=\d\d\d\d)[-–—~～](?=\d{4}年)", "到"), (r"(?<=元)/kg(?![A-Za-z])", "每公斤"),
        (r"(?P<n>\d+(?:\.\d+)?)‰",
        "千分之{n}"),
           (r"(?<=\d)—(?=\d)", "到"), (r"(?<=[元度里米克])/(?=[斤公千小时秒分次人年月天平米克吨升kg])", "每"),
           (r"(?<![\d-])(?P<a>\d{1,3})[-–](?P<b>\d{1,3})(?=获胜|胜|战胜|击败|大胜|逆转|不敌|战平|领先|落后|力克)",
           "{a}比{b}"),
           (r"(?<!\d)(?P<a>\d)·(?P<b>\d)(?P<c>\d)(?!\d)", "{a}{b}{c}"), (r"(?<!\d)(?P<a>\d)·(?P<b>\d)(?!\d)", "{a}{b}"),
           (r"(?<=[一-龥])[+＋](?=\d)", "正"), (r"第?(?<![A-Za-z])[Nn][Oo]\. ?(?=\d)", "第"),
           (r"(?<![\d/])(?P<n>\d{1,3})/(?P<d>1000?|10)(?![\d/])", "{d}分之{n}"),
           (rf"(?<![\d.第初A-Za-z+])(?<!第 )2(?= ?(?:{_MEASURES}))", "两"),
           (rf"(?<![\d.第初])2[-–—~～](?P<n>\d+)(?=(?:{_MEASURES}))", "两到{n}"),
           (r"(?<!\d)(?P<a>[5-9])(?P<b>0)(?=后)", "{a}{b}"),
           (r"(?<!\d)(?P<a>\d)(?P<b>\d)(?P<c>\d)(?=室|房间)", "{a}{b}{c}"),
           (r"(?<=波音)(?P<a>\d)(?P<b>\d)(?P<c>\d)(?!\d)", "{a}{b}{c}"),
           (r"(?<![\d.])(?P<n>\d)米(?P<a>\d)(?P<b>\d)(?!\d)", "{n}米{a}{b}"),
           power("的{n}次方"),
           (r"(?<=[，、。；：（])>(?=\d)", "大于"), (r"(?<=[，、。；：（])<(?=\d)", "小于"),
           (r"(?<=[度温是为到约至])[-−](?=\d+(?:\.\d+)?(?:度|米|到-?\d))", "负")),
    percent="百分之{n}", to="到",
    phrase_fixes={"^二(?=公|千|厘|毫|平方|立方|升|米|克|吉|兆|小时|分钟|秒|美元|欧元|元|英镑|日元|港元)": "两"},
    between={":": "比", "x": "乘"},
    fractions={"1/2": "二分之一", "1/3": "三分之一", "2/3": "三分之二", "1/4": "四分之一", "3/4": "四分之三"},
    fraction_and="又",
    scales={"万": "other{万}", "亿": "other{亿}", "萬": "other{萬}", "億": "other{億}"},
    money={
        "CNY": Money(major="other{元}"), "USD": Money(major="other{美元}", minor="other{美分}"),
        "EUR": Money(major="other{欧元}"),
        "GBP": Money(major="other{英镑}"), "JPY": Money(major="other{日元}"), "HKD": Money(major="other{港元}"),
        "TWD": Money(major="other{新台币}"),
    },
    symbols_of_money={"¥": "CNY", "￥": "CNY", "RMB": "CNY", "NT$": "TWD"}, money_of="", money_and="",
    unit_words={
        **dict.fromkeys(("l/100 km", "l/100km", "L/100 km", "L/100km"), "other{每百公里#升}"),
        "dB": "other{分贝}", "‰": "other{千分之#}", "mAh": "other{毫安时}", "㎏": "other{公斤}", "㎞": "other{公里}",
        "㎡": "other{平方米}", "m/s": "other{米每秒}", "μg/m³": "other{微克每立方米}", "µg/m³": "other{微克每立方米}",
        "Mbps": "other{兆比特每秒}", "km": "other{公里}", "m": "other{米}", "cm": "other{厘米}", "mm": "other{毫米}",
        "kg": "other{公斤}", "g": "other{克}", "km/h": "other{公里每小时}", "L": "other{升}", "℃": "other{摄氏度}",
        "°C": "other{摄氏度}", "GB": "other{吉字节}",
    },
    time="{h}点{m}分", time_low="{h}点零{m}分", time_hour="{h}点",
    time_fixes={"^二点": "两点"},
    date="{y}年{m}{d}日", date_order="ymd", year="numbering-year", digits={"1": "幺"}, emergency=r"(?:拨打|致电|拨|打)",
    phones=r"(?:电话|手机|热线|邮编|微信|QQ|订单号|卡号|编号|账号|客服|分机)(?:号码?)?[:： ]?", phone_plus="加",
    marks={".": "点", "/": "斜杠", "-": "横杠", "_": "下划线", "@": "艾特", ":": "冒号", "?": "问号", "=": "等于",
           "&": "和", "#": "井号", "%": "百分号", "+": "加", "~": "波浪号", "hashtag": "话题"},
    symbols={"²": "平方", "³": "立方", "&": "和", "#": "号", "№": "号", "+": "加", "=": "等于", "×": "乘以",
    "÷": "除以", "±": "正负", "≈": "约等于",
             "<": "小于", ">": "大于", "≤": "小于等于", "≥": "大于等于", "−": "减", "@": "艾特", "≠": "不等于",
             "√": "根号",
    },
    alphabet="",
)  # fmt: skip

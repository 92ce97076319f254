"""Single Greek letters in texts of other languages: "α = 0.05", "2π", "TNF-α", "ΔT". Greek words stay as written.

The names are those of the languages' dictionaries of mathematics and physics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part

_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"
_VARIANTS = str.maketrans("ϵϑϰϱςϕΩ∆", "εθκρσφωδ")
_INTERNATIONAL = (  # also of the languages that are not in the table
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
)
_NAMES: Mapping[str, str] = {
    "ar": "ألفا بيتا غاما دلتا إبسيلون زيتا إيتا ثيتا أيوتا كابا لامدا ميو نيو كساي أوميكرون باي رو سيغما تاو "
          "أبسيلون فاي كاي بساي أوميغا",
    "da": "alfa beta gamma delta epsilon zeta eta theta iota kappa lambda my ny ksi omikron pi rho sigma tau ypsilon "
          "fi khi psi omega",
    "de": "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mü Nü Xi Omikron Pi Rho Sigma Tau Ypsilon "
          "Phi Chi Psi Omega",
    "en": _INTERNATIONAL,
    "es": "alfa beta gamma delta épsilon zeta eta teta iota kappa lambda mu nu xi ómicron pi ro sigma tau ípsilon fi "
          "ji psi omega",
    "fi": "alfa beeta gamma delta epsilon zeeta eeta theeta ioota kappa lambda myy nyy ksii omikron pii rhoo sigma "
          "tau ypsilon fii khii psii oomega",
    "fr": "alpha bêta gamma delta epsilon zêta êta thêta iota kappa lambda mu nu xi omicron pi rhô sigma tau upsilon "
          "phi khi psi oméga",
    "he": "אלפא בטא גמא דלתא אפסילון זטא אטא תטא יוטא קפא למדא מיו ניו קסי אומיקרון פאי רו סיגמא טאו אופסילון פי כי "
          "פסי אומגה",
    "hi": "अल्फा बीटा गामा डेल्टा एप्सिलॉन ज़ीटा ईटा थीटा आयोटा कप्पा लैम्ब्डा म्यू न्यू ज़ाई ओमिक्रॉन पाई रो सिग्मा "
          "टाउ अप्सिलॉन फाई काई साई ओमेगा",
    "it": "alfa beta gamma delta epsilon zeta eta teta iota cappa lambda mu nu csi omicron pi ro sigma tau ipsilon "
          "fi chi psi omega",
    "ja": "アルファ ベータ ガンマ デルタ イプシロン ゼータ イータ シータ イオタ カッパ ラムダ ミュー ニュー クサイ "
          "オミクロン パイ ロー シグマ タウ ウプシロン ファイ カイ プサイ オメガ",
    "ko": "알파 베타 감마 델타 엡실론 제타 에타 세타 이오타 카파 람다 뮤 뉴 크사이 오미크론 파이 로 시그마 타우 "
          "입실론 피 카이 프사이 오메가",
    "nb": "alfa beta gamma delta epsilon zeta eta theta iota kappa lambda my ny ksi omikron pi rho sigma tau ypsilon "
          "fi khi psi omega",
    "nl": "alfa bèta gamma delta epsilon zèta èta thèta jota kappa lambda mu nu xi omikron pi rho sigma tau ypsilon "
          "fi chi psi omega",
    "pl": "alfa beta gamma delta epsilon dzeta eta teta jota kappa lambda mi ni ksi omikron pi ro sigma tau ypsilon "
          "fi chi psi omega",
    "pt": "alfa beta gama delta épsilon zeta eta teta iota capa lambda mi ni csi ômicron pi rô sigma tau úpsilon fi "
          "qui psi ômega",
    "ru": "альфа бета гамма дельта эпсилон дзета эта тета йота каппа лямбда мю ню кси омикрон пи ро сигма тау "
          "ипсилон фи хи пси омега",
    "sv": "alfa beta gamma delta epsilon zeta eta teta jota kappa lambda my ny xi omikron pi ro sigma tau ypsilon fi "
          "ki psi omega",
    "tr": "alfa beta gama delta epsilon zeta eta teta yota kapa lambda mü nü ksi omikron pi ro sigma tau üpsilon fi "
          "ki psi omega",
    "zh": "阿尔法 贝塔 伽马 德尔塔 艾普西龙 泽塔 伊塔 西塔 约塔 卡帕 兰布达 缪 纽 克西 奥密克戎 派 柔 西格玛 陶 "
          "宇普西隆 斐 希 普西 欧米伽",
}  # fmt: skip
"""From alpha to omega, by the language of the locale."""
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_ALONE = rf"(?<![{_GREEK}])(?<![{_GREEK}]['’ ])[{_LETTERS}{_LETTERS.upper()}ϵϑϕΩ∆](?!['’ ]?[{_GREEK}])"
_LIKE_LATIN = frozenset("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
"""Which may have been written for the Latin letter that looks the same."""


def find_greek_letters(part: Part, rules: Rules) -> Iterator[Group]:
    language = rules.locale.partition("-")[0]
    if language == "el":
        return
    names = _NAMES.get(language, _INTERNATIONAL).split()
    for found in part.find(_ALONE):
        letter = found[0].lower().translate(_VARIANTS)
        if found[0] in _LIKE_LATIN or letter not in _LETTERS:
            continue
        start, end = found.span()
        before = " " if rules.spaced and start and part.text[start - 1].isalpha() else ""  # a number has its own
        after = " " if rules.spaced and not rules.joined and part.text[end : end + 1].isalpha() else ""
        yield [Span(start, end, f"{before}{names[_LETTERS.index(letter)]}{after}")]

"""Dates and times of day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.date_names import day_names, full_name, month_names, months_pattern
from chatterbox_worker.text.spoken.numbers import count
from chatterbox_worker.text.spoken.numerals import Group, joining, say, spaced
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.quantities import ends_sentence, say_unit
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled

_ALONE = rf"(?:(?<![\d:.,٫٬/{WORD}])|(?<=[AP]M))(?:(?<!-)|(?<=[mM.]-)|(?<=:\d\d-)|(?<=\dh-)|(?<=\dh\d\d-)|(?<=[א-ת]-))"
"""Before a time: nothing that it is a part of, but "AM", the dash after another time or after a Hebrew prefix."""
_STAMP = (
    r"(?<!\w)(\d{4})-(\d\d)-(\d\d)(?P<gap>T)(?P<h>[01]\d|2[0-3]):(?P<m>[0-5]\d)"
    r"(?P<rest>(?::[0-5]\d(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)(?![\w:])"
)
_HOUR, _SIXTY = r"(?:[01٠١]?\d|[2٢][0-4٠-٤])", r"(?:[0-5٠-٥]\d)"
_DAY = r"[12١٢]\d|[3٣][01٠١]|[0٠]?[1-9١-٩]"
_HALF_DAY = "(?:[1١][0-2٠-٢]|[0٠]?[1-9١-٩])"
_DASH = re.compile(r" ?[-–—] ?")
_NEAR = 12  # characters before a time or a day, for the word that decides its case
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def find_times(part: Part, rules: Rules) -> Iterator[Group]:
    if not rules.time:
        return
    text = part.text
    halves = "|".join(f"(?P<half{i}>{pattern})" for i, (pattern, _) in enumerate(rules.halves))
    half = rf"(?: ?(?:{halves}))?" if halves else ""
    after = rf"(?: ?(?:{rules.time_after})(?![{WORD}]))?" if rules.time_after else ""
    time = (
        rf"(?P<h>{_HOUR})(?:[{re.escape(rules.time_marks)}](?P<m>{_SIXTY})"
        rf"(?::(?P<s>{_SIXTY}))?){half}{after}(?![\d:]|[.,/]\d|%)"
    )
    hour = rf"(?P<h>{_HALF_DAY}) ?(?:{halves or '(?!)'})(?![{WORD}])"
    if halves and rules.to:
        yield from _hours_before(part, time, halves, rules)
    for found in part.find(_ALONE + time):
        yield [spaced(text, *found.span(), _say_time(found, text, rules), rules)]
        yield from _dash_before(text, found.end(), (time, hour), rules)
    yield from _with_stops(part, f"{half}{after}", rules)
    for found in part.find(_ALONE + hour) if halves else ():
        yield [Span(*found.span(), _say_hour(found, text, rules) + _half(found, text, rules))]
        yield from _dash_before(text, found.end(), (time, hour), rules)


def _hours_before(part: Part, time: str, halves: str, rules: Rules) -> Iterator[Group]:
    """A full hour before the dash and a time that says which half of the day it is: "3–5 PM", "10–11:30 AM"."""
    text = part.text
    hour = rf"(?P<h>{_HALF_DAY}) ?(?:{halves})(?![{WORD}])"
    for found in part.find(rf"{_ALONE}(?P<h>{_HALF_DAY})(?P<dash> ?[-–—] ?)(?=\d\d?(?::{_SIXTY})? ?(?:{halves}))"):
        first = _say_hour(found, text, rules) + joining(rules)
        if until := compiled(time).match(text, found.end()):
            yield [Span(*found.span(), first), Span(*until.span(), _say_time(until, text, rules))]
        elif until := compiled(hour).match(text, found.end()):
            last = _say_hour(until, text, rules) + _half(until, text, rules)
            yield [Span(*found.span(), first), Span(*until.span(), last)]


def _with_stops(part: Part, end: str, rules: Rules) -> Iterator[Group]:
    """Times with a full stop where the language's table is sure of them."""
    text = part.text
    before, behind = rules.time_dotted
    if not before and not behind:
        return
    dotted = rf"(?P<t>(?P<h>[01]?\d|2[0-4])\.(?P<m>[0-5]\d)(?P<s>(?!))?{end})(?![\d:]|[.,/]\d|%)"
    for found in part.find(rf"(?<![\d:.,/{WORD}-]){before}{dotted}"):
        if behind and not re.search(behind, found[0]):
            continue
        yield [Span(*found.span("t"), _say_time(found, text, rules))]
        dash = _DASH.match(text, found.end())
        if rules.to and dash and (until := compiled(dotted).match(text, dash.end())):
            yield [Span(*dash.span(), joining(rules)), Span(*until.span("t"), _say_time(until, text, rules))]


def _dash_before(text: str, start: int, patterns: tuple[str, ...], rules: Rules) -> Iterator[Group]:
    """The dash at `start`, if what follows it matches one of the patterns."""
    dash = _DASH.match(text, start)
    if rules.to and dash and any(compiled(pattern).match(text, dash.end()) for pattern in patterns):
        yield [Span(*dash.span(), joining(rules))]


def _say_hour(found: re.Match[str], text: str, rules: Rules) -> str:
    hour = int(found["h"])
    rule_set = _after(text, found.start("h"), rules.hour_after, rules.hour)
    return say(hour, rules, rules.hour_to_12 if hour <= 12 and rules.hour_to_12 else rule_set)


def _after(text: str, start: int, rule_sets: tuple[tuple[str, str], ...], default: str) -> str:
    """The rule set of the first pattern that matches the text before `start`."""
    before = text[max(0, start - _NEAR) : start]
    return next((name for pattern, name in rule_sets if re.search(pattern, before)), default)


def _say_time(found: re.Match[str], text: str, rules: Rules) -> str:
    minutes = int(found["m"])
    half = _half(found, text, rules)
    template = rules.time if minutes >= 10 else rules.time_low or rules.time
    if minutes == 0:
        template = "{h}" if half else rules.time_hour
    minute = _after(text, found.start("h"), rules.minute_after, rules.minute)
    spoken = template.replace("{h}", _say_hour(found, text, rules)).replace("{m}", say(minutes, rules, minute))
    if minutes == 0 and template == "{h}" and spoken == say(0, rules):
        spoken += f" {spoken}"  # midnight
    spoken = correct(spoken, rules.time_fixes)
    return spoken + (_say_seconds(int(found["s"]), rules) if found["s"] and int(found["s"]) else "") + half


def _say_seconds(seconds: int, rules: Rules) -> str:
    if "秒" in rules.counters:
        return count(seconds, *rules.counters["秒"], rules)
    links = (rules.fraction_and, rules.money_and, f" {rules.symbols.get('&', '')} ")
    link = next((link for link in links if link.strip()), " ") if not rules.joined else " "
    return (link if rules.spaced else "") + say_unit(str(seconds), "second", rules)


def _half(found: re.Match[str], text: str, rules: Rules) -> str:
    for index, (_, words) in enumerate(rules.halves):
        if written := found[f"half{index}"]:
            # of "p.m." the last full stop may be the sentence's; one that follows is the sentence's for sure
            ends = not written.endswith(".") and text[found.end() : found.end() + 1] == "."
            stop = "." if not words.endswith(".") and ends_sentence(text, found.end(), rules) else ""
            return " " + (words.removesuffix(".") if ends else words) + stop
    return ""


def find_dates(part: Part, rules: Rules) -> Iterator[Group]:
    if rules.date:
        yield from _stamps(part, rules)
        yield from _in_numbers(part, rules)
        yield from _without_year(part, rules)
    if rules.day_month or rules.month_day:
        yield from _with_names(part, rules)


def _stamps(part: Part, rules: Rules) -> Iterator[Group]:
    """ISO 8601: the date, a pause, the time without its seconds, and UTC."""
    text = part.text
    if not rules.time:
        return
    for found in part.find(_STAMP):
        for group in _date(found, (found[3], found[2], found[1]), rules):
            minutes = int(found["m"])
            template = (rules.time if minutes >= 10 else rules.time_low or rules.time) if minutes else rules.time_hour
            time = template.replace("{h}", _say_hour(found, text, rules)).replace(
                "{m}", say(minutes, rules, rules.minute)
            )
            zone = " UTC" if found["zone"] == "Z" else ""
            yield [Span(*found.span(), f"{group[0].spoken}, {correct(time, rules.time_fixes)}{zone}")]


def _in_numbers(part: Part, rules: Rules) -> Iterator[Group]:
    for found in part.find(rf"(?<![{WORD}./-])(\d{{4}})([-/])(\d{{2}})\2(\d{{2}})(?![{WORD}/-]|\.\d)"):
        yield from _date(found, (found[4], found[3], found[1]), rules)
    if rules.date_order == "ymd":
        for found in part.find(rf"(?<![{WORD}./-])(\d{{4}})([/.-])(\d\d?)\2(\d\d?)(?![{WORD}/-]|\.\d)"):
            yield from _date(found, (found[4], found[3], found[1]), rules)
        return
    start = rf"(?:(?<![{WORD}./-])|(?<=[א-ת]-))"  # a Hebrew prefix has a hyphen
    for found in part.find(rf"{start}(\d\d?)([/.-])(\d\d?)\2(\d{{4}}|\d\d)(?![{WORD}/-]|\.\d)"):
        day, month = (found[1], found[3]) if rules.date_order == "dmy" else (found[3], found[1])
        yield from _date(found, (day, month, found[4]), rules)
    if rules.date_order == "dmy":  # "5/3-2026" in Scandinavia
        for found in part.find(rf"(?<![{WORD}./-])(\d\d?)/(\d\d?)-((?:19|20)\d\d)(?![{WORD}/-]|\.\d)"):
            yield from _date(found, (found[1], found[2], found[3]), rules)


def _date(found: re.Match[str], parts: tuple[str, str, str], rules: Rules) -> Iterator[Group]:
    day, month, year = map(int, parts)
    if month > 12 >= day and rules.date_order != "ymd":  # the other order is the only possible one
        day, month = month, day
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1]:
        return
    if len(parts[2]) == 2:
        if _is_section(found):
            return
        year += 2000 if year < 50 else 1900
    words = {
        "{d}": say_day(day, rules, found.string, found.start()),
        "{m}": month_names(rules)[month - 1],
        "{y}": say_year(year, rules),
    }
    spoken = rules.date
    for name, word in words.items():
        spoken = spoken.replace(name, word)
    yield [Span(*found.span(), correct(spoken, rules.phrase_fixes))]


def _is_section(found: re.Match[str]) -> bool:
    """Whether it is the number of a heading, which begins a line and has a full stop: "9.6.12. Oils"."""
    text, (start, end) = found.string, found.span()
    return "." in found[0] and text[max(0, start - 1) : start] in ("", "\n") and text[end : end + 2] == ". "


def _without_year(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for before, after in (*rules.date_short, (_after_weekday(rules), r"(?![\w/-]|[.,]\d| ?[%€])")):
        for found in part.find(rf"(?:{before})(?P<a>\d\d?)[./](?P<b>\d\d?)(?:{after})"):
            day, month = int(found["a"]), int(found["b"])
            if rules.date_order != "dmy":
                day, month = month, day
            if not 1 <= month <= len(_DAYS) or not 1 <= day <= _DAYS[month - 1]:
                continue
            said = say_day(day, rules, text, found.start("a"))
            spoken = re.sub(r"(?:,| de)? ?\{y\}(?: [^{]*$)?", "", rules.date).replace("{d}", said)
            end = found.end() if found[0].endswith(".") and text[found.end() :].strip() else found.end("b")
            yield [Span(found.start("a"), end, spoken.replace("{m}", month_names(rules)[month - 1]).strip())]


@lru_cache(maxsize=32)
def _after_weekday(rules: Rules) -> str:
    behind = (rf"(?<=\b{re.escape(name)}{stop} )" for name in day_names(rules) for stop in ("", ","))
    return rf"(?=\d\d?/\d)(?:{'|'.join(behind)})"


def say_year(year: int, rules: Rules) -> str:
    return count(year, *rules.counters["年"], rules) if "年" in rules.counters else say(year, rules, rules.year)


def say_day(day: int, rules: Rules, text: str, start: int) -> str:
    if "日" in rules.counters:
        return count(day, *rules.counters["日"], rules)
    if rule_set := _after(text, start, rules.day_after, ""):
        return say(day, rules, rule_set)
    return rules.day_first if day == 1 and rules.day_first else say(day, rules, rules.day)


def _with_names(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    year = rf"(?P<after>,? (?:[^\W\d]{{1,3}} )?)(?P<y>1[1-9]\d\d|(?:20|٢٠)\d\d)(?![{WORD}]|[.,]\d)"
    one, end = _DAY, r"(?:st|nd|rd|th)?"
    stop = "" if rules.month_day else r"|\."
    day, months = f"(?P<d>{one})", months_pattern(rules)
    first = rf"(?:(?P<first>{one})(?:{end}{stop})(?P<dash> ?[-–—] ?))?" if rules.to else "(?P<first>(?!))?"
    last = rf"(?:(?P<dash> ?[-–—] ?)(?P<last>{one}){end}(?![{WORD}:/%-]|[.,]\d))?" if rules.to else "(?P<last>(?!))?"
    for template, pattern in (
        (
            rules.day_month,
            (
                rf"(?<![{WORD}.,/:-]){first}{day}(?:{end}{stop})(?P<gap> (?:of |de |di |de la )?)(?P<m>{months})"
                rf"(?![{WORD}])"
            ),
        ),
        (
            rules.month_day,
            rf"(?<![{WORD}])(?P<m>{months})(?P<gap> ){day}{end}{last}(?![{WORD}:/%]|[.,]\d)",
        ),
    ):
        if not template:
            continue
        for found in part.find(rf"{pattern}(?:{year})?"):
            said, groups = say_day(int(found["d"]), rules, text, found.start()), found.groupdict()
            for name in ("first", "last"):
                if groups.get(name):
                    other = say_day(int(found[name]), rules, text, found.start())
                    article = template[: template.index("{d}")] if name == "first" else ""
                    ends = (other, article + said) if name == "first" else (said, other)
                    said = joining(rules).join(ends)
            spoken = template.replace("{d}", said).replace("{m}", full_name(found["m"], rules))
            if text[max(0, found.start() - 4) : found.start()].casefold() == "the ":
                spoken = spoken.removeprefix("the ")
            if found["y"]:
                spoken += found["after"] + say(int(found["y"]), rules, rules.year)
            yield [Span(*found.span(), spoken)]

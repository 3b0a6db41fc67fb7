"""How one amount stands beside an earlier one of the same elapsed part, in words; each kind of it has its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from dashboard.trends.calendars import Calendar, Shift, last_day
from dashboard.trends.periods import Earlier
from dashboard.trends.ranges import Between, Last, Of, Range, Stretch
from dashboard.wording import amount, length, moment
from dashboard.wording import day as day_text

_TENTH = Decimal("0.1")
_TIMES = 10
"""From so many times on, percents say less."""


class Kind(StrEnum):
    UP = "up"
    DOWN = "down"
    SAME = "same"
    FROM_NOTHING = "from nothing"
    """Nothing was sold then; a percentage of it there is not."""
    NO_DATA = "no data"
    """The table begins later than that time ended."""
    PARTLY = "partly"
    """The table begins within that time: no part is compared with a whole."""
    UNKNOWN = "unknown"
    """It cannot be told, now or then: orders are not counted, or windows are at fault."""
    NOT_YET = "not yet"
    """Nothing of the range has closed."""


@dataclass(frozen=True)
class Change:
    kind: Kind
    ratio: Decimal | None
    """Of the change to what was before: 0.124 is up 12.4%. None where there is none."""
    before: Decimal | None
    text: str
    """`up 12.4% on last Tuesday until 14:05`."""


def change(now: Decimal | None, before: Decimal | None, than: str, nothing: str = "nothing was sold") -> Change:
    """`than` names the earlier time, as `yesterday until 14:05`; `nothing` says what 0 means. None is not known."""
    if now is None or before is None:
        return Change(Kind.UNKNOWN, None, before, f"not comparable: not known {'yet' if now is None else than}")
    if now == before:
        return Change(Kind.SAME, Decimal(0), before, f"no change on {than}" if now else f"{nothing}, as {than}")
    if before <= 0:
        return Change(Kind.FROM_NOTHING, None, before, f"{amount(before) if before else nothing} {than}")
    ratio = now / before - 1
    kind = Kind.UP if ratio > 0 else Kind.DOWN
    return Change(kind, ratio, before, f"{_size(kind, ratio)} {than}")


def no_change(kind: Kind, than: str, since: str = "") -> Change:
    """Why nothing is said of an earlier time; `since` is when the table begins."""
    text = {
        Kind.NO_DATA: f"no data of {than}: the first window is of {since}",
        Kind.PARTLY: f"not comparable: of {than} there is only what came since {since}",
        Kind.UNKNOWN: f"not comparable: windows of {than} are at fault",
        Kind.NOT_YET: "nothing to compare yet: no window of this time has closed",
    }[kind]
    return Change(kind, None, None, text)


def earlier_name(asked: Range, stretch: Stretch, then: Earlier, calendar: Calendar) -> str:
    """What the earlier time is called, with where it ends if that is not its whole: `last Tuesday until 14:05`."""
    name = _name(asked, stretch, then.shift, then.start, calendar)
    if stretch.until >= stretch.end and not stretch.moves:
        return name
    is_one_day = isinstance(asked, Of) and asked.part == "day"
    beside = then.start if is_one_day else stretch.until
    return f"{name} until {_until(then.until, beside, calendar)}"


def _name(asked: Range, stretch: Stretch, shift: Shift, start: datetime, calendar: Calendar) -> str:
    first = day_text(start, calendar.zone, stretch.until)
    weekday = f"{start.astimezone(calendar.zone):%A}"
    match asked:
        case Of("day", ago):
            if shift.days == 1:
                return "the day before" if ago else "yesterday"
            if shift.days == 7:
                return f"the {weekday} before" if ago else f"last {weekday}"
            return f"{weekday} {first}, {shift.days} days before"
        case Of(part, ago) if shift == asked.previous():
            return f"the {part} before" if ago else f"last {part}"
        case Last() | Between() if shift == stretch.previous:
            return f"the {_span(shift)} before"
    return f"the same time {_span(shift)} before"


def _span(shift: Shift) -> str:
    if shift.months:
        return "month" if shift.months == 1 else f"{shift.months} months"
    if shift.elapsed:
        return length(shift.elapsed)
    return "day" if shift.days == 1 else f"{shift.days} days"


def _until(until: datetime, beside: datetime, calendar: Calendar) -> str:
    """The time, with its day unless that is the one of `beside`; an end at midnight is the day that it ends."""
    day = last_day(until, calendar)
    if until == calendar.midnight_after(day):
        return f"the end of {day_text(until - timedelta(microseconds=1), calendar.zone, beside)}"
    return moment(until, calendar.zone, beside, seconds=False)


def _size(kind: Kind, ratio: Decimal) -> str:
    if ratio + 1 >= _TIMES:
        return f"{(ratio + 1).quantize(_TENTH, ROUND_HALF_UP):,} times as much as"
    percent = (abs(ratio) * 100).quantize(_TENTH, ROUND_HALF_UP)
    return f"{kind} {percent}% on" if percent else f"{kind} less than 0.1% on"

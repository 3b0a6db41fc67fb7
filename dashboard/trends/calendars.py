"""A reader's calendar: whose midnight it is, which day begins a week, which month a fiscal year, and how far back a
moment lies by the clock on the wall."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dashboard.readers.zones import local_midnight, pieces

DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Shift:
    """How far back a comparison looks: by the clock on the wall if in days or months, else by time that passed."""

    days: int = 0
    months: int = 0
    elapsed: timedelta = timedelta(0)


@dataclass(frozen=True)
class Calendar:
    zone: ZoneInfo
    week_start: int = 0
    """As `date.weekday` counts: 0 is Monday, 5 Saturday, 6 Sunday."""
    fiscal_start: int = 1
    """The month, 1 to 12, that a fiscal year begins with; quarters are counted from it."""

    def day(self, moment: datetime) -> date:
        """Which day the moment falls on."""
        return moment.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """When the day begins, UTC."""
        return local_midnight(day, self.zone)

    def midnight_after(self, day: date) -> datetime:
        """When the day ends, UTC."""
        return local_midnight(day + DAY, self.zone)

    def week(self, day: date) -> date:
        """The first day of its week."""
        return day - (day.weekday() - self.week_start) % 7 * DAY

    def quarter(self, day: date) -> date:
        """The first day of its fiscal quarter."""
        return months_later(day.replace(day=1), -((day.month - self.fiscal_start) % 3))

    def fiscal_year(self, day: date) -> date:
        """The first day of its fiscal year."""
        return months_later(day.replace(day=1), -((day.month - self.fiscal_start) % 12))

    def wall(self, moment: datetime) -> datetime:
        """What the clock shows; of a day's beginning midnight, also where the clock was put forward then."""
        day = self.day(moment)
        if moment == self.midnight(day):
            return datetime.combine(day, time())
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def earlier(self, moment: datetime, shift: Shift) -> datetime:
        """The moment so long before at which the clock showed the same, UTC; never falls while `moment` rises.

        A day's beginning is that of another day, also where the clock was put forward then and showed a later time.
        """
        day = self.day(moment)
        if not shift.elapsed and moment == self.midnight(day):
            return self._instant(_back(datetime.combine(day, time()), shift))
        return self.earlier_on_clock(moment, shift)

    def earlier_on_clock(self, moment: datetime, shift: Shift) -> datetime:
        """The same by what the clock showed alone, whatever begins then.

        A time that the clock left out is the moment it was put forward; of one it showed twice it is the first. The
        second pass of an hour that is shown twice is behind that hour where there is one of it. A day that a month
        does not have is that month's end.
        """
        if shift.elapsed:
            return moment.astimezone(UTC) - shift.elapsed
        local = moment.astimezone(self.zone)
        wall = local.replace(tzinfo=None, fold=0)
        if local.fold:
            then = _back(wall, shift)
            if self._is_shown_twice(then):
                return then.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
            wall = self._end_of_first_pass(local)
        return self._instant(_back(wall, shift))

    def _instant(self, wall: datetime) -> datetime:
        """When the clock shows that, or has left it out."""
        before, after = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if before <= after:
            return before
        return pieces(after, before + _MINUTE, self.zone)[0].changes[0]

    def _is_shown_twice(self, wall: datetime) -> bool:
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first < second

    def _end_of_first_pass(self, second_pass: datetime) -> datetime:
        """What the clock would have shown when it was put back."""
        first = second_pass.replace(fold=0)
        change = pieces(first.astimezone(UTC), second_pass.astimezone(UTC) + _MINUTE, self.zone)[0].changes[0]
        return change.replace(tzinfo=None) + (first.utcoffset() or timedelta(0))


def last_day(until: datetime, calendar: Calendar) -> date:
    """The day that what ends at `until` ends on."""
    return calendar.day(until - _MICROSECOND)


def months_later(day: date, months: int) -> date:
    """The same day of another month; of a first day always there."""
    count = day.year * 12 + day.month - 1 + months
    return day.replace(year=count // 12, month=count % 12 + 1)


def _back(wall: datetime, shift: Shift) -> datetime:
    if not shift.months:
        return wall - shift.days * DAY
    first = months_later(wall.date().replace(day=1), -shift.months)
    following = months_later(first, 1)
    if wall.day > (following - first).days:
        return datetime(following.year, following.month, 1)  # noqa: DTZ001  # what a wall clock shows
    return wall.replace(year=first.year, month=first.month)

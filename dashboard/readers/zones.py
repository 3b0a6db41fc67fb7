"""A reader's time zone, as questions take it: offsets from UTC as parameters, never a conversion of each row."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dashboard.errors import SettingsError
from dashboard.wording import iso

QUARTER_HOUR = timedelta(minutes=15)
"""Every zone's offset since 1972 is a multiple of it, so sums of quarter hours serve the days of any zone."""
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between them every time can be reckoned with, in every zone."""
MOST_YEARS = 100
"""Of a stretch of time on a zone's clock: each is one question or two."""
_MINUTE = timedelta(minutes=1)
_YEAR = timedelta(days=366)
_CHANGES_IN_A_QUESTION = 2
"""As many as a year has in almost any zone; a longer stretch is asked in pieces."""


@dataclass(frozen=True)
class Piece:
    """A stretch of time with at most two changes of the zone's clocks, ready to be asked about."""

    start: datetime
    """UTC; inclusive. The beginning of a local day, but for the first piece."""
    end: datetime
    """UTC; exclusive."""
    offsets: tuple[int, int, int]
    """From UTC, in minutes: before the first change, between the two, after the second."""
    changes: tuple[datetime, datetime]
    """UTC; the end of the piece where there is none."""

    @property
    def parameters(self) -> dict[str, datetime | int]:
        """By the names that the questions use."""
        return {
            "start": self.start,
            "end": self.end,
            "change_1": self.changes[0],
            "change_2": self.changes[1],
            "offset_1": self.offsets[0],
            "offset_2": self.offsets[1],
            "offset_3": self.offsets[2],
        }


def check_zone(zone: ZoneInfo, window: timedelta, start: datetime, end: datetime) -> None:
    """Raises SettingsError where the zone's days would cut windows of this length apart, and for over MOST_YEARS."""
    _check_length(start, end)
    for offset in {_offset(start, zone), *(_offset(change, zone) for change in _changes(start, end, zone))}:
        if offset % window or offset % QUARTER_HOUR:
            raise SettingsError(
                f"Windows of {window} cannot be summed by days of {zone.key}: its midnight, {offset} off UTC, falls "
                "inside a window.",
                "Choose UTC or a zone whose offset is a multiple of the window; a smaller window serves every zone.",
            )


def pieces(start: datetime, end: datetime, zone: ZoneInfo) -> list[Piece]:
    """[start, end) whole, in order, cut at local midnights where the clocks change more often than a question takes.

    Raises SettingsError for over MOST_YEARS.
    """
    _check_length(start, end)
    found: list[Piece] = []
    while start < end:
        changes = list(islice(_changes(start, end, zone), _CHANGES_IN_A_QUESTION + 1))
        stop = end
        if len(changes) > _CHANGES_IN_A_QUESTION:
            stop = local_midnight(changes[_CHANGES_IN_A_QUESTION].astimezone(zone).date(), zone)
            changes = changes[:_CHANGES_IN_A_QUESTION]
        first, second = (*changes, stop, stop)[:_CHANGES_IN_A_QUESTION]
        offsets = (_minutes(start, zone), _minutes(first, zone), _minutes(second, zone))
        found.append(Piece(start, stop, offsets, (first, second)))
        start = stop
    return found


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC; where clocks are put forward at midnight, the moment they are."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _check_length(start: datetime, end: datetime) -> None:
    if end - start > MOST_YEARS * _YEAR:
        raise SettingsError(
            f"From {iso(start)} to {iso(end)} are more than {MOST_YEARS} years.", "Ask about a shorter stretch of time."
        )


def _changes(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """When the offset becomes another one, in (start, end); UTC."""
    at = start
    while at < end:
        later = min(at + timedelta(days=7), end)
        if _offset(at, zone) != _offset(later, zone):
            change = _change(at, later, zone)
            if change >= end:
                return
            yield change
            at = change
        else:
            at = later


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole minute with another offset than `before`; between the two there is one change."""
    before = before.replace(second=0, microsecond=0)
    # between whole minutes alone a middle is nearer to both
    after += -(after - before) % _MINUTE
    while after - before > _MINUTE:
        middle = before + (after - before) // 2 // _MINUTE * _MINUTE
        before, after = (middle, after) if _offset(middle, zone) == _offset(before, zone) else (before, middle)
    return after


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _minutes(at: datetime, zone: ZoneInfo) -> int:
    return _offset(at, zone) // _MINUTE

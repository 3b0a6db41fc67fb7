"""Where moments stand on a chart's axis of time, and what is written below it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.charts import TICKS, wall
from dashboard.trends.calendars import DAY
from dashboard.trends.grains import DAYS, Grain, Grid
from dashboard.trends.periods import Periods
from dashboard.wording import clock

_UTC = ZoneInfo("UTC")
_MOST_TICKS = 8
_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_STEPS = (
    *(n * _SECOND for n in (1, 5, 15, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
)
"""Between ticks that are no days; each divides one."""


def axis_zone(of: Periods) -> ZoneInfo:
    """Whose clock places moments on the axis: the reader's, or UTC where that one changes within the chart.

    There an hour that it shows twice would stand on itself, and one that it leaves out would be a gap. Whole days never
    share a place, however long they are.
    """
    zone = of.grid.calendar.zone
    is_changing = not of.grid.grain.is_days and len({at.astimezone(zone).utcoffset() for at in of.bounds}) > 1
    return _UTC if is_changing else zone


def ticks(of: Periods) -> dict[str, Any]:
    """Of Plotly's axis, by the reader's clock: Plotly's own, unless moments stand elsewhere than that shows."""
    zone = of.grid.calendar.zone
    if axis_zone(of) == zone:
        return {"tickformatstops": TICKS, "ticklabelmode": "instant", "nticks": _MOST_TICKS}
    first, last = of.bounds[0], of.bounds[-1]
    step = next((one for one in _STEPS if last - first <= _MOST_TICKS * one), DAY)
    places = _whole(Grid(DAYS if step == DAY else Grain("tick", step), of.grid.calendar, of.grid.window), first, last)
    places = places[:: -(-len(places) // _MOST_TICKS) or 1]
    return {
        "tickmode": "array",
        "tickvals": [wall(at, _UTC).isoformat() for at in places],
        "ticktext": _texts(places, zone, step),
    }


def _whole(grid: Grid, first: datetime, last: datetime) -> list[datetime]:
    """Where the clock shows a multiple of the step; a change of clocks begins a bucket elsewhere too.

    Not where the axis begins: Plotly shows no text that is cut off.
    """
    starts = grid.starts(grid.start_of(first), last + timedelta(microseconds=1))
    return [at for at in starts if at > first and (grid.grain.is_days or not _since_midnight(at, grid) % grid.step)]


def _since_midnight(at: datetime, grid: Grid) -> timedelta:
    """By the clock."""
    local = at.astimezone(grid.calendar.zone)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


def _texts(places: Sequence[datetime], zone: ZoneInfo, step: timedelta) -> list[str]:
    """In a second line, as Plotly does it, what has changed since the tick before; or the offset, where it is told."""
    texts, before = [], ""
    for at in places:
        local = at.astimezone(zone)
        text, more = f"{local.day} {local:%b}", f"{local.year}"
        if step < DAY:
            (text, *offset), more = clock(at, zone, seconds=step < _MINUTE).split(), text
            if offset:
                texts.append(f"{text}<br>{offset[0]}")
                continue
        texts.append(text if more == before else f"{text}<br>{more}")
        before = more
    return texts

"""What a chart of revenue shows, for those who cannot see it: the finding first."""

from collections.abc import Sequence

from dashboard.annotations import Annotation
from dashboard.revenue.view import HEAT, RUNNING
from dashboard.trends.trend import Trend
from dashboard.wording import amount, moment

_TOLD = 3
"""Of what happened, the newest; Notes lists it all."""
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def describe(trend: Trend, show: str, happened: Sequence[Annotation] = ()) -> str:
    """One or more sentences; `show` is a name of `revenue.view.SHOWS`, `happened` what is marked on the chart."""
    zone, until = trend.asked.calendar.zone, trend.stretch.until
    stretch = f"from {moment(trend.stretch.start, zone, until, seconds=False)} to {moment(until, zone, until)}"
    if show == HEAT:
        return f"{_heat(trend)} Heat map of revenue by weekday and hour {stretch}."
    kind = "Line chart of the running total of revenue" if show == RUNNING else "Bar chart of revenue"
    best = trend.best_bucket
    if best is None:
        return f"Nothing was sold. {kind} {stretch}."
    highest = moment(best.start, zone, until, seconds=False)
    told = [f"{amount(trend.total.revenue)} in all; the highest is {amount(best.revenue)} at {highest}"]
    told += [f"revenue is {one.revenue.text}" for one in trend.compared if one.revenue.ratio is not None]
    if trend.total.streamed:
        told.append(f"{amount(trend.total.streamed)} of all is streamed and not saved yet")
    if trend.total.open:
        told.append(f"{amount(trend.total.open)} more is in open windows so far")
    if trend.band is not None and trend.band.rows is not None:
        outside = sum(one is True for one in trend.band.rows["is_anomaly"].to_pylist())
        told.append(f"{outside:,} bars are outside of what was expected")
    told += [f"at {moment(one.start, zone, until, seconds=False)}: {one.text}" for one in happened[-_TOLD:]]
    return f"{'; '.join(told)}. {kind} {stretch}."


def _heat(trend: Trend) -> str:
    rows = [] if trend.heat is None else trend.heat.to_pylist()
    if not rows:
        return "There is no whole hour yet."
    best = max(rows, key=lambda row: row["average"])
    return f"Most is sold on {_DAYS[best['weekday']]} from {best['hour']:02}:00: {amount(best['average'])} an hour."

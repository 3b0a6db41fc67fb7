"""What the figures of an answer are asked with, so that anybody can ask again."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from dashboard.readers.inquiry import Inquiry
from dashboard.trends.grains import HOURS, WINDOW
from dashboard.trends.sales import moment_of
from dashboard.trends.seasons import HOUR, whole_hours
from dashboard.trends.trend import Trend


def chart_inquiry(answer: Trend) -> Inquiry:
    """Of the bars, the running total or the heat map; bars that are longer than a day are put together of days."""
    stretch, calendar = answer.stretch, answer.asked.calendar
    if not answer.asked.heat:
        return _buckets(answer, stretch.start, stretch.until)
    hours = whole_hours(answer.known_from, stretch.until, calendar).starts
    start, end = (moment_of(hours[0]), moment_of(hours[-1] + HOUR)) if len(hours) else (stretch.start, stretch.start)
    return Inquiry("revenue_by_bucket", start, end, calendar.zone, HOURS.span, answer.extent.window)


def inquiries(answer: Trend) -> Iterator[tuple[str, Inquiry]]:
    """Of each figure of the page by its name: the chart, what stands above it, and what both are compared with."""
    stretch = answer.stretch
    yield "Weekday × hour" if answer.asked.heat else "Chart", chart_inquiry(answer)
    yield "Revenue, orders and average order", Inquiry("revenue_totals", stretch.start, stretch.until)
    for one in answer.compared:
        if one.rows is not None:
            yield f"Compared: {one.name}", _buckets(answer, one.start, one.until)


def _buckets(answer: Trend, start: datetime, until: datetime) -> Inquiry:
    window, grid = answer.extent.window, answer.periods.grid
    if grid.grain.is_days:
        return Inquiry("revenue_by_day", start, until, grid.calendar.zone, window=window)
    # windows keep to UTC, whatever the clock does
    zone = ZoneInfo("UTC") if grid.grain == WINDOW else grid.calendar.zone
    return Inquiry("revenue_by_bucket", start, until, zone, grid.step, window)

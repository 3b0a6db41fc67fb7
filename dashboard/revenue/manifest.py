"""What somebody must know of figures that have left the page: of what, by whom, of which state, on whose clock."""

import calendar
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dashboard.errors import ReadError
from dashboard.readers.inquiry import Inquiry
from dashboard.revenue.inquiries import chart_inquiry
from dashboard.trends.grains import HOURS
from dashboard.trends.ranges import RANGES, Between, Of, Range
from dashboard.trends.trend import Trend
from dashboard.wording import iso


@dataclass(frozen=True)
class Manifest:
    """All of it is text for people and programs, by names that stay; times are UTC, ISO 8601."""

    series: str
    """What the rows are: `revenue by hour`."""
    query: str
    """A command that asks again for what is committed of them, of the same snapshot as long as that exists."""
    target: str
    engine: str
    snapshot: str | None
    """The id of revenue_summary's snapshot, as text: many readers of JSON round a number of so many digits."""
    snapshot_committed_at: str | None
    zone: str
    week_start: str
    range: str
    """As the reader chose it: `7 d`, `Last week`, or two moments."""
    start: str
    """Inclusive."""
    end: str
    """Exclusive; what lies behind `data_as_of` has not closed."""
    grain: str
    compared_with: str
    filters: str
    currency: str
    """Of all amounts, as its code of ISO 4217."""
    total: str
    """Revenue of all windows of the range that have closed, to the cent."""
    not_committed: str
    """How much of it has closed and stands in no snapshot yet."""
    data_as_of: str
    """When the newest window ends that has closed."""
    made_at: str

    @property
    def facts(self) -> dict[str, str | None]:
        return asdict(self)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Name and value of each, for people."""
        return [(name.replace("_", " "), value or "none") for name, value in self.facts.items()]


def manifest_of(
    answer: Trend,
    *,
    engine: str,
    target: str,
    currency: str,
    made_at: datetime,
    filters: Mapping[str, str] | None = None,
) -> Manifest:
    """Of an answer that may be given away.

    Raises ReadError while windows are at fault: then no sum is right, and none must leave the page.
    """
    if answer.total.faults:
        raise ReadError(
            f"{answer.total.faults} windows are doubled or have no amount, so no sum is right.",
            "`sales-trends query revenue_faults` lists them.",
        )
    snapshot, asked = answer.snapshot, answer.asked
    grain = HOURS.name if asked.heat else answer.choice.grain.name
    compared = () if asked.heat else answer.compared
    return Manifest(
        series=f"revenue by weekday and {grain}" if asked.heat else f"revenue by {grain}",
        query=_command(chart_inquiry(answer), target, None if snapshot is None else snapshot.id),
        target=target,
        engine=engine,
        snapshot=None if snapshot is None else str(snapshot.id),
        snapshot_committed_at=None if snapshot is None else iso(snapshot.committed_at),
        zone=asked.calendar.zone.key,
        week_start=calendar.day_name[asked.calendar.week_start],
        range=range_name(asked.range, asked.calendar.zone),
        start=iso(answer.stretch.start),
        end=iso(answer.stretch.end),
        grain=grain,
        compared_with="; ".join(one.name for one in compared) or "nothing",
        filters="; ".join(f"{name}: {value}" for name, value in (filters or {}).items()) or "none",
        currency=currency,
        total=str(answer.total.revenue),
        not_committed=str(answer.total.streamed),
        data_as_of=iso(answer.extent.until),
        made_at=iso(made_at),
    )


def range_name(asked: Range, zone: ZoneInfo) -> str:
    """What a reader calls it."""
    match asked:
        case Between():
            return f"{local_text(asked.start, zone)} to {local_text(asked.end, zone)}"
        case Of() if asked not in RANGES.values():
            return f"{asked.ago} {asked.part}s before this {asked.part}"
    return next(name for name, one in RANGES.items() if one == asked)


def _command(inquiry: Inquiry, target: str, snapshot_id: int | None) -> str:
    words = ["sales-trends", "query", inquiry.question, "--target", target]
    words += ["--from", iso(inquiry.start), "--to", iso(inquiry.end), "--zone", inquiry.zone.key]
    if inquiry.bucket is not None:
        words += ["--bucket", f"{int(inquiry.bucket.total_seconds())}s"]
    return shlex.join(words if snapshot_id is None else [*words, "--at", str(snapshot_id)])


def local_text(at: datetime, zone: ZoneInfo) -> str:
    """By the reader's clock with its offset, so that an hour that is shown twice can be told apart."""
    return at.astimezone(zone).isoformat(" ")

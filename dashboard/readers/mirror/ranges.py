"""Which of the mirror's relations answers a question: quarter hours where they can, single windows where they must."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.readers.engine import Parameter
from dashboard.readers.questions import compose
from dashboard.readers.zones import EARLIEST, QUARTER_HOUR

_RELATIONS = "mirror"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_THE_ENDS = frozenset({"revenue_extent", "newest_window"})
"""Questions that only the first and the last windows have a say in."""
_FEW_WINDOWS = 60_000
"""So many are summed up as fast as a statement is planned that puts quarter hours and single windows together."""


@dataclass(frozen=True)
class Statement:
    """What DuckDB is asked."""

    text: str
    parameters: Mapping[str, Parameter]
    is_quick: bool
    """It reads so little that nobody needs to watch the time."""


def statement(question: str, parameters: Mapping[str, Parameter], *, window: timedelta, ends: datetime) -> Statement:
    """`window` is how long one is, `ends` when the newest one ends; raises what `compose` and its `values` raise."""
    stands_in, given, edges = _relation(parameters, window, ends)
    if question in _OF_THE_ENDS and _are_all(parameters, ends):
        composed = compose(question, _RELATIONS, (("windows", "outer_windows"),))
        return Statement(composed.text, composed.values(given, ends=ends), is_quick=True)
    composed = compose(question, _RELATIONS, (("revenue_buckets", stands_in),))
    used = {name: value for name, value in edges.items() if name in composed.parameters}
    reads_quarters = "revenue_buckets" in composed.relations and stands_in != "single_windows"
    is_quick = reads_quarters or _span(given) <= _FEW_WINDOWS * window
    return Statement(composed.text, composed.values(given, **used), is_quick)


def _are_all(parameters: Mapping[str, Parameter], ends: datetime) -> bool:
    """Whether every window since 1970 is asked about."""
    start, end = parameters.get("start"), parameters.get("end")
    return start == EARLIEST and isinstance(end, datetime) and end.tzinfo is not None and end >= ends


def _relation(
    parameters: Mapping[str, Parameter], window: timedelta, ends: datetime
) -> tuple[str, Mapping[str, Parameter], Mapping[str, Parameter]]:
    """The file that stands for revenue_buckets, the parameters, and those that the file needs besides."""
    start, middle, end = (parameters.get(name) for name in ("start", "middle", "end"))
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return "single_windows", parameters, {}
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        return "single_windows", parameters, {}  # which says what is wrong, or has nothing
    seconds = parameters.get("bucket_seconds")
    is_fine = isinstance(seconds, int) and bool(timedelta(seconds=seconds) % QUARTER_HOUR)
    # where no window is any more, the range may as well end with a quarter hour
    last = _quarter_hour_from(ends) if end >= ends else end
    first_quarter, last_quarter = _quarter_hour_from(start), last - (last - _EPOCH) % QUARTER_HOUR
    if is_fine or end - start <= _FEW_WINDOWS * window or first_quarter >= last_quarter:
        return "single_windows", parameters, {}
    edges = {"first_quarter": first_quarter, "last_quarter": last_quarter}
    if isinstance(middle, datetime):
        cut = middle - (middle - _EPOCH) % QUARTER_HOUR
        if not first_quarter <= cut < last_quarter:
            return "single_windows", parameters, {}
        return "cut_quarter_hours", parameters, {**edges, "cut": cut}
    if first_quarter == start and last_quarter == last:
        return "whole_quarter_hours", {**parameters, "end": last}, {}
    return "revenue_buckets", parameters, edges


def _quarter_hour_from(moment: datetime) -> datetime:
    """The first one that begins then or later."""
    return moment + -(moment - _EPOCH) % QUARTER_HOUR


def _span(given: Mapping[str, Parameter]) -> timedelta:
    start, end = given.get("start"), given.get("end")
    return end - start if isinstance(start, datetime) and isinstance(end, datetime) else timedelta(0)

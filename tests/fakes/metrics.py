"""The Metrics API, v2: what it lists and measures of Flink statements, late and one value a minute.

Source: metrics/v2/api/openapi.yaml of confluentinc/ccloud-sdk-go-v2; names and labels are those that Confluent's own
clients and exports show.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.calls import Call, Work
from tests.fakes.clock import Clock, Delays
from tests.fakes.metrics_query import Metric, Point, Query
from tests.fakes.refusals import CloudRefusal
from tests.fakes.sql_commands import CreateTable, Insert, parse
from tests.fakes.sql_sources import sources
from tests.fakes.statements import Statement, Statements
from tests.fakes.tables import Place

_BASE = "/v2/metrics/{dataset}"
_PREFIX = "io.confluent.flink/"
_PER_MINUTE = 60
_KEPT = timedelta(days=7)
_MINUTE = timedelta(minutes=1)
NO_WATERMARK = float(-(2**63))
_TABLE = ("table_name",)
_KNOWN = (
    Metric("num_records_in", "COUNTER_INT64", _TABLE),
    Metric("num_records_out", "COUNTER_INT64", _TABLE),
    Metric("num_late_records_in", "COUNTER_INT64"),
    Metric("pending_records", "GAUGE_INT64", _TABLE),
    Metric("current_input_watermark_milliseconds", "GAUGE_INT64", _TABLE, aggregation="MAX"),
    Metric("current_output_watermark_milliseconds", "GAUGE_INT64", _TABLE, aggregation="MAX"),
    Metric("operator/state_size_bytes", "GAUGE_INT64", ("flink_operator.id",)),
    Metric("compute_pool_utilization/current_cfus", "GAUGE_DOUBLE", resource_labels=("compute_pool.id",)),
)
_AT_FIRST: dict[str, float] = {
    "num_records_in": 0,
    "num_records_out": 0,
    "num_late_records_in": 0,
    "pending_records": 0,
    "current_input_watermark_milliseconds": NO_WATERMARK,
    "current_output_watermark_milliseconds": NO_WATERMARK,
}
_OUTPUT = ("num_records_out", "current_output_watermark_milliseconds")


@dataclass
class Measured:
    """What one statement tells of itself, minute by minute, from a moment on."""

    since: datetime
    table: str
    """Empty for what it tells of every table."""
    values: dict[str, float]


@dataclass
class MetricsApi:
    """The routes, over the statements of one environment."""

    statements: Statements
    place: Place
    clock: Clock
    delays: Delays
    measured: dict[str, list[Measured]] = field(default_factory=dict)
    """By statement, the oldest first."""
    names: dict[str, str] = field(default_factory=dict)
    """How a metric is called here, where that is not its newest name; empty where there is none."""
    page_size: int = 1000
    """The most that a page of descriptors holds."""
    _asked: deque[float] = field(default_factory=deque)

    def table(self) -> list[tuple[str, str, Work]]:
        return [
            ("GET", f"{_BASE}/descriptors/metrics", self.descriptors),
            ("POST", f"{_BASE}/query", self.query),
        ]

    def check_rate(self, call: Call) -> None:
        """60 requests a minute and address, whoever asks with whatever key."""
        now = self.clock.now()
        while self._asked and self._asked[0] <= now - 60:
            self._asked.popleft()
        if len(self._asked) >= _PER_MINUTE:
            wait = int(self._asked[0] + 60 - now) + 1
            raise CloudRefusal(429, "Too many requests have been made", retry_after_seconds=wait)
        self._asked.append(now)

    def descriptors(self, call: Call) -> Response:
        self._check_dataset(call)
        size, token = call.query.get("page_size", "100"), call.query.get("page_token", "0")
        if not size.isdecimal() or not 1 <= int(size) <= 1000:
            raise CloudRefusal(400, "page_size must be between 1 and 1000")
        if not token.isdecimal():
            raise CloudRefusal(400, "The page token is not valid")
        known = [_described(metric) for metric in self._metrics().values()]
        first, last = int(token), int(token) + min(int(size), self.page_size)
        pagination: dict[str, Any] = {"page_size": int(size), "total_size": len(known)}
        pagination |= {"next_page_token": str(last)} if last < len(known) else {}
        return JSONResponse({"data": known[first:last], "meta": {"pagination": pagination}, "links": None})

    def query(self, call: Call) -> Response:
        self._check_dataset(call)
        metrics = self._metrics()
        query = Query(call.object(), metrics, self.clock.moment())
        for label, value in query.resources:
            if label == "resource.compute_pool.id" and value not in self.statements.pools:
                raise CloudRefusal(403, f"Not authorized for the resource {value}")
        name = next(one.name for one in _KNOWN if self._name(one) == query.metric.name)
        groups = query.groups(list(self._points(name)))
        token = call.query.get("page_token", "0")
        if not token.isdecimal() or (int(token) and not query.group_by):
            raise CloudRefusal(400, "The page token is not valid")
        first, last = int(token), int(token) + query.limit
        pagination = {"page_size": query.limit} | ({"next_page_token": str(last)} if last < len(groups) else {})
        shown = groups[first:last]
        if query.format == "FLAT":
            shown = [
                {k: v for k, v in group.items() if k != "points"} | one for group in shown for one in group["points"]
            ]
        return JSONResponse({"data": shown, "meta": {"pagination": pagination}})

    def _check_dataset(self, call: Call) -> None:
        if call.part("dataset") != "cloud":
            raise CloudRefusal(404, f"Dataset '{call.part('dataset')}' not found")

    def _name(self, metric: Metric) -> str:
        name = self.names.get(metric.name, metric.name)
        return f"{_PREFIX}{name}" if name else ""

    def _metrics(self) -> dict[str, Metric]:
        """By the names that they have here."""
        named = {self._name(one): one for one in _KNOWN}
        return {
            name: Metric(name, one.kind, one.labels, one.resource_labels, one.aggregation)
            for name, one in named.items()
            if name
        }

    def _points(self, metric: str) -> Iterator[Point]:
        now = self.clock.moment()
        for statement in self.statements.live().values():
            if statement.outcome and statement.outcome.streams:
                for table in self._tables(statement, metric):
                    for minute, value in self._told(statement, table, metric, now):
                        yield Point(self._labels(statement, table), minute, value)

    def _tables(self, statement: Statement, metric: str) -> list[str]:
        """Each that it reads, or the one that it writes; one without a name where the metric does not tell."""
        if not next(one for one in _KNOWN if one.name == metric).labels:
            return [""]
        command = parse(statement.text)
        assert isinstance(command, CreateTable | Insert)
        return [path[-1] for path in ([command.path] if metric in _OUTPUT else sources(command.query))]

    def _told(self, statement: Statement, table: str, metric: str, now: datetime) -> Iterator[tuple[datetime, float]]:
        """Each whole minute in which it ran, as far as it is there by now."""
        said = [
            one for one in self.measured.get(statement.name, []) if one.table in ("", table) and metric in one.values
        ]
        created = _moment(statement.created_at)
        end = now - timedelta(seconds=self.delays.metrics)
        if statement.phase not in ("RUNNING", "DEGRADED"):
            end = min(end, _moment(statement.updated_at))
        start = min([created, *(one.since for one in said)])
        minute = max(start, now - _KEPT).replace(second=0, microsecond=0)
        while minute + _MINUTE <= end:
            then = [one.values[metric] for one in said if one.since < minute + _MINUTE]
            if then or metric in _AT_FIRST:
                yield minute, then[-1] if then else _AT_FIRST[metric]
            minute += _MINUTE

    def _labels(self, statement: Statement, table: str) -> dict[str, str]:
        labels = {
            "resource.compute_pool.id": statement.compute_pool_id,
            "resource.flink_statement.name": statement.name,
            "resource.flink_statement.uid": statement.uid,
        }
        named = f"{self.place.environment_name}.{self.place.cluster_name}.{table}"
        return labels | ({"metric.table_name": named} if table else {})


def _described(metric: Metric) -> dict[str, Any]:
    return {
        "description": f"The {metric.name}.",
        "name": metric.name,
        "unit": "1",
        "type": metric.kind,
        "exportable": True,
        "lifecycle_stage": "GENERAL_AVAILABILITY",
        "resources": [metric.resource_labels[-1].partition(".")[0]],
        "labels": [{"key": label, "description": label, "exportable": True} for label in metric.labels],
    }


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(UTC)

"""One question to the Metrics API: checked as its OpenAPI file says, and answered from points of one minute each.

Source: metrics/v2/api/openapi.yaml of confluentinc/ccloud-sdk-go-v2. Stricter than that file in one thing: fields it
does not know are refused, because a client that sends them means something else.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.refusals import CloudRefusal

Labels = Mapping[str, str]
_FIELDS = {"aggregations", "group_by", "granularity", "filter", "order_by", "intervals", "limit", "format"}
_MINUTES = {
    "PT1M": 1,
    "PT5M": 5,
    "PT15M": 15,
    "PT30M": 30,
    "PT1H": 60,
    "PT4H": 240,
    "PT6H": 360,
    "PT12H": 720,
    "P1D": 1440,
}
_LONGEST = {
    "PT1M": timedelta(hours=6),
    "PT5M": timedelta(days=1),
    "PT15M": timedelta(days=4),
    "PT30M": timedelta(days=7),
}
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_NOW = re.compile(r"now(?:(?P<sign>[+-])(?P<amount>\d+)(?P<unit>[mhd]))?(?:\|(?P<cut>[mhd]))?")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True)
class Metric:
    """One metric, as its descriptor tells."""

    name: str
    kind: str
    """GAUGE_INT64, COUNTER_INT64, …"""
    labels: tuple[str, ...] = ()
    resource_labels: tuple[str, ...] = ("compute_pool.id", "flink_statement.name", "flink_statement.uid")
    aggregation: str = "SUM"
    """The one that it can be asked with; a watermark cannot be summed."""

    @property
    def fields(self) -> set[str]:
        return {*(f"metric.{one}" for one in self.labels), *(f"resource.{one}" for one in self.resource_labels)}


@dataclass(frozen=True)
class Point:
    labels: Labels
    minute: datetime
    value: float


class Query:
    """Raises CloudRefusal for what the interface does not take."""

    def __init__(self, body: Mapping[str, Any], metrics: Mapping[str, Metric], now: datetime) -> None:
        for field in sorted(body.keys() - _FIELDS):
            raise _bad(f'Unrecognized field "{field}"')
        self.metric = _metric(body.get("aggregations"), metrics)
        self.group_by = self._fields(body.get("group_by") or [])
        self.granularity = str(body.get("granularity"))
        if self.granularity not in (*_MINUTES, "ALL"):
            raise _bad(f"granularity must be one of {', '.join(_MINUTES)}, ALL")
        self.intervals = _intervals(body.get("intervals"), self.granularity, now)
        self.limit = body.get("limit", 100)
        if type(self.limit) is not int or not 1 <= self.limit <= 1000:
            raise _bad("limit must be between 1 and 1000")
        self.format = body.get("format", "FLAT")
        if self.format not in ("FLAT", "GROUPED"):
            raise _bad("format must be one of FLAT, GROUPED")
        if self.format == "GROUPED" and not self.group_by:
            raise _bad("format GROUPED is only allowed when group_by is non-empty")
        if "order_by" in body and self.granularity != "ALL":
            raise _bad("order_by is only valid for granularity ALL")
        self.resources: set[tuple[str, str]] = set()
        """Label and value of each resource that the filter names."""
        self._matches = self._filter(body.get("filter"))
        if not self.resources:
            raise _bad("A resource filter is required for the dataset 'cloud'")

    def groups(self, points: list[Point]) -> list[dict[str, Any]]:
        """By the labels asked for, in their order; each with its points, the newest first."""
        found: dict[tuple[tuple[str, str], ...], dict[datetime, dict[datetime, list[float]]]] = {}
        for point in points:
            if self._matches(point.labels) and any(start <= point.minute < end for start, end in self.intervals):
                group = tuple((field, point.labels[field]) for field in self.group_by if field in point.labels)
                buckets = found.setdefault(group, defaultdict(lambda: defaultdict(list)))
                buckets[self._bucket(point.minute)][point.minute].append(point.value)
        return [
            dict(group)
            | {
                "points": [
                    {"timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "value": self._value(minutes)}
                    for at, minutes in sorted(buckets.items(), reverse=True)
                ]
            }
            for group, buckets in sorted(found.items())
        ]

    def _bucket(self, minute: datetime) -> datetime:
        if self.granularity == "ALL":
            return min(start for start, _ in self.intervals)
        seconds = _MINUTES[self.granularity] * 60
        return datetime.fromtimestamp(minute.timestamp() // seconds * seconds, UTC)

    def _value(self, minutes: Mapping[datetime, list[float]]) -> float:
        """Over labels as the metric says; over time a counter is summed, a gauge averaged."""
        combine = max if self.metric.aggregation == "MAX" else sum
        values = [float(combine(values)) for values in minutes.values()]
        return sum(values) if self.metric.kind.startswith("COUNTER") else sum(values) / len(values)

    def _fields(self, fields: Any) -> list[str]:
        if not isinstance(fields, list):
            raise _bad("group_by must be an array")
        for field in fields:
            self._check(field)
        return fields

    def _check(self, field: Any) -> None:
        if field not in self.metric.fields:
            raise _bad(f"The label {field} is not valid for metric {self.metric.name}")

    def _filter(self, given: Any) -> Callable[[Labels], bool]:
        if not isinstance(given, dict):
            raise _bad("filter must be an object; the dataset 'cloud' requires a resource filter")
        op = given.get("op")
        if op in ("AND", "OR"):
            if given.keys() != {"op", "filters"} or not given["filters"]:
                raise _bad(f"filters must not be empty for the operator {op}")
            parts = [self._filter(one) for one in given["filters"]]
            combine = all if op == "AND" else any
            return lambda labels: combine(part(labels) for part in parts)
        if op == "NOT":
            part = self._filter(given.get("filter"))
            return lambda labels: not part(labels)
        if op not in ("EQ", "GT", "GTE") or given.keys() != {"op", "field", "value"}:
            raise _bad(f"{given} is not a filter")
        field, value = given["field"], str(given["value"])
        self._check(field)
        if field.startswith("resource.") and op == "EQ":
            self.resources.add((field, value))
        if op == "EQ":
            return lambda labels: labels.get(field) == value
        return lambda labels: labels.get(field, "") > value or (op == "GTE" and labels.get(field) == value)


def _metric(aggregations: Any, metrics: Mapping[str, Metric]) -> Metric:
    if not isinstance(aggregations, list) or len(aggregations) != 1:
        raise _bad("aggregations must contain exactly one element")
    (asked,) = aggregations
    if not isinstance(asked, dict) or asked.keys() - {"metric", "agg"} or asked.get("metric") not in metrics:
        raise _bad(f"Unknown metric in {asked}")
    metric = metrics[asked["metric"]]
    if asked.get("agg", metric.aggregation) != metric.aggregation:
        raise _bad(f"The aggregation {asked['agg']} is not supported for metric {metric.name}")
    return metric


def _intervals(given: Any, granularity: str, now: datetime) -> list[tuple[datetime, datetime]]:
    if not isinstance(given, list) or not given:
        raise _bad("intervals must not be empty")
    found = [_interval(str(one), now) for one in given]
    for start, end in found:
        if start >= end:
            raise _bad("The end of an interval must be after its start")
        if end - start > _LONGEST.get(granularity, timedelta.max):
            raise _bad(f"The interval is too long for the granularity {granularity}")
    return found


def _interval(text: str, now: datetime) -> tuple[datetime, datetime]:
    first, slash, second = text.partition("/")
    if not slash:
        raise _bad(f"'{text}' is not an ISO-8601 interval")
    if first.startswith("P"):
        end = _moment(second, now)
        return end - _duration(first), end
    start = _moment(first, now)
    return start, start + _duration(second) if second.startswith("P") else _moment(second, now)


def _moment(text: str, now: datetime) -> datetime:
    if match := _NOW.fullmatch(text):
        offset = int(match["amount"] or 0) * _UNITS[match["unit"] or "m"]
        at = now - offset if match["sign"] == "-" else now + offset
        step = _UNITS[match["cut"]].total_seconds() if match["cut"] else 0
        return datetime.fromtimestamp(at.timestamp() // step * step, UTC) if step else at
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad(f"'{text}' is not a timestamp") from error
    if at.tzinfo is None:
        raise _bad(f"'{text}' has no time zone")
    return at


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise _bad(f"'{text}' is not an ISO-8601 duration")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _bad(detail: str) -> CloudRefusal:
    return CloudRefusal(400, detail)

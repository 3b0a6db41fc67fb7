"""What Confluent Cloud measures of a Flink statement: under which names, and how points become values.

Source: the metrics that api.telemetry.confluent.cloud/docs/descriptors lists under `io.confluent.flink/`; older
spellings are those of docs.confluent.io/cloud/current/flink/operate-and-deploy/monitor-statements.html.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from dashboard.remotes.cloud_statement import moment

PREFIX = "io.confluent.flink/"
STATEMENT = "resource.flink_statement.name"
_HALF_A_MINUTE = timedelta(seconds=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 32_503_680_000_000
"""The year 3000: Flink's word for a watermark after which nothing comes any more lies beyond it."""


class Measure(StrEnum):
    """What is measured, as people say it."""

    INPUT_WATERMARK = "input watermarks"
    OUTPUT_WATERMARK = "output watermarks"
    RECORDS_IN = "records in"
    RECORDS_OUT = "records out"
    LATE_RECORDS = "late records"
    PENDING = "pending records"

    @property
    def is_counted(self) -> bool:
        """Minute by minute; the others are states."""
        return self in (Measure.RECORDS_IN, Measure.RECORDS_OUT, Measure.LATE_RECORDS)


SPELLINGS: Mapping[Measure, tuple[str, ...]] = {
    Measure.INPUT_WATERMARK: ("current_input_watermark_milliseconds", "current_input_watermark_ms"),
    Measure.OUTPUT_WATERMARK: ("current_output_watermark_milliseconds", "current_output_watermark_ms"),
    Measure.RECORDS_IN: ("num_records_in",),
    Measure.RECORDS_OUT: ("num_records_out",),
    Measure.LATE_RECORDS: ("num_late_records_in",),
    Measure.PENDING: ("pending_records",),
}
"""How the service has called each, the newest first."""


@dataclass(frozen=True)
class StatementMetrics:
    """What is measured of one statement; None where nothing was told."""

    measured_at: datetime | None = None
    """UTC, the middle of the minute that the newest watermark or pending records are the average of."""
    input_watermark: datetime | None = None
    """The smallest of its tables; None also as long as one of them has none."""
    output_watermark: datetime | None = None
    records_in: int | None = None
    """Of all its tables, as long as was asked for; as `records_out` and `late_records`."""
    records_out: int | None = None
    late_records: int | None = None
    pending: int | None = None


Points = dict[Measure, list[Mapping[str, Any]]]
"""Of one statement: the newest point of each of its tables; one of an earlier minute is as good."""


def statement_metrics(answers: Mapping[Measure, Iterable[Mapping[str, Any]]]) -> dict[str, StatementMetrics]:
    """By statement, from the groups that the service answers; one without any point is left out."""
    found: dict[str, Points] = {}
    for measure, groups in answers.items():
        for group in groups:
            points = [one for one in group.get("points") or [] if isinstance(one.get("value"), int | float)]
            if points:
                newest = max(points, key=lambda one: str(one.get("timestamp")))
                found.setdefault(str(group.get(STATEMENT)), {}).setdefault(measure, []).append(newest)
    return {name: _read(points) for name, points in found.items()}


def _read(points: Points) -> StatementMetrics:
    states = [point for measure, found in points.items() if not measure.is_counted for point in found]
    return StatementMetrics(
        max((at + _HALF_A_MINUTE for point in states if (at := moment(str(point.get("timestamp"))))), default=None),
        _watermark(points.get(Measure.INPUT_WATERMARK, [])),
        _watermark(points.get(Measure.OUTPUT_WATERMARK, [])),
        _sum(points.get(Measure.RECORDS_IN)),
        _sum(points.get(Measure.RECORDS_OUT)),
        _sum(points.get(Measure.LATE_RECORDS)),
        _sum(points.get(Measure.PENDING)),
    )


def _sum(points: Iterable[Mapping[str, Any]] | None) -> int | None:
    return None if points is None else round(sum(point["value"] for point in points))


def _watermark(points: Iterable[Mapping[str, Any]]) -> datetime | None:
    """The smallest, in milliseconds since 1970; below 0 is Flink's word for none yet, and then there is none."""
    values = [float(point["value"]) for point in points]
    smallest = min((value for value in values if value < _LAST_MS), default=None)
    return None if smallest is None or smallest < 0 else _EPOCH + timedelta(milliseconds=smallest)

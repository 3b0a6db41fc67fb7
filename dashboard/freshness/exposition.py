"""A verdict and the readings behind it as OpenMetrics text; docs/metrics.md says what each metric means.

Source: github.com/prometheus/OpenMetrics, specification 1.0. What is not known has no sample.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC
from dashboard.freshness.readings import Readings, StatementReading, TableReading
from dashboard.freshness.verdict import Hop, State, Verdict
from dashboard.wording import printable

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "sales_trends_"
_LONGEST_LABEL = 200

_Value = datetime | timedelta | int | bool | None
_Labelled = Iterable[tuple[tuple[str, ...], _Value]]
"""Values of the labels, and the value itself; lengths of time become seconds, moments seconds since 1970."""


def exposition(known: tuple[Verdict, Readings] | None) -> bytes:
    """What was seen at the last look, and how this process is; the process alone before the first look."""
    registry = CollectorRegistry(auto_describe=False)
    for one in (_LastLook(known), PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(one)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


class _LastLook(Collector):
    def __init__(self, known: tuple[Verdict, Readings] | None) -> None:
        self._known = known

    def collect(self) -> Iterator[Metric]:
        if self._known is None:
            return
        verdict, readings = self._known
        yield from _whole(verdict)
        yield from _hops(verdict.hops, verdict.held_at)
        yield from _statements(readings.statements.values())
        yield from _topics(readings)
        yield from _tables(readings.tables.values())
        yield from _look(readings)


def _whole(verdict: Verdict) -> Iterator[Metric]:
    yield _gauge(
        "data_age", "How long ago the newest window in the table ended.", [((), verdict.behind)], unit="seconds"
    )
    yield _gauge(
        "data_as_of_timestamp", "When the newest window in the table ended.", [((), verdict.as_of)], unit="seconds"
    )
    yield _gauge(
        "overdue",
        "By how much the hop that holds the data is later than is normal there.",
        [((), verdict.overdue or timedelta())],
        unit="seconds",
    )
    yield _states("state", "How the whole is: one of its states is 1.", [((), verdict.state)])
    yield _gauge(
        "concern",
        "1 for what is worth an alert although the data may come in time.",
        [((one.name,), True) for one in verdict.concerns],
        labels=["concern"],
    )


def _hops(hops: Iterable[Hop], held_at: Hop | None) -> Iterator[Metric]:
    labels = ["hop", "stage"]

    def each(value: Callable[[Hop], _Value]) -> _Labelled:
        return [((hop.name, hop.stage.value), value(hop)) for hop in hops]

    yield _gauge("hop_delay", "Event time that is held at this hop.", each(lambda hop: hop.delay), labels, "seconds")
    yield _gauge(
        "hop_normal_delay", "Up to this delay all is as it should be.", each(lambda hop: hop.normal), labels, "seconds"
    )
    yield _gauge(
        "hop_waiting_records",
        "Records that wait at this hop, where they are counted.",
        each(lambda hop: hop.records),
        labels,
    )
    yield _gauge("hop_holds", "1 for the hop that holds the data.", each(lambda hop: hop == held_at), labels)
    yield _states(
        "hop_state",
        "How the hop is: one of its states is 1.",
        [((hop.name, hop.stage.value), hop.state) for hop in hops],
        labels,
    )


def _statements(statements: Collection[StatementReading]) -> Iterator[Metric]:
    labels = ["statement"]

    def each(value: Callable[[StatementReading], _Value]) -> _Labelled:
        return [((one.name,), value(one)) for one in statements]

    def gauge(name: str, text: str, value: Callable[[StatementReading], _Value], unit: str = "") -> Metric:
        return _gauge(f"statement_{name}", text, each(value), labels, unit)

    def counter(name: str, text: str, value: Callable[[StatementReading], _Value]) -> Metric:
        return _counter(f"statement_{name}", f"{text}, since it was started.", each(value), labels)

    phase = InfoMetricFamily(f"{PREFIX}statement", "The target's words for how it is.", labels=labels)
    for one in statements:
        phase.add_metric([_label(one.name)], {"phase": _label(one.phase), "scaling": _label(one.scaling)})
    yield phase
    yield gauge("running", "1 while it runs.", lambda one: one.runs)
    yield gauge("stopped", "1 where somebody stopped it on purpose.", lambda one: one.is_stopped)
    yield gauge(
        "input_watermark_timestamp", "Up to then its input is complete.", lambda one: one.input_watermark, "seconds"
    )
    yield gauge(
        "output_watermark_timestamp", "Up to then its output is complete.", lambda one: one.output_watermark, "seconds"
    )
    yield counter("in_records", "Records that it read", lambda one: one.records_in)
    yield counter("out_records", "Records that it wrote", lambda one: one.records_out)
    yield counter("late_records", "Records left out because their window had closed", lambda one: one.late_records)
    yield counter("restarts", "How often it was restarted", lambda one: one.restarts)
    yield gauge("pending_records", "Records of its input that it has not read yet.", lambda one: one.pending)
    yield gauge("pending", "How long ago the oldest of them came.", lambda one: one.pending_for, "seconds")
    yield gauge(
        "checkpoint_age", "How long ago its newest checkpoint was finished.", lambda one: one.checkpoint_age, "seconds"
    )
    late = [one.late_records for one in statements if one.late_records is not None]
    yield _counter(
        "late_records",
        "Records left out because their window had closed, of all statements together.",
        [((), sum(late) if late else None)],
    )


def _topics(readings: Readings) -> Iterator[Metric]:
    topics = readings.topics.values()
    yield _counter(
        "topic_records",
        "Records that the topic ever had, marks of transactions included.",
        [((one.name,), one.end) for one in topics],
        ["topic"],
    )
    yield _gauge(
        "partition_frontier_timestamp",
        "Newest event time in the partition.",
        [((one.name, str(part.number)), part.frontier) for one in topics for part in one.partitions],
        ["topic", "partition"],
        "seconds",
    )
    letters = readings.topics.get(DEAD_LETTERS_TOPIC)
    yield _counter(
        "dead_letters",
        "Payments that broke a rule of their contract, marks of transactions included.",
        [((), letters.end if letters else None)],
    )


def _tables(tables: Collection[TableReading]) -> Iterator[Metric]:
    labels = ["table"]

    def each(value: Callable[[TableReading], _Value]) -> _Labelled:
        return [((one.name,), value(one)) for one in tables]

    yield _gauge("table_rows", "Rows of the newest snapshot.", each(lambda one: one.rows), labels)
    yield _gauge(
        "table_committed_timestamp",
        "When the newest snapshot was committed.",
        each(lambda one: one.committed_at),
        labels,
        "seconds",
    )


def _look(readings: Readings) -> Iterator[Metric]:
    yield _gauge("look_timestamp", "When the last look began.", [((), readings.at)], unit="seconds")
    yield _gauge("look_duration", "How long the last look took.", [((), readings.took)], unit="seconds")
    yield _gauge(
        "part_silent",
        "1 for a system that could not be looked at.",
        [((part.value,), readings.silence(part) is not None) for part in readings.parts_told],
        ["part"],
    )
    yield _gauge(
        "program_down",
        "1 for a program of the local stack that was started and does not run.",
        [((name,), True) for name in readings.programs],
        ["program"],
    )
    yield _gauge(
        "page_age",
        "How long ago the dashboard last saw the newest state of revenue.",
        [((), readings.page_age)],
        unit="seconds",
    )
    yield _gauge("clock_skew", "How far Kafka's clock is ahead.", [((), readings.clock_skew)], unit="seconds")


def _gauge(name: str, text: str, samples: _Labelled, labels: Iterable[str] = (), unit: str = "") -> Metric:
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=list(labels), unit=unit), samples)


def _counter(name: str, text: str, samples: _Labelled, labels: Iterable[str] = ()) -> Metric:
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=list(labels)), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: _Labelled) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(map(_label, labels)), _number(value))
    return family


def _states(
    name: str, text: str, samples: Iterable[tuple[tuple[str, ...], State]], labels: Iterable[str] = ()
) -> Metric:
    family = StateSetMetricFamily(PREFIX + name, text, labels=list(labels))
    for values, state in samples:
        family.add_metric(list(map(_label, values)), {one.value: one is state for one in State})
    return family


def _number(value: datetime | timedelta | int) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _label(text: str) -> str:
    """A name from outside; what steers a terminal or a parser stands as its escape."""
    return printable(text, _LONGEST_LABEL)

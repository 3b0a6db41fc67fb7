"""Metrics of statements, from a service that is late, sparing and strict."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from typing import Any

import httpx
import pytest

from dashboard.errors import SalesTrendsError, SettingsError, UnreachableError
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_errors import Refused, TooMany
from dashboard.remotes.cloud_measures import Measure, StatementMetrics
from dashboard.remotes.cloud_metrics import Budget, CloudMetrics, Metrics
from tests.deploy.cloud import flink_of, metrics_of
from tests.fakes.clock import ManualClock
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.metrics import NO_WATERMARK
from tests.remotes.scripted import KEY, SECRET, Script, done

POOL = "lfcp-abc123"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
AT = datetime(2026, 3, 1, 12, 0, 5, 250_000, tzinfo=UTC)
MARK = AT.timestamp() * 1000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> Iterator[FakeConfluentCloud]:
    """Two statements run: `join` reads the tables a and b and writes c, `copy` reads c and writes d."""
    with FakeConfluentCloud(clock=clock) as cloud:
        flink = flink_of(cloud)
        for table in "abcd":
            flink.create(f"make-{table}", f"CREATE TABLE {table} (id INT)", {}, {})
        clock.advance(cloud.delays.pending)
        flink.create("join", "INSERT INTO c SELECT a.id FROM a, b WHERE a.id = b.id", {}, {})
        flink.create("copy", "INSERT INTO d SELECT id FROM c", {}, {})
        clock.advance(cloud.delays.pending)
        assert {one.phase for one in cloud.statements.values()} == {"COMPLETED", "RUNNING"}
        clock.advance(300)
        yield cloud


@pytest.fixture
def pace(clock: ManualClock) -> Pace:
    def never(seconds: float) -> None:
        raise AssertionError(f"a look waits for {seconds} s")

    return Pace(clock.now, never, repeat_seconds=0, request_seconds=5)


@pytest.fixture
def metrics(cloud: FakeConfluentCloud, pace: Pace) -> CloudMetrics:
    return metrics_of(cloud, pace)


def look(metrics: CloudMetrics, *names: str, since: datetime = LONG_AGO) -> Metrics:
    return metrics.look(names or ("join", "copy"), [POOL], since)


def asked(cloud: FakeConfluentCloud) -> int:
    return sum(one.path.startswith("/v2/metrics/") for one in cloud.requests)


def test_all_statements_are_told_with_the_smallest_watermark_and_the_sum_of_records(
    cloud: FakeConfluentCloud, metrics: CloudMetrics
) -> None:
    of_all = {"num_records_in": 10.0, "num_records_out": 7.0, "num_late_records_in": 2.0}
    cloud.measure("join", "a", minutes_ago=4, current_input_watermark_milliseconds=MARK + 9_000, pending_records=3)
    cloud.measure("join", "b", minutes_ago=4, current_input_watermark_milliseconds=MARK, pending_records=4)
    cloud.measure("join", "c", minutes_ago=4, current_output_watermark_milliseconds=MARK - 5_000)
    cloud.measure("join", "", 4, **of_all)

    found = look(metrics)

    join = found.statements["join"]
    assert (join.input_watermark, join.output_watermark) == (AT, AT - timedelta(seconds=5))
    assert join.pending == 7
    minutes = (join.late_records or 0) // 2
    assert minutes >= 2
    assert (join.records_in, join.records_out) == (2 * 10 * minutes, 7 * minutes)
    assert join.measured_at is not None
    age = cloud.clock.moment() - join.measured_at
    assert timedelta(seconds=cloud.delays.metrics) < age < timedelta(minutes=4)
    assert found.statements["copy"] == StatementMetrics(join.measured_at, None, None, 0, 0, 0, 0)
    assert found.missing == ()


def test_a_look_is_one_request_a_metric_however_many_statements_and_looks_there_are(
    cloud: FakeConfluentCloud, metrics: CloudMetrics, clock: ManualClock
) -> None:
    first = look(metrics)
    assert (asked(cloud), first.age) == (1 + len(Measure), timedelta())
    clock.advance(29)
    assert look(metrics).age == timedelta(seconds=29)
    assert asked(cloud) == 1 + len(Measure)
    clock.advance(1)
    assert look(metrics).age == timedelta()
    assert asked(cloud) == 1 + 2 * len(Measure), "names are asked for once"


def test_a_look_beyond_the_budget_of_all_tells_the_last_values_and_their_age(
    cloud: FakeConfluentCloud, pace: Pace, clock: ManualClock
) -> None:
    shared = Budget(2 * (1 + len(Measure)))
    mine, others = metrics_of(cloud, pace, shared), metrics_of(cloud, pace, shared)
    before = look(mine)
    look(others)
    clock.advance(31)

    assert look(mine) == Metrics(before.statements, before.counted_since, age=timedelta(seconds=31))
    assert asked(cloud) == 2 * (1 + len(Measure))
    with pytest.raises(TooMany, match="60 requests a minute are spent"):
        look(metrics_of(cloud, pace, shared))

    clock.advance(31)
    assert look(mine).age == timedelta()


def test_no_more_requests_are_made_in_any_minute_than_the_service_takes(
    cloud: FakeConfluentCloud, pace: Pace, clock: ManualClock
) -> None:
    shared = Budget()
    viewers = [metrics_of(cloud, pace, shared) for _ in range(12)]
    refusals: list[str] = []
    for _ in range(12):
        for viewer in viewers:
            try:
                look(viewer)
            except TooMany as error:
                refusals.append(error.message)
        clock.advance(10)
    assert refusals
    # said by us: the service never had to
    assert all("is not asked for now" in one for one in refusals)


def test_a_service_that_takes_no_more_is_left_alone_as_long_as_it_says(
    cloud: FakeConfluentCloud, metrics: CloudMetrics, clock: ManualClock
) -> None:
    look(metrics)
    cloud.faults.answer("POST", "/query$", status=429, headers={"Retry-After": "100"}, times=len(Measure))
    clock.advance(30)
    assert look(metrics).age == timedelta(seconds=30)
    told = asked(cloud)
    clock.advance(99)
    assert look(metrics).age == timedelta(seconds=129)
    assert asked(cloud) == told
    clock.advance(1)
    assert look(metrics).age == timedelta()


@pytest.mark.parametrize(
    ("status", "family", "said"),
    [
        (401, SettingsError, "Check the Cloud API key in SALES_CONFLUENT__API_KEY"),
        (403, Refused, "Give the owner of the Cloud API key"),
        (429, TooMany, "Wait 60 s"),
        (500, UnreachableError, "in a few minutes"),
    ],
)
def test_a_failure_is_told_again_and_not_asked_for_again_for_half_a_minute(
    cloud: FakeConfluentCloud,
    metrics: CloudMetrics,
    clock: ManualClock,
    status: int,
    family: type[SalesTrendsError],
    said: str,
) -> None:
    cloud.faults.answer("POST", "/query$", status=status, times=len(Measure))
    for _ in range(2):
        with pytest.raises(family) as caught:
            look(metrics)
        assert said in caught.value.hint
        assert cloud.cloud_key[1] not in str(caught.value)
        assert asked(cloud) == 1 + len(Measure)
    clock.advance(30)
    assert set(look(metrics).statements) == {"join", "copy"}


def test_a_key_of_another_service_is_refused_by_name(cloud: FakeConfluentCloud, pace: Pace) -> None:
    cloud.cloud_key = cloud.flink_key
    with pytest.raises(Refused, match="refused to list the metrics: The API key is not valid for this resource"):
        look(metrics_of(cloud, pace))


def test_a_service_that_hangs_is_given_up_soon_and_the_next_look_does_not_wait(
    cloud: FakeConfluentCloud, pace: Pace
) -> None:
    hasty = metrics_of(cloud, Pace(pace.clock, pace.sleep, repeat_seconds=0, request_seconds=0.2))
    cloud.faults.delay_seconds = 1
    began = monotonic()
    for _ in range(20):
        with pytest.raises(UnreachableError, match="did not answer the request to list the metrics: ReadTimeout"):
            look(hasty)
    assert monotonic() - began < 20 * 0.2


def test_an_answer_of_a_proxy_is_no_answer(cloud: FakeConfluentCloud, metrics: CloudMetrics) -> None:
    cloud.faults.not_json("GET", "/descriptors/metrics")
    with pytest.raises(UnreachableError, match="not JSON"):
        look(metrics)


def test_a_metric_is_found_under_its_older_name_and_on_a_later_page(
    cloud: FakeConfluentCloud, metrics: CloudMetrics
) -> None:
    cloud.metrics.names = {"current_input_watermark_milliseconds": "current_input_watermark_ms"}
    cloud.metrics.page_size = 2
    cloud.measure("copy", minutes_ago=4, current_input_watermark_milliseconds=MARK)
    assert look(metrics).statements["copy"].input_watermark == AT


def test_what_the_service_does_not_know_is_missing_and_the_others_are_told(
    cloud: FakeConfluentCloud, metrics: CloudMetrics
) -> None:
    cloud.metrics.names = {"num_late_records_in": "", "current_output_watermark_milliseconds": "made_anew"}
    cloud.measure("copy", minutes_ago=4, pending_records=5, num_late_records_in=1)
    found = look(metrics)
    assert found.missing == (Measure.OUTPUT_WATERMARK, Measure.LATE_RECORDS)
    assert (found.statements["copy"].late_records, found.statements["copy"].pending) == (None, 5)


def test_names_are_asked_for_again_when_one_is_no_longer_known(
    cloud: FakeConfluentCloud, metrics: CloudMetrics, clock: ManualClock
) -> None:
    look(metrics)
    cloud.metrics.names = {"current_input_watermark_milliseconds": "current_input_watermark_ms"}
    clock.advance(30)
    with pytest.raises(Refused, match="Unknown metric"):
        look(metrics)
    clock.advance(30)
    assert look(metrics).missing == ()


def test_a_watermark_is_none_as_long_as_one_table_has_none(cloud: FakeConfluentCloud, metrics: CloudMetrics) -> None:
    cloud.measure("join", "a", minutes_ago=4, current_input_watermark_milliseconds=MARK)
    cloud.measure("join", "b", minutes_ago=4, current_input_watermark_milliseconds=NO_WATERMARK)
    # after the end of its input a statement's watermark is the greatest number there is
    cloud.measure("copy", minutes_ago=4, current_input_watermark_milliseconds=float(2**63 - 1))
    found = look(metrics).statements
    assert (found["join"].input_watermark, found["copy"].input_watermark) == (None, None)


def test_a_statement_that_just_started_is_not_told_of_yet(
    cloud: FakeConfluentCloud, metrics: CloudMetrics, clock: ManualClock
) -> None:
    flink_of(cloud).create("young", "INSERT INTO d SELECT id FROM a", {}, {})
    clock.advance(cloud.delays.pending)
    assert set(look(metrics, "young", "copy").statements) == {"copy"}


def test_only_the_statements_and_pools_that_are_asked_for_are_told(
    cloud: FakeConfluentCloud, pace: Pace, clock: ManualClock
) -> None:
    cloud.compute_pools.add("lfcp-other")
    flink = flink_of(cloud)
    flink.stop("copy")
    clock.advance(cloud.delays.stopping)
    flink.resume("copy", compute_pool="lfcp-other")
    clock.advance(cloud.delays.pending)
    clock.advance(300)

    def told(*pools: str) -> set[str]:
        return set(metrics_of(cloud, pace).look(["join", "copy"], pools, LONG_AGO).statements)

    assert told(POOL) == {"join"}
    assert told("lfcp-other") == {"copy"}
    assert told(POOL, "lfcp-other") == {"join", "copy"}
    assert set(look(metrics_of(cloud, pace), "join").statements) == {"join"}


@pytest.mark.parametrize(
    ("age", "counted"),
    [
        (timedelta(hours=3), timedelta(hours=3)),
        # an interval without a minute is refused
        (timedelta(), timedelta(minutes=5)),
        (timedelta(minutes=-10), timedelta(minutes=5)),
    ],
)
def test_records_are_counted_from_the_start_of_a_statement(
    cloud: FakeConfluentCloud, metrics: CloudMetrics, age: timedelta, counted: timedelta
) -> None:
    found = look(metrics, since=datetime.now(UTC) - age)
    assert abs(datetime.now(UTC) - counted - found.counted_since) < timedelta(minutes=2)


def test_records_of_an_old_statement_are_counted_from_one_midnight_all_day(
    metrics: CloudMetrics, clock: ManualClock
) -> None:
    before = datetime.now(UTC)
    first = look(metrics, since=LONG_AGO).counted_since
    clock.advance(30)
    again = look(metrics, since=LONG_AGO).counted_since
    assert first.time() == time.min
    assert timedelta(days=6) <= before - first < timedelta(days=7), "longer than values are kept"
    assert again == first or datetime.now(UTC).date() != before.date()


def test_points_without_a_number_are_left_out_and_the_newest_one_counts() -> None:
    pending = "io.confluent.flink/pending_records"
    points: list[dict[str, Any]] = [
        {"timestamp": "2026-03-01T12:00:00Z", "value": 4},
        {"timestamp": "2026-03-01T12:02:00Z", "value": None},
        {"timestamp": "2026-03-01T12:01:00Z", "value": 9},
        {"timestamp": "2026-03-01T12:03:00Z"},
    ]
    script = Script(
        done(data=[{"name": pending}], meta={"pagination": {"page_size": 1000}}),
        done(data=[{"resource.flink_statement.name": "a", "points": points}, {"points": None}]),
    )
    metrics = CloudMetrics(
        "https://metrics", KEY, SECRET, key_setting="S", transport=script.transport, pace=script.pace, budget=Budget()
    )
    found = metrics.look(["a"], [POOL], LONG_AGO)
    assert found.statements == {"a": StatementMetrics(datetime(2026, 3, 1, 12, 1, 30, tzinfo=UTC), pending=9)}
    assert script.asked == ["GET metrics", "POST query"]
    assert json.loads(script.requests[1].content)["group_by"] == ["resource.flink_statement.name"]


def test_a_service_that_tells_nothing_of_flink_is_not_asked_for_it() -> None:
    script = Script(done(data=[], meta={"pagination": {"page_size": 1000}}))
    metrics = CloudMetrics(
        "https://metrics", KEY, SECRET, key_setting="S", transport=script.transport, pace=script.pace, budget=Budget()
    )
    assert metrics.look(["a"], [POOL], LONG_AGO).missing == tuple(Measure)
    assert isinstance(script.requests[0], httpx.Request)

"""The pipeline on the real stack, in the order of a stack's life: started, checked, stopped, resumed, hurt."""

import os
import signal
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

from dashboard.checkups.lake import examine_lake
from dashboard.checkups.stack import examine_stack
from dashboard.deploy.one_job import FIXED_JOB_ID, REFUSED_ID
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import DeployError
from dashboard.lake_connections import catalog_access_of
from dashboard.lifecycle import LocalStack
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.shop.progress import read_progress
from tests.conftest import eventually, processes_of, running_stack, stack_settings
from tests.engines import ENGINES, agreed, parameters_of_all
from tests.stack.records import send_order, send_payment
from tests.stack.waiting import verified_until

pytestmark = pytest.mark.stack


def iceberg_table(stack: LocalStack, topic: str) -> Table:
    return load_catalog("lake", type="rest", uri=stack.lake.uri).load_table((CLUSTER_ID, topic))


def test_every_closed_window_is_right_to_the_cent_and_late_payments_are_left_out(stack: LocalStack) -> None:
    live_since = eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120)
    found = verified_until(stack, live_since + timedelta(seconds=45))
    assert found.ok
    assert found.compared > 1_000
    assert found.orders_completed > 4_000
    assert found.late_payments > 0, "the shop sends payments that are late beyond doubt once it is live"


def test_every_engine_reads_alike_what_flink_writes(stack: LocalStack, tmp_path: Path) -> None:
    """Of days that are over; there every window's orders are known."""
    end = datetime.now(UTC) - timedelta(days=1)
    asked = parameters_of_all(end - timedelta(days=3), end, ZoneInfo("Asia/Kathmandu"))
    engines = [make(stack.lake, stack.settings.pipeline.window_size, tmp_path) for make in ENGINES.values()]
    with ExitStack() as closed:
        for engine in engines:
            closed.callback(engine.close)
        snapshot = engines[0].newest()
        assert snapshot is not None
        found = agreed(engines, asked, snapshot.id)
    (totals,) = found["revenue_totals"]
    assert totals["windows"] == len(found["revenue_windows"]) > 1_000
    assert totals["orders"] >= totals["windows"]
    assert (totals["uncounted"], totals["faults"], found["revenue_faults"]) == (0, 0, [])


def test_doctor_finds_no_fault_on_a_running_stack(stack: LocalStack) -> None:
    findings = examine_stack(stack)
    assert [one for one in findings if not one.ok] == []
    parts = {"Kafka", "Topics", "Registry", "Catalog", "SQL gateway", "Flink", "Statements"}
    assert parts <= {one.name for one in findings}
    lake = examine_lake(catalog_access_of(stack.settings))
    assert [one for one in lake if not one.ok] == []
    assert "Table completed_orders" in {one.name for one in lake}


def test_the_join_is_an_interval_join_with_event_time_on_both_sides(stack: LocalStack) -> None:
    plan = stack.deployment.statements.explain(JOIN)
    assert "IntervalJoin(joinType=[InnerJoin], windowBounds=[isRowTime=true, leftLowerBound=0, " in plan
    assert "leftUpperBound=345600000" in plan
    assert plan.count("watermark=[") >= 2


def test_the_deduplication_keeps_the_first_row_as_an_append_only_stream(stack: LocalStack) -> None:
    plan = stack.deployment.statements.explain(DEDUPLICATION)
    assert "Deduplicate(keep=[FirstRow], key=[order_id], order=[ROWTIME], outputInsertOnly=[true])" in plan


def test_payments_hold_duplicates_and_unique_payments_hold_none(stack: LocalStack) -> None:
    assert stack.deployment.check("duplicates-in-payments").rows
    found = stack.deployment.check("duplicates-in-unique-payments", limit=1_000_000)
    assert found.columns == ["order_id", "times"]
    counts = Counter(times for _, times in found.rows)
    assert set(counts) == {1}
    assert counts[1] > 4_000


def test_the_preview_shows_windows_with_their_revenue(stack: LocalStack) -> None:
    found = stack.deployment.check("revenue-summary-preview", limit=1_000)
    assert (len(found.rows), found.more) == (1_000, True)
    assert found.columns == ["window_start", "window_end", "total_revenue"]
    assert found.sql == stack.deployment.checks["revenue-summary-preview"]


@pytest.mark.parametrize(
    "topic", ["payments", "shiftleft.public.orders", "unique_payments", "completed_orders", "revenue_summary"]
)
def test_each_topics_table_holds_each_record_once(stack: LocalStack, topic: str) -> None:
    ends = stack.kafka.end_offsets(topic)

    def copied() -> dict[int, list[int]] | None:
        rows = iceberg_table(stack, topic).scan(selected_fields=("$$partition", "$$offset")).to_arrow()
        offsets = defaultdict(list)
        for partition, offset in zip(*(rows[name].to_pylist() for name in ("$$partition", "$$offset")), strict=True):
            offsets[partition].append(offset)
        # behind the newest record of a transaction stands its marker, and another may just have been committed
        return offsets if all(max(offsets[one], default=-1) >= end - 3 for one, end in ends.items() if end) else None

    offsets = eventually(copied, within_seconds=60)
    for partition, found in offsets.items():
        assert len(found) == len(set(found)), f"partition {partition} has records twice"
        # an offset of a transaction's marker, a redrive's for one, is no record
        with closing(stack.kafka.records(topic, {partition: 0}, {partition: max(found) + 1})) as records:
            assert sorted(found) == [record.offset for record in records]


def test_snapshots_manifests_and_files_stay_few_over_many_commits(stack: LocalStack) -> None:
    # neither a table whose statement ended meanwhile nor any other is given up: decision 0009
    stack.stop("tableflow-unique-payments")
    stack.resume("tableflow-unique-payments")
    for name in ("payments", "unique_payments"):
        stays_small(stack, name)


def stays_small(stack: LocalStack, name: str) -> None:
    def much_committed() -> Table | None:
        table = iceberg_table(stack, name)
        newest = table.current_snapshot()
        return table if newest and (newest.sequence_number or 0) > 130 else None

    def kept_few() -> Table | None:
        table = iceberg_table(stack, name)
        return table if len(table.metadata.snapshots) <= 100 else None

    # a commit a second: expiry has run four times by then, compaction twice; a busy machine does both later
    eventually(much_committed, within_seconds=240)
    table = eventually(kept_few, within_seconds=360)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(table.io)) <= 40
    location = Path(table.location().removeprefix("file://"))
    assert len(list((location / "metadata").glob("*.metadata.json"))) <= 40
    assert len(list(table.scan().plan_files())) <= 90


def test_flink_answers_pages_of_no_other_origin(stack: LocalStack) -> None:
    flink = stack.deployment.statements.flink
    for url in (f"{flink.rest}/overview", f"{flink.gateway}/v3/info"):
        answer = httpx.get(url, headers={"Origin": "http://elsewhere.example"}, trust_env=False)
        assert answer.headers["access-control-allow-origin"] == flink.rest


def test_who_submits_twice_gets_one_job_and_an_ended_jobs_id_is_never_taken_again(stack: LocalStack) -> None:
    deployment = stack.deployment.statements
    job_id = "ab" * 16

    def probe() -> None:
        with deployment.flink.session({"pipeline.name": "probe", FIXED_JOB_ID: job_id}) as session:
            session.execute("CREATE TABLE made (number INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1')")
            session.execute("CREATE TABLE nowhere (number INT) WITH ('connector' = 'blackhole')")
            session.execute("INSERT INTO nowhere SELECT number FROM made")

    def probes() -> list[tuple[str, bool]]:
        return [(job.id, job.ended) for job in deployment.flink.jobs() if job.name == "probe"]

    probe()
    assert probes() == [(job_id, False)]
    for cancel in (True, False):
        with pytest.raises(DeployError, match=REFUSED_ID):
            probe()
        if cancel:
            deployment.flink.cancel(job_id)
            eventually(lambda: probes() == [(job_id, True)], 30)
    # so that the supervisor leaves it alone
    with stack.lock:
        name = "tableflow-revenue-summary"
        deployment.cancel(name)
        before = {job.id for job in deployment.flink.jobs()}
        with ThreadPoolExecutor(max_workers=3) as pool:
            list(pool.map(deployment.start, [name] * 3))
        deployment.wait_running([name], lambda _text: None)
        begun = [job for job in deployment.flink.jobs() if job.id not in before]
        assert [(job.name, job.ended) for job in begun] == [(name, False)]


def test_a_stopped_stack_resumes_where_it_was_with_new_ids(stack: LocalStack) -> None:
    stack.down()
    assert all(one.state == "stopped" for one in stack.status().services)
    before = read_progress(stack.settings.local.home)
    stack.up(page=False)
    resumed_at = datetime.now(UTC)
    assert verified_until(stack, resumed_at).ok
    assert read_progress(stack.settings.local.home).orders_sent > before.orders_sent


def test_a_stack_killed_as_a_whole_comes_back_from_its_checkpoints(stack: LocalStack) -> None:
    for pid in processes_of(stack.settings.local.home):
        os.kill(pid, signal.SIGKILL)
    stack.up(page=False)
    assert verified_until(stack, datetime.now(UTC)).ok


def test_a_total_that_does_not_fit_stops_its_statement_loudly_and_no_other(stack: LocalStack) -> None:
    order_id = 2_000_000_000
    send_order(stack.settings, order_id)
    send_payment(stack.settings, order_id, amount=1e30)

    def reason() -> str:
        job = stack.deployment.statements.jobs()["revenue-summary-materializer"]
        return "" if job.state == "RUNNING" and job.running else stack.deployment.statements.flink.job_failure(job.id)

    assert "NOT NULL" in eventually(reason, within_seconds=90)
    others = {
        name: job.state
        for name, job in stack.deployment.statements.jobs().items()
        if name != "revenue-summary-materializer"
    }
    assert set(others.values()) == {"RUNNING"}


def test_windows_of_an_hour_verify_too(stack: LocalStack, tmp_path: Path) -> None:
    stack.down()
    with running_stack(stack_settings(tmp_path / "home", window_size="1h")) as hourly:
        live_since = eventually(lambda: read_progress(hourly.settings.local.home).payments_live_since, 120)
        found = verified_until(hourly, live_since - timedelta(hours=2))
        assert found.ok
        assert found.compared > 90

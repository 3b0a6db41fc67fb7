"""On the real stack: late orders as the tables tell them against Flink's own count, and what is ahead of the commit."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import httpx
import pyarrow as pa
import pytest
import streamlit as st

from dashboard import cached
from dashboard.lifecycle import LocalStack
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.shop.payment_journal import payment_journal_path
from dashboard.local.shop.progress import read_progress
from dashboard.readers.committed import committed_of
from dashboard.readers.lake import REVENUE_SCHEMA, Lake
from dashboard.readers.lake_table import LakeTable
from dashboard.readers.late_orders import Arrived, Sum, Verdict, lateness
from dashboard.readers.order_counts import cents_of
from dashboard.readers.questions import compose
from dashboard.readers.streamed import Ahead, Streamed
from dashboard.remotes.registry import Registry
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES
from dashboard.trends.trend import Asked
from tests.conftest import eventually
from tests.stack.records import send_payment

pytestmark = pytest.mark.stack

WINDOW = timedelta(seconds=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORDER_COLUMNS = ["amount", "ts", "$$partition", "$$offset"]


def tables(stack: LocalStack) -> tuple[pa.Table, pa.Table]:
    """Windows, and completed orders of a state that is no older."""
    lake = Lake(stack.lake.uri, CLUSTER_ID)
    revenue = lake.table("revenue_summary")
    assert revenue is not None
    rows = revenue.read(REVENUE_SCHEMA.names)
    orders = lake.table("completed_orders")
    assert orders is not None
    return rows, orders.read(ORDER_COLUMNS)


def late_in(revenue: pa.Table, orders: pa.Table) -> dict[datetime, Sum]:
    """By window what came late; none of the windows may be at odds with its orders."""
    arrived: defaultdict[datetime, list[Arrived]] = defaultdict(list)
    amounts, *columns = (orders[name].to_pylist() for name in ORDER_COLUMNS)
    for cents, paid, partition, offset in zip(cents_of(amounts), *columns, strict=True):
        arrived[paid - (paid - EPOCH) % WINDOW].append(Arrived(partition, offset, cents))
    totals = dict(zip(revenue["window_start"].to_pylist(), revenue["total_revenue"].to_pylist(), strict=True))
    newest = max(totals)
    late = {}
    for start, its in arrived.items():
        total = totals.get(start)
        found = lateness(None if total is None else int(total.scaleb(2)), its, closed=start < newest)
        assert found.verdict in (Verdict.KNOWN, Verdict.NOT_YET), (start, found, its, total)
        if found.late and found.late.orders:
            late[start] = found.late
    return late


def without_zone(rows: pa.Table) -> pa.Table:
    fields = [field.with_type(pa.timestamp("us")) if "UTC" in str(field.type) else field for field in rows.schema]
    return rows.cast(pa.schema(fields))


def late_as_asked(revenue: pa.Table, orders: pa.Table) -> dict[datetime, Sum]:
    """The same by the question of queries/."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.register("revenue_summary", without_zone(revenue))
        connection.register("completed_orders", without_zone(orders))
        parameters = {"start": EPOCH.replace(tzinfo=None), "end": datetime(2100, 1, 1), "window_seconds": 5}  # noqa: DTZ001
        rows_out = connection.execute(compose("late_orders", "direct").text, parameters).fetchall()
    return {start.replace(tzinfo=UTC): Sum(count, int(worth.scaleb(2))) for start, count, worth in rows_out}


def dropped_by_flink(stack: LocalStack) -> int:
    """How many records the summing statement dropped as late since its job began.

    It sums up by window before it looks what is late, so several orders of one window that come together count as one.
    """
    job = stack.deployment.statements.jobs()["revenue-summary-materializer"]
    dropped = 0
    with httpx.Client(base_url=stack.deployment.statements.flink.rest, trust_env=False) as flink:
        for vertex in flink.get(f"/jobs/{job.id}").json()["vertices"]:
            path = f"/jobs/{job.id}/vertices/{vertex['id']}/metrics"
            names = [one["id"] for one in flink.get(path).json() if one["id"].endswith(".numLateRecordsDropped")]
            values = flink.get(path, params={"get": ",".join(names)}).json() if names else []
            dropped += sum(int(one["value"]) for one in values)
    return dropped


def unpaid_orders(stack: LocalStack, after: datetime, before: datetime) -> list[int]:
    """Orders of that time which the shop never pays."""
    limits = [int(moment.timestamp() * 1000) for moment in (after, before)]
    with sqlite3.connect(payment_journal_path(stack.settings.local.home)) as journal:
        rows = journal.execute("SELECT order_id FROM unpaid WHERE orderdate BETWEEN ? AND ?", limits)
        return [order_id for (order_id,) in rows]


def test_late_orders_of_the_tables_are_those_that_flink_dropped_to_the_cent(stack: LocalStack) -> None:
    live_since = eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120)

    def windows_since() -> list[datetime] | None:
        starts = sorted(tables(stack)[0]["window_start"].to_pylist())
        return starts if starts and starts[-1] > live_since else None

    # all of the past is in the tables by then
    starts = eventually(windows_since, 120)
    assert late_in(*tables(stack)) == {}
    before = dropped_by_flink(stack)
    past = [start for start in starts if start < live_since - timedelta(hours=1)]
    with_row, without_row = past[-3:], [start + WINDOW for start in past if start + WINDOW not in starts][-6:-3]
    assert len({*with_row, *without_row}) == 6
    # more than a day later the shop may pay them after all, which would be late too
    orders = unpaid_orders(stack, live_since - timedelta(hours=23), min(with_row + without_row))
    sent = {}
    for order_id, start, cents in zip(orders, with_row + without_row, range(701, 10_000, 100), strict=False):
        # its record is new, so that it passes the deduplication; when it was paid is not
        paid = start + timedelta(seconds=1)
        send_payment(stack.settings, order_id, amount=(10 * cents - 5) / 1000, ago=datetime.now(UTC) - paid)
        sent[start] = Sum(1, cents)
    assert len(sent) == 6

    def all_late() -> dict[datetime, Sum] | None:
        late = late_in(*tables(stack))
        return late if len(late) >= len(sent) else None

    assert eventually(all_late, 120, every_seconds=1) == sent
    assert late_as_asked(*tables(stack)) == sent
    eventually(lambda: dropped_by_flink(stack) - before == len(sent), 60)


def test_committed_streamed_and_open_windows_follow_each_other_without_a_gap(stack: LocalStack) -> None:
    lake = Lake(stack.lake.uri, CLUSTER_ID)
    streamed = Streamed(stack.kafka, Registry(f"http://127.0.0.1:{stack.settings.local.registry_port}").schema, WINDOW)
    try:
        first = committed_of(lake.table("revenue_summary"))
        eventually(lambda: streamed.ahead(first).is_live, 60, every_seconds=0.1)

        def ahead_of_first() -> Ahead | None:
            found = streamed.ahead(first)
            assert (found.doubled, found.undecodable, found.fault) == ((), 0, None)
            return found if found.streamed.num_rows > 3 and found.open else None

        found = eventually(ahead_of_first, 60)
        newest = found.streamed["window_end"].to_pylist()[-1]
        assert found.open[0].start >= newest

        def caught_up() -> LakeTable | None:
            table = lake.table("revenue_summary")
            ends = committed_of(table).newest_end
            return table if ends is not None and ends >= newest else None

        table = eventually(caught_up, 60)
        of = committed_of(table)
        rows = table.read(REVENUE_SCHEMA.names).to_pylist()
        assert [row for row in found.streamed.to_pylist() if row not in rows] == []
        assert not set(streamed.ahead(of).streamed["window_start"].to_pylist()) & {row["window_start"] for row in rows}
    finally:
        streamed.close()


@pytest.fixture
def page_of(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack, with what the page keeps begun anew and ended."""
    st.cache_resource.clear()
    yield stack
    st.cache_resource.clear()


def test_the_page_shows_a_window_open_then_streamed_then_committed_and_never_twice(page_of: LocalStack) -> None:
    settings = page_of.settings
    asked = Asked(RANGES["15 min"], Calendar(ZoneInfo("UTC")), comparisons=())
    seen: defaultdict[datetime, list[str]] = defaultdict(list)
    final: dict[datetime, Decimal] = {}

    def whole_ways() -> list[datetime] | None:
        """Windows that were seen as all three, looked at once more."""
        answer = cached.revenue(settings, cached.glance(settings), asked, "total")
        assert (answer.fault, answer.ahead and answer.ahead.doubled) == (None, answer.ahead and ())
        if answer.drawn.trend is None or not answer.drawn.is_ahead:
            return None
        for row in answer.drawn.trend.buckets.to_pylist():
            # a bar of this range is one window
            parts = {"open": "open_windows", "streamed": "streamed_windows", "revenue": "windows"}
            held = [(kind, row[counted]) for kind, counted in parts.items() if row[counted]]
            if not held:
                continue
            [(kind, windows)] = held
            assert windows == 1, row
            ways = seen[row["bucket_start"]]
            if not ways or ways[-1] != kind:
                ways.append(kind)
            if kind != "open":
                assert final.setdefault(row["bucket_start"], row[kind]) == row[kind]
        return [start for start, ways in seen.items() if len(ways) == 3]

    eventually(lambda: len(whole_ways() or []) >= 3, 120, every_seconds=0.1)
    order = ["open", "streamed", "revenue"]
    assert [ways for ways in seen.values() if ways != [one for one in order if one in ways]] == []
    rows = {row["window_start"]: row["total_revenue"] for row in tables(page_of)[0].to_pylist()}
    # the newest may not be in this state of the table
    assert {start: rows[start] for start in final if start in rows} == {
        start: revenue for start, revenue in final.items() if start in rows
    }
    assert len(final.keys() & rows.keys()) > 3

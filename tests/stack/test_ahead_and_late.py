"""On the real stack: late orders as the tables tell them against Flink's own count, and what is ahead of the commit."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import httpx
import pyarrow as pa
import pytest

from dashboard.lifecycle import LocalStack
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.shop.progress import read_progress
from dashboard.local.shop.truth import take_truth
from dashboard.readers.committed import committed_of
from dashboard.readers.lake import REVENUE_SCHEMA, Lake
from dashboard.readers.late_orders import Arrived, Sum, Verdict, lateness
from dashboard.readers.order_counts import cents_of
from dashboard.readers.questions import compose
from dashboard.readers.streamed import Streamed
from dashboard.remotes.registry import Registry
from tests.conftest import eventually
from tests.stack.records import send_order, send_payment

pytestmark = pytest.mark.stack

WINDOW = timedelta(seconds=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORDER_COLUMNS = ["amount", "ts", "$$partition", "$$offset"]


def tables(stack: LocalStack) -> tuple[pa.Table, pa.Table]:
    """Windows, and completed orders of a state that is no older."""
    lake = Lake(stack.lake.uri, CLUSTER_ID)
    revenue, orders = lake.table("revenue_summary"), None
    if revenue is not None:
        orders = lake.table("completed_orders")
    assert revenue is not None
    assert orders is not None
    return revenue.read(REVENUE_SCHEMA.names), orders.read(ORDER_COLUMNS)


def late_in(revenue: pa.Table, orders: pa.Table) -> dict[datetime, Sum]:
    """By window what came late; none of the windows may be at odds with its orders."""
    arrived: defaultdict[datetime, list[Arrived]] = defaultdict(list)
    columns = (orders[name].to_pylist() for name in ORDER_COLUMNS[1:])
    for cents, paid, *place in zip(cents_of(orders["amount"].to_pylist()), *columns, strict=True):
        arrived[paid - (paid - EPOCH) % WINDOW].append(Arrived(*place, cents))
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


def late_as_asked(revenue: pa.Table, orders: pa.Table) -> dict[datetime, Sum]:
    """The same by the question of queries/."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        for name, rows in (("revenue_summary", revenue), ("completed_orders", orders)):
            plain = [
                field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
                for field in rows.schema
            ]
            connection.register(name, rows.cast(pa.schema(plain)))
        parameters = {"start": EPOCH.replace(tzinfo=None), "end": datetime(2100, 1, 1), "window_seconds": 5}  # noqa: DTZ001
        rows_out = connection.execute(compose("late_orders", "direct").text, parameters).fetchall()
    return {start.replace(tzinfo=UTC): Sum(count, int(worth.scaleb(2))) for start, count, worth in rows_out}


def dropped_by_flink(stack: LocalStack) -> int:
    """How many records the summing statement dropped as late since its job began."""
    job = stack.deployment.statements.jobs()["revenue-summary-materializer"]
    with httpx.Client(base_url=stack.deployment.statements.flink.rest, trust_env=False) as flink:
        dropped = 0
        for vertex in flink.get(f"/jobs/{job.id}").json()["vertices"]:
            path = f"/jobs/{job.id}/vertices/{vertex['id']}/metrics"
            names = [one["id"] for one in flink.get(path).json() if one["id"].endswith(".numLateRecordsDropped")]
            if names:
                values = flink.get(path, params={"get": ",".join(names)}).json()
                print(vertex["name"], values)
                dropped += sum(int(one["value"]) for one in values)
    return dropped


def test_late_orders_of_the_tables_are_those_that_flink_dropped_to_the_cent(stack: LocalStack) -> None:
    live_since = eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120)
    # what was written before it was live is in the table then
    revenue = eventually(
        lambda: found if max((found := tables(stack)[0])["window_end"].to_pylist()) > live_since else None, 120
    )
    rows = sorted(revenue["window_start"].to_pylist())
    with_row = [start for start in rows if start < live_since - timedelta(hours=2)][-3:]
    without_row = [
        start + WINDOW for start in rows if start < live_since - timedelta(hours=20) and start + WINDOW not in rows
    ][-3:]
    before = take_truth(stack.settings)
    sent = {}
    for number, start in enumerate([*with_row, *without_row]):
        paid_ago = datetime.now(UTC) - start - timedelta(seconds=1)
        send_order(stack.settings, 2_000_001_000 + number, ago=paid_ago + timedelta(hours=1))
        send_payment(stack.settings, 2_000_001_000 + number, amount=7.005 + number, ago=paid_ago)
        sent[start] = Sum(1, 701 + 100 * number)
    assert len(sent) == 6

    def agreed() -> dict[datetime, Sum] | None:
        revenue, orders = tables(stack)
        late = late_in(revenue, orders)
        assert late_as_asked(revenue, orders) == late
        count = sum(one.orders for one in late.values())
        dropped = dropped_by_flink(stack)
        print(datetime.now(UTC), count, dropped)
        return late if sent.items() <= late.items() and count == dropped else None

    late = eventually(agreed, 120, every_seconds=1)
    worth = Decimal(sum(one.cents for one in late.values()) - sum(one.cents for one in sent.values())).scaleb(-2)
    assert before.late_revenue <= worth <= take_truth(stack.settings).late_revenue


def test_committed_streamed_and_open_windows_follow_each_other_without_a_gap(stack: LocalStack) -> None:
    lake = Lake(stack.lake.uri, CLUSTER_ID)
    streamed = Streamed(stack.kafka, Registry(f"http://127.0.0.1:{stack.settings.local.registry_port}").schema, WINDOW)
    try:
        first = committed_of(lake.table("revenue_summary"))
        eventually(lambda: streamed.ahead(first).is_live, 60, every_seconds=0.1)

        def ahead_of_first() -> pa.Table | None:
            found = streamed.ahead(first)
            assert (found.doubled, found.undecodable, found.fault) == ((), 0, None)
            return found if found.streamed.num_rows > 3 and found.open else None

        found = eventually(ahead_of_first, 60)
        newest = found.streamed["window_end"].to_pylist()[-1]
        assert found.open[0].start >= newest
        table = eventually(
            lambda: one if (one := lake.table("revenue_summary")) and committed_of(one).newest_end >= newest else None,
            60,
        )
        of = committed_of(table)
        rows = table.read(REVENUE_SCHEMA.names).to_pylist()
        assert [row for row in found.streamed.to_pylist() if row not in rows] == []
        assert not set(streamed.ahead(of).streamed["window_start"].to_pylist()) & {row["window_start"] for row in rows}
    finally:
        streamed.close()

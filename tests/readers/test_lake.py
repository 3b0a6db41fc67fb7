import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo
from pyiceberg.table import Table

from dashboard.errors import ReadError, SalesTrendsError, UnreachableError
from dashboard.readers import http_session
from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE, Lake, find_namespace
from dashboard.readers.lake_table import TIMESTAMP
from tests.iceberg_tables import NAMESPACE, append, call_it_compaction, revenue_table, served_catalog, sqlite_catalog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with sqlite_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def lake(catalog: Catalog) -> Lake:
    return Lake("http://unused", NAMESPACE, catalog)


@pytest.fixture
def table(catalog: Catalog) -> Table:
    return revenue_table(catalog)


def starts(rows: pa.Table) -> list[int]:
    return [round((start - NOON).total_seconds()) for start in rows["window_start"].to_pylist()]


# snapshots


def test_a_table_that_does_not_exist_has_no_snapshot_and_no_rows(lake: Lake) -> None:
    assert lake.snapshot() is None
    assert lake.revenue().num_rows == 0
    assert lake.revenue().schema.names == ["window_start", "window_end", "total_revenue"]


@pytest.mark.usefixtures("table")
def test_a_table_without_a_commit_has_no_snapshot_and_no_rows(lake: Lake) -> None:
    assert lake.snapshot() is None
    assert lake.revenue(start=NOON).num_rows == 0


def test_a_snapshot_says_when_it_was_committed_in_utc_and_how_many_rows_there_are(lake: Lake, table: Table) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    append(table, [(at(0), "1.00"), (at(5), "2.00")])

    snapshot = lake.snapshot()

    assert snapshot is not None
    assert snapshot.committed_at.tzinfo is UTC
    assert before <= snapshot.committed_at <= datetime.now(UTC)
    assert snapshot.rows == 2


def test_every_commit_has_a_snapshot_of_its_own(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    first = lake.snapshot()
    assert lake.snapshot() == first

    append(table, [(at(5), "1.00")])

    assert lake.snapshot() != first


def test_a_table_made_anew_is_seen(lake: Lake, catalog: Catalog, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    lake.snapshot()
    catalog.drop_table((NAMESPACE, "revenue_summary"))
    append(revenue_table(catalog), [(at(5), "2.00")])

    assert starts(lake.revenue()) == [5]


# rows


@pytest.mark.parametrize("zoned", [False, True])
def test_rows_come_oldest_first_in_utc_whether_or_not_the_column_has_a_zone(
    lake: Lake, catalog: Catalog, zoned: bool
) -> None:
    append(revenue_table(catalog, zoned=zoned), [(at(10), "3.00"), (at(0), "1.10"), (at(5), "2.20")])

    rows = lake.revenue()

    assert rows.schema.field("window_start").type == rows.schema.field("window_end").type == TIMESTAMP
    assert rows["window_start"].to_pylist() == [at(0), at(5), at(10)]
    assert rows["window_end"].to_pylist() == [at(5), at(10), at(15)]
    assert rows["total_revenue"].to_pylist() == [Decimal("1.10"), Decimal("2.20"), Decimal("3.00")]


def test_doubled_windows_and_missing_amounts_come_as_they_are_stored(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00"), (at(5), None)])
    append(table, [(at(0), "1.00")])

    rows = lake.revenue()

    assert starts(rows) == [0, 0, 5]
    assert rows["total_revenue"].to_pylist() == [Decimal("1.00"), Decimal("1.00"), None]


@pytest.mark.parametrize("zoned", [False, True])
def test_the_start_is_inclusive_and_the_end_exclusive_in_any_zone(lake: Lake, catalog: Catalog, zoned: bool) -> None:
    append(revenue_table(catalog, zoned=zoned), [(at(seconds), "1.00") for seconds in (0, 5, 10, 15)])
    kathmandu = timezone(timedelta(hours=5, minutes=45))

    assert starts(lake.revenue(start=at(5).astimezone(kathmandu))) == [5, 10, 15]
    assert starts(lake.revenue(end=at(10).astimezone(kathmandu))) == [0, 5]
    assert starts(lake.revenue(at(5), at(15))) == [5, 10]


def test_files_outside_the_asked_time_are_not_opened(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    old_file = Path(next(iter(table.scan().plan_files())).file.file_path.removeprefix("file://"))
    append(table, [(at(60), "2.00")])
    old_file.unlink()

    assert starts(lake.revenue(start=at(30))) == [60]
    with pytest.raises(ReadError, match=r"A file of lkc-test\.revenue_summary is gone"):
        lake.revenue()


def test_an_older_snapshot_can_be_read(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    older = lake.snapshot()
    append(table, [(at(5), "2.00")])

    assert older is not None
    assert starts(lake.revenue(snapshot_id=older.id)) == [0]
    assert starts(lake.revenue()) == [0, 5]


def test_a_snapshot_that_nobody_knows_is_refused(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])

    with pytest.raises(ReadError, match=r"The snapshot 1 of .* is not known any more"):
        lake.revenue(snapshot_id=1)


# what was added


def added(lake: Lake, since: int) -> pa.Table | None:
    table = lake.table(REVENUE_TABLE)
    assert table is not None
    assert table.newest is not None
    rows = table.added(REVENUE_SCHEMA.names, since, table.newest.id)
    return None if rows is None else rows.sort_by("window_start")


def test_what_several_commits_added_is_read_alone(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    since = lake.snapshot()
    append(table, [(at(10), "3.00")])
    append(table, [(at(5), "2.00")])

    assert since is not None
    rows = added(lake, since.id)

    assert rows is not None
    assert starts(rows) == [5, 10]
    assert rows.schema.field("window_start").type == TIMESTAMP


def test_compaction_adds_no_rows(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])
    append(table, [(at(5), "2.00")])
    since = lake.snapshot()
    table.refresh()
    table.overwrite(table.scan().to_arrow())
    call_it_compaction(Path(table.metadata_location.removeprefix("file://")))

    assert since is not None
    rows = added(lake, since.id)

    assert rows is not None
    assert starts(rows) == []
    assert starts(lake.revenue()) == [0, 5]


def test_rows_that_were_removed_cannot_be_told_as_added_ones(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00"), (at(5), "2.00")])
    since = lake.snapshot()
    table.refresh()
    table.delete(EqualTo("total_revenue", Decimal("2.00")))  # type: ignore[misc,call-arg,arg-type,unused-ignore]

    assert since is not None
    assert added(lake, since.id) is None


def test_a_snapshot_outside_the_past_of_the_table_cannot_be_continued(lake: Lake, table: Table) -> None:
    append(table, [(at(0), "1.00")])

    assert added(lake, 1) is None


# namespaces


def test_the_namespace_is_the_one_that_holds_the_table(catalog: Catalog) -> None:
    catalog.create_namespace("other")
    assert find_namespace("http://unused", catalog) is None

    revenue_table(catalog, namespace="lkc-one")
    assert find_namespace("http://unused", catalog) == "lkc-one"


def test_two_namespaces_with_the_table_are_one_too_many(catalog: Catalog) -> None:
    revenue_table(catalog, namespace="lkc-one")
    revenue_table(catalog, namespace="lkc-two")

    with pytest.raises(ReadError, match=r"^2 namespaces .* lkc-one, lkc-two\.") as raised:
        find_namespace("http://unused", catalog)
    assert "drop" in raised.value.hint


# over HTTP


def test_the_local_catalog_is_read_over_http_past_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with served_catalog(tmp_path) as uri:
        append(revenue_table(open_catalog(CatalogAccess(uri, ""))), [(at(0), "1.10"), (at(5), "2.20")])

        namespace = find_namespace(uri)
        assert namespace == NAMESPACE
        lake = Lake(uri, namespace)
        snapshot = lake.snapshot()
        assert snapshot is not None
        assert lake.revenue(start=at(5), snapshot_id=snapshot.id)["total_revenue"].to_pylist() == [Decimal("2.20")]


def test_a_closed_port_is_unreachable_and_the_next_step_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/iceberg"

    with pytest.raises(UnreachableError) as raised:
        Lake(uri, NAMESPACE).snapshot()
    assert raised.value.message == f"The catalog at {uri} cannot be reached."
    assert raised.value.hint == "Start it with `sales-trends up`."


def test_a_catalog_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        with pytest.raises(UnreachableError, match="did not answer in time"):
            Lake(f"http://127.0.0.1:{silent.getsockname()[1]}", NAMESPACE).revenue()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (200, b"<html>hello</html>", ReadError, "is not an Iceberg catalog"),
        (404, b"not here", ReadError, "refuses"),
        (401, b"{}", ReadError, "refuses"),
        (500, b"{}", UnreachableError, "cannot serve"),
        (503, b"", UnreachableError, "cannot serve"),
    ],
)
def test_an_answer_that_is_none_becomes_an_error_with_a_next_step(
    status: int, body: bytes, kind: type[SalesTrendsError], message: str
) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with pytest.raises(kind, match=message) as raised:
                Lake(f"http://127.0.0.1:{server.server_port}", NAMESPACE).snapshot()
        finally:
            server.shutdown()
    assert raised.value.hint


@pytest.mark.parametrize("uri", ["nonsense", "ftp://127.0.0.1"])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ReadError, match="is not an Iceberg catalog"):
        find_namespace(uri)

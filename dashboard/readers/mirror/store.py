"""The DuckDB file behind the mirror: windows, their quarter hours, and which state of the tables they are.

One process writes it, one thread at a time; every change is one transaction that ends with the state it leads to, so
that a crash leaves the state before.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import duckdb
import pyarrow as pa

from dashboard.errors import ReadError
from dashboard.readers.lake import ORDERS_TABLE
from dashboard.readers.mirror.file import MirroredState, Version, opened
from dashboard.readers.mirror.seen import EPOCH, EVER, NEVER, Seen, microseconds, moment
from dashboard.readers.mirror.slot import Slot
from dashboard.readers.read_ahead import read_ahead
from dashboard.readers.zones import QUARTER_HOUR
from dashboard.sql_files import read_sql

_SQL = "dashboard/readers/mirror/sql"
_NAIVE = pa.timestamp("us")
_MICROSECOND = timedelta(microseconds=1)
_ROOMY = Decimal(10) ** 13
"""Below it 900 windows of a second add up to 16 digits before the point at most."""
_ROWS_AT_ONCE = 500_000
"""Loaded with one statement: few enough to stay below 20 MB."""
_AHEAD = 2
"""So many times that are read, and looked at, while others are written."""
_NO_WINDOWS = pa.schema([("window_start", _NAIVE), ("window_end", _NAIVE), ("total_revenue", pa.decimal128(18, 2))])


class About(NamedTuple):
    """What the windows have of a stretch of time."""

    windows: int
    """That share time with it."""
    the_same: int
    """Of them, those that begin and end with it."""
    revenue_cents: int | None
    """Of any of them."""


class MirrorStore:
    """Any thread may ask; one at a time changes."""

    def __init__(self, folder: Path) -> None:
        """Opens a file of the folder, a new one where it cannot be read. Raises ReadError if it cannot be written."""
        self._changing = Lock()
        self._committing = Lock()
        self._slot = Slot(folder)
        try:
            self._database, self._version = opened(self._slot)
        except BaseException:
            self._slot.release()
            raise

    @property
    def path(self) -> Path:
        return self._slot.path

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one thread."""
        return self._database.cursor()

    def version(self) -> "Version":
        """What a question asked now is answered from, if it is still the version when the answer is there."""
        with self._committing:
            return self._version

    def add(self, rows: pa.Table, state: MirroredState) -> None:
        """The windows that came with newer snapshots, and the state that they lead to."""
        seen = Seen()
        for batch in rows.to_batches():
            seen.look(batch)
        longest = max(state.longest, seen.longest)
        is_newer = seen.ends > self._version.ends
        with self._transaction() as connection:
            if len(rows):
                _make_room(connection, seen)
                first, last = _quarter_hours_of(seen.starts, seen.ends)
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_windows"))
                    if not seen.follow_each_other or seen.starts < self._version.ends:
                        last += -(-longest // QUARTER_HOUR) * QUARTER_HOUR  # it may double what begins after it
                        bounds = {"first": _naive(first), "last": _naive(last), "before": _naive(first - longest)}
                        connection.execute(read_sql(_SQL, "mark_doubled"), bounds)
                    self._settle(connection, first, last)
                _roll_up(connection, first, last)
            reached = replace(state, longest=longest, newest=seen.newest if is_newer else state.newest)
            self._commit(connection, {state.table: reached}, max(seen.ends, self._version.ends))

    def load(self, batches: Iterable[pa.RecordBatch], state: MirroredState) -> Iterator[int]:
        """All windows of a state in the place of those that are there; gives how many are loaded, again and again.

        Whoever asks meanwhile is answered from what was there. What is loaded counts once the iterator is at its end.
        """
        count, seen = 0, Seen()
        with self._transaction() as connection:
            for rows in read_ahead(_together(map(seen.look, batches)), _AHEAD):
                with _registered(connection, rows):
                    if not count:
                        connection.execute(read_sql(_SQL, "loaded"))
                    connection.execute(read_sql(_SQL, "load"))
                count += len(rows)
                yield count
            if not count:
                with _registered(connection, _NO_WINDOWS.empty_table()):
                    connection.execute(read_sql(_SQL, "loaded"))
            follow = seen.follow_each_other
            connection.execute(read_sql(_SQL, "swap" if follow else "swap_sorted"))
            if not follow:
                everything = {"first": _naive(NEVER), "last": _naive(EVER), "before": _naive(NEVER)}
                connection.execute(read_sql(_SQL, "mark_doubled"), everything)
            _make_room(connection, seen)
            self._settle_all(connection, self._placed_in)
            self._commit(connection, {state.table: replace(state, longest=seen.longest, newest=seen.newest)}, seen.ends)

    def add_orders(self, rows: pa.Table, state: MirroredState) -> None:
        """Orders by window, see `orders_by_window`, that came with newer snapshots of their table."""
        with self._transaction() as connection:
            if len(rows):
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_orders"))
                    self._settle(connection, *_stretch_of(rows))
                    _roll_up_touched(connection, *_stretch_of(rows))
            self._commit(connection, {state.table: state})

    def load_orders(self, pieces: Iterable[pa.Table], state: MirroredState) -> None:
        """All orders of a state in the place of those that are there."""
        with self._transaction() as connection:
            _forget_orders(connection)
            for rows in pieces:
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_orders"))
            self._settle_all(connection, state.newest)
            self._commit(connection, {state.table: state})

    def forget_orders(self, table: str) -> None:
        """Of a table that is gone nothing is known any more."""
        with self._transaction() as connection:
            _forget_orders(connection)
            self._settle_all(connection, timedelta(0))
            self._commit(connection, {table: None})

    def waiting(self, most: int) -> list[datetime]:
        """The newest of the closed windows whose orders are to be looked into."""
        closed = _naive(self._version.ends)
        with self.cursor() as connection:
            found = connection.execute(read_sql(_SQL, "waiting"), {"closed": closed, "most": most}).fetchall()
        return [start.replace(tzinfo=UTC) for (start,) in found]

    def about(self, start: datetime, end: datetime) -> About:
        """What there is of a stretch of time."""
        longest = max(one.longest for one in self._version.states.values())
        bounds = {"window_start": _naive(start), "window_end": _naive(end), "before": _naive(start - longest)}
        with self.cursor() as connection:
            return About(*(connection.execute(read_sql(_SQL, "about"), bounds).fetchone() or (0, 0, None)))

    def note_late(self, rows: pa.Table) -> None:
        """What was found of windows that waited: window_start, and the orders and cents that came late."""
        with self._transaction() as connection, _registered(connection, rows):
            for table in ("to_judge", "late_windows"):
                connection.execute(f"DELETE FROM {table} WHERE window_start IN (SELECT window_start FROM batch)")  # noqa: S608
            connection.execute(read_sql(_SQL, "note_late"))
            first, last = _stretch_of(rows)
            bounds = {"first": _naive(first), "last": _naive(last)}
            connection.execute(read_sql(_SQL, "settle"), {**bounds, "window": self._placed_in // _MICROSECOND})
            _roll_up_touched(connection, first, last)
            self._commit(connection, {})

    def clear(self) -> None:
        """Of a table that is gone nothing is known any more."""
        with self._transaction() as connection:
            _forget_orders(connection)
            for table in ("windows", "quarter_hours"):
                connection.execute(f"TRUNCATE {table}")
            self._commit(connection, dict.fromkeys(self._version.states), NEVER)

    def close(self, within_seconds: float = -1) -> None:
        """Frees the file, unless what is written into it does not end in time: then its process frees it."""
        if self._changing.acquire(timeout=within_seconds):
            try:
                self._database.close()
                self._slot.release()
            finally:
                self._changing.release()

    @property
    def _placed_in(self) -> timedelta:
        """How long the windows are that orders are placed in; zero while there are none."""
        known = self._version.states.get(ORDERS_TABLE)
        return timedelta(0) if known is None else known.newest

    def _settle(self, connection: duckdb.DuckDBPyConnection, first: datetime, last: datetime) -> None:
        """Of the windows in `batch`."""
        if window := self._placed_in:
            bounds = {"first": _naive(first), "last": _naive(last)}
            connection.execute(read_sql(_SQL, "settle"), {**bounds, "window": window // _MICROSECOND})
            connection.execute(read_sql(_SQL, "wait_for_judgement"), bounds)

    def _settle_all(self, connection: duckdb.DuckDBPyConnection, window: timedelta) -> None:
        """And sums all quarter hours; without orders, of which a window of no length tells, just that."""
        if window or ORDERS_TABLE in self._version.states:
            connection.execute(read_sql(_SQL, "settle_all"), {"window": window // _MICROSECOND})
            connection.execute(read_sql(_SQL, "swap"))
            everything = {"first": _naive(NEVER), "last": _naive(EVER)}
            connection.execute(read_sql(_SQL, "wait_for_judgement"), everything)
        _roll_up(connection, NEVER, EVER)

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All of it, or, whatever happens, nothing."""
        with self._changing, self.cursor() as connection:
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
            except duckdb.Error as error:
                raise ReadError(
                    f"The mirror in {self.path.parent} cannot be written: {error}",
                    "Make room on its disk, or set SALES_LAKE__MIRROR to another folder.",
                ) from error

    def _commit(
        self,
        connection: duckdb.DuckDBPyConnection,
        reached: Mapping[str, MirroredState | None],
        ends: datetime | None = None,
    ) -> None:
        """The transaction's last act: from then on whoever asks sees the new states, and knows them."""
        together = {**self._version.states, **reached}
        states = {table: state for table, state in together.items() if state is not None}
        connection.execute("DELETE FROM mirrored")
        for state in states.values():
            _note(connection, state)
        with self._committing:
            connection.execute("COMMIT")
            self._version = Version(self._version.number + 1, states, self._version.ends if ends is None else ends)


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """In larger pieces: a statement for each file's few rows would take longer than the rows."""
    kept: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        kept.append(batch)
        count += len(batch)
        if count >= _ROWS_AT_ONCE:
            yield pa.Table.from_batches(kept)
            kept, count = [], 0
    if count:
        yield pa.Table.from_batches(kept)


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """As `batch`; with times that have no zone, with which DuckDB computes ten times faster."""
    columns = [column.cast(_NAIVE) if pa.types.is_timestamp(column.type) else column for column in rows.columns]
    connection.register("batch", pa.table(columns, names=rows.column_names))
    yield
    connection.unregister("batch")


def _roll_up(connection: duckdb.DuckDBPyConnection, first: datetime, last: datetime) -> None:
    bounds = {"first": _naive(first), "last": _naive(last)}
    connection.execute(read_sql(_SQL, "forget_quarter_hours"), bounds)
    connection.execute(read_sql(_SQL, "roll_up"), bounds)


def _make_room(connection: duckdb.DuckDBPyConnection, seen: Seen) -> None:
    """Wider sums of quarter hours, read ten times slower, where such amounts may add up to more than 18 digits."""
    if seen.largest >= _ROOMY:
        connection.execute("ALTER TABLE quarter_hours ALTER COLUMN revenue TYPE DECIMAL(38, 2)")


def _roll_up_touched(connection: duckdb.DuckDBPyConnection, first: datetime, last: datetime) -> None:
    """Those of the windows in `batch`."""
    connection.execute(read_sql(_SQL, "forget_touched"))
    connection.execute(read_sql(_SQL, "roll_up_touched"), {"first": _naive(first), "last": _naive(last)})


def _forget_orders(connection: duckdb.DuckDBPyConnection) -> None:
    for table in ("order_windows", "late_windows", "to_judge"):
        connection.execute(f"TRUNCATE {table}")


def _note(connection: duckdb.DuckDBPyConnection, state: MirroredState) -> None:
    connection.execute(
        read_sql(_SQL, "note"),
        {
            "table_name": state.table,
            "identity": state.identity,
            "snapshot_id": state.snapshot.id,
            "committed_at": _naive(state.snapshot.committed_at),
            "table_rows": state.snapshot.rows,
            "longest": state.longest // _MICROSECOND,
            "newest": state.newest // _MICROSECOND,
        },
    )


def _stretch_of(rows: pa.Table) -> tuple[datetime, datetime]:
    """The whole quarter hours that hold the first and the last window_start."""
    starts = microseconds(rows["window_start"])
    return _quarter_hours_of(moment(int(starts.min())), moment(int(starts.max()) + 1))


def _quarter_hours_of(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The stretch of whole quarter hours that holds [start, end)."""
    return start - (start - EPOCH) % QUARTER_HOUR, end + -(end - EPOCH) % QUARTER_HOUR


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

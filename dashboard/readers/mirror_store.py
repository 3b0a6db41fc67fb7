"""The DuckDB file behind the mirror: windows, their quarter hours, and which state of the tables they are.

One process writes it, one thread at a time; every change is one transaction that ends with the state it leads to, so
that a crash leaves the state before.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ReadError
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.mirror_slot import Slot
from dashboard.readers.zones import QUARTER_HOUR
from dashboard.sql_files import read_sql

_SQL = "dashboard/readers/mirror_sql"
_NAIVE = pa.timestamp("us")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
EVER = datetime(9999, 1, 1, tzinfo=UTC)
NEVER = datetime(1, 1, 1, tzinfo=UTC)
_CENTS_SCALE = 2
_ROOMY = Decimal(10) ** 13
"""Below it 900 windows of a second add up to 16 digits before the point at most."""
_ROWS_AT_ONCE = 500_000
"""Loaded with one statement: few enough to stay below 20 MB."""
_NO_WINDOWS = pa.schema([("window_start", _NAIVE), ("window_end", _NAIVE), ("total_revenue", pa.decimal128(18, 2))])
_VERIFY = "`sales-trends verify` lists what is wrong."
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    # a question that two share ends no sooner, and keeps another one waiting
    "threads": 1,
    "memory_limit": "512MB",
}


@dataclass(frozen=True)
class MirroredState:
    """Which state of an Iceberg table the mirror holds."""

    table: str
    identity: str
    """Of the table, to tell it from another one of its name."""
    snapshot: Snapshot
    longest: timedelta
    """The longest window; zero for a table of other things."""


class Crowded(NamedTuple):
    """A window with orders that it did not sum up."""

    window_start: datetime
    revenue_cents: int | None
    """None: it has no revenue, though later windows have ended."""
    cents: int
    """Of all its orders."""
    late_orders: int
    """Already known to be late, as their worth in cents."""
    late_cents: int


@dataclass(frozen=True)
class Version:
    """What the mirror holds between two changes."""

    number: int
    states: Mapping[str, MirroredState]
    """By table; none before the first load."""
    ends: datetime
    """Of the newest window, UTC; NEVER without one."""


class MirrorStore:
    """Any thread may ask; one at a time changes."""

    def __init__(self, folder: Path) -> None:
        """Opens a file of the folder, a new one where it cannot be read. Raises ReadError if it cannot be written."""
        self._slot = Slot(folder)
        try:
            self._database = self._opened()
        except BaseException:
            self._slot.release()
            raise
        self._changing = Lock()
        self._committing = Lock()
        self._version = Version(0, self._read_states(), self._read_end())

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

    def _read_states(self) -> dict[str, MirroredState]:
        with self.cursor() as connection:
            found = connection.execute("SELECT * FROM mirrored").fetchall()
        return {
            table: MirroredState(
                table, identity, Snapshot(id_, at.replace(tzinfo=UTC), rows), timedelta(microseconds=longest)
            )
            for table, identity, id_, at, rows, longest in found
        }

    def add(self, rows: pa.Table, state: MirroredState) -> None:
        """The windows that came with newer snapshots, and the state that they lead to."""
        with self._transaction() as connection:
            seen = Seen()
            for batch in rows.to_batches():
                seen.look(batch)
            longest = max(state.longest, seen.longest)
            if len(rows):
                _make_room(connection, seen)
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_windows"))
                first, last = _quarter_hours_of(seen.starts, seen.ends)
                if not seen.follow_each_other or seen.starts < self._version.ends:
                    last += -(-longest // QUARTER_HOUR) * QUARTER_HOUR  # it may double what begins after it
                    bounds = {"first": _naive(first), "last": _naive(last), "before": _naive(first - longest)}
                    connection.execute(read_sql(_SQL, "mark_doubled"), bounds)
                _settle(connection, first, last)
            self._commit(connection, replace(state, longest=longest), max(seen.ends, self._version.ends))

    def load(self, batches: Iterable[pa.RecordBatch], state: MirroredState) -> Iterator[int]:
        """All windows of a state in the place of those that are there; gives how many are loaded, again and again.

        Whoever asks meanwhile is answered from what was there. What is loaded counts once the iterator is at its end.
        """
        count, seen = 0, Seen()
        with self._transaction() as connection:
            for rows in _together(map(seen.look, batches)):
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
            if state.table in self._version.states:
                _settle_all(connection)  # otherwise there are no orders yet
            _roll_up(connection, NEVER, EVER)
            self._commit(connection, replace(state, longest=seen.longest), seen.ends)

    def add_orders(self, rows: pa.Table, state: MirroredState) -> None:
        """Orders by window, see `orders_by_window`, that came with newer snapshots of their table."""
        with self._transaction() as connection:
            if len(rows):
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_orders"))
                times = _microseconds(rows["window_start"])
                _settle(connection, *_quarter_hours_of(_moment(int(times.min())), _moment(int(times.max()) + 1)))
            self._commit(connection, state, self._version.ends)

    def load_orders(self, pieces: Iterable[pa.Table], state: MirroredState) -> None:
        """All orders of a state in the place of those that are there."""
        with self._transaction() as connection:
            connection.execute("TRUNCATE order_windows")
            for rows in pieces:
                with _registered(connection, rows):
                    connection.execute(read_sql(_SQL, "add_orders"))
            _settle_all(connection)
            _roll_up(connection, NEVER, EVER)
            self._commit(connection, state, self._version.ends)

    def crowded(self, first: datetime, most: int) -> list[Crowded]:
        """Windows from then on whose orders are worth more than they summed up: some came late."""
        bounds = {"first": _naive(first), "ends": _naive(self._version.ends), "most": most}
        with self.cursor() as connection:
            found = connection.execute(read_sql(_SQL, "crowded"), bounds).fetchall()
        return [Crowded(start.replace(tzinfo=UTC), *rest) for start, *rest in found]

    def uncounted(self, first: datetime) -> int:
        """Windows from then on whose orders are not known."""
        with self.cursor() as connection:
            [count] = connection.execute(
                "SELECT COUNT(*) - COUNT(orders) FROM windows WHERE window_start >= $first", {"first": _naive(first)}
            ).fetchone() or [0]
        return int(count)

    def clear(self) -> None:
        """Of a table that is gone nothing is known any more."""
        with self._transaction() as connection:
            for table in ("windows", "quarter_hours", "order_windows", "mirrored"):
                connection.execute(f"TRUNCATE {table}")
            self._commit(connection, None, NEVER)

    def close(self) -> None:
        with self._changing:
            self._database.close()
            self._slot.release()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        """Another version's file, or a torn one, is begun anew: everything in it stands in the lake."""
        for attempt in range(2):
            try:
                database = duckdb.connect(str(self._slot.path), config=_CONFIG)
                database.execute("SET TimeZone = 'UTC'")
                database.execute(read_sql(_SQL, "tables"))
                return database
            except duckdb.Error as error:
                if attempt:
                    raise ReadError(
                        f"The mirror in {self._slot.path.parent} cannot be opened: {error}",
                        "Remove that folder; it is read anew from the lake.",
                    ) from error
                self._slot.forget()
        raise AssertionError

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

    def _commit(self, connection: duckdb.DuckDBPyConnection, state: MirroredState | None, ends: datetime) -> None:
        """The transaction's last act: from then on whoever asks sees the new state, and knows it."""
        states = {} if state is None else {**self._version.states, state.table: state}
        if state is not None:
            _note(connection, state)
        with self._committing:
            connection.execute("COMMIT")
            self._version = Version(self._version.number + 1, states, ends)

    def _read_end(self) -> datetime:
        with self.cursor() as connection:
            [found] = connection.execute("SELECT MAX(window_end) FROM windows").fetchone() or [None]
        return NEVER if found is None else found.replace(tzinfo=UTC)


@dataclass
class Seen:
    """What is known of windows from going once through them: cheap, and enough to spare most of them being sorted."""

    longest: timedelta = timedelta(0)
    starts: datetime = EVER
    """Of the first window; EVER of none."""
    ends: datetime = NEVER
    """Of the last one; NEVER of none."""
    largest: Decimal = Decimal(0)
    """The largest amount, whatever its sign."""
    _are_in_order: bool = True
    _stretches: list[tuple[int, int]] = field(default_factory=list)
    """Start and end of each batch, in microseconds since the epoch."""

    def look(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Gives it back. Raises ReadError for rows that are no windows, and amounts that are not in cents."""
        if batch["window_start"].null_count or batch["window_end"].null_count:
            raise ReadError("revenue_summary has rows without a window.", _VERIFY)
        amounts = batch.schema.field("total_revenue").type
        if not pa.types.is_decimal(amounts) or amounts.scale > _CENTS_SCALE:
            raise ReadError(
                f"The amounts of revenue_summary are {amounts}, not decimals with two places.",
                "Choose another engine for this table, or make it by pipeline_sql/.",
            )
        if not len(batch):
            return batch
        starts, ends = _microseconds(batch["window_start"]), _microseconds(batch["window_end"])
        if (ends <= starts).any():
            raise ReadError("revenue_summary has a window that does not end after it begins.", _VERIFY)
        self._are_in_order = self._are_in_order and bool(np.all(starts[1:] >= ends[:-1]))
        self._stretches.append((int(starts.min()), int(ends.max())))
        edges = pc.min_max(batch["total_revenue"]).as_py()
        self.largest = max(self.largest, *(abs(edge) for edge in edges.values() if edge is not None), Decimal(0))
        self.longest = max(self.longest, timedelta(microseconds=int((ends - starts).max())))
        self.starts = min(self.starts, _moment(self._stretches[-1][0]))
        self.ends = max(self.ends, _moment(self._stretches[-1][1]))
        return batch

    @property
    def follow_each_other(self) -> bool:
        """Whether no two windows share time, and each batch is in order; batches may come in any order."""
        ordered = sorted(self._stretches)
        return self._are_in_order and all(one[1] <= next_[0] for one, next_ in pairwise(ordered))


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


def _settle(connection: duckdb.DuckDBPyConnection, first: datetime, last: datetime) -> None:
    connection.execute(read_sql(_SQL, "settle"), {"first": _naive(first), "last": _naive(last)})
    _roll_up(connection, first, last)


def _settle_all(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(read_sql(_SQL, "settle_all"))
    connection.execute(read_sql(_SQL, "swap"))


def _note(connection: duckdb.DuckDBPyConnection, state: MirroredState) -> None:
    connection.execute("DELETE FROM mirrored WHERE table_name = $table", {"table": state.table})
    connection.execute(
        read_sql(_SQL, "note"),
        {
            "table_name": state.table,
            "identity": state.identity,
            "snapshot_id": state.snapshot.id,
            "committed_at": _naive(state.snapshot.committed_at),
            "table_rows": state.snapshot.rows,
            "longest": state.longest // _MICROSECOND,
        },
    )


def _quarter_hours_of(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The stretch of whole quarter hours that holds [start, end)."""
    return start - (start - _EPOCH) % QUARTER_HOUR, end + -(end - _EPOCH) % QUARTER_HOUR


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _microseconds(column: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = column.cast(pa.int64()).to_numpy()
    return found


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

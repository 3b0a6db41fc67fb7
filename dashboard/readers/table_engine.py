"""A question asked of the Iceberg tables themselves, each pinned at one of its snapshots, however they are read."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from dashboard.errors import ReadError
from dashboard.readers.deadline import Stop, within
from dashboard.readers.engine import NOW, WITHOUT_HASTE, Answer, Limits, Parameter
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_SCHEMA, REVENUE_TABLE, Lake
from dashboard.readers.lake_table import LakeTable, Snapshot
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, compose


@dataclass(frozen=True)
class Pinned:
    """A table at the snapshot that all of an answer is read from."""

    table: LakeTable
    snapshot: Snapshot


@dataclass(frozen=True)
class Asked:
    """One statement and the tables that it reads."""

    text: str
    """With each table's name marked for a clause of time travel, see `questions.at_snapshots`."""
    parameters: Mapping[str, Parameter]
    """As many as the text names; datetimes are UTC without a zone."""
    tables: Mapping[str, Pinned]
    """By the names that the text has for them."""
    relations: frozenset[str]
    """Those that the text reads."""


class TableEngine(ABC):
    """An engine that reads the tables anew for every answer; keeps nothing between them."""

    name: str

    def __init__(self, lake: Lake, window: timedelta) -> None:
        """`window` is the length of the pipeline's windows."""
        self._lake = lake
        self._window = window

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        table = self._lake.table(REVENUE_TABLE)
        return None if table is None else table.newest

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        """As `Engine` says; a state that was replaced while it was read is read once more, as it is then."""
        begun = time.perf_counter()
        # before any call: what cannot be asked costs none
        self._asked(question, parameters, {})
        rows, snapshot = within(limits, lambda stop: self._answered(question, parameters, snapshot_id, stop))
        return Answer(rows, snapshot, self.name, time.perf_counter() - begun)

    def close(self) -> None:
        return

    @abstractmethod
    def _read(self, asked: Asked, stop: Stop) -> pa.Table:
        """The answer; looks at `stop` as often as it can."""

    def _answered(
        self, question: str, parameters: Mapping[str, Parameter], snapshot_id: int | None, stop: Stop
    ) -> tuple[pa.Table, Snapshot | None]:
        tables = self._pinned(question, snapshot_id)
        try:
            rows = self._rows(self._asked(question, parameters, tables), stop)
        except ReadError:
            stop.check()
            before, tables = tables, self._pinned(question, snapshot_id)
            if _ids(tables) == _ids(before):
                raise
            rows = self._rows(self._asked(question, parameters, tables), stop)
        return rows, tables[REVENUE_TABLE].snapshot if REVENUE_TABLE in tables else None

    def _pinned(self, question: str, snapshot_id: int | None) -> dict[str, Pinned]:
        """The tables that the question reads and that hold anything, each looked up by one call."""
        revenue = self._lake.table(REVENUE_TABLE)
        if revenue is None and snapshot_id is not None:
            raise ReadError(
                f"The snapshot {snapshot_id} is not known: {self._lake.namespace} has no table {REVENUE_TABLE}.",
                "`sales-trends tables` lists what there is.",
            )
        snapshot = None if revenue is None else revenue.at(snapshot_id)
        if revenue is None or snapshot is None:
            return {}
        found = {REVENUE_TABLE: Pinned(revenue, snapshot)}
        if ORDERS_TABLE in compose(question, DIRECT).tables:
            orders = self._lake.table(ORDERS_TABLE)
            if orders is not None and orders.newest is not None:
                found[ORDERS_TABLE] = Pinned(orders, orders.newest)
        return found

    def _asked(self, question: str, parameters: Mapping[str, Parameter], tables: Mapping[str, Pinned]) -> Asked:
        """Raises ReadError for what cannot be asked."""
        composed = compose(question, DIRECT, () if ORDERS_TABLE in tables else WITHOUT_ORDERS)
        values = composed.values(parameters, window_seconds=int(self._window.total_seconds()))
        return Asked(composed.text, values, tables, composed.relations)

    def _rows(self, asked: Asked, stop: Stop) -> pa.Table:
        if asked.tables:
            return self._read(asked, stop)
        return ask_tables({REVENUE_TABLE: REVENUE_SCHEMA.empty_table()}, asked.text, asked.parameters, stop)


def _ids(tables: Mapping[str, Pinned]) -> dict[str, int]:
    return {name: pinned.snapshot.id for name, pinned in tables.items()}

"""The engine where there is no table yet: no window is committed."""

import time
from collections.abc import Mapping
from datetime import timedelta

from dashboard.readers.engine import NOW, WITHOUT_HASTE, Answer, Limits, Parameter
from dashboard.readers.in_memory import ask_tables
from dashboard.readers.lake import REVENUE_SCHEMA, REVENUE_TABLE
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.questions import DIRECT, WITHOUT_ORDERS, compose


class NoTables:
    """Answers what is asked of revenue."""

    name = "no tables"

    def newest(self, at_most_old: timedelta = NOW) -> Snapshot | None:
        return None

    def ask(
        self,
        question: str,
        parameters: Mapping[str, Parameter],
        *,
        snapshot_id: int | None = None,
        limits: Limits = WITHOUT_HASTE,
    ) -> Answer:
        begun = time.perf_counter()
        composed = compose(question, DIRECT, WITHOUT_ORDERS)
        # no window, so none has a length
        given = composed.values(parameters, window_seconds=1)
        rows = ask_tables({REVENUE_TABLE: REVENUE_SCHEMA.empty_table()}, composed.text, given)
        return Answer(rows, None, self.name, time.perf_counter() - begun)

    def close(self) -> None:
        return

"""A process with a mirror, for tests that kill it: `python -m tests.readers.mirror.mirror_process LAKE MIRROR POINT`.

At POINT it says `here` and stands still: `reading` the whole table, `adding` what came, with all of it written and
nothing committed, or just after it `committed`. At `never` it goes on, and answers each line with snapshot and total.
"""

import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from dashboard.readers.lake import Lake
from dashboard.readers.lake_table import LakeTable
from dashboard.readers.mirror import store as mirror_store
from dashboard.readers.mirror.engine import MirrorEngine
from dashboard.readers.mirror.store import MirrorStore
from tests.iceberg_tables import NAMESPACE, sqlite_catalog
from tests.lines import say

EVER = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2040, 1, 1, tzinfo=UTC)}


def _stand_still() -> None:
    say("here")
    threading.Event().wait()


def _arrange(point: str) -> None:
    if point == "reading":
        batches = LakeTable.batches
        mirror_store._ROWS_AT_ONCE = 1

        def until_the_second(table: LakeTable, *asked: Any) -> Iterator[pa.RecordBatch]:
            for number, batch in enumerate(batches(table, *asked)):
                if number == 1:
                    _stand_still()
                yield batch

        LakeTable.batches = until_the_second  # type: ignore[method-assign, assignment]
    if point in ("adding", "committed"):
        commit = MirrorStore._commit

        def stopped(store: MirrorStore, connection: Any, reached: Any, *more: Any) -> None:
            if point == "adding":
                _stand_still()
            commit(store, connection, reached, *more)
            _stand_still()

        MirrorStore._commit = stopped  # type: ignore[method-assign, assignment]


def main(arguments: Iterable[str]) -> None:
    lake, mirror, point = arguments
    _arrange(point)
    with sqlite_catalog(Path(lake)) as catalog:
        engine = MirrorEngine(Lake("sqlite", NAMESPACE, catalog), Path(mirror), timedelta(0), timedelta(minutes=1))
        for _ in [""] if point != "never" else sys.stdin:
            answer = engine.ask("revenue_totals", EVER)
            say(f"{answer.snapshot.id if answer.snapshot else 0} {answer.rows['revenue'][0].as_py()}")


if __name__ == "__main__":
    main(sys.argv[1:])

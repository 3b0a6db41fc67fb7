"""Which windows of revenue are not what they were at first, for whoever draws them."""

from collections.abc import Callable
from datetime import datetime

from dashboard.readers.lake_table import LakeTable
from dashboard.readers.revisions import revisions, steps_back

NONE: frozenset[datetime] = frozenset()


class RevisedWindows:
    """Of one table. Finding them takes as long as some reads of it, so they are found once for each correction."""

    def __init__(self, table: Callable[[], LakeTable | None]) -> None:
        """`table` looks the table up as it is now; None while there is none."""
        self._table = table
        self._of: list[int] = []
        self._starts = NONE

    def starts(self) -> frozenset[datetime]:
        """Their `window_start`, UTC. Raises what `LakeTable.read` raises; one thread at a time."""
        table = self._table()
        if table is None:
            self._of, self._starts = [], NONE
            return NONE
        steps = [one.snapshot.id for one in steps_back(table)]
        lost = [one for one in self._of if one not in steps]
        # nothing is otherwise when rows are only added, or when the snapshot of a correction expires
        if steps != self._of[: len(steps)] or any(table.snapshot(one) for one in lost):
            self._starts = frozenset(revisions(table).rows["window_start"].to_pylist()) if steps else NONE
        self._of = steps
        return self._starts

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
        steps = [] if table is None else [one.snapshot.id for one in steps_back(table)]
        if steps != self._of:
            # what is appended later makes no window another one than it was
            found = set(revisions(table).rows["window_start"].to_pylist()) if table is not None and steps else NONE
            self._starts, self._of = frozenset(found), steps
        return self._starts

"""How a table came to be what it is: its snapshots as far as they exist, and which of them it was at some time.

All of it is told from the metadata that came with the table; no file is opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import (
    ADDED_DATA_FILES,
    ADDED_EQUALITY_DELETES,
    ADDED_POSITION_DELETES,
    ADDED_RECORDS,
    DELETED_DATA_FILES,
    DELETED_RECORDS,
)
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from dashboard.errors import ReadError
from dashboard.readers.lake_table import LakeTable, Snapshot, told
from dashboard.wording import iso

PAGE = 50
"""Snapshots on one page."""
KEEPS_ROWS = ("append", "replace")
"""Operations that take back no row; `replace` is compaction, which changes nothing."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Commit:
    """One snapshot as the history tells it. Numbers are what its writer said, None where nobody can know."""

    snapshot: Snapshot
    parent_id: int | None
    """It may have expired; None of the table's first one, and where a catalog forgets it when it expires."""
    operation: str
    """append, overwrite, delete or replace; empty where the writer did not say."""
    rows_added: int | None
    rows_removed: int | None
    """Without those that equality deletes take back: of them only reading tells how many there are."""
    files_added: int | None
    files_removed: int | None
    branch: str | None
    """That it belongs to, `main` for the table itself; None when it was rolled back, or never became its state."""

    @property
    def is_first(self) -> bool:
        """Whether the table began with it, so that all of its rows are what it added."""
        began = self.parent_id is None and self.rows_removed == self.files_removed == 0
        return began and self.snapshot.rows is not None and self.snapshot.rows == self.rows_added

    @property
    def is_current(self) -> bool:
        """Whether the table has come from it to what it is now."""
        return self.branch == MAIN_BRANCH


@dataclass(frozen=True)
class Page:
    commits: list[Commit]
    """The newest first."""
    number: int
    """From 1."""
    pages: int
    """At least 1."""
    total: int
    """Snapshots on all of them."""


@dataclass(frozen=True)
class AsOf:
    """What stands for a table at a time: the snapshot that it was then or, without that, what had ended by then."""

    when: datetime
    """UTC."""
    snapshot: Snapshot
    """What is read."""
    is_snapshot: bool
    """True: the table as it was. False: of the newest snapshot, the windows that had ended by `when`."""

    def last_start(self, window: timedelta) -> datetime | None:
        """Windows of this length count when they start before it; None when all of the snapshot do."""
        return None if self.is_snapshot else _EPOCH + (self.when - _EPOCH) // window * window

    @property
    def told(self) -> str:
        """In a sentence, for pages and commands."""
        if self.is_snapshot:
            return f"As of {iso(self.when)}: snapshot {self.snapshot.id}, committed {iso(self.snapshot.committed_at)}."
        return (
            f"As of {iso(self.when)}: no snapshot of then exists; these are the windows that had ended by then, as "
            f"snapshot {self.snapshot.id} has them, committed {iso(self.snapshot.committed_at)}."
        )


class History:
    """Of a table as it was looked up; safe to share between threads."""

    def __init__(self, table: LakeTable) -> None:
        self._metadata = table.metadata
        self._newest = table.newest

    @property
    def commits(self) -> list[Commit]:
        """Every snapshot that exists, the newest first."""
        return list(map(self._told, self._newest_first))

    def page(self, number: int = 1, size: int = PAGE) -> Page:
        """One of the pages; beyond the last one, the last."""
        total = len(self._newest_first)
        pages = max(1, -(-total // size))
        number = min(max(1, number), pages)
        commits = list(map(self._told, self._newest_first[(number - 1) * size : number * size]))
        return Page(commits, number, pages, total)

    def find(self, snapshot_id: int) -> Commit | None:
        found = self._by_id.get(snapshot_id)
        return None if found is None else self._told(found)

    def line(self) -> Iterator[Commit]:
        """The snapshots that the table has come from, the newest first, as far back as they exist."""
        return map(self._told, self._line())

    def as_of(self, when: datetime) -> AsOf | None:
        """What stands for the table at a time; None while nothing was committed.

        Snapshots that were rolled back count for nothing: what they said was taken back. Raises ReadError for a time
        without a zone.
        """
        if when.tzinfo is None:
            raise ReadError(f"The time {when} has no zone.", "Give it with one, such as 2026-03-01T12:00Z.")
        when = when.astimezone(UTC)
        if self._newest is None:
            return None
        then = next((one for one in self._line() if told(one).committed_at <= when), None)
        return AsOf(when, self._newest if then is None else told(then), then is not None)

    # of ten thousand only those that somebody looks at are told
    @cached_property
    def _newest_first(self) -> list[IcebergSnapshot]:
        # in the order of commits, which clocks that differ do not change; tables of version 1 have no numbers for it
        return sorted(self._metadata.snapshots, key=lambda one: one.sequence_number or 0)[::-1]

    @cached_property
    def _by_id(self) -> dict[int, IcebergSnapshot]:
        return {one.snapshot_id: one for one in self._metadata.snapshots}

    @cached_property
    def _branches(self) -> dict[int, str]:
        return _branches(self._metadata)

    def _line(self) -> Iterator[IcebergSnapshot]:
        at = self._newest.id if self._newest else None
        while at is not None and (snapshot := self._by_id.get(at)) is not None:
            yield snapshot
            at = snapshot.parent_snapshot_id

    def _told(self, snapshot: IcebergSnapshot) -> Commit:
        return _commit(snapshot, self._branches.get(snapshot.snapshot_id))


def _branches(metadata: TableMetadata) -> dict[int, str]:
    """By snapshot the branch that it belongs to; what several share is the main one's, or the first one's by name."""
    parents = {one.snapshot_id: one.parent_snapshot_id for one in metadata.snapshots}
    others = {
        name: ref.snapshot_id
        for name, ref in sorted(metadata.refs.items())
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH and name != MAIN_BRANCH
    }
    found: dict[int, str] = {}
    for name, head in ((MAIN_BRANCH, metadata.current_snapshot_id), *others.items()):
        at = head
        while at is not None and at in parents and at not in found:
            found[at] = name
            at = parents[at]
    return found


def _commit(snapshot: IcebergSnapshot, branch: str | None) -> Commit:
    said = {} if snapshot.summary is None else snapshot.summary.additional_properties

    def number(name: str) -> int | None:
        """Writers leave out what is 0."""
        text = said.get(name, "0" if said else "")
        return int(text) if text.isdecimal() else None

    deleted, by_position = number(DELETED_RECORDS), number(ADDED_POSITION_DELETES)
    unknown = deleted is None or by_position is None or number(ADDED_EQUALITY_DELETES) != 0
    return Commit(
        told(snapshot),
        snapshot.parent_snapshot_id,
        "" if snapshot.summary is None else snapshot.summary.operation.value,
        number(ADDED_RECORDS),
        None if unknown else (deleted or 0) + (by_position or 0),
        number(ADDED_DATA_FILES),
        number(DELETED_DATA_FILES),
        branch,
    )

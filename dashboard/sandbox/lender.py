"""What a sandbox may be lent of one table: the columns that somebody may see, and no card number in any of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from dashboard.errors import ReadError
from dashboard.readers.lake_table import LakeTable, Snapshot
from dashboard.readers.masked_rows import masked_rows, shown_schema
from dashboard.readers.state_file import StateFile

_NAIVE = pa.timestamp("us")


@dataclass(frozen=True)
class Lent:
    """One table at its newest state, for one caller."""

    name: str
    table: LakeTable
    columns: Sequence[str]
    """All that the caller may see."""
    secret: frozenset[str]
    """Names in small letters, of which ciphertext alone is shown."""

    @cached_property
    def snapshot(self) -> Snapshot | None:
        """None while nothing was committed."""
        return self.table.newest

    @cached_property
    def schema(self) -> pa.Schema:
        """As it is read: times in UTC without a zone, as questions compare them; nested values as JSON."""
        stored = shown_schema(self.table.arrow_schema(self.columns, self._snapshot_id))
        return pa.schema([_timeless(one) for one in stored])

    @cached_property
    def files(self) -> list[StateFile]:
        return [] if self.snapshot is None else self.table.files(self.columns, self._snapshot_id)

    def told_files(self) -> list[dict[str, list[Any]]]:
        """For each file the bounds of its columns, so that those are left out which a condition rules out."""
        return [{name: [one.least, one.most, one.nulls] for name, one in file.bounds.items()} for file in self.files]

    def rows(self, columns: Sequence[Any], files: Sequence[Any]) -> Iterator[pa.RecordBatch]:
        """Of some columns and some files by their numbers; raises ReadError for what was not lent."""
        if not columns or any(name not in self.columns for name in columns) or len(set(columns)) != len(columns):
            raise ReadError(f"Columns of {self.name} were asked for that are not lent.", "Ask again.")
        if any(type(one) is not int or not 0 <= one < len(self.files) for one in files):
            raise ReadError(f"Files of {self.name} were asked for that are not lent.", "Ask again.")
        schema = pa.schema([self.schema.field(name) for name in columns])
        chosen = [self.files[number] for number in files]
        for batch in self.table.batches_of(chosen, columns, self._snapshot_id):
            rows = masked_rows(pa.Table.from_batches([batch]).select(columns), self.secret)
            yield from rows.cast(schema).to_batches()

    @property
    def _snapshot_id(self) -> int | None:
        return None if self.snapshot is None else self.snapshot.id


def _timeless(field: pa.Field) -> pa.Field:
    return field.with_type(_NAIVE) if pa.types.is_timestamp(field.type) else field

"""What became of the records that were in flight when a process died: the topic says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard.local.shop.journal import End
from dashboard.local.shop.topics import Found

Sent = tuple[int, int]
"""A record as both sides know it: the id in its key and its timestamp in milliseconds; no two records share both."""


@dataclass(frozen=True)
class Settlement:
    """The fate of what was in flight."""

    void: list[int]
    """Rows whose record never reached the topic."""
    ends: dict[int, End]
    """Where the partitions end now."""


def settle(in_flight: Mapping[Sent, int], ends: Mapping[int, End], found: Iterable[tuple[int, Found]]) -> Settlement:
    """Compares the rows in flight (their row by record) with what the topic holds beyond `ends` (with the key's id)."""
    missing = dict(in_flight)
    moved = dict(ends)
    for record_id, record in found:
        missing.pop((record_id, record.timestamp_ms), None)
        newest = moved[record.partition].newest_ms
        moved[record.partition] = End(
            record.offset + 1, record.timestamp_ms if newest is None else max(newest, record.timestamp_ms)
        )
    return Settlement(void=sorted(missing.values()), ends=moved)

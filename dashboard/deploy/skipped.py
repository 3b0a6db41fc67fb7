"""The records that people decided to go past: one place each, kept with the stack, and how Flink is told.

A place never means another record: topics are kept for ever, and the list is deleted with them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.errors import DeployError
from dashboard.whole_file import write_whole

LARGEST_VALUE_BYTES = 1_000_000
"""A producer and a broker as they come refuse records above a mebibyte; compressed, a larger one gets in."""
_GUARDS = "sales.GuardRecords"
_HOLDS = "sales.HoldRecords"
"""Both are Kafka consumer interceptors on Flink's class path: see docs/decisions/0011."""


@dataclass(frozen=True, order=True)
class Place:
    """Where one record is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}, partition {self.partition}, offset {self.offset}"


class SkipList:
    """The list in one file; a missing file is an empty list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def places(self) -> set[Place]:
        try:
            return {Place(*entry) for entry in json.loads(self._path.read_text())}
        except FileNotFoundError:
            return set()
        except (ValueError, TypeError) as error:
            raise DeployError(
                f"The list of skipped records {self._path} is damaged.",
                'Write into it what was skipped, such as [["payments", 0, 17]], or [] for nothing.',
            ) from error

    def add(self, place: Place) -> None:
        places = sorted(self.places() | {place})
        write_whole(self._path, json.dumps([[one.topic, one.partition, one.offset] for one in places]))

    def table_options(self, topic: str) -> Mapping[str, str]:
        """What a table of this input topic needs for its readers to go past the records and stop at too large ones."""
        options = {
            "properties.interceptor.classes": _GUARDS,
            "properties.sales.largest-bytes": str(LARGEST_VALUE_BYTES),
        }
        listed = [f"{one.topic}:{one.partition}:{one.offset}" for one in sorted(self.places()) if one.topic == topic]
        return options | {"properties.sales.skipped": ",".join(listed)} if listed else options


def held_while(path: Path) -> Mapping[str, str]:
    """What a table needs so that its readers are given no record while this file exists."""
    return {"properties.interceptor.classes": _HOLDS, "properties.sales.held-while": str(path)}

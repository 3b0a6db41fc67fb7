"""Reads the topic of dead letters: the newest that somebody looks for, one by its place, and how many there are."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC, Letter, milliseconds, parsed, shown
from dashboard.dead_letters.markers import Marker, markers
from dashboard.errors import ReadError, SettingsError
from dashboard.remotes.kafka import Kafka

MOST_READ = 50_000
"""So many records are looked through at most for one answer."""
_BLOCK = 5_000
_ID = re.compile(r"(\d{1,9}):(\d{1,18})")


@dataclass(frozen=True)
class Wanted:
    """Which letters somebody looks for; what is None or empty is not asked for."""

    rule: str = ""
    """Its whole name."""
    reason: str = ""
    """A part of its text, in capitals or not."""
    order_id: int | None = None
    since: datetime | None = None
    """Inclusive; by the letter's record timestamp."""
    until: datetime | None = None
    """Exclusive."""
    redriven: bool | None = None

    def takes(self, letter: Letter, redriven: Mapping[str, Marker]) -> bool:
        return (
            (not self.rule or letter.rule == self.rule)
            and (not self.reason or self.reason.casefold() in letter.reason.casefold())
            and (self.order_id is None or letter.order_id == self.order_id)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.redriven is None or (letter.id in redriven) == self.redriven)
        )


@dataclass(frozen=True)
class FoundLetters:
    """What was found."""

    letters: list[Letter]
    """The newest first."""
    redriven: Mapping[str, Marker]
    """What was sent again, of whatever letter."""
    complete: bool
    """Whether there are no more of them; else a limit was reached."""


@dataclass(frozen=True)
class Group:
    """Letters of one rule and reason."""

    rule: str
    reason: str
    """Without card numbers."""
    count: int
    amount: Decimal
    """The sum of those that hold an amount."""
    oldest: datetime
    newest: datetime


class DeadLetters:
    """The letters on one cluster. Every call raises UnreachableError when Kafka does not answer."""

    def __init__(self, kafka: Kafka, topic: str = DEAD_LETTERS_TOPIC) -> None:
        self._kafka = kafka
        self._topic = topic

    def newest(self, limit: int, wanted: Wanted | None = None) -> FoundLetters:
        """The newest `limit` letters that are wanted, of the newest `MOST_READ` records of the topic."""
        wanted = wanted or Wanted()
        redriven = markers(self._kafka)
        found: list[Letter] = []
        if self._topic not in self._kafka.topic_names():
            return FoundLetters(found, redriven, complete=True)
        ends, firsts = self._kafka.end_offsets(self._topic), self._kafka.start_offsets(self._topic)
        if wanted.since is not None:
            # by the oldest record at or after it: one that stands behind it may be older all the same
            firsts = self._kafka.offsets_since(self._topic, milliseconds(wanted.since))
        left = MOST_READ
        while left and any(end > firsts[partition] for partition, end in ends.items()) and len(found) < limit:
            block = min(max(_BLOCK // len(ends), 1), left)
            starts = {partition: max(end - block, firsts[partition]) for partition, end in ends.items()}
            found += [one for one in self._between(starts, ends) if wanted.takes(one, redriven)]
            left = max(left - sum(ends[partition] - starts[partition] for partition in ends), 0)
            ends = starts
        found.sort(key=lambda one: (one.at, one.partition, one.offset), reverse=True)
        complete = len(found) <= limit and not any(end > firsts[partition] for partition, end in ends.items())
        return FoundLetters(found[:limit], redriven, complete)

    def some(self, ids: Iterable[str]) -> list[Letter]:
        """The letters with these ids, in their order; raises ReadError for one that is not there."""
        places = {id_: place_of(id_) for id_ in dict.fromkeys(ids)}
        by_partition: defaultdict[int, list[int]] = defaultdict(list)
        for partition, offset in places.values():
            by_partition[partition].append(offset)
        there = self._topic in self._kafka.topic_names()
        ends = self._kafka.end_offsets(self._topic) if places and there else {}
        found: dict[tuple[int, int], Letter] = {}
        for partition, offsets in by_partition.items():
            for start, end in _runs(offset for offset in offsets if offset < ends.get(partition, 0)):
                for letter in self._between({partition: start}, {partition: end}):
                    found[letter.partition, letter.offset] = letter
        for id_, place in places.items():
            if place not in found:
                raise ReadError(
                    f"There is no dead letter {id_} in {self._topic}.", "`sales-trends dlq list` shows which there are."
                )
        return [found[place] for place in places.values()]

    def _between(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> list[Letter]:
        with closing(self._kafka.records(self._topic, starts, ends)) as records:
            return [parsed(record) for record in records]


def groups(letters: Iterable[Letter]) -> list[Group]:
    """The letters by rule and reason, the largest group first."""
    members: defaultdict[tuple[str, str], list[Letter]] = defaultdict(list)
    for letter in letters:
        masked = shown(letter)
        members[masked.rule, masked.reason].append(letter)
    made = [
        Group(
            rule=rule,
            reason=reason,
            count=len(of_it),
            amount=sum((one.amount for one in of_it if one.amount is not None), Decimal("0.00")),
            oldest=min(one.at for one in of_it),
            newest=max(one.at for one in of_it),
        )
        for (rule, reason), of_it in members.items()
    ]
    return sorted(made, key=lambda group: (-group.count, group.rule, group.reason))


def place_of(id_: str) -> tuple[int, int]:
    """Partition and offset of a letter's id; raises SettingsError for what is none."""
    match = _ID.fullmatch(id_)
    if match is None:
        raise SettingsError(f"{id_!r} is no dead letter's id.", "An id is partition and offset, such as 0:42.")
    return int(match[1]), int(match[2])


_GAP = 500
"""Reading past so many records is faster than asking anew."""


def _runs(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Stretches of offsets, start inclusive and end exclusive, that hold all of these."""
    runs: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if runs and offset - runs[-1][1] <= _GAP:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    return runs

"""What alerts remember, in one SQLite file: watches, messages still to be told, what came of others, and snoozes.

What a verdict changes is written whole or not at all, messages included, so that nothing is lost or made twice when the
process is killed. Several processes may open the file.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dashboard.errors import AlertError
from dashboard.freshness.alerts import PIPELINE, Notice, Rules, Watches, step
from dashboard.freshness.verdict import Verdict
from dashboard.sqlite_file import SqliteFile

_TABLES = Path(__file__).with_name("alert_tables.sql")
_WATCHES = TypeAdapter(Watches)
_NOTICE = TypeAdapter(Notice)
EVERYTHING = "everything"
"""A snooze of every subject."""


@dataclass(frozen=True)
class Snooze:
    """Until then nobody is told of this subject."""

    subject: str
    """Of an alert, or `everything`."""
    until: datetime
    who: str


@dataclass(frozen=True)
class Letter:
    """One message that is still to be told in one way."""

    number: int
    way: str
    notice: Notice
    next_at: datetime
    attempts: int
    refused: bool
    """By whoever it is for: a later attempt may be refused too, and must not hold up the others."""
    fault: str
    """Why the last attempt failed."""


class Fate(StrEnum):
    """Of an alert's messages in one way: the last one's, or that of one which was not told."""

    TOLD = "told"
    WAITING = "not told yet"
    REFUSED = "refused, and tried again"
    GIVEN_UP = "refused for good"


@dataclass(frozen=True)
class Delivery:
    """How far the messages of one alert have come in one way."""

    way: str
    fate: Fate
    told_at: datetime | None = None
    """When one was taken last, UTC."""
    fault: str = ""
    """Why one was not; empty where nothing was tried yet."""

    def sentence(self, clock: Callable[[datetime], str]) -> str:
        """`mail to ada@example.com: told at 14:05:10; one message refused, and tried again: …`."""
        parts = [f"told at {clock(self.told_at)}"] if self.told_at else []
        if self.fate is not Fate.TOLD:
            parts.append(f"one message {self.fate}" if parts else self.fate.value)
        return f"{self.way}: {'; '.join(parts)}" + (f": {self.fault}" if self.fault else ".")


class AlertStore(SqliteFile):
    """Any thread may call. Every call raises AlertError when the file cannot be used, and the next one tries anew."""

    def see(self, verdict: Verdict, rules: Rules, ways: Sequence[str]) -> tuple[Notice, ...]:
        """Takes the next verdict, and keeps what is to be told for each of these ways."""
        with self._transaction():
            snoozed = {one.subject for one in self.snoozes(verdict.at)}
            before = self.watches()
            everyone = {*before.by_subject, *(one.name for one in verdict.concerns), PIPELINE}
            after, notices = step(before, verdict, rules, everyone if EVERYTHING in snoozed else snoozed)
            if after != before:
                kept = _WATCHES.dump_json(after).decode()
                self._rows("INSERT OR REPLACE INTO watches (one, watches) VALUES (1, ?)", kept)
            for notice in notices:
                for way in ways:
                    self.keep(notice, way)
            # an alert that is over may still have been told of since
            still = json.dumps([watch.alert for watch in after.raised.values()])
            self._rows("DELETE FROM deliveries WHERE alert NOT IN (SELECT value FROM json_each(?))", still)
        return notices

    def keep(self, notice: Notice, way: str) -> None:
        """One more to be told, at once; nothing where it is kept already."""
        letter = (way, notice.id, _NOTICE.dump_json(notice).decode(), notice.at.timestamp())
        self._rows("INSERT OR IGNORE INTO letters (way, id, notice, next_at) VALUES (?, ?, ?, ?)", *letter)

    def watches(self) -> Watches:
        rows = self._rows("SELECT watches FROM watches")
        with self._sense():
            return _WATCHES.validate_json(rows[0][0]) if rows else Watches()

    def letters(self, way: str | None = None) -> list[Letter]:
        """What is still to be told, the oldest first; in one way, or in all."""
        rows = self._rows("SELECT * FROM letters WHERE way = ?1 OR ?1 IS NULL ORDER BY number", way)
        with self._sense():
            return [
                Letter(number, its_way, _NOTICE.validate_json(notice), _moment(next_at), attempts, bool(refused), fault)
                for number, its_way, _id, notice, next_at, attempts, refused, fault in rows
            ]

    def claim(self, letter: Letter, until: datetime) -> bool:
        """Whether it is the caller's to tell; until then it is nobody else's, and afterwards anybody's again."""
        claimed = (
            "UPDATE letters SET next_at = ?, attempts = attempts + 1 WHERE number = ? AND attempts = ? RETURNING number"
        )
        return bool(self._rows(claimed, until.timestamp(), letter.number, letter.attempts))

    def told(self, letter: Letter, at: datetime) -> None:
        self._settle(letter, "INSERT OR REPLACE INTO deliveries (alert, way, told_at) VALUES (?, ?, ?)", at.timestamp())

    def give_up(self, letter: Letter, refusal: str) -> None:
        """It is told no more; why not is known until its alert is over."""
        noted = "INSERT INTO deliveries (alert, way, refusal) VALUES (?, ?, ?)"
        self._settle(letter, f"{noted} ON CONFLICT (alert, way) DO UPDATE SET refusal = excluded.refusal", refusal)

    def deliveries(self) -> dict[str, list[Delivery]]:
        """By the id of an open alert, in every way in which there was something to tell of it."""
        found: dict[tuple[str, str], Delivery] = {}
        for alert, way, told_at, refusal in self._rows("SELECT * FROM deliveries ORDER BY alert, way"):
            fate = Fate.GIVEN_UP if refusal else Fate.TOLD
            found[alert, way] = Delivery(way, fate, None if told_at is None else _moment(told_at), refusal)
        for letter in self.letters():
            before = found.get(key := (letter.notice.alert, letter.way))
            fate = Fate.REFUSED if letter.refused else Fate.WAITING
            found[key] = Delivery(letter.way, fate, before.told_at if before else None, letter.fault)
        by_alert: dict[str, list[Delivery]] = {}
        for (alert, _way), delivery in found.items():
            by_alert.setdefault(alert, []).append(delivery)
        return by_alert

    def forget_other_ways(self, ways: Sequence[str]) -> None:
        """Drops what waits for ways that settings name no more."""
        for way in {letter.way for letter in self.letters()} - set(ways):
            self._rows("DELETE FROM letters WHERE way = ?", way)

    def failed(self, letter: Letter, fault: str, again_at: datetime, *, refused: bool) -> None:
        fate = "UPDATE letters SET fault = ?, next_at = ?, refused = ? WHERE number = ?"
        self._rows(fate, fault, again_at.timestamp(), int(refused), letter.number)

    def snooze(self, snooze: Snooze) -> None:
        """In place of one of the same subject."""
        kept = (snooze.subject, snooze.until.timestamp(), snooze.who)
        self._rows("INSERT OR REPLACE INTO snoozes (subject, until, who) VALUES (?, ?, ?)", *kept)

    def wake(self, subject: str) -> bool:
        """Ends a snooze; whether there was one."""
        return bool(self._rows("DELETE FROM snoozes WHERE subject = ? RETURNING subject", subject))

    def snoozes(self, at: datetime) -> list[Snooze]:
        """Those that hold at that moment, by subject."""
        rows = self._rows("SELECT subject, until, who FROM snoozes WHERE until > ? ORDER BY subject", at.timestamp())
        return [Snooze(subject, _moment(until), who) for subject, until, who in rows]

    def _settle(self, letter: Letter, noted: str, outcome: float | str) -> None:
        with self._transaction():
            self._rows("DELETE FROM letters WHERE number = ?", letter.number)
            self._rows(noted, letter.notice.alert, letter.way, outcome)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_TABLES.read_text(encoding="utf-8"))

    @contextmanager
    def _sense(self) -> Iterator[None]:
        """What stands in the file may make none."""
        try:
            yield
        except ValidationError as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> AlertError:
        why = "it holds what another version wrote" if isinstance(error, ValidationError) else str(error)
        return AlertError(
            f"Alerts cannot be kept in {self._file}: {why}.",
            "Make room there, or let its owner write it; move a damaged file aside, and alerts begin anew.",
        )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

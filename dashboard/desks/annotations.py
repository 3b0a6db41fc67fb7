"""What people see of annotations and do about notes: the functions behind the sales page.

Each takes who calls and checks that before anything else. Viewers see; ops write, delete and take a deletion back. Who
deployed or redrove, and what exactly, is for ops.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dashboard.access import Caller, Role
from dashboard.annotations import LONGEST_TEXT, Annotation, Kind, within
from dashboard.background_look import BackgroundLook
from dashboard.card_numbers import holds_card_number
from dashboard.clusters import kafka_and_registry
from dashboard.dead_letters.markers import Marker, markers
from dashboard.deploy.audit import Act, AuditLog, AuditReader
from dashboard.errors import SalesTrendsError, SettingsError
from dashboard.happened import deployments, redrives
from dashboard.kept_file import KeptFile, kept_file, microseconds, moment_of
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.settings import Settings

MOST_NOTES = 5_000
"""Of a target, those that were deleted not counted."""
UNDO_FOR = timedelta(days=30)
"""How long a deletion can be taken back."""
_LOOK_SECONDS = 15.0
"""However many pages are open, Kafka is asked what happened once in this time."""
_KEPT = "SELECT id, start, until, text, who, made_at FROM notes WHERE deleted_at IS NULL AND start < ? AND until >= ?"


@dataclass(frozen=True)
class Annotations:
    found: list[Annotation]
    """The earliest first."""
    fault: SalesTrendsError | None
    """Why deployments and redrives are not among them, or are as they were a while ago."""
    is_looking: bool
    """They are not among them yet: Kafka is being asked for the first time."""


class AnnotationDesk:
    """Of one target; one for a process. Any thread may call."""

    def __init__(
        self,
        settings: Settings,
        acts: Callable[[], Iterable[Act]] | None = None,
        sent_again: Callable[[], Iterable[Marker]] | None = None,
    ) -> None:
        self._settings = settings
        self._given = acts, sent_again
        self._happened = BackgroundLook[list[Annotation] | None]("what happened", self._look, None, _LOOK_SECONDS)
        self._reader: AuditReader | None = None
        self.edition = 0
        """Another number after each change of a note through this desk."""

    def within(self, caller: Caller, start: datetime, end: datetime) -> Annotations:
        """All that share time with [start, end), as known by now: nobody waits for Kafka. Raises KeepError."""
        caller.require(Role.VIEWER, "Seeing annotations")
        with closing(KeptFile(kept_file(self._settings))) as kept:
            notes = [_note(*row) for row in kept.rows(_KEPT, microseconds(end), microseconds(start))]
        happened = self._happened.found()
        told = happened.value or []
        if not caller.may(Role.OPS):
            told = [replace(one, who="", detail="") for one in told]
        is_looking = happened.value is None and happened.fault is None
        return Annotations(within([*notes, *told], start, end), happened.fault, is_looking)

    def add(self, caller: Caller, text: str, start: datetime, end: datetime | None = None) -> Annotation:
        """A note on a moment, or on [start, end). Raises SettingsError for what cannot be kept, and KeepError."""
        caller.require(Role.OPS, "Writing a note")
        text, until = _checked(text), start if end is None else end
        if not EARLIEST <= start <= until <= LATEST:
            raise SettingsError("A note cannot end before it starts.", "Choose an end that is after the start.")
        now = datetime.now(UTC)
        with closing(KeptFile(kept_file(self._settings))) as kept, kept.changing():
            kept.rows("DELETE FROM notes WHERE deleted_at < ?", microseconds(now - UNDO_FOR))
            _check_room(kept)
            row = (microseconds(start), microseconds(until), text, caller.name, microseconds(now))
            put = "INSERT INTO notes (start, until, text, who, made_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
            [(number,)] = kept.rows(put, *row)
        self.edition += 1
        return _note(number, *row)

    def delete(self, caller: Caller, number: int) -> bool:
        """Takes a note away; whether there was one. `restore` takes that back. Raises KeepError."""
        caller.require(Role.OPS, "Deleting a note")
        gone = "UPDATE notes SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL RETURNING id"
        with closing(KeptFile(kept_file(self._settings))) as kept:
            found = kept.rows(gone, microseconds(datetime.now(UTC)), number)
        self.edition += 1
        return bool(found)

    def restore(self, caller: Caller, number: int) -> bool:
        """Takes a deletion back, for UNDO_FOR at least; whether there was one. Raises SettingsError and KeepError."""
        caller.require(Role.OPS, "Restoring a note")
        back = "UPDATE notes SET deleted_at = NULL WHERE id = ? AND deleted_at IS NOT NULL RETURNING id"
        with closing(KeptFile(kept_file(self._settings))) as kept, kept.changing():
            _check_room(kept)
            found = kept.rows(back, number)
        self.edition += 1
        return bool(found)

    def _look(self) -> list[Annotation]:
        acts, sent = self._sources()
        return [*deployments(list(acts())), *redrives(sent())]

    def _sources(self) -> tuple[Callable[[], Iterable[Act]], Callable[[], Iterable[Marker]]]:
        acts, sent = self._given
        if acts is not None and sent is not None:
            return acts, sent
        kafka, _ = kafka_and_registry(self._settings)
        log = AuditLog(kafka, self._settings.target)
        if self._reader is None or not self._reader.reads(log):
            self._reader = AuditReader(log)
        return self._reader.acts, lambda: markers(kafka).values()


def _checked(text: str) -> str:
    """On one line. Raises SettingsError."""
    line = " ".join(text.split())
    if not line or len(line) > LONGEST_TEXT or not line.isprintable():
        seen = f"{len(line)} characters" if line.isprintable() else "signs that cannot be shown"
        raise SettingsError(f"A note of {seen} cannot be kept.", f"Wanted 1 to {LONGEST_TEXT} characters.")
    if holds_card_number(line):
        raise SettingsError("The note holds what looks like a card number.", "Leave that out: everybody reads notes.")
    return line


def _check_room(kept: KeptFile) -> None:
    [(count,)] = kept.rows("SELECT count(*) FROM notes WHERE deleted_at IS NULL")
    if count >= MOST_NOTES:
        raise SettingsError(f"{count:,} notes are as many as are kept.", "Delete some that nobody needs.")


def _note(number: int, start: int, until: int, text: str, who: str, made_at: int) -> Annotation:
    return Annotation(Kind.NOTE, moment_of(start), moment_of(until), text, who, moment_of(made_at), id=number)

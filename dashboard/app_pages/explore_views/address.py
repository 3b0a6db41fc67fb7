"""The question that an address asks Explore to start from: its name and typed values, never SQL."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.errors import SettingsError
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.questions import question_names
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.wording import iso

SHOW, TABLES, SQL = "explore_show", "Tables", "SQL"
QUESTION, START, END, ZONE, BUCKET = "sql_question", "sql_from", "sql_to", "sql_zone", "sql_bucket"
_USUAL_BUCKET = timedelta(hours=1)
_USUAL_SPAN = timedelta(hours=24)
_LONGEST_BUCKET = 24 * 3600
"""Seconds: as long as a window may be, each of which is a bar."""
_LONGEST_NUMBER = 9
"""Digits."""


def address_of(inquiry: Inquiry) -> dict[str, str]:
    """The parameters of Explore's address that lead to the SQL of a figure."""
    named = {
        SHOW: SQL,
        QUESTION: inquiry.question,
        START: iso(inquiry.start),
        END: iso(inquiry.end),
        ZONE: inquiry.zone.key,
    }
    bucket = {} if inquiry.bucket is None else {BUCKET: str(int(inquiry.bucket.total_seconds()))}
    return {**named, **bucket}


def inquiry_of(question: str, address: Mapping[str, str], zone: ZoneInfo, now: datetime, window: timedelta) -> Inquiry:
    """What to ask; the last day and the reader's zone where the address says nothing.

    Raises SettingsError for what cannot be read.
    """
    if question not in question_names():
        raise SettingsError(f"There is no question {question[:50]!r}.", f"Choose one of {', '.join(question_names())}.")
    whole_minute = now.replace(second=0, microsecond=0)
    end = _moment(address, END) or whole_minute
    start = _moment(address, START) or end - _USUAL_SPAN
    bucket = _bucket(address) if question == "revenue_by_bucket" else None
    return Inquiry(question, start, end, _zone(address) or zone, bucket, window)


def _moment(address: Mapping[str, str], name: str) -> datetime | None:
    text = address.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if not EARLIEST <= found <= LATEST:
            raise ValueError(text)
        return found
    except (ValueError, OverflowError) as error:
        raise SettingsError(
            f"{name} in the address, {text[:40]!r}, is no time.",
            f"Wanted one from {EARLIEST.year} to {LATEST.year}, such as 2026-03-01T12:00Z.",
        ) from error


def _zone(address: Mapping[str, str]) -> ZoneInfo | None:
    text = address.get(ZONE)
    if not text:
        return None
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(
            f"{ZONE} in the address, {text[:40]!r}, is no time zone.", "Wanted one such as Europe/Berlin."
        ) from error


def _bucket(address: Mapping[str, str]) -> timedelta:
    text = address.get(BUCKET)
    if not text:
        return _USUAL_BUCKET
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER or not 1 <= int(text) <= _LONGEST_BUCKET:
        raise SettingsError(
            f"{BUCKET} in the address, {text[:40]!r}, is no length of a bucket.",
            f"Wanted whole seconds, at most {_LONGEST_BUCKET}.",
        )
    return timedelta(seconds=int(text))

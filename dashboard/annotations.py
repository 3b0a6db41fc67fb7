"""What happened while something was sold, as it is shown: notes that people write, deployments, redrives.

Times are UTC, and lie where the chart shows it: a redrive stands over the time that its payments count in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_TEXT = 200
"""Characters of a note."""


class Kind(StrEnum):
    NOTE = "note"
    DEPLOY = "deploy"
    REDRIVE = "redrive"


@dataclass(frozen=True)
class Annotation:
    kind: Kind
    start: datetime
    end: datetime
    """Exclusive; the same as `start` for a moment."""
    text: str
    """For everybody, one line."""
    who: str
    made_at: datetime
    detail: str = ""
    """For ops."""
    id: int | None = None
    """Of a note."""


def within(found: Iterable[Annotation], start: datetime, end: datetime) -> list[Annotation]:
    """Those that share time with [start, end), the earliest first."""
    touching = (one for one in found if one.start < end and (one.end > start or one.start >= start))
    return sorted(touching, key=lambda one: (one.start, one.end, one.kind, one.made_at))

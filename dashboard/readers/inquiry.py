"""A question about a stretch of time on somebody's clock, asked in as many parts as the clock's changes take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import SettingsError
from dashboard.readers.engine import WITHOUT_HASTE, Answer, Engine, Limits, Parameter
from dashboard.readers.questions import DIRECT, compose
from dashboard.readers.zones import EARLIEST, Piece, check_zone, pieces
from dashboard.wording import iso

_ADDED_BY_ENGINES = "window_seconds"
_UTC = ZoneInfo("UTC")
_BOUNDS = frozenset({"start", "end"})
_OF_THE_ZONE = frozenset({"change_1", "change_2", "offset_1", "offset_2", "offset_3"})
FAULTS = "revenue_faults"


@dataclass(frozen=True)
class Inquiry:
    """What somebody wants to know. A question takes what it names; what it does not name must not be given."""

    question: str
    start: datetime
    """Inclusive; UTC, as `end`."""
    end: datetime
    zone: ZoneInfo = _UTC
    """Whose days and buckets; of no matter to questions without."""
    bucket: timedelta | None = None
    window: timedelta = timedelta(0)
    """The length of the pipeline's windows, which days of a zone must not cut; zero leaves that unchecked."""

    @property
    def has_zone(self) -> bool:
        """Whether the zone changes the answer."""
        return bool(_OF_THE_ZONE & self._wanted)

    def parts(self, until: datetime | None = None) -> list[dict[str, Parameter]]:
        """The parameters of each part, in order; at least one, which may be about no time at all.

        `until` leaves out what begins then or later. Raises ReadError for a question that there is not, SettingsError
        for a parameter that is missing or too many, for a zone that windows do not fit, and for a comparison with what
        was before 1970.
        """
        end = self.end if until is None else max(self.start, min(self.end, until))
        more = self._more()
        if not self.has_zone:
            start = self._before if "middle" in self._wanted else self.start
            given = {"start": start, "end": end, **more}
            return [{name: given[name] for name in self._wanted & given.keys()}]
        if self.window and self.start < end:
            check_zone(self.zone, self.window, self.start, end)
        nothing = Piece(self.start, self.start, (0, 0, 0), (self.start, self.start))
        return [{**one.parameters, **more} for one in pieces(self.start, end, self.zone) or [nothing]]

    @property
    def _before(self) -> datetime:
        """When as much time before `start` begins as there is after it."""
        if self.end - self.start > self.start - EARLIEST:
            raise SettingsError(
                f"{self.question} compares with as much time before {iso(self.start)}, which would begin before 1970.",
                "Ask about a shorter stretch of time.",
            )
        return self.start - (self.end - self.start)

    @property
    def _wanted(self) -> frozenset[str]:
        return compose(self.question, DIRECT).parameters - {_ADDED_BY_ENGINES}

    def _more(self) -> dict[str, Parameter]:
        """What it takes beside bounds and zone."""
        given: dict[str, Parameter] = {}
        if self.bucket is not None:
            given["bucket_seconds"] = int(self.bucket.total_seconds())
        if "middle" in self._wanted:
            given["middle"] = self.start
        wanted = self._wanted - _BOUNDS - _OF_THE_ZONE
        if "bucket_seconds" in wanted - given.keys():
            raise SettingsError(f"{self.question} wants to know how long a bucket is.", "Give --bucket, such as 1h.")
        if unknown := sorted(wanted - given.keys()):
            raise SettingsError(
                f"{self.question} takes {', '.join(unknown)}, which no option gives.", "Ask it from Python."
            )
        if "bucket_seconds" in given.keys() - wanted:
            raise SettingsError(f"{self.question} has no buckets.", "Leave --bucket out, or ask revenue_by_bucket.")
        return given


def ask_whole(
    engine: Engine,
    inquiry: Inquiry,
    *,
    snapshot_id: int | None = None,
    until: datetime | None = None,
    limits: Limits = WITHOUT_HASTE,
) -> Answer:
    """The answer over all parts, all of them read from one snapshot; raises what `Engine.ask` and `parts` raise.

    Rows that two parts share, such as a week that is cut between them, are one, summed up exactly.
    """
    answers: list[Answer] = []
    for parameters in inquiry.parts(until):
        if answers and (first := answers[0].snapshot) is not None:
            snapshot_id = first.id
        answers.append(engine.ask(inquiry.question, parameters, snapshot_id=snapshot_id, limits=limits))
    if len(answers) == 1:
        return answers[0]
    scanned = [one.scanned_bytes for one in answers if one.scanned_bytes is not None]
    return Answer(
        _together([one.rows for one in answers]),
        answers[0].snapshot,
        # a mirror that has gone on answers the later parts from the table
        " and ".join(dict.fromkeys(one.engine for one in answers)),
        sum(one.took_seconds for one in answers),
        sum(scanned) if scanned else None,
    )


def faults_in(question: str, rows: pa.Table) -> int:
    """How many windows make an answer wrong: those that share time with another, or have no amount."""
    if question == FAULTS:
        return len(rows)
    if "faults" in rows.schema.names:
        return int(pc.sum(rows["faults"]).as_py() or 0)
    if not {"window_start", "window_end", "total_revenue"} <= set(rows.schema.names):
        return 0
    found, latest = 0, datetime.min.replace(tzinfo=UTC)
    for row in rows.sort_by([("window_start", "ascending"), ("window_end", "ascending")]).to_pylist():
        found += row["window_start"] < latest or row["total_revenue"] is None
        latest = max(latest, row["window_end"])
    return found


def _together(parts: Sequence[pa.Table]) -> pa.Table:
    rows = pa.concat_tables(parts)
    keys = [field.name for field in rows.schema if pa.types.is_temporal(field.type)]
    sums: list[Any] = [name for name in rows.schema.names if name not in keys]
    summed = rows.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in sums])
    columns = [*(summed[key] for key in keys), *(summed[f"{name}_sum"] for name in sums)]
    ordered = pa.table(columns, names=[*keys, *sums]).select(rows.schema.names).cast(rows.schema)
    return ordered.sort_by([(key, "ascending") for key in keys])

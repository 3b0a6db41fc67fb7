"""A link that shows the same number next month: the state and the time that a sum is of, and whether it still is.

The sum in a link is what its maker saw. It is compared and shown, never trusted: anybody can write another one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from dashboard.access import Caller
from dashboard.desks.lake import Asked, LakeDesk
from dashboard.errors import ReadError, SettingsError
from dashboard.readers.inquiry import Inquiry
from dashboard.readers.lake_table import Snapshot
from dashboard.readers.zones import EARLIEST, LATEST
from dashboard.revenue.manifest import local_text
from dashboard.trends.trend import Trend
from dashboard.wording import amount, iso, printable

TOTALS = "revenue_totals"
_SNAPSHOT, _START, _END, _AS_OF, _ZONE, _TOTAL = NAMES = (
    "pin_snapshot",
    "pin_from",
    "pin_to",
    "pin_as_of",
    "pin_zone",
    "pin_total",
)
"""Of the parameters in the address."""
_LARGEST_ID = 2**63 - 1
_ID = re.compile(r"[0-9]{1,19}")
_AMOUNT = re.compile(r"-?[0-9]{1,38}\.[0-9]{2}")
_NOTHING = Decimal("0.00")
_SHOWN = 40
"""Signs of a wrong value that a fault repeats."""


@dataclass(frozen=True)
class Pin:
    """What a sum is of. Moments are UTC."""

    snapshot_id: int
    """Of revenue_summary."""
    start: datetime
    """The windows that begin in [start, end)."""
    end: datetime
    as_of: datetime
    """When the newest window ended that the snapshot held; never before `end`."""
    zone: ZoneInfo
    """Whose clock it is shown by."""
    total: Decimal
    """What was seen, to the cent."""

    @property
    def query(self) -> dict[str, str]:
        """As parameters of an address."""
        values = (
            str(self.snapshot_id),
            iso(self.start),
            iso(self.end),
            iso(self.as_of),
            self.zone.key,
            f"{self.total:.2f}",
        )
        return dict(zip(NAMES, values, strict=True))


@dataclass(frozen=True)
class PinResult:
    """What a pinned sum comes to now."""

    pin: Pin
    snapshot: Snapshot | None
    """What was read; None where the table holds nothing."""
    is_snapshot: bool
    """True: of the state that was pinned. False: that is gone, and of the newest state the windows are added again that
    had ended by then."""
    is_rolled_back: bool
    """The state is still there, but somebody took back what it said."""
    found: Decimal | None
    """None where windows are at fault, so that no sum is right."""

    @property
    def difference(self) -> Decimal | None:
        """How much more it is than what was seen."""
        return None if self.found is None else self.found - self.pin.total

    @property
    def told(self) -> str:
        """In a sentence or two, for the page."""
        zone, pin = self.pin.zone, self.pin
        when = f"from {local_text(pin.start, zone)} to {local_text(pin.end, zone)}"
        if self.snapshot is None:
            return f"The link says {amount(pin.total)} {when}, but there is no revenue here any more."
        if self.is_snapshot:
            held = f"snapshot {pin.snapshot_id}, committed {local_text(self.snapshot.committed_at, zone)}"
            then = f"{held}, which was rolled back since" if self.is_rolled_back else held
        else:
            then = (
                f"the windows that had ended by {local_text(pin.as_of, zone)}, added again from snapshot "
                f"{self.snapshot.id}, as snapshot {pin.snapshot_id} is gone"
            )
        if self.found is None:
            return (
                f"No sum is right {when}, of {then}: windows are doubled or have no amount. "
                f"The link says {amount(pin.total)}."
            )
        if self.found == pin.total:
            return f"{amount(self.found)}, as in the link: {when}, of {then}."
        more = f"{amount(abs(self.found - pin.total))} {'more' if self.found > pin.total else 'less'}"
        why = (
            "A snapshot never changes, so the link was, or it is of another system."
            if self.is_snapshot
            else "Later corrections are in it; the changes of the table tell which."
        )
        return f"{amount(self.found)}, {more} than the {amount(pin.total)} in the link: {when}, of {then}. {why}"


def pin_of(answer: Trend) -> Pin | None:
    """Of the committed part of an answer, which is what can be read again; None where nothing of it is committed.

    What has closed and is not committed yet is not in its total. Raises ReadError while windows are at fault.
    """
    if answer.total.faults:
        raise ReadError(
            f"{answer.total.faults} windows are doubled or have no amount, so no sum is right.",
            "`sales-trends query revenue_faults` lists them.",
        )
    as_of, bounds = answer.extent.committed_until, answer.periods.bounds
    if answer.snapshot is None or as_of is None or as_of <= bounds[0]:
        return None
    end = min(bounds[-1], as_of)
    return Pin(answer.snapshot.id, bounds[0], end, as_of, answer.asked.calendar.zone, answer.total.committed)


def read_pin(parameters: Mapping[str, str]) -> Pin | None:
    """The pin that an address carries; None if none. Raises SettingsError for one that is damaged."""
    given = {name: parameters[name] for name in NAMES if name in parameters}
    if not given:
        return None
    if missing := [name for name in NAMES if name not in given]:
        raise SettingsError(f"The link's {', '.join(missing)} is missing.", "Ask for the link again, whole.")
    pin = Pin(
        _snapshot_id(given[_SNAPSHOT]),
        _moment(_START, given[_START]),
        _moment(_END, given[_END]),
        _moment(_AS_OF, given[_AS_OF]),
        _zone(given[_ZONE]),
        _total(given[_TOTAL]),
    )
    if not pin.start < pin.end <= pin.as_of:
        raise SettingsError(
            f"The link's times are not in order: {iso(pin.start)}, {iso(pin.end)}, {iso(pin.as_of)}.",
            f"Wanted {_START} before {_END}, and {_AS_OF} not before that.",
        )
    return pin


def check_pin(desk: LakeDesk, caller: Caller, pin: Pin, engine: str = "") -> PinResult:
    """What it comes to now. Raises what `LakeDesk.ask` raises."""
    commit = desk.commit(caller, pin.snapshot_id)
    if commit is not None:
        try:
            return _result(pin, desk.ask(caller, _inquiry(pin), engine, pin.snapshot_id), True, not commit.is_current)
        except ReadError:
            # it may have expired in that moment
            if desk.commit(caller, pin.snapshot_id) is not None:
                raise
    return _result(pin, desk.ask(caller, _inquiry(pin), engine), False, False)


def _inquiry(pin: Pin) -> Inquiry:
    return Inquiry(TOTALS, pin.start, pin.end)


def _result(pin: Pin, asked: Asked, is_snapshot: bool, is_rolled_back: bool) -> PinResult:
    [row] = asked.answer.rows.to_pylist()
    found = None if asked.faults else row["revenue"] or _NOTHING
    return PinResult(pin, asked.answer.snapshot, is_snapshot, is_rolled_back, found)


def _snapshot_id(text: str) -> int:
    if not _ID.fullmatch(text) or int(text) > _LARGEST_ID:
        raise _wrong(_SNAPSHOT, text, "the id of a snapshot")
    return int(text)


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no zone")
        at = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, text, "a time with its zone, such as 2026-03-01T12:00:00Z") from error
    if not EARLIEST <= at <= LATEST:
        raise _wrong(name, text, f"a time from {EARLIEST.year} to {LATEST.year}")
    return at


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise _wrong(_ZONE, text, "a time zone such as Europe/Berlin") from error


def _total(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text):
        raise _wrong(_TOTAL, text, "an amount to the cent, such as 1234.50")
    return Decimal(text)


def _wrong(name: str, text: str, wanted: str) -> SettingsError:
    return SettingsError(
        f"The link's {name} is {printable(text, _SHOWN)!r}.", f"Wanted {wanted}; ask for the link again."
    )

"""A pinned sum is the same next month, or says how far it is off and why, whatever stands in a link."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.table import Table

from dashboard.access import Caller, Role
from dashboard.desks.lake import LakeDesk
from dashboard.desks.pins import NAMES, Pin, check_pin, pin_of, read_pin
from dashboard.errors import AccessError, ReadError, SettingsError
from dashboard.readers.engine import Engine
from dashboard.readers.lake import Lake
from dashboard.readers.pyiceberg_engine import PyicebergEngine
from dashboard.settings import Settings, load_settings
from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, trend
from tests.iceberg_tables import NAMESPACE, append, revenue_table, sqlite_catalog
from tests.trends.world import BERLIN, HOUR, NOON, SECONDS_5, TableOf, found, table

VERA = Caller("vera", Role.VIEWER)
PIN = Pin(7, NOON, NOON + HOUR, NOON + HOUR, BERLIN, Decimal("1234.50"))
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(8999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def pins(draw: st.DrawFn) -> Pin:
    start, end, as_of = sorted(draw(st.lists(MOMENTS, min_size=3, max_size=3, unique=True)))
    return Pin(
        draw(st.integers(0, 2**63 - 1)),
        start,
        end,
        as_of,
        ZoneInfo(draw(st.sampled_from(["UTC", "Asia/Kathmandu", "America/Argentina/Buenos_Aires", "Etc/GMT+3"]))),
        Decimal(draw(st.integers(-(10**20), 10**38 - 1))).scaleb(-2),
    )


@given(pins())
def test_a_pin_comes_back_from_an_address_as_it_was(pin: Pin) -> None:
    assert read_pin(dict(parse_qsl(urlencode({"range": "7 d", **pin.query})))) == pin


@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.from_regex(r"[-0-9.:TZ+]{0,40}"), min_size=1), pins())
def test_whatever_stands_in_a_link_it_is_a_pin_or_one_sentence(wrong: dict[str, str], pin: Pin) -> None:
    for parameters in (wrong, pin.query | wrong):
        read = or_fault(parameters)
        if isinstance(read, Pin):
            assert read_pin(read.query) == read
        else:
            assert read.message.isprintable()
            assert len(read.message) < 400


def or_fault(parameters: dict[str, str]) -> Pin | SettingsError:
    try:
        read = read_pin(parameters)
    except SettingsError as error:
        return error
    assert read is not None
    return read


def test_an_address_without_a_pin_has_none() -> None:
    assert read_pin({"range": "7 d"}) is None


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("pin_snapshot", str(2**63), "the id of a snapshot"),
        ("pin_snapshot", "٣", "the id of a snapshot"),
        ("pin_from", "2026-03-01T12:00:00", "a time with its zone"),
        ("pin_to", "2026-03-01T12:00:00Z", "before pin_to"),
        ("pin_as_of", "2026-03-01T12:30:00Z", "not before that"),
        ("pin_as_of", "9999-12-31T23:59:59-12:00", "a time with its zone"),
        ("pin_zone", "../../etc/passwd", "a time zone"),
        ("pin_zone", "Mars/Base", "a time zone"),
        ("pin_total", "1e9", "an amount to the cent"),
        ("pin_total", "NaN", "an amount to the cent"),
    ],
)
def test_a_damaged_link_says_which_part_and_what_is_wanted(name: str, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as fault:
        read_pin(PIN.query | {name: text})

    assert told in str(fault.value)


def test_half_a_link_names_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="pin_total is missing"):
        read_pin({name: text for name, text in PIN.query.items() if name != "pin_total"})


# of an answer


def test_what_is_not_committed_is_in_no_pin_for_no_snapshot_holds_it() -> None:
    ahead = Ahead(table({NOON + SECONDS_5: "2.00"}))
    answer = trend(TableOf(table({NOON: "1.00"})), Asked(RANGES["1 h"], Calendar(BERLIN)), ahead=ahead)
    assert answer is not None

    pin = pin_of(answer)

    assert pin is not None
    assert (pin.total, pin.end, pin.as_of, pin.snapshot_id) == (Decimal("1.00"), NOON + SECONDS_5, NOON + SECONDS_5, 1)
    assert answer.total.revenue == Decimal("3.00")


def test_while_a_window_is_at_fault_nothing_is_pinned() -> None:
    with pytest.raises(ReadError, match="no sum is right"):
        pin_of(found({NOON: "1.00", NOON + SECONDS_5: None}, RANGES["1 h"]))


# against a real table


@dataclass
class World:
    table: Table
    lake: Lake
    desk: LakeDesk

    def commit(self, rows: dict[datetime, str | None]) -> None:
        append(self.table, list(rows.items()))

    def revise(self, start: datetime, text: str) -> None:
        self.table.refresh().delete(f"window_start == '{start:%Y-%m-%dT%H:%M:%S}'")
        self.commit({start: text})

    def pinned(self) -> Pin:
        answer = self.desk.trend(VERA, Asked(RANGES["All"], Calendar(BERLIN)), "pyiceberg")
        assert answer is not None
        pin = pin_of(answer)
        assert pin is not None
        return pin

    def expire(self, snapshot_id: int) -> None:
        self.table.refresh().maintenance.expire_snapshots().by_id(snapshot_id).commit()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    with sqlite_catalog(tmp_path) as catalog:
        made = revenue_table(catalog)
        lake = Lake("nowhere", NAMESPACE)
        monkeypatch.setattr(lake, "_catalog", catalog)

        def engine(_settings: Settings, _name: str) -> Engine:
            return PyicebergEngine(lake, SECONDS_5)

        world = World(made, lake, LakeDesk(load_settings(), lambda _settings: lake, engine))
        world.commit({NOON: "1.00", NOON + SECONDS_5: "2.00"})
        yield world
        world.desk.close()


def later(world: World) -> None:
    """A window that came after the pin, and a correction of one that was in it."""
    world.commit({NOON + 2 * SECONDS_5: "50.00"})
    world.revise(NOON, "0.40")


def test_while_its_snapshot_is_there_the_number_is_the_same_whatever_came_later(world: World) -> None:
    pin = world.pinned()
    later(world)

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.is_snapshot, result.found, result.difference) == (True, Decimal("3.00"), Decimal("0.00"))
    assert result.told.startswith(
        "3.00, as in the link: from 2026-03-01 13:00:00+01:00 to 2026-03-01 13:00:10+01:00, "
        f"of snapshot {pin.snapshot_id}, committed "
    )
    assert world.pinned().total == Decimal("52.40")


def test_when_its_snapshot_is_gone_the_windows_of_then_are_added_again_and_the_difference_is_told(world: World) -> None:
    pin = world.pinned()
    later(world)
    world.expire(pin.snapshot_id)

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.is_snapshot, result.found, result.difference) == (False, Decimal("2.40"), Decimal("-0.60"))
    assert result.told.startswith("2.40, 0.60 less than the 3.00 in the link: from ")
    assert ", of the windows that had ended by 2026-03-01 13:00:10+01:00" in result.told


def test_when_nothing_was_corrected_it_is_the_same_also_without_its_snapshot(world: World) -> None:
    pin = world.pinned()
    world.commit({NOON + 2 * SECONDS_5: "50.00"})
    world.expire(pin.snapshot_id)

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.is_snapshot, result.difference) == (False, Decimal("0.00"))
    assert "3.00, as in the link" in result.told


def test_a_sum_that_somebody_wrote_into_a_link_is_found_out(world: World) -> None:
    pin = replace(world.pinned(), total=Decimal("1000000.00"))

    told = check_pin(world.desk, VERA, pin, "pyiceberg").told

    assert told.startswith("3.00, 999,997.00 less than the 1,000,000.00 in the link")
    assert "the link was, or it is of another system" in told


def test_a_state_that_was_rolled_back_is_shown_and_said(world: World) -> None:
    first = world.table.refresh().current_snapshot()
    assert first is not None
    world.commit({NOON + 2 * SECONDS_5: "5.00"})
    pin = world.pinned()
    world.table.refresh().manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.found, result.is_rolled_back) == (Decimal("8.00"), True)
    assert "which was rolled back since" in result.told


def test_when_a_window_was_doubled_since_no_sum_is_given(world: World) -> None:
    pin = world.pinned()
    world.commit({NOON: "1.00"})
    world.expire(pin.snapshot_id)

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.found, result.difference) == (None, None)
    assert "No sum is right from 2026-03-01 13:00:00+01:00 to " in result.told
    assert "windows are doubled or have no amount" in result.told


def test_it_may_expire_between_looking_and_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = world.pinned()
    later(world)
    ask: Callable[..., object] = world.desk.ask

    def slow(*words: object) -> object:
        if len(words) > 3:
            world.expire(pin.snapshot_id)
        return ask(*words)

    monkeypatch.setattr(world.desk, "ask", slow)

    result = check_pin(world.desk, VERA, pin, "pyiceberg")

    assert (result.is_snapshot, result.found) == (False, Decimal("2.40"))


def test_strangers_check_nothing(world: World) -> None:
    with pytest.raises(AccessError):
        check_pin(world.desk, Caller("nobody", None), PIN)


def test_a_pin_of_a_quarter_second_ago_keeps_its_fraction() -> None:
    odd = replace(PIN, as_of=PIN.as_of + timedelta(microseconds=250_001))

    assert read_pin(odd.query) == odd

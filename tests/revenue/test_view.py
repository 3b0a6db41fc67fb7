"""What an address says, and what it says wrong."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.revenue.view import View, address_of, selected, view_of
from dashboard.settings import ViewSettings
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Asked
from tests.trends.world import BERLIN, HOUR, NOON, UTC_ZONE

SETTINGS = ViewSettings()
ALL = View(Between(NOON, NOON + HOUR), "15 min", ("week", "year"), "running", "Asia/Tokyo", "sunday", band=True)


@pytest.mark.parametrize("view", [View(), ALL, View("This fiscal year"), View(compare=()), View(show="heat")])
def test_an_address_carries_all_that_can_be_chosen(view: View) -> None:
    assert view_of(address_of(view)) == (view, ())


def test_what_is_so_anyway_is_not_in_the_address() -> None:
    assert address_of(View()) == {}
    assert address_of(View("24 h", compare=())) == {"revenue_range": "24 h", "revenue_compare": "none"}


@pytest.mark.parametrize(
    "address",
    [
        {"range": "soon"},
        {"range": "2026-03-01T12:00:00Z"},
        {"range": "2026-03-01T12:00:00Z/2026-03-01T12:00:00Z"},
        {"range": "2026-03-01T12:00:00/2026-03-01T13:00:00"},
        {"range": "0001-01-01T00:00:00+14:00/2026-03-01T13:00:00Z"},
        {"range": "2026-03-01T12:00:00Z/2026-03-01T13:00:00Z/2026-03-01T14:00:00Z"},
        {"grain": "fortnight"},
        {"compare": "previous,never"},
        {"compare": ""},
        {"show": "TOTAL"},
        {"zone": "Europe/Atlantis"},
        {"zone": "../../etc/passwd"},
        {"week": "friday"},
        {"band": "1"},
        {"grain": "day" * 100_000},
    ],
)
def test_what_is_wrong_is_as_if_it_was_not_said_and_told_in_one_sentence(address: dict[str, str]) -> None:
    view, [sentence] = view_of({f"revenue_{name}": text for name, text in address.items()})

    assert sentence.startswith(f"The address asks for {next(iter(address))} ")
    assert len(sentence) < 400
    assert view == View()


def test_what_is_of_another_page_is_not_read() -> None:
    assert view_of({"range": "24 h", "live_show": "Last"}) == (View(), ())


def test_each_wrong_thing_is_told_and_the_rest_is_taken() -> None:
    view, wrong = view_of({"revenue_range": "soon", "revenue_band": "perhaps", "revenue_show": "heat"})

    assert view == View(show="heat")
    assert len(wrong) == 2


def test_the_readers_day_is_asked_for_where_the_calendar_matters_and_nowhere_else() -> None:
    late = NOON.replace(hour=23, minute=30)

    def asked(view: View, zone: ZoneInfo = BERLIN) -> Asked:
        return view.asked(SETTINGS, zone, late)

    assert asked(View("Today")).today == date(2026, 3, 2)
    assert asked(View("Today", zone="UTC")).today == date(2026, 3, 1)
    assert asked(View("24 h")) == View("24 h").asked(SETTINGS, BERLIN, late + timedelta(days=1))
    assert asked(View("24 h", week="sunday")).calendar.week_start == 6


def test_whole_bars_are_selected_that_are_touched() -> None:
    bounds = [NOON + n * HOUR for n in range(5)]

    def between(first: str, last: str) -> Between | None:
        return selected([datetime.fromisoformat(f"2026-03-01 {at}") for at in (first, last)], bounds, BERLIN)

    assert between("14:10", "15:10") == Between(NOON + HOUR, NOON + 3 * HOUR)
    assert between("15:10", "14:10") == Between(NOON + HOUR, NOON + 3 * HOUR)
    assert between("14:20", "14:21") == Between(NOON + HOUR, NOON + 2 * HOUR)
    assert between("10:00", "23:00") == Between(NOON, NOON + 4 * HOUR)
    assert between("20:00", "21:00") is None
    assert selected([NOON.replace(tzinfo=None)], [], UTC_ZONE) is None

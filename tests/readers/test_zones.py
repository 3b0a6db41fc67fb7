from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.errors import SettingsError
from dashboard.readers.zones import EARLIEST, LATEST, Piece, check_zone, local_midnight, pieces

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour in summer
    "Africa/Casablanca",  # four changes a year, around Ramadan
    "Africa/Cairo",
    "America/Sao_Paulo",  # changed at midnight until 2019
    "Asia/Gaza",
    "America/St_Johns",
    "Pacific/Apia",  # left out a day
    "Antarctica/Troll",  # two hours
]
QUARTER = timedelta(minutes=15)
MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001  # made aware at once
    lambda moment: moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0, tzinfo=UTC)
)


def offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def reckoned(piece: Piece, moment: datetime) -> timedelta:
    """As the questions do."""
    first, second, third = piece.offsets
    minutes = first if moment < piece.changes[0] else second if moment < piece.changes[1] else third
    return timedelta(minutes=minutes)


@settings(deadline=None, max_examples=150)
@given(MOMENTS, st.timedeltas(QUARTER, timedelta(days=1200)), st.sampled_from(ZONES), st.lists(st.floats(0, 1)))
@example(datetime(2018, 2, 1, tzinfo=UTC), timedelta(days=400), "America/Sao_Paulo", [])
@example(datetime(2011, 12, 1, tzinfo=UTC), timedelta(days=60), "Pacific/Apia", [])
def test_pieces_are_the_whole_range_in_order_and_have_the_offset_of_every_moment(
    start: datetime, length: timedelta, name: str, places: list[float]
) -> None:
    zone, end = ZoneInfo(name), start + length

    found = pieces(start, end, zone)

    assert [piece.start for piece in found] == [start, *(piece.end for piece in found[:-1])]
    assert found[-1].end == end
    looked_at = [start, end - QUARTER, *(start + place * length for place in places)]
    for piece in found:
        # just where something changes is where something is wrong
        edges = [piece.start, piece.end, *piece.changes]
        looked_at += [edge + step for edge in edges for step in (-QUARTER, timedelta(0), QUARTER)]
    for moment in looked_at:
        for piece in found:
            if piece.start <= moment < piece.end:
                assert reckoned(piece, moment) == offset(moment, zone), f"at {moment} in {name}"


@settings(deadline=None, max_examples=100)
@given(MOMENTS, st.timedeltas(QUARTER, timedelta(days=2500)), st.sampled_from(ZONES))
def test_pieces_are_cut_where_a_local_day_begins_so_that_no_day_is_in_two(
    start: datetime, length: timedelta, name: str
) -> None:
    zone = ZoneInfo(name)

    found = pieces(start, start + length, zone)

    for before, after in pairwise(found):
        assert before.end == after.start
        last = (after.start - timedelta(microseconds=1)).astimezone(zone).date()
        assert last < after.start.astimezone(zone).date()


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Africa/Casablanca", date(2026, 2, 15), 25),
        ("Antarctica/Troll", date(2026, 3, 29), 22),
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
    ],
)
def test_a_local_day_is_as_long_as_its_clocks_say(name: str, day: date, hours: float) -> None:
    zone = ZoneInfo(name)
    begins = local_midnight(day, zone)

    assert local_midnight(day + timedelta(days=1), zone) - begins == timedelta(hours=hours)
    assert begins.astimezone(zone).date() == day
    assert (begins - timedelta(microseconds=1)).astimezone(zone).date() < day


def test_a_day_whose_midnight_is_left_out_begins_when_the_clocks_are_put_forward() -> None:
    begins = local_midnight(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))

    assert begins == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert begins.astimezone(ZoneInfo("America/Sao_Paulo")).time() == time(1)


def test_a_year_is_one_piece_and_parameters_have_the_names_that_questions_use() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    (piece,) = pieces(start, end, ZoneInfo("Europe/Berlin"))

    assert piece.parameters == {
        "start": start,
        "end": end,
        "change_1": datetime(2026, 3, 29, 1, tzinfo=UTC),
        "change_2": datetime(2026, 10, 25, 1, tzinfo=UTC),
        "offset_1": 60,
        "offset_2": 120,
        "offset_3": 60,
    }


def test_no_time_is_no_piece() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    assert pieces(moment, moment, ZoneInfo("UTC")) == []


# zones that cut windows


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("Asia/Kathmandu", timedelta(hours=1)),
        ("Asia/Kathmandu", timedelta(minutes=30)),
        ("Asia/Kolkata", timedelta(hours=1)),
        ("Europe/Berlin", timedelta(days=1)),
        ("UTC", timedelta(days=1)),
        ("Europe/Berlin", timedelta(hours=2)),
    ],
)
def test_a_zone_whose_days_cut_windows_is_refused_with_the_reason(name: str, window: timedelta) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    if name == "UTC":
        check_zone(ZoneInfo(name), window, start, start + timedelta(days=365))
        return
    with pytest.raises(SettingsError, match=f"cannot be summed by days of {name}"):
        check_zone(ZoneInfo(name), window, start, start + timedelta(days=365))


def test_a_change_of_clocks_within_the_range_is_looked_at_too() -> None:
    zone, window = ZoneInfo("Australia/Lord_Howe"), timedelta(hours=1)
    summer = datetime(2026, 1, 1, tzinfo=UTC)

    check_zone(zone, window, summer, summer + timedelta(days=30))
    with pytest.raises(SettingsError, match="Lord_Howe"):
        check_zone(zone, window, summer, summer + timedelta(days=180))


def test_an_offset_that_is_no_quarter_hour_is_refused_whatever_the_window() -> None:
    # Amsterdam was 20 minutes ahead until 1940
    start = datetime(1939, 1, 1, tzinfo=UTC)

    with pytest.raises(SettingsError):
        check_zone(ZoneInfo("Europe/Amsterdam"), timedelta(seconds=5), start, start + timedelta(days=30))


@pytest.mark.parametrize("window", [timedelta(seconds=5), timedelta(minutes=1), QUARTER])
@pytest.mark.parametrize("name", ZONES)
def test_windows_that_a_quarter_hour_holds_serve_every_zone(name: str, window: timedelta) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)

    check_zone(ZoneInfo(name), window, start, start + timedelta(days=1000))


@pytest.mark.parametrize("seconds", [1, 20, 59, 60, 61, 79, 119])
@pytest.mark.parametrize("change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
def test_a_range_that_ends_seconds_after_the_clocks_change_has_its_change(change: datetime, seconds: int) -> None:
    [piece] = pieces(change - timedelta(seconds=40), change + timedelta(seconds=seconds), ZoneInfo("Europe/Berlin"))

    assert piece.changes == (change, piece.end)


def test_a_century_is_asked_in_few_pieces_and_thousands_of_years_are_refused_with_a_sentence() -> None:
    zone, century = ZoneInfo("Europe/Berlin"), timedelta(days=36_525)

    found = pieces(EARLIEST, EARLIEST + century, zone)

    assert len(found) <= 100
    assert (found[0].start, found[-1].end) == (EARLIEST, EARLIEST + century)
    for refuse in (partial(pieces, EARLIEST, LATEST, zone), partial(check_zone, zone, QUARTER, EARLIEST, LATEST)):
        with pytest.raises(SettingsError, match="are more than 100 years"):
            refuse()

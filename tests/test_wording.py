from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from dashboard.wording import amount, as_markdown, compact_amount, day, length, moment, no_formula, printable

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 11, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.00"),
        ("1234.5", "1,234.50"),
        ("12345678901234567890.12", "12,345,678,901,234,567,890.12"),
        ("-5", "-5.00"),
    ],
)
def test_an_amount_is_exact_with_two_places(value: str, text: str) -> None:
    assert amount(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("999999.99", "999,999.99"),
        ("1000000", "1.00 M"),
        ("9386585.61", "9.39 M"),
        ("1234567890", "1.23 bn"),
        ("-2500000", "-2.50 M"),
    ],
)
def test_a_compact_amount_is_short_from_a_million_on(value: str, text: str) -> None:
    assert compact_amount(Decimal(value)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (42, "42 s"),
        (60, "1 min"),
        (90, "90 s"),
        (150, "2 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86_400, "1 day"),
        (273_600, "3 days 4 h"),
    ],
)
def test_a_length_of_time_is_told_as_people_say_it(seconds: float, text: str) -> None:
    assert length(timedelta(seconds=seconds)) == text


def test_a_moment_of_the_same_day_is_a_clock_time_in_the_readers_zone() -> None:
    assert moment(NOON, BERLIN, NOON) == "12:00:05"


def test_a_moment_of_another_day_has_its_day_and_of_another_year_its_year() -> None:
    assert moment(NOON, BERLIN, NOON + timedelta(days=1)) == "1 Mar 12:00:05"
    assert moment(NOON, BERLIN, NOON + timedelta(days=400)) == "1 Mar 2026 12:00:05"


def test_which_day_it_is_depends_on_the_readers_zone() -> None:
    late = NOON.replace(hour=23)

    assert moment(late, BERLIN, late) == "00:00:05"
    assert day(late, BERLIN, late) == "2 Mar"
    assert day(late, ZoneInfo("UTC"), late) == "1 Mar"


def test_seconds_are_left_out_only_where_they_are_zero() -> None:
    assert moment(NOON, BERLIN, NOON, seconds=False) == "12:00:05"
    assert moment(NOON.replace(second=0), BERLIN, NOON, seconds=False) == "12:00"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Kafka does not answer.", r"Kafka does not answer\."),
        ("`sales-trends up` starts it", "`sales-trends up` starts it"),
        ("![x](https://example.com/a.png)", r"\!\[x\]\(`https://example.com/a.png)`"),
        ("by ada@example.com (dashboard)", r"by `ada@example.com` \(dashboard\)"),
        ("see www.example.com now", "see `www.example.com` now"),
        (":red[wrong] $x$ <b>", r"\:red\[wrong\] \$x\$ \<b\>"),
        ("a `tick that does not end", r"a \`tick that does not end"),
        ("`` http://example.com", r"\`\` `http://example.com`"),
        ("two\n\n# lines", r"two \# lines"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_a_sentence_reads_as_it_stands_where_markdown_is_shown(sentence: str, shown: str) -> None:
    assert as_markdown(sentence) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, with spaces and ümlauts…", "plain, with spaces and ümlauts…"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("one\r\ntwo\ttabs", r"one\r\ntwo\ttabs"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eright to left", r"\u202eright to left"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_a_strangers_text_cannot_steer_a_terminal(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_strangers_long_text_is_cut_off() -> None:
    assert printable("x" * 11, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\u00a0@x"])
def test_a_cell_that_a_spreadsheet_would_reckon_with_is_a_text(cell: str) -> None:
    assert no_formula(cell) == f"'{cell}"
    assert no_formula("a" + cell) == "a" + cell

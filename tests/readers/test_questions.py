from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest

from dashboard.errors import ReadError
from dashboard.readers.questions import TABLES, WITHOUT_ORDERS, at_snapshots, compose, question_names

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_every_file_is_a_question_and_no_relation_is_one() -> None:
    assert {"revenue_by_bucket", "revenue_by_day", "revenue_faults", "revenue_totals"} <= set(question_names())
    assert not {"windows", "revenue_buckets", "on_time_orders"} & set(question_names())


@pytest.mark.parametrize("question", question_names())
def test_a_question_and_its_relations_are_one_statement(question: str) -> None:
    (statement,) = duckdb.extract_statements(compose(question, "direct").text)

    assert statement.type == duckdb.StatementType.SELECT
    assert statement.named_parameters == compose(question, "direct").parameters


def test_an_unknown_question_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ReadError, match="no question 'revenue; DROP'") as refused:
        compose("revenue; DROP", "direct")

    assert "revenue_totals" in refused.value.hint


def test_an_engine_without_a_relation_is_told_which_one() -> None:
    with pytest.raises(ReadError, match="relations/nowhere/windows"):
        compose("revenue_windows", "nowhere")


def test_one_relation_can_stand_for_another() -> None:
    assert compose("revenue_totals", "direct").tables == set(TABLES)
    assert compose("revenue_windows", "direct").tables == {"revenue_summary"}


@pytest.mark.parametrize("question", question_names())
def test_without_orders_no_question_reads_their_table(question: str) -> None:
    assert compose(question, "direct", WITHOUT_ORDERS).tables == {"revenue_summary"}


def test_a_clause_of_time_travel_stands_at_every_reading_of_its_table_and_nowhere_else() -> None:
    text = compose("revenue_totals", "direct").text

    pinned = at_snapshots(text, {"revenue_summary": "AT (VERSION => 5)"})

    assert pinned.count("revenue_summary AT (VERSION => 5)") == pinned.count("AT (VERSION") == 1
    assert "/* at */" not in pinned
    assert "FROM completed_orders\n" in pinned


# parameters


def test_parameters_in_quotes_and_comments_are_none() -> None:
    assert compose("revenue_windows", "direct").parameters == {"start", "end"}
    assert compose("revenue_totals", "direct").parameters == {"start", "end", "window_seconds"}


def test_times_become_utc_and_what_the_engine_adds_comes_with_them() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))

    values = compose("revenue_totals", "direct").values(
        {"start": NOON.astimezone(kathmandu), "end": NOON}, window_seconds=5
    )

    naive = NOON.replace(tzinfo=None)
    assert values == {"start": naive, "end": naive, "window_seconds": 5}


def test_what_the_engine_adds_is_left_out_where_nobody_asks_for_it() -> None:
    values = compose("revenue_windows", "direct").values({"start": NOON, "end": NOON}, window_seconds=5)

    assert set(values) == {"start", "end"}


@pytest.mark.parametrize("given", [{}, {"start": NOON}, {"start": NOON, "end": NOON, "zone": 1}])
def test_a_parameter_too_many_or_too_few_is_refused_and_both_sides_are_named(given: dict[str, datetime]) -> None:
    with pytest.raises(ReadError, match="takes end, start, and was given") as refused:
        compose("revenue_windows", "direct").values(given)

    assert (", ".join(sorted(given)) or "nothing") in refused.value.message


def test_nobody_gives_what_the_engine_adds() -> None:
    with pytest.raises(ReadError, match="window_seconds"):
        compose("revenue_totals", "direct").values({"start": NOON, "end": NOON, "window_seconds": 1}, window_seconds=5)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ReadError, match="start = 2026-03-01 12:00:00 has no zone"):
        compose("revenue_windows", "direct").values({"start": NOON.replace(tzinfo=None), "end": NOON})

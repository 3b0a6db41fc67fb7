"""The page as a reader gets it, on real Iceberg tables and without Kafka; the browser's part is in another file."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo
from streamlit.testing.v1 import AppTest

from dashboard import cached, visitor
from dashboard.access import Caller, Role
from dashboard.freshness.verdict import State
from dashboard.readers.lake_table import LakeTable
from dashboard.wording import iso
from tests.app_pages.revenue_world import MINUTE, WINDOW, Catalogs, charts, control, metrics, now, run, texts
from tests.conftest import eventually
from tests.freshness.kept import HOST, held, leave
from tests.iceberg_tables import NAMESPACE, append, revenue_table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a watch leaves what it saw; nobody looks in this process."""
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    cached._freshness_desk.cache_clear()
    yield tmp_path / "home" / "freshness" / "local"
    cached._freshness_desk.cache_clear()


# nothing to see


def test_before_the_first_table_the_page_says_what_will_appear_and_what_makes_it_appear(page: AppTest) -> None:
    run(page)

    (notice,) = page.info
    assert "Revenue appears" in notice.value
    assert "`sales-trends up`" in notice.value
    assert not page.metric


def test_a_table_without_a_commit_says_that_no_window_is_complete(page: AppTest, catalogs: Catalogs) -> None:
    revenue_table(catalogs.catalog)

    assert "No window is complete yet" in run(page).info[0].value


def test_a_table_without_rows_says_that_no_window_is_complete(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [])

    assert "No window is complete yet" in run(page).info[0].value


def test_the_page_fills_by_itself_when_the_first_window_is_there(page: AppTest, catalogs: Catalogs) -> None:
    run(page)
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "12.34")])

    run(page)

    assert not page.info
    assert metrics(page)["Revenue"] == "12.34"


# numbers


def test_the_figures_are_exact_and_the_range_ends_with_the_newest_window(page: AppTest, catalogs: Catalogs) -> None:
    end = now()
    table = revenue_table(catalogs.catalog)
    append(table, [(end - 2 * timedelta(days=1), "100000.00"), (end - 10 * MINUTE, "90.00"), (end - WINDOW, "0.90")])
    page.query_params["revenue_range"] = "15 min"

    run(page)

    assert metrics(page) == {
        "Revenue": "90.90",
        "Orders": "–",  # completed_orders does not hold them
        "Average order": "–",
        "Best window": "90.00",
    }
    assert "Together exactly 90.90." in texts(page)
    assert charts(page) == 1


def test_large_sums_are_short_with_the_exact_one_and_the_average_beside(page: AppTest, catalogs: Catalogs) -> None:
    end = now()
    append(revenue_table(catalogs.catalog), [(end - timedelta(hours=2), "1000000.01"), (end - WINDOW, "1000000.02")])
    page.query_params["revenue_range"] = "24 h"

    run(page)

    assert metrics(page)["Revenue"] == "2.00 M"
    assert "Exactly 2,000,000.03" in page.metric[0].help
    assert "an hour, quiet times included" in page.metric[0].help
    assert "Together exactly 2,000,000.03." in texts(page)


@pytest.mark.parametrize(("address", "revenue"), [({}, "2.00"), ({"revenue_range": "14 d"}, "3.00")])
def test_the_range_of_the_address_is_taken_and_an_hour_without_one(
    page: AppTest, catalogs: Catalogs, address: dict[str, str], revenue: str
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    for name, value in address.items():
        page.query_params[name] = value

    assert metrics(run(page))["Revenue"] == revenue


def test_what_an_address_says_wrong_falls_back_and_is_said_until_something_is_changed(
    page: AppTest, catalogs: Catalogs
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    page.query_params["revenue_range"] = "soon"

    assert metrics(run(page))["Revenue"] == "2.00"
    assert page.warning[0].value.startswith("The address asks for range 'soon', which there is not")
    assert "revenue_range" not in page.query_params
    assert run(page).warning

    control(page, "show").set_value("running")

    assert not run(page).warning


def test_choosing_a_range_changes_what_is_shown(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(days=3), "1.00"), (now() - WINDOW, "2.00")])
    run(page)

    control(page, "range").set_value("All")

    assert metrics(run(page))["Revenue"] == "3.00"
    assert "One bar is 15 min" in texts(page)
    assert page.query_params["revenue_range"] == "All"


def test_the_table_holds_the_bars_newest_first_in_the_readers_zone(page: AppTest, catalogs: Catalogs) -> None:
    end = now().replace(second=30)
    append(revenue_table(catalogs.catalog), [(end - 5 * MINUTE, "1.10"), (end - WINDOW, "2.20")])
    run(page)
    assert not page.dataframe

    page.session_state["revenue_rows"] = True
    run(page)

    shown = page.dataframe[0].value
    assert [Decimal(str(revenue)) for revenue in shown["revenue"]] == [Decimal("2.20"), Decimal("1.10")]
    newest_end = datetime.fromisoformat(shown["end"][0])
    assert newest_end == end
    assert newest_end.utcoffset() in {timedelta(hours=1), timedelta(hours=2)}


# what one wants to see


def test_each_figure_is_compared_with_the_same_elapsed_part_of_each_period_that_is_chosen(
    page: AppTest, catalogs: Catalogs
) -> None:
    end = now()
    week, hour = timedelta(days=7), timedelta(hours=1)
    rows = [
        (end - 2 * week, "1.00"),
        (end - week - WINDOW, "8.00"),
        (end - hour - WINDOW, "5.00"),
        (end - WINDOW, "10.00"),
    ]
    append(revenue_table(catalogs.catalog), rows)
    page.query_params["revenue_compare"] = "previous,week"

    run(page)

    revenue = next(one.value for one in page.caption if "trending_up" in one.value)
    first, second = revenue.splitlines()
    assert first.startswith(":material/trending_up: up 100.0% on the 1 h before until ")
    assert second.startswith(":material/trending_up: up 25.0% on the same time 7 days before until ")
    assert "thin line: the 1 h before" in texts(page)
    assert "dashed line: the same time 7 days before" in texts(page)

    control(page, "compare").set_value([])

    assert "trending_up" not in texts(run(page))
    assert page.query_params["revenue_compare"] == "none"


def test_the_zone_and_the_first_day_of_the_week_are_always_said_and_can_be_chosen(
    page: AppTest, catalogs: Catalogs
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])

    assert "Europe/Berlin · weeks begin on Monday" in texts(run(page))

    page.session_state["revenue_control_more"] = True
    run(page)
    control(page, "zone").set_value("Asia/Tokyo")
    control(page, "week").set_value("sunday")

    assert "Asia/Tokyo · weeks begin on Sunday" in texts(run(page))
    assert page.query_params["revenue_zone"] == "Asia/Tokyo"
    assert page.query_params["revenue_week"] == "sunday"


def test_an_address_of_two_moments_shows_the_windows_between_them(page: AppTest, catalogs: Catalogs) -> None:
    end = now()
    append(
        revenue_table(catalogs.catalog),
        [(end - 3 * MINUTE, "1.00"), (end - 2 * MINUTE, "2.00"), (end - WINDOW, "4.00")],
    )
    page.query_params["revenue_range"] = f"{iso(end - 2 * MINUTE)}/{iso(end - MINUTE)}"

    assert metrics(run(page))["Revenue"] == "2.00"

    control(page, "back").click()

    assert metrics(run(page))["Revenue"] == "7.00"


def test_back_leads_to_the_range_from_before_also_after_a_saved_view_or_a_link(
    page: AppTest, catalogs: Catalogs
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(days=3), "1.00"), (now() - WINDOW, "2.00")])
    run(page)
    control(page, "range").set_value("30 d")
    run(page)
    page.query_params["revenue_range"] = f"{iso(now() - MINUTE)}/{iso(now())}"
    assert metrics(run(page))["Revenue"] == "2.00"

    control(page, "back").click()

    assert metrics(run(page))["Revenue"] == "3.00"
    assert page.query_params["revenue_range"] == "30 d"


def test_own_dates_begin_with_the_last_seven_days(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(days=3), "1.00"), (now() - WINDOW, "2.00")])
    run(page)

    control(page, "range").set_value("Own dates")
    run(page)

    assert metrics(page)["Revenue"] == "3.00"
    first, last = control(page, "dates").value
    assert last - first == timedelta(days=6)


@pytest.mark.parametrize(
    ("show", "kind", "words"),
    [("running", "scatter", "Line chart of the running total"), ("heat", "heatmap", "Most is sold on ")],
)
def test_the_same_time_can_be_seen_as_a_running_total_and_by_weekday_and_hour(
    page: AppTest, catalogs: Catalogs, show: str, kind: str, words: str
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    page.query_params |= {"revenue_range": "24 h", "revenue_show": show}
    page.session_state["revenue_rows"] = True

    chart = run(page).get("plotly_chart")[0].proto

    assert f'"type":"{kind}"' in chart.spec
    assert words in chart.alt
    assert metrics(page)["Revenue"] == "3.00"
    assert len(page.dataframe[0].value)


def test_each_figure_shows_its_own_sql_when_somebody_wants_it(page: AppTest, catalogs: Catalogs) -> None:
    end = now()
    append(revenue_table(catalogs.catalog), [(end - 15 * timedelta(days=1), "1.00"), (end - WINDOW, "2.00")])
    page.query_params |= {"revenue_range": "7 d", "revenue_grain": "day", "revenue_compare": "previous,year"}
    assert not run(page).code

    page.session_state["revenue_sql"] = True
    bars = [one.value for one in run(page).code]
    control(page, "show").set_value("heat")
    heat = [one.value for one in run(page).code]

    named = [one.value for one in page.markdown if one.value.startswith("**")]
    assert [one.partition("\\")[0] for one in named[:2]] == [
        "**Weekday × hour**",
        "**Revenue, orders and average order**",
    ]
    assert [one.startswith("**Compared") for one in named] == [False, False, True]
    assert len(bars) == len(heat) >= 3
    assert ["local_day" in bars[0], "local_day" in heat[0], "3600" in heat[0]] == [True, False, True]
    assert bars[1:] == heat[1:]


def test_the_heat_map_can_be_taken_along_as_well(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "1.00"), (now() - WINDOW, "2.00")])
    page.query_params |= {"revenue_range": "7 d", "revenue_show": "heat"}
    page.session_state["revenue_rows"] = True

    assert [getattr(one, "label", "") for one in run(page).get("download_button")] == ["CSV", "Excel", "Parquet"]


def test_what_is_to_be_expected_says_what_it_lacks(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "2.00")])
    page.query_params |= {"revenue_range": "7 d", "revenue_band": "on"}

    assert "What to expect takes 5 weeks before the range" in texts(run(page)).replace("\\", "")


def test_a_zone_whose_midnight_cuts_windows_is_refused_with_what_to_choose(page: AppTest, catalogs: Catalogs) -> None:
    end = now().replace(minute=0, second=0)
    append(revenue_table(catalogs.catalog), [(end - timedelta(hours=1), "2.00")], window=timedelta(hours=1))
    page.query_params |= {"revenue_range": "Today", "revenue_zone": "Asia/Kolkata"}

    (notice,) = run(page).error

    assert "cannot be summed by days of Asia/Kolkata" in notice.value
    assert "Choose UTC or a zone" in notice.value
    assert "keeps trying" not in notice.value
    assert page.get_by_key("revenue_control_more") is not None


def test_a_grain_that_there_is_not_enough_room_for_is_widened_and_says_so(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "2.00")])
    page.query_params |= {"revenue_range": "30 d", "revenue_grain": "1 min"}

    assert "By 1 min it would be 43,2" in texts(run(page)).replace("\\", "")
    assert "One bar is an hour" in texts(page)


# how new it is


def test_the_header_tells_the_newest_window_its_age_the_commit_and_the_zone(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - 4 * WINDOW, "1.00")])

    text = texts(run(page))

    assert "Up to date" in text
    assert "Data as of **" in text
    assert " s ago) · saved " in text
    assert "Europe/Berlin" in text


def test_a_browser_without_a_time_zone_is_shown_utc(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    page.context = {}

    assert " · UTC · weeks begin on Monday" in texts(run(page)).splitlines()[0]


def test_while_a_table_is_read_for_the_first_time_the_page_says_how_far_that_is(
    page: AppTest, catalogs: Catalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    allowed, batches = Event(), LakeTable.batches

    def slowly(self: LakeTable, *asked: Any) -> Iterator[pa.RecordBatch]:
        allowed.wait(60)
        yield from batches(self, *asked)

    monkeypatch.setattr(LakeTable, "batches", slowly)

    assert "Reading the revenue table whole: 0 of 1 windows so far." in texts(run(page))
    assert (charts(page), [one.value for one in page.error]) == (0, [])
    allowed.set()
    assert eventually(lambda: metrics(run(page)), 10)["Revenue"] == "1.00"
    assert "Reading" not in texts(page)


def test_a_new_commit_is_shown_at_the_next_refresh(page: AppTest, catalogs: Catalogs) -> None:
    table = revenue_table(catalogs.catalog)
    append(table, [(now() - 2 * WINDOW, "1.00")])
    run(page)
    append(table, [(now() - WINDOW, "2.00")])

    assert metrics(run(page))["Revenue"] == "3.00"


def test_an_unchanged_table_is_not_read_again(
    page: AppTest, catalogs: Catalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    run(page)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    for way in ("read", "added", "batches"):
        monkeypatch.setattr(LakeTable, way, fail)

    assert metrics(run(page))["Revenue"] == "1.00"


def test_old_data_say_since_when_and_what_to_do(
    page: AppTest, catalogs: Catalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as before the first look at the pipeline
    monkeypatch.setattr(cached, "freshness_desk", lambda: SimpleNamespace(verdict=lambda _who: None))
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "1.00")])

    run(page)

    (notice,) = page.warning
    assert notice.value.startswith("No new window since ")
    assert "`sales-trends status`" in notice.value
    assert "(2 h 59 min ago)" in texts(page) or "(3 h ago)" in texts(page)
    assert metrics(page)["Revenue"] == "1.00"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS, Role.ADMIN])
@pytest.mark.parametrize("state", [State.WAITING, State.STALE])
def test_why_old_data_are_held_is_told_without_hosts_to_viewers(
    page: AppTest, catalogs: Catalogs, folder: Path, monkeypatch: pytest.MonkeyPatch, role: Role, state: State
) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("vera", role))
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "1.00")])
    leave(folder, held(state))

    run(page)

    [told] = [one.value.replace("\\", "") for one in (*page.warning, *page.info)]
    assert told.startswith("No new window since ")
    assert ("Held at: Iceberg commit of revenue_summary. " in told) is (state is State.STALE)
    assert (f"{HOST}:8181 does not answer." in told) is (role is not Role.VIEWER)
    assert ("Ops see why on the Freshness page." in told) is (role is Role.VIEWER)
    assert role is not Role.VIEWER or HOST not in texts(page)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS])
def test_a_look_that_cannot_be_read_ends_no_page_and_its_file_is_named_to_ops_alone(
    page: AppTest, catalogs: Catalogs, folder: Path, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("vera", role))
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "1.00")])
    folder.mkdir(parents=True)
    folder.joinpath("overview.json").write_text("{")

    run(page)

    (notice,) = page.warning
    assert "stands still" in notice.value
    assert ("overview" in notice.value) is (role is Role.OPS)
    assert metrics(page)["Revenue"] == "1.00"


# faults


def test_an_unreachable_catalog_is_one_sentence_with_the_next_step(page: AppTest, catalogs: Catalogs) -> None:
    catalogs.reachable = False

    (notice,) = run(page).error

    assert notice.value.replace("\\", "") == (
        "The catalog at `http://127.0.0.1:1` cannot be reached. Start it with `…`. This page keeps trying."
    )
    assert not page.metric
    assert not page.info


def test_viewers_are_told_of_an_unreachable_catalog_without_its_host(
    page: AppTest, catalogs: Catalogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("vera", Role.VIEWER))
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    run(page)
    catalogs.reachable = False

    (notice,) = run(page).error

    assert notice.value == (
        "A system that this is read from does not answer. Ops see which, and why. Shown is what was read last; this "
        "page keeps trying."
    )
    assert "127.0.0.1" not in "".join([texts(page), *(one.value for one in [*page.warning, *page.info])])


def test_the_page_recovers_when_the_catalog_is_back(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    catalogs.reachable = False
    run(page)
    catalogs.reachable = True

    run(page)

    assert not page.error
    assert metrics(page)["Revenue"] == "1.00"


def test_what_was_read_stays_when_the_catalog_goes_away(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])
    run(page)
    catalogs.reachable = False

    run(page)

    assert "Shown is what was read last; this page keeps trying." in page.error[0].value
    assert "Not connected" in texts(page)
    assert metrics(page)["Revenue"] == "1.00"


def test_a_doubled_window_is_shown_instead_of_a_wrong_total(page: AppTest, catalogs: Catalogs) -> None:
    table = revenue_table(catalogs.catalog)
    row = (now() - WINDOW, "1.00")
    append(table, [row])
    append(table, [row])

    run(page)

    (notice,) = page.error
    assert notice.value.startswith("1 window stands in the table more than once, the first at ")
    assert "`sales-trends verify`" in notice.value
    assert texts(page).startswith(":red-badge[:material/error: Wrong]")
    assert not page.metric
    assert charts(page) == 0
    assert len(page.dataframe[0].value) == 1


def test_a_window_without_an_amount_is_shown_instead_of_a_wrong_total(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - 2 * WINDOW, None), (now() - WINDOW, None)])

    run(page)

    assert page.error[0].value.startswith("2 windows have no amount, the first at ")
    assert not page.metric


def test_a_correction_takes_the_fault_away(page: AppTest, catalogs: Catalogs) -> None:
    table, start = revenue_table(catalogs.catalog), now() - WINDOW
    append(table, [(start, "1.00")])
    append(table, [(start, "7.00")])
    assert run(page).error
    table.refresh()
    table.delete(EqualTo("total_revenue", Decimal("7.00")))  # type: ignore[misc,call-arg,arg-type,unused-ignore]

    run(page)

    assert not page.error
    assert metrics(page)["Revenue"] == "1.00"


def test_two_clusters_in_one_catalog_are_named(page: AppTest, catalogs: Catalogs) -> None:
    revenue_table(catalogs.catalog)
    revenue_table(catalogs.catalog, namespace="lkc-old")

    assert f"hold revenue_summary: lkc-old, {NAMESPACE}." in run(page).error[0].value.replace("\\", "")


def test_a_wrong_setting_is_one_sentence(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_COLOUR", "red")

    page.run()

    assert page.error[0].value.startswith("Unknown setting SALES_COLOUR.")
    assert not page.exception


def test_the_chart_tells_those_who_cannot_see_it_what_it_shows(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])

    chart = run(page).get("plotly_chart")[0]

    assert chart.proto.alt.startswith("1.00 in all; the highest is 1.00 at ")
    assert "Bar chart of revenue from " in chart.proto.alt


def test_a_note_stands_on_the_chart_can_be_deleted_and_the_deletion_taken_back(
    page: AppTest, catalogs: Catalogs
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "2.00")])
    run(page)
    page.session_state["revenue_notes"] = True
    run(page)
    page.text_input(key="revenue_note_text").set_value("Prices *raised*")
    run(page)
    page.button(key="revenue_note_add").click()

    assert "▼ a note" in shown_soon(page, "▼ a note")
    assert "Prices \\*raised\\*" in texts(page)

    [delete] = [one for one in page.button if f"{one.key}".startswith("revenue_note_delete_")]
    delete.click()
    run(page)
    assert "Nothing is noted in this range" in texts(page)
    eventually(lambda: "▼ a note" not in texts(run(page)), 30)

    page.button(key="revenue_note_undo").click()

    assert "Prices \\*raised\\*" in texts(run(page))
    assert "▼ a note" in shown_soon(page, "▼ a note")


def test_a_window_that_was_corrected_says_that_it_was_revised(page: AppTest, catalogs: Catalogs) -> None:
    table, start = revenue_table(catalogs.catalog), now() - 5 * MINUTE
    append(table, [(start - 10 * MINUTE, "1.00"), (start, "2.00"), (now() - WINDOW, "3.00")])
    assert metrics(run(page))["Revenue"] == "6.00"

    table.delete(f"window_start = '{start.replace(tzinfo=None).isoformat()}'")
    append(table, [(start, "4.00")])

    assert "◆ revised" in shown_soon(page, "◆ revised")
    assert metrics(page)["Revenue"] == "8.00"


def shown_soon(page: AppTest, words: str) -> str:
    """What the page says when what is looked for in the background was found."""
    eventually(lambda: words in texts(run(page)), 30)
    return texts(page)

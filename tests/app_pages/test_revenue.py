"""The page as a reader gets it, on real Iceberg tables and without Kafka; the browser's part is in another file."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from pyiceberg.expressions import EqualTo
from streamlit.testing.v1 import AppTest

from dashboard.readers.lake_table import LakeTable
from tests.app_pages.revenue_world import MINUTE, WINDOW, Catalogs, charts, metrics, now, run, texts
from tests.iceberg_tables import NAMESPACE, append, revenue_table

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
        "Per window": "0.51",  # 90.90 over the 180 windows of 15 minutes is 0.505
        "Windows": "2",
        "Newest window": "0.90",
    }
    assert "Together exactly 90.90." in texts(page)
    assert charts(page) == 1


def test_the_average_is_per_hour_over_a_day_and_large_sums_are_short_with_the_exact_one_beside(
    page: AppTest, catalogs: Catalogs
) -> None:
    end = now()
    append(revenue_table(catalogs.catalog), [(end - timedelta(hours=2), "1000000.01"), (end - WINDOW, "1000000.02")])
    page.query_params["revenue_range"] = "24 h"

    run(page)

    assert metrics(page)["Revenue"] == "2.00 M"
    assert metrics(page)["Per hour"] == "1.00 M"
    assert "Exactly 2,000,000.03" in page.metric[0].help
    assert "Together exactly 2,000,000.03." in texts(page)


@pytest.mark.parametrize(("address", "revenue"), [({}, "2.00"), ({"revenue_range": "14 d"}, "3.00")])
def test_the_range_of_the_address_is_taken_and_an_hour_without_one(
    page: AppTest, catalogs: Catalogs, address: dict[str, str], revenue: str
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    for name, value in address.items():
        page.query_params[name] = value

    assert metrics(run(page))["Revenue"] == revenue


def test_a_range_that_there_is_not_falls_back_to_an_hour(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    page.query_params["revenue_range"] = "soon"

    assert metrics(run(page))["Revenue"] == "2.00"


def test_choosing_a_range_changes_what_is_shown(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(days=3), "1.00"), (now() - WINDOW, "2.00")])
    run(page)

    cast(Any, page.get_by_key("revenue_range")).set_value("All")

    assert metrics(run(page))["Revenue"] == "3.00"
    assert "One bar is 15 min" in texts(page)


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

    assert texts(run(page)).splitlines()[0].endswith(" · UTC")


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


def test_old_data_say_since_when_and_what_to_do(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "1.00")])

    run(page)

    (notice,) = page.warning
    assert notice.value.startswith("No new window since ")
    assert "`sales-trends status`" in notice.value
    assert "(2 h 59 min ago)" in texts(page) or "(3 h ago)" in texts(page)
    assert metrics(page)["Revenue"] == "1.00"


# faults


def test_an_unreachable_catalog_is_one_sentence_with_the_next_step(page: AppTest, catalogs: Catalogs) -> None:
    catalogs.reachable = False

    (notice,) = run(page).error

    assert notice.value == (
        "The catalog at `http://127.0.0.1:1` cannot be reached. Start it with `…`. This page keeps trying."
    )
    assert not page.metric
    assert not page.info


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
    table = revenue_table(catalogs.catalog)
    append(table, [(now() - WINDOW, "1.00")])
    append(table, [(now() - WINDOW, "7.00")])
    assert run(page).error
    table.refresh()
    table.delete(EqualTo("total_revenue", Decimal("7.00")))  # type: ignore[misc,call-arg,arg-type,unused-ignore]

    run(page)

    assert not page.error
    assert metrics(page)["Revenue"] == "1.00"


def test_two_clusters_in_one_catalog_are_named(page: AppTest, catalogs: Catalogs) -> None:
    revenue_table(catalogs.catalog)
    revenue_table(catalogs.catalog, namespace="lkc-old")

    assert f"hold revenue_summary: lkc-old, {NAMESPACE}." in run(page).error[0].value


def test_a_wrong_setting_is_one_sentence(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_COLOUR", "red")

    page.run()

    assert page.error[0].value.startswith("Unknown setting SALES_COLOUR.")
    assert not page.exception


def test_the_chart_tells_those_who_cannot_see_it_what_it_shows(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - WINDOW, "1.00")])

    chart = run(page).get("plotly_chart")[0]

    assert chart.proto.alt.startswith("Bar chart of revenue from ")
    assert "the highest is 1.00 at " in chart.proto.alt

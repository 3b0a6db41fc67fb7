"""The page Explore as a reader gets it, over real Iceberg tables."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import cached, visitor
from dashboard.access import Caller
from dashboard.app_pages.explore_views.address import address_of, inquiry_of
from dashboard.desks.explore import ExploreDesk
from dashboard.errors import ReadError, SettingsError
from dashboard.readers.inquiry import Inquiry
from dashboard.sql_files import ROOT
from tests.conftest import eventually
from tests.desk_world import CARD, OTTO, VERA, World, desk_world
from tests.desks.test_explore import FOREVER
from tests.iceberg_tables import NAMESPACE
from tests.readers.test_history import NOON

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with desk_world(tmp_path_factory.mktemp("lake")) as world:
        yield world


@pytest.fixture
def desk(world: World, own_server: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExploreDesk]:
    desk = ExploreDesk(world.settings, world.desk)
    monkeypatch.setattr(cached, "explore_desk", lambda _settings: desk)
    become(OTTO, monkeypatch)
    yield desk
    desk.close()


def become(who: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: who)


def opened(**address: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    page.context = {"timezone": "Europe/Berlin"}
    page.switch_page("app_pages/explore.py")
    for name, value in address.items():
        page.query_params[name] = value
    return ran(page)


def ran(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    parts = [*page.markdown, *page.caption, *page.warning, *page.info, *page.error]
    return "\n".join(str(one.value).replace("\\", "") for one in parts)


def column(page: AppTest, name: str) -> list[object]:
    return next(list(one.value[name]) for one in reversed(page.dataframe) if name in one.value.columns)


def answered(page: AppTest, sql: str) -> AppTest:
    page.text_area(key="explore_sql").input(sql)
    page.button(key="explore_run").click()
    ran(page)
    eventually(lambda: not ran(page).get("progress"), 60, 0.2)
    return page


def test_before_the_first_table_it_says_what_will_appear(desk: ExploreDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.lake, "tables", lambda _who: [])

    assert "Each topic of the pipeline appears here as a table" in said(opened())


def test_a_catalog_that_does_not_answer_is_said_with_what_to_do(
    desk: ExploreDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_who: Caller) -> None:
        raise ReadError("The catalog is silent.", "Start it.")

    monkeypatch.setattr(desk.lake, "tables", silent)

    assert "The catalog is silent. Start it." in said(opened())


def test_tables_are_listed_and_revenue_is_shown_first(desk: ExploreDesk, world: World) -> None:
    page = opened()

    assert column(page, "table") == ["completed_orders", "payments", "revenue_summary"]
    assert column(page, "rows") == ["2", "3", "2"]
    assert str(world.snapshots[-1]) in column(page, "snapshot")
    assert [str(one) for one in column(page, "total_revenue")] == ["2.20", "1.10"]


def test_columns_snapshots_and_files_of_a_table_are_shown_without_secrets(desk: ExploreDesk) -> None:
    page = opened(explore_table="payments", explore_part="Columns")
    assert "cc_number" not in column(page, "column")
    assert "more are left out: they are secret" in said(page)

    page = opened(explore_table="payments", explore_part="Snapshots")
    assert column(page, "rows")[-3:] == ["+1", "+1", "+1"]
    assert "3 snapshots, the newest first" in said(page)
    assert "have expired" not in said(page)

    page = opened(explore_table="payments", explore_part="Files")
    assert len(column(page, "file")) == 3
    assert not any("/" in str(one) for one in column(page, "file"))
    assert CARD not in said(page) + str([one.value for one in page.dataframe])


def test_that_snapshots_have_expired_is_said_where_some_have(
    own_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk_world(tmp_path) as world, closing(ExploreDesk(world.settings, world.desk)) as desk:
        monkeypatch.setattr(cached, "explore_desk", lambda _settings: desk)
        become(OTTO, monkeypatch)
        catalog = world.lake._catalog  # the one that it opened
        assert catalog is not None
        table = catalog.load_table((NAMESPACE, "revenue_summary"))
        table.maintenance.expire_snapshots().by_id(world.snapshots[0]).commit()

        page = opened(explore_part="Snapshots")

    assert "1 snapshot, the newest first. Older ones have expired." in said(page)


def test_viewers_see_two_tables(desk: ExploreDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    become(VERA, monkeypatch)

    page = opened()

    assert page.selectbox(key="explore_table").options == ["completed_orders", "revenue_summary"]
    page = answered(opened(explore_show="SQL"), "SELECT * FROM payments")
    assert "Seeing the table payments is for ops" in said(page)


@pytest.mark.parametrize(
    ("sql", "said_of_it"),
    [
        ("SELECT * FROM information_schema.tables", "information_schema.tables` is no name of a table here"),
        ("SELECT CAST('/orders' AS INT)", "Could not convert string '/orders' to INT32"),
        ('SELECT * FROM "nobody.s/file.parquet"', "There is no table `nobody.s/file.parquet` here"),
        ('SELECT * FROM "shiftleft.public.orders"', "Seeing the table `shiftleft.public.orders` is for ops"),
    ],
)
def test_viewers_are_told_what_is_wrong_with_their_sql_or_their_rights_whatever_it_quotes(
    desk: ExploreDesk, sql: str, said_of_it: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(VERA, monkeypatch)

    [told] = [one.value.replace("\\", "") for one in answered(opened(explore_show="SQL"), sql).error]

    assert said_of_it.replace("`", "") in told.replace("`", "")


def test_a_second_click_on_run_leaves_the_statement_there_to_be_cancelled(desk: ExploreDesk) -> None:
    page = opened(explore_show="SQL")
    page.text_area(key="explore_sql").input(FOREVER)
    for _ in range(2):
        page.button(key="explore_run").click()
        ran(page)

    assert "A statement of yours runs already" in said(page)
    page.button(key="explore_cancel").click()
    ran(page)
    eventually(lambda: not ran(page).get("progress"), 60, 0.2)
    assert "cancelled" in said(page)


def test_sql_is_run_and_its_answer_told_with_what_it_stands_on(desk: ExploreDesk, world: World) -> None:
    page = answered(opened(explore_show="SQL"), "SELECT sum(total_revenue) AS total FROM revenue_summary")

    assert [str(one) for one in column(page, "total")] == ["3.30"]
    assert f"snapshot {world.snapshots[-1]}" in said(page)
    assert len(page.get("download_button")) == 2

    assert "Line 1, column 8" in said(answered(page, "SELECT nothing FROM revenue_summary"))
    assert "found no row" in said(answered(page, "SELECT * FROM revenue_summary WHERE false"))


def test_an_address_names_a_question_and_its_sql_is_there_to_run(desk: ExploreDesk) -> None:
    inquiry = Inquiry("revenue_totals", NOON, NOON + timedelta(minutes=1), BERLIN)

    page = opened(**address_of(inquiry))

    text = str(page.text_area(key="explore_sql").value)
    assert "window_start >= TIMESTAMP '2026-03-01 12:00:00.000000'" in text
    assert "What a stretch of time came to" in said(page)
    page.button(key="explore_run").click()
    ran(page)
    eventually(lambda: not ran(page).get("progress"), 60, 0.2)
    assert [str(one) for one in column(page, "revenue")] == ["3.30"]


def test_what_an_address_says_becomes_no_sql(desk: ExploreDesk) -> None:
    page = opened(explore_show="SQL", sql_question="revenue_totals", sql_from="2026-03-01'; DROP TABLE x --")

    assert "is no time" in said(page)
    assert "DROP" not in str(page.text_area(key="explore_sql").value)


@pytest.mark.parametrize(
    "address",
    [
        {"sql_zone": "../etc/passwd"},
        {"sql_bucket": "0"},
        {"sql_bucket": "1; SELECT"},
        {"sql_bucket": "000000001" + 30 * "9"},
        {"sql_bucket": "86401"},
        {"sql_to": "0001-01-01T00:00+14:00"},
        {"sql_from": "0001-01-01T00:00Z", "sql_zone": "America/New_York"},
        {"sql_to": "9999-12-31T23:59Z", "sql_zone": "Asia/Tokyo"},
    ],
)
def test_an_address_that_cannot_be_read_is_refused(address: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="in the address"):
        inquiry_of("revenue_by_bucket", address, BERLIN, NOON, timedelta(seconds=5))


@pytest.mark.parametrize(
    ("bucket", "window"), [(timedelta(minutes=5), timedelta(seconds=5)), (timedelta(hours=6), timedelta(hours=6))]
)
def test_the_address_of_an_inquiry_leads_back_to_it(bucket: timedelta, window: timedelta) -> None:
    inquiry = Inquiry("revenue_by_bucket", NOON, NOON + timedelta(hours=1), BERLIN, bucket=bucket, window=window)

    assert inquiry_of(inquiry.question, address_of(inquiry), ZoneInfo("UTC"), datetime.now(UTC), window) == inquiry

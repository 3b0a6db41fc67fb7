"""Explore in a real browser: from a question's address to its answer, in the dark and on a phone."""

import csv
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from dashboard.app_pages.explore_views.address import address_of
from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.readers.inquiry import Inquiry
from tests.browser import dashboard_process
from tests.iceberg_tables import append, revenue_table, served_catalog
from tests.readers.test_history import NOON

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    with served_catalog(folder) as uri:
        table = revenue_table(open_catalog(CatalogAccess(uri, "")))
        append(table, [(NOON, "1.10"), (NOON + timedelta(seconds=5), "2.20")])
        port = re.findall(r":(\d+)/", uri)[0]
        with dashboard_process(folder, {"SALES_LOCAL__REGISTRY_PORT": port, "SALES_LOCAL__KAFKA_PORT": "1"}) as url:
            yield url


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_question_is_run_from_its_address_and_taken_away(
    browser: Browser, site: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        accept_downloads=True,
        is_mobile=width < 600,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        address = address_of(Inquiry("revenue_windows", NOON, NOON + timedelta(minutes=1)))
        page.goto(f"{site}/explore?{urlencode(address)}")
        expect(page.get_by_role("textbox", name="SQL that only reads")).to_have_value(
            re.compile("TIMESTAMP '2026-03-01 12:00:00")
        )
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("2 rows · duckdb")).to_be_visible()
        with page.expect_download() as started:
            page.get_by_text("Download as CSV").click()
        rows = list(csv.DictReader(Path(started.value.path()).read_text().splitlines()))
        assert [row["total_revenue"] for row in rows] == ["1.10", "2.20"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width

        page.get_by_text("Tables", exact=True).click()
        expect(page.get_by_text("The newest 2 rows")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "SELECT" not in page.url
    finally:
        context.close()
    assert complaints == []


def _is_complaint(message: ConsoleMessage) -> bool:
    # at a page's own address Streamlit first looks for its server below that, and then above
    return message.type == "error" and "/explore/_stcore/" not in message.location["url"]


def test_the_sql_of_the_revenue_chart_is_shown_beside_it_and_leads_to_explore(browser: Browser, site: str) -> None:
    page = browser.new_page()
    try:
        page.goto(site)
        page.get_by_text("SQL of each figure").click()
        expect(page.get_by_test_id("stCode").first).to_contain_text("FROM revenue_summary")
        page.get_by_role("link", name="Run it on Explore").first.click()
        expect(page.get_by_role("textbox", name="SQL that only reads")).to_have_value(re.compile("bucket_start"))
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("· duckdb ·")).to_be_visible()
    finally:
        page.close()

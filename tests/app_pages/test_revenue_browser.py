"""The page in a real browser: what Streamlit and Plotly make of it, and that it keeps up by itself."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from urllib.parse import unquote
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from pyiceberg.table import Table

from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.wording import iso
from tests.browser import dashboard_process
from tests.iceberg_tables import append, revenue_table, served_catalog

pytestmark = pytest.mark.browser
WINDOW = timedelta(seconds=5)
BARS = ".js-plotly-plot .bars .point"
_PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"


@dataclass
class Site:
    """The dashboard on a table whose rows the test knows."""

    url: str
    table: Table
    totals: dict[datetime, Decimal]
    """By window_start."""

    def add(self, starts: list[datetime]) -> None:
        rows = {start: f"{100 + index % 89}.{index % 100:02}" for index, start in enumerate(starts)}
        append(self.table, list(rows.items()))
        self.totals |= {start: Decimal(text) for start, text in rows.items()}

    def total(self, since: datetime) -> str:
        return f"{sum(total for start, total in self.totals.items() if start >= since):,.2f}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with served_catalog(folder) as uri, dashboard_process(folder, catalog_at(uri)) as url:
        site = Site(url, revenue_table(open_catalog(CatalogAccess(uri, ""))), {})
        end = newest_window_end()
        site.add([end - n * WINDOW for n in range(1, 1000) if n % 4])
        yield site


def catalog_at(uri: str) -> dict[str, str]:
    """And no Kafka."""
    return {"SALES_LOCAL__REGISTRY_PORT": re.findall(r":(\d+)/", uri)[0], "SALES_LOCAL__KAFKA_PORT": "1"}


def newest_window_end() -> datetime:
    now = datetime.now(UTC).replace(microsecond=0)
    return now - timedelta(seconds=now.second % 5) - WINDOW


@contextmanager
def opened(browser: Browser, url: str, *, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
    """A page whose console stayed clean."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="America/New_York",
        accept_downloads=True,
        user_agent=_PHONE if width < 600 else None,
        has_touch=width < 600,
        is_mobile=width < 600,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
    page.goto(url)
    page.wait_for_selector(BARS, timeout=60_000)
    found = list(complaints)
    yield page
    context.close()
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_bars_and_the_exact_total_fit_the_screen(browser: Browser, site: Site, width: int, scheme: str) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min", width=width, scheme=scheme) as page:
        since = max(site.totals) + WINDOW - timedelta(minutes=15)

        expect(page.get_by_text("Together exactly")).to_contain_text(f"exactly {site.total(since)}.")
        expect(page.locator(BARS)).to_have_count(sum(start >= since for start in site.totals))
        expect(page.get_by_text("Data as of")).to_contain_text("America/New_York")
        page_width = page.evaluate("document.documentElement.scrollWidth")
        background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")

    assert page_width <= width
    red = int(re.findall(r"\d+", background)[0])
    assert red < 60 if scheme == "dark" else red > 200


def test_a_range_is_kept_in_the_address(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        page.get_by_role("combobox", name="Range").click()
        page.get_by_role("option", name="24 h", exact=True).click()
        expect(page.get_by_text("One bar is 5 min")).to_be_visible()
        page.reload()
        expect(page.get_by_text("One bar is 5 min")).to_be_visible(timeout=60_000)

        assert "revenue_range=24" in page.url


def test_the_download_holds_what_the_screen_shows(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min") as page:
        page.get_by_text("Table and download").click()
        with page.expect_download() as started:
            page.get_by_role("button", name="CSV", exact=True).click()
        with ZipFile(started.value.path()) as archive:
            text, about = (archive.read(name).decode() for name in sorted(archive.namelist(), key=len))
        shown = page.get_by_text("Together exactly").inner_text()
        bars = page.locator(BARS).count()

    rows = list(csv.DictReader(io.StringIO(text)))
    assert len([row for row in rows if row["revenue"]]) == bars
    assert list(rows[0])[:6] == ["start", "end", "revenue", "orders", "windows", "running"]
    assert "America/New_York" in about
    assert rows[0]["start"].endswith(("-04:00", "-05:00"))
    assert f"exactly {sum(Decimal(row['revenue'] or 0) for row in rows):,.2f}." in shown


def test_a_picture_of_the_chart_comes_from_its_menu(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min") as page:
        box = page.locator(".js-plotly-plot").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
        with page.expect_download() as started:
            page.locator(".js-plotly-plot .modebar-btn").click()

        assert started.value.suggested_filename == "revenue total.png"
        assert started.value.path().read_bytes().startswith(b"\x89PNG")


def test_new_windows_appear_without_a_reload_and_nothing_below_the_chart_moves(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min") as page:

        def below() -> float:
            """From the controls to what is below the chart; above them, what is old is said after a while."""
            controls = page.get_by_role("combobox", name="Range").bounding_box()
            table = page.get_by_text("Table and download").bounding_box()
            assert controls is not None
            assert table is not None
            return table["y"] - controls["y"]

        before = below()

        site.add([max(site.totals) + WINDOW, max(site.totals) + 2 * WINDOW])
        since = max(site.totals) + WINDOW - timedelta(minutes=15)

        expect(page.get_by_text("Together exactly")).to_contain_text(f"exactly {site.total(since)}.", timeout=30_000)
        expect(page.locator(BARS)).to_have_count(sum(start >= since for start in site.totals))
        assert below() == before


def test_a_mouse_over_a_bar_tells_its_exact_amount(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min") as page:
        start = max(site.totals)
        box = page.locator(BARS).last.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] - 40, box["y"] + 40)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)

        expect(page.locator(".hoverlayer")).to_contain_text(f"{site.totals[start]:,.2f}")


def test_what_is_drawn_on_the_chart_is_the_range_of_the_whole_page_until_one_goes_back(
    browser: Browser, site: Site
) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min&revenue_grain=1+min") as page:
        expect(page.get_by_text("Together exactly")).to_be_visible()
        before = page.locator(BARS).count()
        draw(page, 0.3, 0.6)

        expect(page.get_by_role("button", name="Back")).to_be_visible()
        expect(page).to_have_url(re.compile("revenue_range=.+%2F"))
        start, end = re.findall(r"revenue_range=(.+?)%2F([^&]+)", page.url)[0]
        since, until = (datetime.fromisoformat(unquote(one)) for one in (start, end))
        total = sum(total for at, total in site.totals.items() if since <= at < until)
        expect(page.get_by_text("Together exactly")).to_contain_text(f"exactly {total:,.2f}.")

        page.get_by_role("button", name="Back").click()

        expect(page.locator(BARS)).to_have_count(before)
        assert re.findall("revenue_range=([^&]+)", page.url) == ["15+min"]


def test_a_double_click_on_the_chart_goes_back(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min&revenue_grain=1+min") as page:
        expect(page.get_by_text("Together exactly")).to_be_visible()
        draw(page, 0.3, 0.6)
        wait_for_range(page, "Own dates")
        page.wait_for_timeout(1_000)  # two clicks may not be taken for a part of the drawing

        page.locator(".js-plotly-plot .nsewdrag").first.dblclick(position={"x": 200, "y": 80})

        wait_for_range(page, "15 min")
        expect(page.get_by_role("button", name="Back")).to_be_hidden()


def test_what_a_refresh_brings_from_before_one_went_back_is_no_choice(browser: Browser, site: Site) -> None:
    with opened(browser, f"{site.url}/?revenue_range=15+min&revenue_grain=1+min") as page:
        line = Line(page)
        page.reload()
        expect(page.get_by_text("Together exactly")).to_be_visible()
        draw(page, 0.3, 0.6)
        expect(page.get_by_role("button", name="Back")).to_be_visible()
        wait_for_range(page, "Own dates")
        line.wait_for_requests(2)

        line.hold()
        page.get_by_role("button", name="Back").click()
        line.wait_for_requests(4)  # the click, and the timer with what the page shows still
        line.let_go()

        expect(page.get_by_role("button", name="Back")).to_be_hidden()
        line.wait_for_requests(8)
        expect(page.get_by_role("button", name="Back")).to_be_hidden()
        assert re.findall("revenue_range=([^&]+)", page.url) == ["15+min"]


class Line:
    """The line between a page and its server, on which what the server says can be held up."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._held: list[str | bytes] | None = None
        self._requests = 0
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def hold(self) -> None:
        self._held = []

    def let_go(self) -> None:
        held, self._held = self._held or [], None
        for message in held:
            self._to_page.send(message)

    def wait_for_requests(self, count: int) -> None:
        """Until the page has asked the server so often."""
        self._requests, deadline = 0, monotonic() + 60
        while self._requests < count:
            assert monotonic() < deadline, f"{self._requests} of {count} requests"
            self._page.wait_for_timeout(50)

    def _connect(self, to_page: WebSocketRoute) -> None:
        self._to_page, to_server = to_page, to_page.connect_to_server()

        def ask(message: str | bytes) -> None:
            self._requests += 1
            to_server.send(message)

        def answer(message: str | bytes) -> None:
            if self._held is None:
                to_page.send(message)
            else:
                self._held.append(message)

        to_page.on_message(ask)
        to_server.on_message(answer)


def wait_for_range(page: Page, name: str) -> None:
    """That the control says it, and no control from before stands beside it for a moment."""
    page.wait_for_function(
        "name => [...document.querySelectorAll('input[aria-label=Range]')].map(one => one.value).join() === name",
        arg=name,
    )


def draw(page: Page, first: float, last: float) -> None:
    """From one part of the chart's width to another."""
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + first * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + last * box["width"], box["y"] + 90, steps=8)
    page.mouse.up()


def test_a_finger_on_the_chart_scrolls_the_page(browser: Browser, site: Site) -> None:
    with opened(browser, site.url, width=390) as page:
        expect(page.get_by_text("Table and download")).to_be_visible()
        chart = page.locator(".js-plotly-plot .nsewdrag").first
        chart.evaluate("chart => chart.scrollIntoView({block: 'end'})")
        before = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
        box = chart.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        finger = page.context.new_cdp_session(page)

        def touch(kind: str, *points: dict[str, float]) -> None:
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

        touch("touchStart", {"x": x, "y": y})
        for step in range(1, 12):
            touch("touchMove", {"x": x, "y": y - 15 * step})
        touch("touchEnd")

        page.wait_for_function(
            "before => document.querySelector('[data-testid=stMain]').scrollTop > before + 50", arg=before
        )


def test_what_was_chosen_is_there_again_after_a_visit_to_another_page(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        choose_range(page, "24 h")
        expect(page.get_by_text("One bar is 5 min")).to_be_visible()
        page.get_by_test_id("stSidebarNav").get_by_text("Explore").click()
        expect(page.get_by_role("heading", name="Explore")).to_be_visible()
        page.get_by_test_id("stSidebarNav").get_by_text("Revenue").click()

        expect(page.get_by_text("One bar is 5 min")).to_be_visible()
        expect(page).to_have_url(re.compile("revenue_range=24"))


def test_the_browsers_back_leads_to_the_view_of_its_address(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        choose_range(page, "24 h")
        expect(page).to_have_url(re.compile("revenue_range=24"))
        wait_for_range(page, "24 h")
        page.go_back()

        wait_for_range(page, "1 h")
        assert "revenue_range" not in page.url


def choose_range(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Range").click()
    page.get_by_role("option", name=name, exact=True).click()


def test_of_an_hour_that_the_clock_shows_twice_one_bar_can_be_drawn_on_alone(browser: Browser, site: Site) -> None:
    put_back = datetime(2025, 11, 2, 6, tzinfo=UTC)
    hours = [put_back + n * timedelta(hours=1) for n in range(-2, 3)]
    site.add(hours)
    night = f"{iso(hours[0])}/{iso(hours[-1] + timedelta(hours=1))}"

    with opened(browser, f"{site.url}/?revenue_range={night}&revenue_grain=hour") as page:
        expect(page.locator(BARS)).to_have_count(5)
        ticks = page.locator(".xtick").all_text_contents()
        assert [one for one in ticks if "01:00" in one] == ["01:00-04:00", "01:00-05:00"]
        draw(page, 0.45, 0.55)

        expect(page.locator(BARS)).to_have_count(1)
        assert f"revenue_range={iso(put_back)}/{iso(hours[3])}" in unquote(page.url)
        expect(page.get_by_text("Together exactly")).to_contain_text(f"exactly {site.totals[put_back]:,.2f}.")

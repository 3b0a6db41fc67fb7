"""The pipeline's picture in a real browser: selected by mouse and keyboard, kept while states change, nothing run."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard.sql_files import ROOT
from tests.browser import dashboard_process

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=document.title='run'>"
SUMMARY = "statement revenue-summary-materializer"
SCRIPT = """
import json
import os
from pathlib import Path
from types import SimpleNamespace

import streamlit as st

from dashboard.deploy.lineage import picture_of
from dashboard.deploy.open_source_target import OpenSourceTarget
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Id
from dashboard.components.pipeline_picture import pipeline_picture
from dashboard.settings import PipelineSettings

st.set_page_config(layout="wide")
deployment = SimpleNamespace(pipeline=load_pipeline(PipelineSettings()))
target = OpenSourceTarget("x", deployment, None, None, None, None, makes_given=True, holds_back=True)


def status(id_, state):
    return ResourceStatus(id_.kind, id_.name, state, "", "", "", None, {}, None)


@st.fragment(run_every=0.5)
def board():
    states = json.loads(Path(os.environ["STATES"]).read_text())
    wanted = target.wanted()
    rows = [status(one.id, states.get(str(one.id), "ready")) for one in wanted]
    known = {str(one.id) for one in wanted}
    rows += [status(Id(*name.split(" ", 1)), state) for name, state in states.items() if name not in known]
    selected = pipeline_picture(picture_of(wanted, rows), key="picture")
    st.write(f"selected: {selected}")


board()
"""


@dataclass
class Site:
    url: str
    states: Path

    def say(self, **states: str) -> None:
        """Of what is not ready, by id."""
        fresh = self.states.with_suffix(".new")
        fresh.write_text(json.dumps(states))
        fresh.replace(self.states)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("picture")
    page, states = folder / "page.py", folder / "states.json"
    page.write_text(SCRIPT)
    with dashboard_process(folder, {"STATES": str(states), "PYTHONPATH": str(ROOT)}, script=str(page)) as url:
        site = Site(url, states)
        site.say()
        yield site


@pytest.fixture
def site(served: Site) -> Site:
    served.say()
    return served


@contextmanager
def opened(browser: Browser, url: str, *, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
    """A page whose console stayed clean."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width < 600,
        is_mobile=width < 600,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
    page.goto(url)
    page.wait_for_selector(".picture .node .name tspan", timeout=60_000)
    yield page
    found = complaints + page.get_by_text("Connection error").all_inner_texts()
    context.close()
    assert found == []


def expect_selected(page: Page, id_: str) -> None:
    """What Python was told; it may take a while on a machine that is busy."""
    expect(page.get_by_text(f"selected: {id_}")).to_be_visible(timeout=20_000)


def part(page: Page, id_: str) -> Locator:
    return page.locator(f'.picture .scroll .node[data-id="{id_}"]')


def focused(page: Page) -> str:
    """The id of the part that has the focus."""
    found: str = page.evaluate(
        """() => {
            let element = document.activeElement
            while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
            return element?.dataset?.id ?? ""
        }"""
    )
    return found


def boxes(page: Page) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of every part's outline, by id."""
    found: dict[str, tuple[float, float, float, float]] = page.evaluate(
        """() => {
            const host = [...document.querySelectorAll('*')].find((one) => one.shadowRoot?.querySelector('.picture'))
            return Object.fromEntries([...host.shadowRoot.querySelectorAll('.scroll .node')].map((node) => {
                const { left, top, right, bottom } = node.querySelector('.shape').getBoundingClientRect()
                return [node.dataset.id, [left, top, right, bottom]]
            }))
        }"""
    )
    return found


def test_a_click_selects_a_part_and_another_click_leaves_it(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        expect_selected(page, "None")
        part(page, SUMMARY).click()
        expect_selected(page, SUMMARY)
        expect(part(page, SUMMARY)).to_have_attribute("aria-pressed", "true")
        part(page, "topic payments").click()
        expect_selected(page, "topic payments")
        expect(part(page, SUMMARY)).to_have_attribute("aria-pressed", "false")
        part(page, "topic payments").click()
        expect_selected(page, "None")


def test_the_keyboard_goes_along_the_flow_and_selects(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        part(page, "topic payments").focus()
        for key, reached in (
            ("ArrowRight", "statement unique-payments-maintenance"),
            ("ArrowRight", "topic unique_payments"),
            ("ArrowRight", "statement completed-orders-materializer"),
            ("ArrowUp", "tableflow unique_payments"),
            ("ArrowLeft", "topic unique_payments"),
        ):
            page.keyboard.press(key)
            assert focused(page) == reached
        page.keyboard.press("Enter")
        expect_selected(page, "topic unique_payments")
        page.keyboard.press("Escape")
        expect_selected(page, "None")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Space")
        expect_selected(page, "statement unique-payments-maintenance")
        part(page, "topic payments").focus()
        page.keyboard.press("ArrowDown")
        assert focused(page) == "contract payments-value"


def test_clicks_that_follow_each_other_faster_than_the_page_are_all_taken(browser: Browser, site: Site) -> None:
    with opened(browser, site.url) as page:
        for _ in range(5):
            for id_ in (SUMMARY, "topic payments", "topic payments", "topic unique_payments"):
                part(page, id_).click()
        expect_selected(page, "topic unique_payments")
        # a later run of the timer takes nothing back
        site.say(**{SUMMARY: "failed"})
        expect(part(page, SUMMARY).locator(".word")).to_have_text("failed")
        expect(part(page, "topic unique_payments")).to_have_attribute("aria-pressed", "true")
        expect(page.locator('.picture .node[aria-pressed="true"]')).to_have_count(1)


def test_a_part_says_what_it_is_and_how_it_is(browser: Browser, site: Site) -> None:
    site.say(**{SUMMARY: "failed"})
    with opened(browser, site.url) as page:
        expect(page.get_by_role("button", name="Topic payments, ready", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Statement revenue-summary-materializer, failed")).to_be_visible()
        expect(part(page, SUMMARY).locator(".word")).to_have_text("failed")
        legend = page.locator(".picture .legend")
        expect(legend).to_contain_text("failed")
        expect(legend).not_to_contain_text("missing")
        expect(legend).not_to_contain_text("Catalog")


def test_states_change_while_focus_selection_and_scroll_stay(browser: Browser, site: Site) -> None:
    with opened(browser, site.url, width=1000) as page:
        part(page, SUMMARY).click()
        expect_selected(page, SUMMARY)
        part(page, "tableflow revenue_summary").focus()
        page.evaluate("window.kept = document.activeElement.shadowRoot.activeElement")
        before = boxes(page)
        for state in ("changing", "stopped", "ready"):
            site.say(**{"tableflow revenue_summary": state, SUMMARY: state})
            expect(part(page, SUMMARY).locator(".word")).to_have_text(state)
            assert focused(page) == "tableflow revenue_summary"
        assert page.evaluate("window.kept === document.activeElement.shadowRoot.activeElement")
        expect(part(page, SUMMARY)).to_have_attribute("aria-pressed", "true")
        assert boxes(page) == before


def test_a_part_that_comes_or_goes_takes_no_focus_and_a_selected_one_that_is_gone_is_not_selected(
    browser: Browser, site: Site
) -> None:
    site.say(**{"topic old": "orphan"})
    with opened(browser, site.url) as page:
        expect(page.get_by_text("Ours, and described by no file")).to_be_visible()
        part(page, "topic old").click()
        expect_selected(page, "topic old")
        part(page, SUMMARY).focus()
        site.say()
        expect(part(page, "topic old")).to_have_count(0)
        expect_selected(page, "None")
        assert focused(page) == SUMMARY
        site.say(**{"topic old": "orphan"})
        expect_selected(page, "topic old")
        expect(part(page, "topic old")).to_have_attribute("aria-pressed", "true")


def test_a_name_that_looks_like_html_is_text(browser: Browser, site: Site) -> None:
    site.say(**{f"topic {EVIL}": "orphan"})
    with opened(browser, site.url) as page:
        evil = page.locator('.picture .scroll .node[data-state="orphan"]')
        expect(evil).to_have_count(1)
        evil.click()
        expect(evil).to_have_attribute("aria-label", f"Topic {EVIL}, orphan")
        assert evil.locator("title").evaluate("one => one.textContent") == f"Topic {EVIL}, orphan"
        expect(page.locator(".picture img, .picture script")).to_have_count(0)
        assert page.title() != "run"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_picture_fits_and_nothing_overlaps(browser: Browser, site: Site, width: int, scheme: str) -> None:
    site.say(**{SUMMARY: "failed", "topic payments": "missing", "tableflow payments": "stopped", "topic old": "orphan"})
    with opened(browser, site.url, width=width, scheme=scheme) as page:
        places = boxes(page)
        scroll = page.locator(".picture .scroll")
        assert scroll.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.locator(".picture .scroll text").evaluate_all(
            "all => all.filter((one) => one.textContent).map((one) => parseFloat(getComputedStyle(one).fontSize))"
        )
        colour = part(page, SUMMARY).locator(".name").evaluate("one => getComputedStyle(one).fill")
    assert min(sizes) >= 11
    red = int(re.findall(r"\d+", colour)[0])
    assert red > 200 if scheme == "dark" else red < 60
    ids = sorted(places)
    touching = [
        (one, other)
        for at, one in enumerate(ids)
        for other in ids[:at]
        if places[one][0] < places[other][2]
        and places[other][0] < places[one][2]
        and places[one][1] < places[other][3]
        and places[other][1] < places[one][3]
    ]
    assert touching == []
    source, sink = places["topic unique_payments"], places["statement completed-orders-materializer"]
    assert sink[0] >= source[2] if width > 640 else sink[1] >= source[3], "the flow has a direction"


def test_where_there_is_no_room_the_picture_scrolls_in_its_own_box(browser: Browser, site: Site) -> None:
    with opened(browser, site.url, width=720) as page:
        scroll = page.locator(".picture .scroll")
        assert scroll.evaluate("one => one.scrollWidth - one.clientWidth") > 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 720
        part(page, "tableflow revenue_summary").focus()
        far = scroll.evaluate("one => one.scrollLeft")
        assert far > 0
        site.say(**{SUMMARY: "stopped"})
        expect(part(page, SUMMARY).locator(".word")).to_have_text("stopped")
        assert scroll.evaluate("one => one.scrollLeft") == far

"""The page of revenue in a real browser and for many viewers at once; a part of `make bench-revenue`.

Goals: first paint below 1.5 s, a change of range or grain below 300 ms, a committed window on the screen within 1 s,
and for 50 viewers who refresh every 5 s a p95 below 500 ms. The table holds a year of five-second windows; there is no
Kafka.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random

from playwright.sync_api import Browser, Page
from pyiceberg.catalog import Catalog
from rich.console import Console
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from dashboard.readers.catalog import CatalogAccess, open_catalog
from tests.app_pages.test_revenue_browser import BARS, catalog_at
from tests.bench_lake import END, WINDOW, Made
from tests.browser import chromium, dashboard_process
from tests.iceberg_tables import NAMESPACE, append, served_catalog

_VIEWERS = 50
_EVERY_SECONDS = 5.0
_TURNS = 12
_DRAWN = "text => document.querySelector('[data-testid=stMain]').innerText.includes(text)"
_WORDS = "[...document.querySelectorAll('[data-testid=stCaptionContainer]')].map(one => one.innerText)"
_CHANGED = f"""before => new Promise((done, fail) => {{
    const began = performance.now()
    const look = () => {{
        const told = {_WORDS}.find(one => one.startsWith('One bar is'))
        if (told && told !== before) requestAnimationFrame(() => done(performance.now() - window.clicked))
        else if (performance.now() - began > 30000) fail(new Error(told))
        else requestAnimationFrame(look)
    }}
    look()
}})"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_CLICKED = "addEventListener('pointerup', () => { window.clicked = performance.now() }, true)"
Say = Callable[[str, list[float], float], None]


def in_a_browser(here: Made, say: Say, console: Console) -> None:
    """`say` tells times in milliseconds beside their goal."""
    folder = here.folder
    with served_catalog(folder) as uri, dashboard_process(folder, catalog_at(uri)) as url:
        catalog = open_catalog(CatalogAccess(uri, ""))
        catalog.create_namespace(NAMESPACE)
        catalog.register_table((NAMESPACE, "revenue_summary"), here.metadata)
        with chromium() as browser:
            _paint(browser, url)  # the mirror is made
            paints = [_paint(browser, url) for _ in range(10)]
            say("first paint of a new visitor", [first for first, _ in paints], 1500)
            say("a new visitor's chart, with nothing in the browser's cache", [chart for _, chart in paints], 1500)
            _changes(browser, url, say)
            _commits(browser, url, catalog, say)
        waits = asyncio.run(_viewers(url))
        say(f"a refresh for one of {_VIEWERS} viewers, every {_EVERY_SECONDS:g} s", waits, 500)
    console.print(f"{len(waits):,} refreshes, fragments run by Streamlit's own messages, without a browser")


def _paint(browser: Browser, url: str) -> tuple[float, float]:
    """From the call of the page until something, and until its chart is on the screen, in milliseconds."""
    page = browser.new_page()
    began = time.perf_counter()
    page.goto(url)
    page.locator(BARS).first.wait_for(timeout=120_000)
    took = 1000 * (time.perf_counter() - began)
    first = float(page.evaluate(_PAINTED))
    page.close()
    return first, took


def _changes(browser: Browser, url: str, say: Say) -> None:
    page = browser.new_page()
    page.goto(f"{url}/?revenue_range=24+h")
    page.locator(BARS).first.wait_for()
    page.evaluate(_CLICKED)
    say("a change of range", [_chosen(page, "Range", name) for name in ("7 d", "24 h", "30 d") * 8], 300)
    _chosen(page, "Range", "24 h")
    say("a change of grain", [_chosen(page, "One bar is", name) for name in ("hour", "15 min", "5 min") * 8], 300)
    page.close()


def _chosen(page: Page, control: str, name: str) -> float:
    """From the click on an option until the chart's words have changed and were painted, in milliseconds."""
    before = page.evaluate(f"{_WORDS}.find(one => one.startsWith('One bar is'))")
    page.get_by_role("combobox", name=control).last.click()
    page.get_by_role("option", name=name, exact=True).click()
    return float(page.evaluate(_CHANGED, before))


def _commits(browser: Browser, url: str, catalog: Catalog, say: Say) -> None:
    """From the end of a commit until its window is on the screen."""
    table = catalog.load_table((NAMESPACE, "revenue_summary"))
    page = browser.new_page()
    page.goto(f"{url}/?revenue_range=15+min")
    page.locator(BARS).first.wait_for()
    waits = []
    moments = Random(1)  # of the page's timer
    for number in range(40):
        time.sleep(moments.uniform(0.2, 1.2))
        append(table.refresh(), [(END + number * WINDOW, f"{number}.{number:02}")])
        committed = time.perf_counter()
        page.wait_for_function(_DRAWN, arg=f"{END + (number + 1) * WINDOW:%H:%M:%S}", polling="raf")
        waits.append(1000 * (time.perf_counter() - committed))
    page.close()
    say("a commit until its window is on the screen", waits, 1000)


async def _viewers(url: str) -> list[float]:
    """What each refresh of each viewer took, in milliseconds; they come one after the other, as people do."""
    waits: list[float] = []

    async def viewer(number: int) -> None:
        await asyncio.sleep(number * _EVERY_SECONDS / _VIEWERS)
        address = url.replace("http", "ws") + "/_stcore/stream"
        async with connect(address, max_size=None, subprotocols=None, origin=url) as line:  # type: ignore[arg-type]
            fragment = await _asked(line)
            for _ in range(_TURNS):
                await asyncio.sleep(_EVERY_SECONDS)
                began = time.perf_counter()
                await _asked(line, fragment)
                waits.append(1000 * (time.perf_counter() - began))

    await asyncio.gather(*(viewer(number) for number in range(_VIEWERS)))
    return waits


async def _asked(line: ClientConnection, fragment: str = "") -> str:
    """A run of the script, or of that part of it; gives the part that the page's timer runs."""
    message = BackMsg()
    message.rerun_script.query_string = ""
    message.rerun_script.context_info.timezone = "Europe/Berlin"
    if fragment:
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = True
    await line.send(message.SerializeToString())
    found = fragment
    async for told in line:
        said = ForwardMsg.FromString(told if isinstance(told, bytes) else told.encode())
        match said.WhichOneof("type"):
            case "auto_rerun":
                found = said.auto_rerun.fragment_id
            case "script_finished":
                return found
    raise AssertionError("the server closed the line")

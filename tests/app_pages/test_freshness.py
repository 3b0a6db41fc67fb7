"""The Freshness page and the badge, over what a watch has left."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from dashboard import cached, visitor
from dashboard.access import Caller, Role
from dashboard.desks.freshness import FreshnessDesk
from dashboard.errors import AlertError
from dashboard.freshness.alert_store import AlertStore
from dashboard.freshness.alerts import PIPELINE, Kind, Notice, Rules
from dashboard.freshness.verdict import Concern, State
from dashboard.sql_files import ROOT
from tests.browser import dashboard_process
from tests.freshness.kept import HOST, MINUTE, held, leave, overview
from tests.freshness.looks import AT

_BADGE = "from dashboard.app_pages.freshness_badge import freshness_badge\nfreshness_badge()\n"


@pytest.fixture
def folder(own_server: None, tmp_path: Path) -> Path:
    cached._freshness_desk.cache_clear()
    return tmp_path / "home" / "freshness" / "local"


def opened(page: str = "freshness") -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.switch_page(f"app_pages/{page}.py").run()
    assert not app.exception
    return app


def said(page: AppTest) -> str:
    parts = [*page.markdown, *page.caption, *page.warning, *page.info, *page.error]
    return "\n".join(str(one.value).replace("\\", "") for one in parts)


def test_before_the_first_look_it_says_what_makes_it_appear(folder: Path) -> None:
    assert "Nobody has looked at the pipeline yet" in said(opened())


def test_the_hop_that_holds_the_numbers_stands_first_with_why_and_what_to_do(folder: Path) -> None:
    leave(folder, overview(State.LATE, timedelta(0), Concern("quality-x", "A check failed.")))
    page = opened()
    assert "Held at **Iceberg commit of revenue_summary**, 22 s late. Nothing was committed. Start it." in said(page)
    assert "A check failed." in [one.value.replace("\\", "") for one in page.error]
    assert "late" in said(page)
    [statements] = [one.value for one in page.dataframe]
    assert list(statements["pending"]) == [17]
    assert "2 orders." in said(page)


def test_a_look_of_long_ago_is_called_that(folder: Path) -> None:
    leave(folder, overview(State.FRESH, ago=10 * MINUTE))
    assert "Nobody has looked for 10 min" in said(opened())


def test_the_past_is_drawn_and_one_moment_is_told(folder: Path) -> None:
    leave(folder, overview(State.FRESH), {20 * MINUTE: State.STALE, 10 * MINUTE: State.FRESH})
    page = opened()
    assert len(page.get("plotly_chart")) == 2
    assert "1 of" in str([one.proto.alt for one in page.get("plotly_chart")])


def test_an_alert_is_snoozed_and_woken_from_the_page(folder: Path) -> None:
    seen = overview(State.STALE)
    leave(folder, seen)
    store = AlertStore(folder / "alerts.sqlite")
    store.see(seen.verdict, Rules(timedelta(0), MINUTE, MINUTE), [])
    page = opened()
    assert "pipeline" in said(page)
    desk = cached.freshness_desk()
    desk_caller = page.session_state["settings"]
    assert desk_caller is not None
    store.close()
    assert desk.watch.newest() is not None


def test_a_snooze_that_could_not_be_kept_is_said_also_when_the_page_is_drawn_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(folder, overview(State.STALE))

    def refused(*_: object) -> None:
        raise AlertError("The disk is full.", "Make room there.")

    monkeypatch.setattr(FreshnessDesk, "snooze", refused)
    page = opened()
    page.session_state["freshness_snooze"] = True
    page.run()
    page.button(key="freshness_snooze_now").click()
    for _ in range(3):
        assert "The disk is full. Make room there." in said(page.run())


def test_an_open_alert_says_who_was_told_and_who_refused(folder: Path) -> None:
    seen = overview(State.STALE)
    leave(folder, seen)
    store = AlertStore(folder / "alerts.sqlite")
    store.see(seen.verdict, Rules(timedelta(0), MINUTE, MINUTE), [])
    assert "Nobody was told." in said(opened())
    [raised] = store.watches().raised.values()
    notice = Notice("1", raised.alert, Kind.RAISED, PIPELINE, AT, AT, None, raised.trouble, "Stale.")
    for way in ("webhook", "mail to ada@example.com"):
        store.keep(notice, way)
    webhook, mail = store.letters()
    store.told(webhook, AT)
    store.failed(mail, "Ada is not known.", AT, refused=True)
    store.close()

    told = said(opened())
    assert "webhook: told at " in told
    assert "mail to `ada@example.com`: refused, and tried again: Ada is not known." in told


@pytest.mark.parametrize("name", ["live_orders", "dead_letters"])
def test_every_other_page_has_the_badge(folder: Path, name: str) -> None:
    leave(folder, overview(State.LATE))
    told = said(opened(name))
    assert "Data as of" in told
    assert "held at: Iceberg commit of revenue_summary" in told


def test_without_a_watch_the_badge_says_that_the_age_is_not_known(folder: Path) -> None:
    assert "Data age unknown" in said(opened("dead_letters"))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPS])
def test_the_badge_tells_hosts_and_files_to_ops_alone(
    folder: Path, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "caller", lambda: Caller("vera", role))
    leave(folder, held(State.LATE))
    badge = AppTest.from_string(_BADGE).run()
    [line] = badge.caption
    assert "held at: Iceberg commit of revenue_summary" in line.value.replace("\\", "")
    assert (HOST in line.proto.help.replace("\\", "")) == (role is Role.OPS)
    assert line.proto.help

    folder.joinpath("overview.json").write_text("{")
    [told] = [one.value for one in badge.run().caption]
    assert ("overview" in told) == (role is Role.OPS)
    assert "unknown" in told or role is Role.OPS


def test_it_is_usable_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    """With the server's own watch, on a stack of which nothing runs."""
    away = dict.fromkeys(("SALES_LOCAL__KAFKA_PORT", "SALES_LOCAL__REGISTRY_PORT", "SALES_LOCAL__FLINK_PORT"), "1")
    settings = {"SALES_LOCAL__HOME": str(tmp_path / "home"), **away}
    with dashboard_process(tmp_path, settings) as url:
        context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
        page = context.new_page()
        page.goto(f"{url}/freshness")
        expect(page.get_by_text("Held at")).to_contain_text("ingest of payments")
        expect(page.get_by_text("The Kafka broker is not running.").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        expect(page.get_by_text("Snooze")).to_be_visible()
        context.close()

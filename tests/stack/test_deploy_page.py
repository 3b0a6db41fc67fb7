"""The Deploy page on a real stack, as three people use it who log in at a real provider."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.lifecycle import LocalStack
from dashboard.local.home import StackKind, recorded_kind
from tests.browser import dashboard_process, log_in, login_provider, on_this_machine_alone, secrets_file
from tests.conftest import eventually, free_ports, running_stack, stack_settings

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.long]
PEOPLE = {
    "vera": {"roles": ["viewer"]},
    "otto": {"roles": ["ops"]},
    "ada": {"roles": ["admin"]},
    "bob": {"roles": ["admin"]},
}
REVENUE = "revenue-summary-materializer"


@dataclass
class Site:
    url: str
    stack: LocalStack
    environment: dict[str, str]
    """Of a command on the same stack."""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dashboard", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("deploy-page")
    settings = stack_settings(folder / "home")
    (port,) = free_ports(1)
    with ExitStack() as stack:
        running = stack.enter_context(running_stack(settings))
        own = settings.as_environment() | {"SALES_WEB__PORT": str(port), "SALES_ACCESS__ROLE_CLAIM": "roles"}
        provider = stack.enter_context(login_provider(folder, PEOPLE))
        secrets = secrets_file(folder, provider, port)
        url = stack.enter_context(dashboard_process(folder, own, f"--secrets.files={secrets}", port=port))
        # as somebody's shell, who leaves the window size to the stack
        shell = {name: value for name, value in own.items() if name != "SALES_PIPELINE__WINDOW_SIZE"}
        yield Site(url, running, {**os.environ, **shell})


class Forgery:
    """Changes what a browser sends: with the next message, a button is clicked that nobody could click."""

    def __init__(self, page: Page, label: str, widget: str = "") -> None:
        self.armed = False
        self.sent = False
        self.widget = widget
        """Its id, taken from what the server sent unless it is known."""
        self._label = label
        page.route_web_socket(re.compile("_stcore/stream"), self._between)

    def _between(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def sent(message: str | bytes) -> None:
            server.send(self._forged(message) if isinstance(message, bytes) and self.armed else message)

        def received(message: str | bytes) -> None:
            if isinstance(message, bytes):
                self._look_for_the_button(message)
            browser.send(message)

        browser.on_message(sent)
        server.on_message(received)

    def _look_for_the_button(self, message: bytes) -> None:
        found = ForwardMsg()
        found.ParseFromString(message)
        button = found.delta.new_element.button
        if button.label == self._label:
            self.widget = button.id

    def _forged(self, message: bytes) -> bytes:
        told = BackMsg()
        told.ParseFromString(message)
        if not self.widget or told.WhichOneof("type") != "rerun_script":
            return message
        state = told.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = self.widget, True
        self.sent = True
        return bytes(told.SerializeToString())


@contextmanager
def logged_in(browser: Browser, site: Site, subject: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    on_this_machine_alone(context)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(site.url)
    log_in(page, subject)
    yield page
    context.close()


def view(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()


def open_deploy(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.url}/deploy?deploy_view={name.replace(' ', '+')}")
    expect(page.get_by_text("local · this machine")).to_be_visible()


def plan(page: Page, window: str) -> Locator:
    """Asks for a plan with this window size; the button that carries it out."""
    page.get_by_role("combobox", name="Window size").click()
    page.get_by_role("option", name=window, exact=True).click()
    page.get_by_role("button", name="Plan", exact=True).click()
    expect(page.get_by_text("replace, losing state").first).to_be_visible()
    return page.get_by_role("button", name="Apply")


def agree(page: Page, name: str, typed: str | None = None) -> None:
    field = page.get_by_label(f"Type {name} to agree")
    field.fill(name if typed is None else typed)
    field.press("Enter")


@contextmanager
def held_up(site: Site) -> Iterator[None]:
    """Meanwhile Flink's gateway answers nobody, so that what needs it comes to no end, for a minute or two."""
    gateway = site.stack.processes.find("gateway")
    assert gateway is not None
    gateway.suspend()
    try:
        yield
    finally:
        gateway.resume()


def done(page: Page, what: str) -> None:
    expect(page.get_by_text(re.compile(f"Done in .*: {what} on local"))).to_be_visible()


def acts(site: Site) -> list[tuple[str, str]]:
    return [(act.what, act.who.partition(" ")[0]) for act in site.stack.deployment.audit.acts()]


def verified(site: Site) -> None:
    """Every closed window is right, by the command."""
    eventually(lambda: site.command("verify").returncode == 0, 120, 2)


def choose(page: Page, part: str) -> None:
    page.get_by_role("combobox", name="Details of").fill(part)
    page.get_by_role("option", name=part, exact=True).click()


@pytest.mark.parametrize(("subject", "role"), [("vera", "a viewer"), ("otto", "ops")])
def test_whoever_is_no_admin_sees_nothing_of_it(browser: Browser, site: Site, subject: str, role: str) -> None:
    with logged_in(browser, site, subject) as page:
        page.goto(f"{site.url}/deploy?deploy_view=Plan+and+apply")
        expect(page.get_by_text(f"Deploy is for admins; you are {role}.")).to_be_visible()
        expect(page.get_by_role("button", name="Plan", exact=True)).to_have_count(0)


def test_an_apply_is_agreed_to_by_name_goes_on_without_its_page_and_keeps_others_out(
    browser: Browser, site: Site
) -> None:
    with logged_in(browser, site, "ada") as page, logged_in(browser, site, "bob") as other:
        open_deploy(page, site, "Plan and apply")
        open_deploy(other, site, "What runs")
        apply = plan(page, "10s")
        expect(page.get_by_text("INTERVAL '10' SECOND")).to_be_visible()
        expect(apply).to_be_disabled()
        agree(page, "revenue_summary")
        expect(apply).to_be_enabled()
        with held_up(site):
            apply.click()
            expect(page.get_by_text(re.compile("At work for .*: apply on local"))).to_be_visible()
            refused = site.command("stop", REVENUE)
            assert refused.returncode == 1
            assert "`apply` by ada" in refused.stderr
            page.reload()
            for one in (page, other):
                expect(one.get_by_text(re.compile("At work for .*: apply on local by ada"))).to_be_visible()
            page.close()
        done(other, "apply")
    assert recorded_kind(site.stack.settings.local.home) == StackKind(timedelta(seconds=10))
    assert acts(site)[-1] == ("apply ended", "ada")
    verified(site)


def test_an_apply_is_refused_with_the_name_of_whoever_changes_the_target(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "ada") as page:
        open_deploy(page, site, "Plan and apply")
        apply = plan(page, "30s")
        agree(page, "revenue_summary")
        before = acts(site)
        with site.stack.deployment.audit.only_writer():
            apply.click()
            expect(page.get_by_text(re.compile("is being changed by .*@"))).to_be_visible()
    assert acts(site) == before


def test_a_forged_click_drops_nothing_that_was_not_agreed_to(browser: Browser, site: Site) -> None:
    """The button that carries a plan out is off, and its click is sent all the same."""
    with logged_in(browser, site, "ada") as page:
        forgery = Forgery(page, "Apply")
        open_deploy(page, site, "Plan and apply")
        expect(plan(page, "30s")).to_be_disabled()
        before = acts(site)
        forgery.armed = True
        # any message takes the forged one along
        page.get_by_text("unchanged").click()
        agree(page, "revenue_summary", typed="revenue_summar")
        expect(page.get_by_text("That is not revenue_summary")).to_be_visible()
        assert forgery.sent
        expect(page.get_by_text("At work for")).to_have_count(0)
        assert acts(site) == before
        agree(page, "revenue_summary")
        # asked of the page, since what the browser sends goes through this process only while it waits for the page
        at_work = page.get_by_text(re.compile("At work for .*: apply on local"))
        expect(at_work).to_be_visible()
        expect(at_work).to_have_count(0)
        assert [what for what, _ in acts(site)[len(before) :]].count("apply ended") == 1
        before, taken = acts(site), forgery.widget
    with logged_in(browser, site, "vera") as page:
        forgery = Forgery(page, "Apply", taken)
        forgery.armed = True
        page.goto(f"{site.url}/deploy")
        expect(page.get_by_text("Deploy is for admins; you are a viewer.")).to_be_visible()
        assert forgery.sent
        assert acts(site) == before


def test_a_statement_is_stopped_and_goes_on_and_the_payment_app_starts_again(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "ada") as page:
        open_deploy(page, site, "What runs")
        page.get_by_role("button", name=re.compile(f"Statement {REVENUE}")).click()
        page.get_by_test_id("stPopover").get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Stop it").click()
        done(page, f"stop {REVENUE}")
        expect(page.get_by_role("button", name=re.compile(f"Statement {REVENUE}, stopped"))).to_be_visible()
        expect(page.get_by_text("1 of 18")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        done(page, f"resume {REVENUE}")
        expect(page.get_by_text("All 18 parts are ready")).to_be_visible()
        page.get_by_text("Payment app", exact=True).click()
        page.get_by_role("button", name="Restart the payment app").click()
        done(page, "restart the payment app")
    verified(site)


def test_a_check_shows_its_rows_beside_its_sql(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "ada") as page:
        open_deploy(page, site, "Checks")
        expect(page.get_by_text("HAVING").first).to_be_visible()
        page.locator(".st-key-deploy_check_revenue-summary-preview").get_by_role("button", name="Run").click()
        expect(page.get_by_text(re.compile(r"first 100 rows"))).to_be_visible()


def test_the_audit_log_is_filtered_and_taken_away(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "bob") as page:
        open_deploy(page, site, "Audit")
        whole = len(site.stack.deployment.audit.acts())
        expect(page.get_by_text(f"{whole:,} of {whole:,} acts")).to_be_visible()
        field = page.get_by_label("Contains")
        field.fill("apply ended")
        field.press("Enter")
        ended = sum(what == "apply ended" for what, _ in acts(site))
        expect(page.get_by_text(f"{ended} of {whole:,} acts")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_text("Download as CSV").click()
        lines = download.value.path().read_text().splitlines()
        assert len(lines) == 1 + ended
        assert lines[0] == "at,who,target,plan,what,thing,result"
        assert any(",ada at http" in line for line in lines)
        page.get_by_role("button", name="Prepare the whole log").click()
        with page.expect_download() as download:
            page.get_by_text(re.compile("Download .* acts as JSON")).click()
        assert len(json.loads(download.value.path().read_text())) == whole


def test_the_pipeline_is_destroyed_by_the_targets_name_and_its_data_stays(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "bob") as page:
        open_deploy(page, site, "Plan and apply")
        page.get_by_role("button", name="Plan to destroy").click()
        destroy = page.get_by_role("button", name="Destroy", exact=True)
        expect(destroy).to_be_disabled()
        field = page.get_by_label("To destroy the pipeline on local, type local")
        field.fill("loca")
        field.press("Enter")
        expect(destroy).to_be_disabled()
        field.fill("local")
        field.press("Enter")
        expect(destroy).to_be_enabled()
        destroy.click()
        done(page, "destroy")
    assert not [job for job in site.stack.deployment.statements.jobs().values() if not job.ended]
    assert "revenue_summary" in site.stack.kafka.topic_names()
    assert acts(site)[-1] == ("destroy ended", "bob")

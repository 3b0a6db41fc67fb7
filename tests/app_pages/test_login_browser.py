"""Logins at a real provider: what each role sees, and what is refused to whoever has it no more."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import dashboard_process, log_in, login_provider, on_this_machine_alone, secrets_file
from tests.conftest import free_ports

pytestmark = pytest.mark.browser
_VERIFIED = {"email_verified": True}
PEOPLE = {
    "vera": {"email": "vera@example.com", **_VERIFIED, "groups": ["viewer"]},
    "otto": {"email": "otto@example.com", **_VERIFIED, "groups": ["ops", "viewer"]},
    "ada": {"email": "ada@example.com", **_VERIFIED},
    "clara": {"email": "clara@example.com", **_VERIFIED, "groups": ["admin"]},
    "mallory": {"email": "ada@example.com", "email_verified": False},
    "nobody": {"email": "nobody@example.com", **_VERIFIED},
    "yesterday": {"groups": ["admin"], "iat": int(time.time()) - 9 * 3600},
}


@dataclass
class Site:
    url: str
    folder: Path
    provider: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("login")
    (port,) = free_ports(1)
    settings = {
        "SALES_LOCAL__HOME": str(folder / "home"),
        "SALES_ACCESS__ADMINS": "ada@example.com",
        "SALES_ACCESS__ROLE_CLAIM": "groups",
    }
    with ExitStack() as stack:
        provider = stack.enter_context(login_provider(folder, PEOPLE))
        secrets = secrets_file(folder, provider, port)
        url = stack.enter_context(dashboard_process(folder, settings, f"--secrets.files={secrets}", port=port))
        yield Site(url, folder, provider)


@contextmanager
def tab(browser: Browser) -> Iterator[tuple[BrowserContext, Page]]:
    context = browser.new_context()
    on_this_machine_alone(context)
    yield context, context.new_page()
    context.close()


@contextmanager
def logged_in(browser: Browser, site: Site, subject: str) -> Iterator[tuple[BrowserContext, Page]]:
    with tab(browser) as (context, page):
        page.goto(site.url)
        log_in(page, subject)
        yield context, page


def test_without_a_login_there_is_nothing_but_the_way_to_it(browser: Browser, site: Site) -> None:
    with tab(browser) as (_, page):
        for path in ("", "/deploy", "/?embed=false"):
            page.goto(f"{site.url}{path}")
            expect(page.get_by_role("button", name="Log in")).to_be_visible()
            expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
            expect(page.get_by_text("Revenue", exact=True)).to_have_count(0)


@pytest.mark.parametrize(
    ("subject", "role", "sees_deploy"),
    [("vera", "viewer", False), ("otto", "ops", False), ("ada", "admin", True), ("clara", "admin", True)],
)
def test_each_role_sees_its_pages_whether_a_list_or_a_claim_gives_it(
    browser: Browser, site: Site, subject: str, role: str, sees_deploy: bool
) -> None:
    with logged_in(browser, site, subject) as (_, page):
        expect(page.get_by_role("heading", name="Revenue")).to_be_visible()
        expect(page.get_by_role("link", name="Deploy")).to_have_count(1 if sees_deploy else 0)
        expect(page.get_by_test_id("stSidebar").get_by_text(f"{subject}@example.com · {role}")).to_be_visible()


@pytest.mark.parametrize(("subject", "role"), [("vera", "a viewer"), ("otto", "ops")])
def test_the_deploy_page_by_its_address_is_refused_to_whoever_is_no_admin(
    browser: Browser, site: Site, subject: str, role: str
) -> None:
    with logged_in(browser, site, subject) as (_, page):
        page.goto(f"{site.url}/deploy?deploy_view=Audit")
        expect(page.get_by_text(f"Deploy is for admins; you are {role}.")).to_be_visible()
        expect(page.get_by_text("What runs")).to_have_count(0)
        expect(page.get_by_role("button", name="Log in again")).to_have_count(0)


def test_an_admin_gets_past_the_gate(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "ada") as (_, page):
        page.goto(f"{site.url}/deploy")
        # nothing runs here, which the page says; the rest of it is there
        expect(page.get_by_text("The local stack does not run")).to_be_visible()
        expect(page.get_by_text("Plan and apply")).to_be_visible()


@pytest.mark.parametrize("subject", ["mallory", "nobody"])
def test_an_unverified_address_and_a_stranger_have_no_role_and_are_told_what_to_ask_for(
    browser: Browser, site: Site, subject: str
) -> None:
    with tab(browser) as (_, page):
        page.goto(site.url)
        log_in(page, subject)
        expect(page.get_by_text("You have no role here")).to_be_visible()
        # by what the provider vouches for, and nothing that they chose themselves
        vouched = "nobody@example.com" if subject == "nobody" else f"{subject} at {site.provider}"
        expect(page.get_by_text(f"({vouched})")).to_be_visible()
        expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)


def test_a_login_of_nine_hours_ago_is_asked_for_anew_before_an_admins_act(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "yesterday") as (_, page):
        page.goto(f"{site.url}/deploy")
        expect(page.get_by_text("older than 8 hours")).to_be_visible()
        expect(page.get_by_role("button", name="Log in again")).to_be_visible()
        expect(page.get_by_text("What runs")).to_have_count(0)


def test_a_second_tab_is_refused_at_its_next_act_after_a_logout_in_the_first(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "ada") as (context, first):
        cookies = context.cookies()
        second = context.new_page()
        second.goto(f"{site.url}/deploy")
        expect(second.get_by_text("The local stack does not run")).to_be_visible()
        first.get_by_role("button", name="Log out").click()
        expect(first.get_by_role("button", name="Log out")).to_be_hidden()
        second.get_by_text("Audit", exact=True).click()
        expect(second.get_by_role("button", name="Log in")).to_be_visible()
        expect(second.get_by_text("Plan and apply")).to_have_count(0)
        # nor does the cookie of then count, sent by a browser that has kept it
        context.add_cookies(cookies)  # type: ignore[arg-type]  # as they came
        second.goto(f"{site.url}/deploy")
        expect(second.get_by_role("button", name="Log in")).to_be_visible()
        expect(second.get_by_text("Plan and apply")).to_have_count(0)


def test_a_forged_cookie_is_nobodys(browser: Browser, site: Site) -> None:
    with logged_in(browser, site, "vera") as (context, page):
        for cookie in context.cookies():
            if cookie["name"].startswith("_streamlit_user"):
                forged = cookie["value"][:20] + ("A" if cookie["value"][20] != "A" else "B") + cookie["value"][21:]
                context.add_cookies([{**cookie, "value": forged}])  # type: ignore[typeddict-item]  # as it came
        page.goto(f"{site.url}/deploy")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_inside_another_page_no_right_is_gained_and_nobody_can_log_in(browser: Browser, site: Site) -> None:
    with tab(browser) as (_, page):
        page.goto(f"{site.url}/deploy?embed=true")
        expect(page.get_by_text("does not work inside an embed")).to_be_visible()
        expect(page.get_by_role("button", name="Log in")).to_have_count(0)
    with logged_in(browser, site, "vera") as (_, page):
        page.goto(f"{site.url}/deploy?embed=true")
        expect(page.get_by_text("Deploy is for admins; you are a viewer.")).to_be_visible()


def test_a_login_that_is_half_set_up_lets_nobody_in_and_names_what_is_missing(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.toml"
    whole = (site.folder / "secrets.toml").read_text()
    secrets.write_text("\n".join(line for line in whole.splitlines() if "client_secret" not in line))
    with (
        dashboard_process(tmp_path, {"SALES_LOCAL__HOME": str(tmp_path)}, f"--secrets.files={secrets}") as url,
        tab(browser) as (_, page),
    ):
        page.goto(url)
        expect(page.get_by_text(re.compile("lacks client_secret"))).to_be_visible()
        expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
        expect(page.get_by_text("not-a-secret")).to_have_count(0)


def test_no_secret_of_the_login_is_in_the_log(site: Site) -> None:
    log = (site.folder / "streamlit.log").read_text()
    assert "known-to-the-test" not in log
    assert "not-a-secret-but-long-enough" not in log

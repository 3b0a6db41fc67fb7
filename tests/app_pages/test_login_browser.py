"""Logging in for real: a provider, the dashboard and a browser, each a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from dashboard.sql_files import ROOT
from tests.conftest import free_ports

pytestmark = pytest.mark.browser
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
COOKIE = "_streamlit_user"
COOKIE_SECRET = "only-for-this-test-" * 3
HOUR = 3600
EIGHT_HOURS = 8 * HOUR
PEOPLE: list[dict[str, object]] = [
    {"sub": "victor", "name": "Victor", "groups": ["staff", "viewer"]},
    {"sub": "olga", "email": "Olga@example.com", "email_verified": True},
    {"sub": "oscar", "email": "olga@example.com", "email_verified": False},
    {"sub": "adam", "name": "Adam", "groups": "admin"},
    {"sub": "alma", "email": "alma@example.com", "email_verified": True},
    {"sub": "early", "name": "Early", "groups": "admin", "iat": int(time.time()) - EIGHT_HOURS - HOUR},
    {"sub": "nadia", "name": "Nadia", "groups": ["staff"]},
]
ACCESS = {
    "SALES_ACCESS__ADMINS": "alma@example.com",
    "SALES_ACCESS__OPS": "olga@example.com",
    "SALES_ACCESS__ROLE_CLAIM": "groups",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.fail("There is no browser. Install Chromium, for example `apt-get install chromium`.")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"] if as_root else [])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard where people log in."""
    folder = tmp_path_factory.mktemp("login")
    provider_port, port, registry_port = free_ports(3)
    secrets = folder / "secrets.toml"
    secrets.write_text(
        "[auth]\n"
        f'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        f'cookie_secret = "{COOKIE_SECRET}"\n'
        'client_id = "sales"\nclient_secret = "sales"\n'
        f'server_metadata_url = "http://127.0.0.1:{provider_port}/.well-known/openid-configuration"\n'
    )
    provider = [sys.executable, "-m", "oidc_provider_mock", f"--port={provider_port}"]
    for person in PEOPLE:
        provider += ["--user-claims", json.dumps(person)]
    dashboard = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", f"--server.port={port}"]
    variables = {
        "SALES_LOCAL__HOME": str(folder / "home"),
        "SALES_LOCAL__REGISTRY_PORT": str(registry_port),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    with (
        program(provider, {}, folder / "provider.log", f"http://127.0.0.1:{provider_port}/"),
        program(
            [*dashboard, f"--secrets.files={secrets}"],
            {**variables, **ACCESS},
            folder / "dashboard.log",
            f"http://127.0.0.1:{port}/_stcore/health",
        ),
    ):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def program(command: list[str], variables: dict[str, str], log: Path, url: str) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SALES_")}
    with log.open("w") as written:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**kept, **variables}, stdout=written, stderr=subprocess.STDOUT
        )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                with opener.open(url, timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, f"no answer from {url} within 60 s"
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that was never here before."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    yield context
    context.close()


def log_in(visitor: BrowserContext, site: str, who: str) -> Page:
    page = visitor.new_page()
    page.goto(site)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=who, exact=True).click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    return page


def listed(page: Page) -> list[str]:
    """The pages in the navigation; none while only one could be in it."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    # the first line of a link is its icon's name
    return [text.splitlines()[-1] for text in page.get_by_test_id("stSidebarNavLink").all_inner_texts()]


def expect_login_page(page: Page) -> None:
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)


# before a login


@pytest.mark.parametrize("path", ["/", "/deploy", "/?embed=false"])
def test_who_is_not_logged_in_gets_one_button_and_nothing_else(visitor: BrowserContext, site: str, path: str) -> None:
    page = visitor.new_page()
    page.goto(f"{site}{path}")

    expect_login_page(page)
    expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_count(1)
    expect(page.get_by_role("heading")).to_have_text("Sales Trends")


def test_inside_an_embed_it_says_that_nobody_can_log_in_there(visitor: BrowserContext, site: str) -> None:
    page = visitor.new_page()
    page.goto(f"{site}/?embed=true")

    expect(page.get_by_text("Logging in does not work inside an embed")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_count(0)


def cookie(site: str, secret: str) -> str:
    told = {"sub": "mallory", "groups": "admin", "iat": int(time.time()), "iss": "x", "provider": "default"}
    return create_signed_value(secret, COOKIE, json.dumps({**told, "origin": site, "is_logged_in": True})).decode()


@pytest.mark.parametrize("forged", [True, False])
def test_a_cookie_counts_only_with_the_servers_signature(visitor: BrowserContext, site: str, forged: bool) -> None:
    value = cookie(site, "x" * 64 if forged else COOKIE_SECRET)
    visitor.add_cookies([{"name": COOKIE, "value": value, "url": site}])
    page = visitor.new_page()
    page.goto(f"{site}/deploy")

    if forged:
        expect_login_page(page)
    else:
        expect(page.get_by_role("button", name="Log out")).to_be_visible()


# what each role sees


@pytest.mark.parametrize(
    ("who", "role", "deploys"),
    [
        ("victor", "viewer", False),
        ("olga", "ops", False),
        ("adam", "admin", True),
        ("alma", "admin", True),
    ],
)
def test_the_navigation_shows_what_a_role_may(
    visitor: BrowserContext, site: str, who: str, role: str, deploys: bool
) -> None:
    page = log_in(visitor, site, who)

    assert ("Deploy" in listed(page)) is deploys
    expect(page.get_by_test_id("stSidebar").get_by_text(f" · {role}")).to_be_visible()


@pytest.mark.parametrize("who", ["nadia", "oscar"])
def test_without_a_role_there_is_only_who_one_is_and_what_to_ask_for(
    visitor: BrowserContext, site: str, who: str
) -> None:
    page = log_in(visitor, site, who)

    expect(page.get_by_text("You have no role here")).to_be_visible()
    expect(page.get_by_text(f"({who} at http://127.0.0.1")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    page.goto(f"{site}/deploy")
    expect(page.get_by_text("You have no role here")).to_be_visible()


@pytest.mark.parametrize("path", ["/deploy", "/deploy?embed=true"])
@pytest.mark.parametrize(("who", "said"), [("victor", "you are a viewer."), ("olga", "you are ops."), ("adam", "")])
def test_a_page_of_a_higher_role_is_refused_at_its_address(
    visitor: BrowserContext, site: str, who: str, said: str, path: str
) -> None:
    log_in(visitor, site, who)
    page = visitor.new_page()
    page.goto(f"{site}{path}")

    expect(page.get_by_role("heading", name="Deploy")).to_be_visible()
    expect(page.get_by_text(f"is for admins; {said}")).to_have_count(1 if said else 0)
    expect(page.get_by_text("is for admins")).to_have_count(1 if said else 0)


def test_an_admin_whose_login_is_old_is_asked_to_log_in_again(visitor: BrowserContext, site: str) -> None:
    page = log_in(visitor, site, "early")
    assert "Deploy" in listed(page)
    page.get_by_role("link", name="Deploy").click()

    expect(page.get_by_text("Your login is older than 8 hours.")).to_be_visible()
    page.get_by_role("button", name="Log in again").click()
    page.get_by_role("button", name="adam", exact=True).click()
    page.get_by_role("link", name="Deploy").click()
    expect(page.get_by_role("heading", name="Deploy")).to_be_visible()
    expect(page.get_by_text("older than")).to_have_count(0)


# logging out


def test_a_logout_in_one_tab_ends_the_others_too(visitor: BrowserContext, site: str) -> None:
    first = log_in(visitor, site, "adam")
    live, waiting = visitor.new_page(), visitor.new_page()
    live.goto(site)
    waiting.goto(f"{site}/deploy")
    expect(live.get_by_text("This page keeps trying.")).to_be_visible()
    expect(waiting.get_by_role("heading", name="Deploy")).to_be_visible()

    first.get_by_role("button", name="Log out").click()
    first.wait_for_url(lambda url: urlsplit(url).netloc != urlsplit(site).netloc)

    # by its timer, which asks for the fragment alone
    expect(live.get_by_text("You have logged out in another tab.")).to_be_visible()
    expect(live.get_by_text("This page keeps trying.")).to_have_count(0)
    # at the next act
    waiting.get_by_role("link", name="Revenue").click()
    expect(waiting.get_by_text("You have logged out in another tab.")).to_be_visible()
    expect(waiting.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    new = visitor.new_page()
    new.goto(site)
    expect_login_page(new)


def test_a_copied_cookie_of_an_ended_login_is_refused(browser: Browser, visitor: BrowserContext, site: str) -> None:
    page = log_in(visitor, site, "alma")
    copied = [one for one in visitor.cookies() if one.get("name", "").startswith(COOKIE)]
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(lambda url: urlsplit(url).netloc != urlsplit(site).netloc)

    thief = browser.new_context()
    thief.add_cookies([{"name": one["name"], "value": one["value"], "url": site} for one in copied])
    stolen = thief.new_page()
    stolen.goto(site)
    expect(stolen.get_by_role("button", name="Log in again")).to_be_visible()
    expect(stolen.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    thief.close()

    again = log_in(visitor, site, "alma")
    assert "Deploy" in listed(again)

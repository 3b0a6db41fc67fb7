"""A real browser, a real dashboard process and a real provider of logins, for tests that look at pages."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dashboard.sql_files import ROOT
from tests.conftest import free_ports

_SECONDS = 60
"""A page may have to wait for Flink, on a machine that has other things to do."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if executable is None:
        pytest.fail("There is no browser. Install Chromium, for example `apt-get install chromium`.")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    expect.set_options(timeout=_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"] if as_root else [])
        yield browser
        browser.close()


@contextmanager
def dashboard_process(
    folder: Path, settings: Mapping[str, str], *options: str, port: int | None = None, script: str = "dashboard/web.py"
) -> Iterator[str]:
    """The dashboard, or another script, with these SALES_ settings alone; gives its address.

    Its log is `streamlit.log` in the folder.
    """
    port = port or free_ports(1)[0]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SALES_")}
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", *options]
    with (folder / "streamlit.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, "SALES_LAKE__MIRROR": str(folder / "mirror"), **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_answers(f"{url}/_stcore/health", process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def login_provider(folder: Path, people: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A provider of logins for these people, by subject with their claims; gives its address."""
    port = free_ports(1)[0]
    claims = [f"--user-claims={json.dumps({'sub': subject, **its})}" for subject, its in people.items()]
    with (folder / "provider.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "oidc_provider_mock", f"--port={port}", *claims],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_answers(f"{url}/.well-known/openid-configuration", process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def secrets_file(folder: Path, provider: str, port: int) -> Path:
    """The login's settings for a dashboard on this port."""
    file = folder / "secrets.toml"
    file.write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "{"not-a-secret-but-long-enough" * 2}"
client_id = "sales-trends"
client_secret = "known-to-the-test"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
    )
    return file


def on_this_machine_alone(context: BrowserContext) -> None:
    """The provider's pages ask the network for their looks, and wait for it."""
    context.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())


def log_in(page: Page, subject: str) -> None:
    """From the page that asks for a login to the first one after it."""
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=subject, exact=True).click()
    page.get_by_role("button", name="Log out").wait_for()


def _wait_until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, f"what serves {url} ended while starting"
            assert time.monotonic() < deadline, f"{url} did not answer within 60 s"
            time.sleep(0.2)

"""A server of its own for a page that is opened without a browser."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import cached, lake_engines, visitor
from dashboard.access import EndedLogins
from dashboard.readers import lake
from dashboard.readers.mirror import engine as mirror
from dashboard.settings import Settings
from dashboard.sql_files import ROOT
from tests.app_pages.revenue_world import MINUTE, Catalogs
from tests.iceberg_tables import sqlite_catalog


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On loopback, without a provider or a registry, whose settings are in the test's folder."""
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SALES_LOCAL__REGISTRY_PORT", "1")
    monkeypatch.setattr(visitor, "_ended", EndedLogins())
    monkeypatch.setattr(visitor, "_had_provider", threading.Event())
    before = {name: config.get_option(name) for name in ("server.address", "secrets.files")}
    config.set_option("server.address", "127.0.0.1")
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    yield
    for name, value in before.items():
        config.set_option(name, value)
    st.cache_resource.clear()


@pytest.fixture
def catalogs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogs]:
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    with sqlite_catalog(tmp_path) as catalog:
        catalogs = Catalogs(catalog)
        monkeypatch.setattr(lake, "open_catalog", catalogs.open)
        monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
        monkeypatch.setenv("SALES_LAKE__MIRROR", str(tmp_path / "mirror"))
        monkeypatch.setenv("SALES_LOCAL__KAFKA_PORT", "1")  # where nothing listens
        # each run of the page sees what was committed before it
        monkeypatch.setattr(lake_engines, "catalog_interval_of", lambda _settings: timedelta(0))
        monkeypatch.setattr(mirror, "PATIENCE", MINUTE)
        st.cache_resource.clear()
        cached._annotation_desk.cache_clear()
        yield catalogs
        cached._annotation_desk.cache_clear()
        st.cache_resource.clear()


@pytest.fixture
def page(catalogs: Catalogs) -> Iterator[AppTest]:
    # as .streamlit/config.toml says, which is not read from the folder of a test
    config.set_option("runner.magicEnabled", False)
    config.set_option("global.disableWidgetStateDuplicationWarning", True)
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    page.context = {"timezone": "Europe/Berlin"}
    yield page
    config.set_option("runner.magicEnabled", True)

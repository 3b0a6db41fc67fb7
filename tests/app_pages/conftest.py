"""A server of its own for a page that is opened without a browser."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config

from dashboard import visitor
from dashboard.access import EndedLogins
from dashboard.settings import Settings


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

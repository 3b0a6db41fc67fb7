"""What is looked at before a start; tests/test_faults_at_start.py goes through the command."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.errors import StackError
from dashboard.local import preflight
from dashboard.local.jars import Jar
from dashboard.local.preflight import check_before_start, foreign_broker, free_mb
from dashboard.settings import Settings
from tests.conftest import stack_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = stack_settings(tmp_path / "home")
    local = settings.local.model_copy(update={"cache": tmp_path / "cache"})
    return settings.model_copy(update={"local": local})


def test_jars_that_do_not_fit_into_the_cache_are_not_downloaded(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(preflight, "jars_to_download", lambda _: [Jar("kafka", "", 300 * 10**6, maven="a:b:1")])
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6 * (200 if folder.name == "cache" else 9_000))
    )
    with pytest.raises(StackError, match=r"Only 200 MB are free for .*; starting takes at least 301 MB") as refusal:
        check_before_start(settings, page=False)
    assert "SALES_LOCAL__CACHE" in refusal.value.hint


def test_a_machine_that_is_ready_is_not_refused_and_not_changed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "jars_to_download", lambda _: [])
    check_before_start(settings, page=False)
    assert list(tmp_path.iterdir()) == []


def test_room_is_told_also_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free / 10**6
    assert free_mb(tmp_path / "a" / "b") == pytest.approx(free, rel=0.2)


def test_a_free_port_has_no_foreign_broker(settings: Settings) -> None:
    assert foreign_broker(settings) == ""

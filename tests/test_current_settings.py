import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard import current_settings as module
from dashboard.current_settings import current_settings
from dashboard.errors import SettingsError
from dashboard.settings import Settings, load_settings

TARGET = """[staging]
kind = "own-clusters"
"""


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], int]:
    """How often the settings were read; files are those of the test."""
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setattr(module, "_last", [])
    times: list[int] = []

    def counted() -> Settings:
        times.append(1)
        return load_settings()

    monkeypatch.setattr(module, "load_settings", counted)
    return lambda: len(times)


def written(file: Path, text: str, seconds_ago: float) -> None:
    file.write_text(text)
    at = time.time() - seconds_ago
    os.utime(file, (at, at))


def test_they_are_read_once_while_nothing_changes(read: Callable[[], int], tmp_path: Path) -> None:
    written(tmp_path / ".env", "SALES_SHOP__SEED=7\n", 60)
    for _ in range(5):
        assert current_settings().shop.seed == 7
    assert read() == 1


def test_a_variable_that_changes_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in ("1", "2", "1"):
        monkeypatch.setenv("SALES_SHOP__SEED", seed)
        assert current_settings().shop.seed == int(seed)
    monkeypatch.setenv("SALES_SHOP__SEED", "many")
    with pytest.raises(SettingsError):
        current_settings()


def test_a_file_that_appears_changes_or_goes_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    default = current_settings().shop.seed
    # of the same length, at one moment: only that they are young tells
    for seed in (1, 2, 3, 4):
        written(file, f"SALES_SHOP__SEED={seed}\n", 0)
        assert current_settings().shop.seed == seed
    written(file, "SALES_SHOP__SEED=5\n", 60)
    assert current_settings().shop.seed == 5
    written(file, "SALES_SHOP__SEED=6\n", 30)
    assert current_settings().shop.seed == 6
    file.unlink()
    assert current_settings().shop.seed == default


def test_the_file_of_targets_counts_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    written(file, "", 60)
    monkeypatch.setenv("SALES_TARGETS_FILE", str(file))
    current_settings()
    written(file, "local = 1", 30)
    with pytest.raises(SettingsError, match="local"):
        current_settings()

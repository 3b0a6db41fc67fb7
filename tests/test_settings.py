"""Settings come from the environment and .env, are checked whole, and can be handed to a child process."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from dashboard.errors import ExitCode, SettingsError
from dashboard.settings import PREFIX, Settings, load_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's variables nor a .env in the repository reach these tests."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")


def test_settings_have_defaults_that_work_without_any_variable() -> None:
    settings = load_settings()

    assert settings.target == "local"
    assert settings.pipeline.window_size == timedelta(seconds=5)
    assert settings.shop.history == timedelta(days=14)


def test_a_variable_replaces_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", "1h")
    monkeypatch.setenv("SALES_SHOP__RATE", "5000")

    settings = load_settings()

    assert settings.pipeline.window_size == timedelta(hours=1)
    assert settings.shop.rate == 5_000
    assert settings.pipeline.commit_interval == timedelta(seconds=10)


def test_the_file_env_replaces_a_default_and_a_variable_replaces_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SALES_WEB__PORT=8601\nSALES_SHOP__SEED=1\n")
    monkeypatch.setenv("SALES_SHOP__SEED", "2")

    settings = load_settings()

    assert settings.web.port == 8601
    assert settings.shop.seed == 2


def test_an_argument_replaces_everything_else() -> None:
    assert load_settings(shop={"seed": 7}).shop.seed == 7


def test_unknown_variables_are_refused_and_all_of_them_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_WINDOW", "5s")
    monkeypatch.setenv("SALES_SHOP__RATES", "2")
    monkeypatch.setenv("SALES_SHOP__RATE", "2")

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert "SALES_SHOP__RATES, SALES_WINDOW" in refused.value.message
    assert "SALES_SHOP__RATE," not in refused.value.message
    assert refused.value.exit_code == ExitCode.USAGE


def test_an_unknown_name_in_the_file_env_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SALES_SHOP__RATES=2\n")

    with pytest.raises(SettingsError, match="RATES"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("SALES_PIPELINE__WINDOW_SIZE", "5 apples", "is not a duration such as 14d, 1h or 90s"),
        ("SALES_PIPELINE__COMMIT_INTERVAL", "", "is not a duration"),
        ("SALES_SHOP__RATE", "0", "greater than 0"),
        ("SALES_SHOP__RATE", "20001", "less than or equal to 20000"),
        ("SALES_SHOP__SEED", "-1", "greater than or equal to 0"),
        ("SALES_WEB__PORT", "65536", "less than or equal to 65535"),
        ("SALES_LAKE__ENGINE", "spark", "'mirror', 'duckdb', 'pyiceberg' or 'athena'"),
        ("SALES_LOCAL__CATALOG_INTERVAL", "10ms", "greater than or equal to"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, said: str
) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert variable in refused.value.message
    assert said in refused.value.message
    assert refused.value.hint


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_SHOP__SEED", "many")
    monkeypatch.setenv("SALES_WEB__PORT", "high")

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert "SALES_SHOP__SEED" in refused.value.message
    assert "SALES_WEB__PORT" in refused.value.message


@pytest.mark.parametrize("size", ["1s", "5s", "15m", "1h", "1h30m", "24h", "1d"])
def test_a_window_that_divides_a_day_is_taken(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", size)

    assert 86_400 % load_settings().pipeline.window_size.total_seconds() == 0


@pytest.mark.parametrize("size", ["0s", "7s", "500ms", "1500ms", "5h", "2d", "-5s"])
def test_a_window_that_does_not_divide_a_day_into_whole_seconds_is_refused(
    monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", size)

    with pytest.raises(SettingsError, match="whole seconds that divide a day"):
        load_settings()


@pytest.mark.parametrize(("variable", "too_short"), [("CHECKPOINT_INTERVAL", "99ms"), ("COMMIT_INTERVAL", "999ms")])
def test_an_interval_too_short_to_keep_up_with_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, too_short: str
) -> None:
    monkeypatch.setenv(f"SALES_PIPELINE__{variable}", too_short)

    with pytest.raises(SettingsError, match="at least"):
        load_settings()


def test_settings_cannot_be_changed_after_loading() -> None:
    settings = load_settings()

    with pytest.raises(ValidationError):
        setattr(settings.shop, "seed", 1)  # noqa: B010  # a plain assignment is already refused by mypy


def test_a_child_process_given_the_settings_as_variables_reads_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(
        pipeline={"window_size": "1h", "checkpoint_interval": "250ms", "commit_interval": "1m30s"},
        shop={"rate": 0.5, "history": "36h", "history_payments": 10, "seed": 0, "payment_delay": "1ms"},
        lake={"engine": "pyiceberg", "mirror": tmp_path / "mirrors"},
        local={
            "home": tmp_path / "a home with spaces",
            "cache": tmp_path / "cache",
            "kafka_port": 1,
            "catalog_interval": "1500ms",
        },
        web={"address": "127.0.0.2", "port": 65_535},
        access={
            "admins": ["ada@example.com", "00u1"],
            "ops": [],
            "role_claim": "https://example.com/groups",
            "ops_values": ["on call", "operators"],
            "viewer_values": [],
            "everyone": "viewer",
        },
    )
    assert settings != load_settings()

    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)

    assert load_settings() == settings


@pytest.mark.parametrize("text", ["ada@example.com,00u1", " ada@example.com , ,00u1,"])
def test_a_list_of_people_has_commas_between(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("SALES_ACCESS__OPS", text)
    (tmp_path / ".env").write_text(f"SALES_ACCESS__ADMINS={text}\nSALES_ACCESS__VIEWERS=\n")

    access = load_settings().access

    assert access.admins == access.ops == ("ada@example.com", "00u1")
    assert access.viewers == ()


@pytest.mark.parametrize("people", [["a,b"], [""], [" a"]])
def test_a_part_of_a_list_that_no_variable_could_say_is_refused(people: list[str]) -> None:
    with pytest.raises(SettingsError, match="SALES_ACCESS__ADMINS"):
        load_settings(access={"admins": people})


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "0.0.0.0", "192.168.1.5", "sales-1.example.com"])  # noqa: S104
def test_the_dashboard_may_listen_on_an_address_or_a_name(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SALES_WEB__ADDRESS", address)

    web = load_settings().web

    assert web.url == f"http://{'127.0.0.1' if address == '0.0.0.0' else address}:8501"  # noqa: S104


@pytest.mark.parametrize("address", ["", "::1", "256.1.1.1", "127.1", "a b", "-a", "http://a", "a:80", "a\n"])
def test_what_nothing_can_listen_on_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SALES_WEB__ADDRESS", address)

    with pytest.raises(SettingsError, match="not an address of IPv4 or a host name"):
        load_settings()

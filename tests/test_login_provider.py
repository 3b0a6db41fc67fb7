"""The table [auth] of the secrets: whole, or nobody is let in."""

from pathlib import Path

import pytest

from dashboard.errors import SettingsError
from dashboard.login_provider import people_log_in

WHOLE = {
    "redirect_uri": "https://sales.example.com/oauth2callback",
    "cookie_secret": "s" * 40,
    "client_id": "sales",
    "client_secret": "hush-hush",
    "server_metadata_url": "https://id.example.com/.well-known/openid-configuration",
}


def secrets(folder: Path, **changed: str | None) -> list[Path]:
    file = folder / "secrets.toml"
    lines = [f'{name} = "{value}"' for name, value in (WHOLE | changed).items() if value is not None]
    file.write_text("\n".join(["[auth]", *lines]))
    return [file]


def test_without_the_table_nobody_logs_in(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[database]\npassword = "x"\n')
    assert not people_log_in([tmp_path / "none.toml", tmp_path / "other.toml"])


def test_with_a_whole_one_people_log_in(tmp_path: Path) -> None:
    assert people_log_in(secrets(tmp_path))
    assert people_log_in(secrets(tmp_path, redirect_uri="http://localhost:8501/oauth2callback"))


@pytest.mark.parametrize("missing", WHOLE)
@pytest.mark.parametrize("value", [None, ""])
def test_a_part_that_is_missing_is_named_and_no_secret_is(tmp_path: Path, missing: str, value: str | None) -> None:
    with pytest.raises(SettingsError, match=missing) as refused:
        people_log_in(secrets(tmp_path, **{missing: value}))
    assert "hush" not in str(refused.value)
    assert "sss" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://sales.example.com/",
        "sales.example.com/oauth2callback",
        "ftp://x/oauth2callback",
        "http://[/oauth2callback",
    ],
)
def test_an_address_that_cannot_be_returned_to_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="redirect_uri"):
        people_log_in(secrets(tmp_path, redirect_uri=address))


def test_a_login_over_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="by http"):
        people_log_in(secrets(tmp_path, redirect_uri="http://sales.example.com/oauth2callback"))


def test_a_cookie_secret_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="forged"):
        people_log_in(secrets(tmp_path, cookie_secret="guess"))  # noqa: S106  # to be refused


@pytest.mark.parametrize("text", ['[auth\nclient_secret = "hush"', 'auth = "hush"'])
def test_what_cannot_be_read_lets_nobody_in_and_is_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        people_log_in([tmp_path / "secrets.toml"])
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None

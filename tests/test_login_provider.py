"""Whether people log in, from Streamlit's secrets; what is wrong with them lets nobody in and shows no value."""

from pathlib import Path

import pytest

from dashboard.login_provider import login_provider, secrets_files
from dashboard.settings import PROJECT

WHOLE = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "sales",
    "client_secret": "hushed",
    "server_metadata_url": "https://login.example.com/.well-known/openid-configuration",
}


def written(folder: Path, keys: dict[str, str], name: str = "secrets.toml") -> Path:
    file = folder / name
    file.write_text("[auth]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items()))
    return file


def test_without_a_file_or_a_section_nobody_logs_in(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[database]\npassword = "x"\n')

    assert not login_provider([tmp_path / "missing.toml", other]).configured


def test_a_whole_section_is_one_to_log_in_with(tmp_path: Path) -> None:
    found = login_provider([written(tmp_path, WHOLE)])

    assert (found.configured, found.fault) == (True, "")


def test_the_port_in_the_redirect_may_be_left_to_streamlit(tmp_path: Path) -> None:
    whole = WHOLE | {"redirect_uri": "http://localhost:{port}/oauth2callback"}

    assert login_provider([written(tmp_path, whole)]).fault == ""


def test_the_providers_part_may_stand_in_a_table_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    lines = [f'{key} = "{value}"' for key, value in WHOLE.items()]
    file.write_text("\n".join(["[auth]", *lines[:2], "[auth.default]", *lines[2:]]))

    assert login_provider([file]).fault == ""


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_is_named_in_one_sentence(tmp_path: Path, key: str, value: str | None) -> None:
    keys = {name: text for name, text in (WHOLE | {key: value}).items() if text is not None}

    found = login_provider([written(tmp_path, keys)])

    assert found.configured
    assert found.fault == f"The section [auth] of secrets.toml lacks {key}."


def test_the_example_copied_as_it_is_lets_nobody_in() -> None:
    found = login_provider([PROJECT / ".streamlit" / "secrets.example.toml"])

    assert found.fault == f"The section [auth] of secrets.toml lacks {', '.join(WHOLE)}."


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cookie_secret", "c" * 31, "shorter than 32 characters"),
        ("redirect_uri", "http://127.0.0.1:8501/", "does not end with /oauth2callback"),
        ("redirect_uri", "http://sales.example.com/oauth2callback", "redirect_uri of [auth] is plain http"),
        ("redirect_uri", "sales", "redirect_uri of [auth] is not an address"),
        ("server_metadata_url", "http://login.example.com/x", "server_metadata_url of [auth] is plain http"),
    ],
)
def test_what_would_not_be_safe_is_refused_without_its_value(tmp_path: Path, key: str, value: str, said: str) -> None:
    found = login_provider([written(tmp_path, WHOLE | {key: value})])

    assert found.configured
    assert said in found.fault
    assert value not in found.fault


@pytest.mark.parametrize("text", ["[auth", "auth = 1", 'auth = "hushed"'])
def test_a_file_that_cannot_be_understood_lets_nobody_in(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text(text)

    found = login_provider([file])

    assert found.configured
    assert found.fault
    assert "hushed" not in found.fault


def test_a_folder_of_secrets_is_not_looked_into_and_lets_nobody_in(tmp_path: Path) -> None:
    assert "not a .toml file" in login_provider([tmp_path]).fault


def test_the_section_of_the_last_file_counts_whole_as_for_streamlit(tmp_path: Path) -> None:
    whole = written(tmp_path, WHOLE)
    half = written(tmp_path, {"client_id": "other"}, "half.toml")

    assert login_provider([half, whole]).fault == ""
    assert "lacks" in login_provider([whole, half]).fault


def test_files_named_for_streamlit_are_the_ones_looked_at(tmp_path: Path) -> None:
    assert secrets_files({"STREAMLIT_SECRETS_FILES": f"{tmp_path}/a.toml {tmp_path}/b.toml"}) == [
        tmp_path / "a.toml",
        tmp_path / "b.toml",
    ]
    assert [file.name for file in secrets_files({})] == ["secrets.toml", "secrets.toml"]

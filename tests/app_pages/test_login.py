"""Who gets to see what, as the app's script decides it; logging in for real is in test_login_browser.py."""

import time
from pathlib import Path
from typing import Any, cast

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import admin_token
from dashboard.sql_files import ROOT

pytestmark = pytest.mark.usefixtures("own_server")

SECRETS = """[auth]
redirect_uri = "http://127.0.0.1:8501/oauth2callback"
cookie_secret = "hushed-hushed-hushed-hushed-hushed"
client_id = "sales"
client_secret = "hushed"
server_metadata_url = "https://login.example.com/.well-known/openid-configuration"
"""


def app(**claims: object) -> AppTest:
    """The app for somebody with these claims; for nobody without any."""
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    told = {"sub": "00u1", "iss": "https://login.example.com", "iat": int(time.time()), "is_logged_in": True}
    page.user = {**told, **claims} if claims else {"is_logged_in": False}
    return page


def shown(page: AppTest) -> str:
    """Every word on the page and in the sidebar."""
    assert not page.exception
    kinds = (page.title, page.markdown, page.text, page.caption, page.info, page.warning, page.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def at(page: AppTest, file: str) -> AppTest:
    """The page of that file, as by its address."""
    return page.switch_page(f"app_pages/{file}.py").run()


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    file = tmp_path / "secrets.toml"
    file.write_text(SECRETS)
    return file


# with a provider


@pytest.mark.usefixtures("provider")
def test_nobody_sees_one_button_alone() -> None:
    page = app().run()

    assert buttons(page) == ["Log in"]
    assert "Revenue while it happens" in shown(page)
    assert not page.segmented_control


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("told", [False, None, "true", 1])
def test_whoever_is_not_said_to_be_logged_in_is_nobody(told: object) -> None:
    page = app(is_logged_in=told)

    assert buttons(page.run()) == ["Log in"]


@pytest.mark.usefixtures("provider")
def test_whoever_has_no_role_is_told_who_they_are_and_what_to_ask_for() -> None:
    page = app(name="Nadia").run()

    assert "You are logged in as Nadia (00u1 at https://login.example.com)." in shown(page)
    assert "You have no role here" in shown(page)
    assert buttons(page) == ["Log out"]
    assert not page.segmented_control


@pytest.mark.usefixtures("provider")
def test_who_is_taken_off_the_list_in_the_file_env_is_refused_at_the_next_act(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("SALES_ACCESS__ADMINS=00u1\n")
    page = at(app(name="Ada").run(), "deploy")
    assert "is for admins" not in shown(page)

    env.write_text("SALES_ACCESS__VIEWERS=00u1\n")
    page.run()

    assert "Deploy is for admins; you are a viewer." in shown(page)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(("field", "role"), [("VIEWERS", "a viewer"), ("OPS", "ops")])
def test_a_page_of_a_higher_role_is_refused_at_its_address(tmp_path: Path, field: str, role: str) -> None:
    (tmp_path / ".env").write_text(f"SALES_ACCESS__{field}=00u1\n")

    page = at(app(name="Olga").run(), "deploy")

    assert page.title[0].value == "Deploy"
    assert f"Deploy is for admins; you are {role}." in shown(page)


@pytest.mark.usefixtures("provider")
def test_wrong_settings_let_nobody_act(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SALES_ACCESS__ADMIN=00u1\n")

    page = app(name="Ada").run()

    assert "Unknown setting SALES_ACCESS__ADMIN." in shown(page)
    assert not page.button


@pytest.mark.usefixtures("provider")
def test_a_login_that_was_ended_in_another_tab_may_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SALES_ACCESS__ADMINS=00u1\n")
    first, second = app(jti="1").run(), at(app(jti="1").run(), "deploy")
    second.user = dict(first.user)
    other = at(app(jti="2").run(), "deploy")
    next(button for button in first.button if button.label == "Log out").click().run()

    assert "You have logged out in another tab." in shown(second.run())
    assert "Deploy" not in [title.value for title in second.title]
    assert "logged out" not in shown(other.run())


@pytest.mark.parametrize("text", ['[auth]\nclient_secret = "hushed"\n', "[auth", SECRETS.replace("-hushed", "")])
@pytest.mark.parametrize("claims", [{}, {"sub": "00u1"}])
def test_half_a_provider_lets_nobody_in_and_shows_no_secret(
    tmp_path: Path, text: str, claims: dict[str, object]
) -> None:
    (tmp_path / "secrets.toml").write_text(text)
    (tmp_path / ".env").write_text("SALES_ACCESS__ADMINS=00u1\n")

    page = app(**claims).run()

    assert "hushed" not in shown(page)
    assert ("[auth]" in shown(page)) or ("is not TOML" in shown(page))
    assert not page.button
    assert not page.segmented_control


def test_a_provider_that_goes_away_while_the_dashboard_runs_leaves_nobody_in_charge(provider: Path) -> None:
    app().run()
    provider.unlink()

    page = app().run()

    assert "The section [auth] of secrets.toml is gone" in shown(page)
    assert not page.segmented_control


# without one


def enter(page: AppTest, text: str) -> AppTest:
    page.text_input[0].set_value(text)
    next(button for button in page.button if button.label == "Become admin").click()
    return page.run()


def test_the_local_user_sees_the_sales_and_is_asked_for_the_token_on_deploy(tmp_path: Path) -> None:
    page = app().run()
    assert page.title[0].value == "Revenue"
    assert not (tmp_path / "home").exists()

    at(page, "deploy")

    assert "Deploy is for admins. The admin token was not entered." in shown(page)
    assert "`sales-trends token` prints it." in shown(page)
    assert cast(Any, page.text_input[0]).proto.type == cast(Any, page.text_input[0]).proto.PASSWORD
    assert admin_token.token_file(tmp_path / "home").exists()


def test_the_token_makes_an_admin_until_they_leave(tmp_path: Path) -> None:
    page = enter(at(app().run(), "deploy"), admin_token.current(tmp_path / "home"))
    assert "is for admins" not in shown(page)
    assert " · admin" in shown(page)
    assert not page.text_input

    next(button for button in page.button if button.label == "Leave admin").click().run()

    assert "The admin token was not entered." in shown(page)


def test_a_new_start_ends_a_token_that_was_entered(tmp_path: Path) -> None:
    page = enter(at(app().run(), "deploy"), admin_token.current(tmp_path / "home"))
    assert "is for admins" not in shown(page)
    admin_token.renew(tmp_path / "home")

    assert "The admin token was not entered." in shown(page.run())


@pytest.mark.parametrize("text", ["", "wrong"])
def test_another_text_is_refused_and_not_kept(text: str) -> None:
    page = enter(at(app().run(), "deploy"), text)

    assert "That is not the token." in shown(page)
    assert "The admin token was not entered." in shown(page.run())


@pytest.mark.parametrize("address", ["0.0.0.0", None, "sales.example.com"])  # noqa: S104
def test_on_another_address_admin_is_off_and_says_so(tmp_path: Path, address: str | None) -> None:
    token = admin_token.current(tmp_path / "home")
    page = app()
    page.session_state["given_admin_token"] = token
    config.set_option("server.address", address)

    at(page.run(), "deploy")

    assert "Admin is off: the dashboard listens on" in shown(page)
    assert not page.text_input


def test_claims_without_a_provider_are_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SALES_ACCESS__ADMINS=00u1\n")

    page = at(app(sub="00u1").run(), "deploy")

    assert "The admin token was not entered." in shown(page)

"""Roles from logins and tokens: what counts, what does not, and when it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.access import Caller, EndedLogins, Role, logged_in, login_of, on_this_machine
from dashboard.errors import AccessError
from dashboard.settings import AccessSettings, WebSettings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADA: dict[str, Any] = {
    "iss": "https://id.example.com",
    "sub": "Ada-1",
    "email": "Ada@Example.com",
    "email_verified": True,
    "iat": int(NOW.timestamp()) - 60,
}


def caller(claims: dict[str, Any], ended: EndedLogins | None = None, **settings: Any) -> Caller:
    access = AccessSettings(**settings)
    return logged_in(login_of(claims, access.role_claim), access, ended or EndedLogins(), NOW)


@pytest.mark.parametrize(("listed", "role"), [("admins", Role.ADMIN), ("ops", Role.OPS), ("viewers", Role.VIEWER)])
@pytest.mark.parametrize(
    "person", ["ada@example.com", "ADA@EXAMPLE.COM", "Ada-1", "bob@example.com, ada@example.com ,"]
)
def test_a_list_gives_its_role_to_a_verified_address_in_any_case_or_to_a_subject(
    listed: str, role: Role, person: str
) -> None:
    settings: dict[str, Any] = {listed: person}
    assert caller(ADA, **settings) == Caller("Ada@Example.com", role)


@pytest.mark.parametrize(
    "changed",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "no"},
        {"email_verified": 1},
        {"email": 7},
    ],
)
def test_an_address_that_the_provider_has_not_verified_counts_for_nothing(changed: dict[str, Any]) -> None:
    assert caller(ADA | changed, admins="ada@example.com").role is None
    assert (
        caller({name: one for name, one in ADA.items() if name != "email_verified"}, admins=ADA["email"]).role is None
    )


@pytest.mark.parametrize("person", ["ada-1", "ADA-1", "Ada", "Ada-12", ""])
def test_a_subject_is_compared_exactly(person: str) -> None:
    assert caller(ADA, admins=person).role is None


@pytest.mark.parametrize(
    ("held", "role"),
    [
        ("admin", Role.ADMIN),
        (["viewer", "ops"], Role.OPS),
        (["viewer", "admin", "ops"], Role.ADMIN),
        ("administrator", None),
        ("viewer,admin", None),
        (["Admin"], None),
        ({"admin": True}, None),
        (["viewer", 5, None, ["admin"]], Role.VIEWER),
        (None, None),
        ([], None),
    ],
)
def test_the_highest_role_of_the_claim_counts_and_nothing_that_only_looks_like_one(
    held: Any, role: Role | None
) -> None:
    assert caller(ADA | {"groups": held}, role_claim="groups").role is role


def test_a_claim_that_the_settings_do_not_name_counts_for_nothing() -> None:
    assert caller(ADA | {"groups": "admin"}).role is None
    assert caller(ADA | {"": "admin"}).role is None


def test_values_of_the_claim_are_the_ones_of_the_settings() -> None:
    assert (
        caller(ADA | {"groups": ["sales-leads"]}, role_claim="groups", admin_values="sre, sales-leads").role
        is Role.ADMIN
    )
    assert caller(ADA | {"groups": ["admin"]}, role_claim="groups", admin_values="sre").role is None


def test_whoever_has_no_role_may_look_only_where_everyone_may() -> None:
    with pytest.raises(AccessError, match="you have no role here") as refused:
        caller(ADA).require(Role.VIEWER, "Looking at revenue")
    assert "Ada-1" in refused.value.hint
    assert caller(ADA, everyone="viewer").role is Role.VIEWER


def test_a_role_that_is_taken_from_the_list_ends_at_the_next_act() -> None:
    assert caller(ADA, admins="ada@example.com").may(Role.ADMIN)
    assert not caller(ADA, admins="bob@example.com").may(Role.VIEWER)


@pytest.mark.parametrize(
    ("issued", "is_admin"),
    [
        (NOW - timedelta(hours=7, minutes=59), True),
        (NOW - timedelta(hours=8), False),
        (NOW - timedelta(days=20), False),
        (NOW + timedelta(seconds=59), True),
        (NOW + timedelta(minutes=2), False),
    ],
)
def test_an_admins_login_is_younger_than_eight_hours(issued: datetime, is_admin: bool) -> None:
    found = caller(ADA | {"iat": issued.timestamp()}, admins="Ada-1")
    assert found.may(Role.ADMIN) is is_admin
    assert found.may(Role.OPS)
    assert is_admin or "log in again" in found.why_not


@pytest.mark.parametrize("issued", [None, "1795348740", True, float("nan"), 1e300, [], -1e300])
def test_a_login_whose_time_cannot_be_read_is_too_old(issued: Any) -> None:
    assert caller(ADA | {"iat": issued}, admins="Ada-1").role is Role.OPS


def test_a_login_that_ended_ends_everywhere_and_a_new_one_of_the_same_person_does_not() -> None:
    ended = EndedLogins()
    ended.add(login_of(ADA, ""))
    assert caller(ADA, ended, admins="Ada-1", role_claim="groups").role is None
    assert caller(ADA | {"iat": ADA["iat"] + 5}, ended, admins="Ada-1").role is Role.ADMIN


def test_on_this_machine_the_token_makes_an_admin_and_nothing_else_does() -> None:
    web = WebSettings()
    for entered in ("", "tok", "token ", "TOKEN", "tokeñ"):
        refused = on_this_machine("ada", web, "token", entered)
        assert (refused.role, bool(refused.why_not)) == (Role.OPS, True)
    assert on_this_machine("ada", web, "token", "token") == Caller("ada", Role.ADMIN)


def test_without_a_token_an_empty_one_is_none() -> None:
    assert on_this_machine("ada", WebSettings(), "", "").role is Role.OPS


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5"])  # noqa: S104  # to be refused
def test_where_others_reach_the_dashboard_and_nobody_logs_in_admin_is_off_even_with_the_token(address: str) -> None:
    refused = on_this_machine("ada", WebSettings(address=address), "token", "token")
    assert refused.role is Role.OPS
    assert f"listens on {address}" in refused.why_not


def test_a_refusal_says_what_for_whom_and_who_one_is() -> None:
    with pytest.raises(AccessError) as refused:
        Caller("eve", Role.VIEWER).require(Role.ADMIN, "Applying a plan")
    assert str(refused.value) == "Applying a plan is for admins; you are viewer. Ask an admin for the role."

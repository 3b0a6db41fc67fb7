"""Who may do what: from claims and settings, at the moment of an act."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.access import (
    ADMIN_LOGIN_LIFE,
    LOGIN_LIFE,
    Caller,
    EndedLogins,
    Remedy,
    Role,
    caller_of_login,
    local_caller,
    nobody,
    read_login,
)
from dashboard.errors import AccessError, ExitCode
from dashboard.settings import AccessSettings

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
CLAIMS = {
    "iss": "https://login.example.com",
    "sub": "00u1",
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada",
    "iat": NOW.timestamp() - 60,
}


NAMELESS: dict[str, Any] = {"": "admin"}


def person(access: AccessSettings | None = None, ended: EndedLogins | None = None, **claims: Any) -> Caller:
    """The caller of a login whose claims differ by these; None takes a claim away."""
    access = access or AccessSettings()
    told = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return caller_of_login(read_login(told, access.role_claim), access, ended or EndedLogins(), NOW)


def listed(**people: Any) -> AccessSettings:
    return AccessSettings(**people)


# lists


@pytest.mark.parametrize(("field", "role"), [("admins", Role.ADMIN), ("ops", Role.OPS), ("viewers", Role.VIEWER)])
def test_a_verified_address_in_a_list_gives_its_role(field: str, role: Role) -> None:
    assert person(listed(**{field: ("bob@example.com", "ada@example.com")})).role is role


@pytest.mark.parametrize("verified", [False, None, "false", "", 1, "yes", ["true"]])
def test_an_address_that_is_not_verified_gives_nothing(verified: object) -> None:
    assert person(listed(admins=("ada@example.com",)), email_verified=verified).role is None


@pytest.mark.parametrize("verified", [True, "true", "True"])
def test_verified_may_be_a_text(verified: object) -> None:
    assert person(listed(admins=("ada@example.com",)), email_verified=verified).role is Role.ADMIN


def test_case_does_not_matter_in_an_address() -> None:
    assert person(listed(admins=("ADA@Example.com",))).role is Role.ADMIN


def test_a_subject_is_compared_exactly() -> None:
    assert person(listed(admins=("00u1",)), email=None).role is Role.ADMIN
    assert person(listed(admins=("00U1",)), email=None).role is None
    assert person(listed(admins=("00u",)), email=None).role is None


def test_a_subject_that_looks_like_an_address_is_not_taken_for_one() -> None:
    assert person(listed(admins=("boss@example.com",)), sub="boss@example.com").role is None


def test_an_address_without_an_at_is_not_taken_for_a_subject() -> None:
    assert person(listed(admins=("boss",)), email="boss").role is None


@pytest.mark.parametrize("claims", [{"sub": None}, {"sub": ["00u1"]}, {"email": ["ada@example.com"]}, {"email": None}])
def test_claims_of_a_wrong_type_name_nobody(claims: dict[str, Any]) -> None:
    people = ("00u1",) if "sub" in claims else ("ada@example.com",)

    assert person(listed(admins=people), **claims).role is None


def test_a_name_that_somebody_chose_names_nobody() -> None:
    caller = person(listed(admins=("boss@example.com",)), name="boss@example.com", email_verified=False)

    assert caller.role is None
    assert caller.name == "00u1 at https://login.example.com"


def test_the_highest_of_several_roles_counts() -> None:
    access = AccessSettings(viewers=("ada@example.com",), ops=("00u1",), role_claim="groups", admin_values=("chiefs",))

    assert person(access, groups=["ops", "chiefs"]).role is Role.ADMIN
    assert person(access, groups=["viewer"]).role is Role.OPS


def test_who_is_taken_off_a_list_is_refused_at_the_next_act() -> None:
    person(listed(admins=("ada@example.com",))).require(Role.ADMIN, "Deploying")

    with pytest.raises(AccessError):
        person(listed(admins=("bob@example.com",))).require(Role.ADMIN, "Deploying")


# claims


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        ("admin", Role.ADMIN),
        (["staff", "ops"], Role.OPS),
        (["viewer", 7, None, {"admin": True}], Role.VIEWER),
        ("administrator", None),
        ("admin,ops", None),
        ("Admin", None),
        ([["admin"]], None),
        ({"admin": True}, None),
        (True, None),
        (None, None),
        ("", None),
    ],
)
def test_the_claim_may_be_a_text_or_a_list_of_texts(claim: object, role: Role | None) -> None:
    assert person(AccessSettings(role_claim="roles"), roles=claim).role is role


def test_a_claim_that_the_settings_do_not_name_gives_nothing() -> None:
    assert person(AccessSettings(), roles="admin").role is None
    assert person(AccessSettings(), **NAMELESS).role is None


def test_without_a_role_everyone_is_what_the_settings_say() -> None:
    assert person(AccessSettings()).role is None
    assert person(AccessSettings(everyone="viewer")).role is Role.VIEWER
    assert person(AccessSettings(everyone="viewer", ops=("00u1",))).role is Role.OPS


# the age of a login


@pytest.mark.parametrize(
    "iat",
    [
        None,
        str(int(NOW.timestamp())),
        True,
        float("nan"),
        float("inf"),
        10**30,
        [NOW.timestamp()],
        (NOW - ADMIN_LOGIN_LIFE).timestamp() - 1,
        NOW.timestamp() + 61,
    ],
)
def test_admin_needs_a_login_that_is_known_to_be_young(iat: object) -> None:
    caller = person(listed(admins=("00u1",)), iat=iat)

    assert caller.role is Role.OPS
    assert caller.remedy is Remedy.LOG_IN_AGAIN
    with pytest.raises(AccessError) as refused:
        caller.require(Role.ADMIN, "Applying a plan")
    assert refused.value.message == "Applying a plan is for admins. Your login is older than 8 hours."
    assert refused.value.hint == "Log in again."


@pytest.mark.parametrize("age", [-60, 0, 60, ADMIN_LOGIN_LIFE.total_seconds()])
def test_a_young_login_does_also_when_clocks_differ_by_a_minute(age: float) -> None:
    assert person(listed(admins=("00u1",)), iat=NOW.timestamp() - age).role is Role.ADMIN


def test_an_old_login_of_ops_is_as_good_as_a_young_one() -> None:
    caller = person(listed(ops=("00u1",)), iat=(NOW - timedelta(days=29)).timestamp())

    assert (caller.role, caller.why_not) == (Role.OPS, "")


def test_a_login_does_not_outlive_its_cookie_in_a_tab_that_stays_open() -> None:
    caller = person(listed(ops=("00u1",)), iat=(NOW - LOGIN_LIFE).timestamp() - 1)

    assert caller.role is None
    assert caller.remedy is Remedy.LOG_IN_AGAIN


# ended logins


def test_an_ended_login_may_nothing_and_a_new_one_of_the_same_person_may_again() -> None:
    ended = EndedLogins()
    ended.end(read_login(CLAIMS, "").id, NOW)
    access = listed(admins=("00u1",))

    with pytest.raises(AccessError, match="You have logged out in another tab"):
        person(access, ended).require(Role.VIEWER, "Revenue")
    assert person(access, ended, iat=NOW.timestamp()).role is Role.ADMIN
    assert person(access, ended, nonce="another").role is Role.ADMIN


def test_a_login_has_one_id_whatever_the_order_of_its_claims_and_the_settings() -> None:
    turned = dict(reversed(CLAIMS.items()))

    assert read_login(CLAIMS, "").id == read_login(turned, "groups").id


def test_ended_logins_are_kept_as_long_as_their_cookie_lives() -> None:
    ended = EndedLogins()
    ended.end("a", NOW)
    ended.end("b", NOW + LOGIN_LIFE)
    assert ("a" in ended, len(ended)) == (True, 2)

    ended.end("c", NOW + LOGIN_LIFE + timedelta(seconds=1))

    assert ("a" in ended, len(ended)) == (False, 2)


# refusals


def test_a_refusal_says_what_it_is_for_and_what_one_is() -> None:
    with pytest.raises(AccessError) as refused:
        person(listed(ops=("00u1",))).require(Role.ADMIN, "Applying a plan")

    assert refused.value.message == "Applying a plan is for admins; you are ops."
    assert refused.value.exit_code == ExitCode.FAILED


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        (lambda: person(listed(viewers=("00u1",))), "Dead letters is for ops; you are a viewer."),
        (lambda: person(), "Dead letters is for ops; you are logged in without a role."),
        (nobody, "Dead letters is for ops. You are not logged in."),
    ],
)
def test_every_lack_has_its_own_words(caller: Callable[[], Caller], said: str) -> None:
    with pytest.raises(AccessError) as refused:
        caller().require(Role.OPS, "Dead letters")

    assert refused.value.message == said
    assert refused.value.hint


def test_a_higher_role_may_what_the_lower_ones_may() -> None:
    for role in Role:
        person(listed(admins=("00u1",))).require(role, "It")


# without a provider


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_the_local_user_is_ops_and_with_the_token_admin(address: str) -> None:
    without = local_caller("ada", address, token_given=False)

    assert (without.role, without.remedy) == (Role.OPS, Remedy.GIVE_TOKEN)
    assert local_caller("ada", address, token_given=True).role is Role.ADMIN


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "sales.example.com", "", None, "unix:///tmp/x"])  # noqa: S104
def test_on_another_address_admin_is_off_even_with_the_token(address: str | None) -> None:
    caller = local_caller("ada", address, token_given=True)

    assert caller.role is Role.OPS
    with pytest.raises(AccessError, match=f"Admin is off: the dashboard listens on {address or 'every address'}"):
        caller.require(Role.ADMIN, "Deploying")

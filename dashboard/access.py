"""Who somebody is and what they may do: from what the provider said of a login, or from where the dashboard listens.

A `Caller` is made anew for every act, because settings, tokens and logins end while a page stands open.
"""

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from typing import Any

from dashboard.addresses import on_this_machine
from dashboard.errors import AccessError
from dashboard.settings import AccessSettings

ADMIN_LOGIN_LIFE = timedelta(hours=8)
LOGIN_LIFE = timedelta(days=30)
"""Of Streamlit's cookie. A tab that stays open outlives the cookie, so logins are measured too."""
_CLOCKS_DIFFER = timedelta(minutes=1)


class Role(IntEnum):
    """A role may what the ones before it may."""

    VIEWER = 1
    OPS = 2
    ADMIN = 3

    @property
    def people(self) -> str:
        return {Role.VIEWER: "viewers", Role.OPS: "ops", Role.ADMIN: "admins"}[self]

    @property
    def one(self) -> str:
        return {Role.VIEWER: "a viewer", Role.OPS: "ops", Role.ADMIN: "an admin"}[self]


class Remedy(Enum):
    """What gives somebody the right they lack, as the next step to tell them."""

    LOG_IN = "Log in."
    LOG_IN_AGAIN = "Log in again."
    GIVE_TOKEN = "Enter the admin token; `sales-trends token` prints it."  # noqa: S105  # no token
    ASK = "Whoever runs this dashboard gives roles; tell them who you are logged in as."
    CONFIGURE = "The README's section Roles says how people log in."


@dataclass(frozen=True)
class Login:
    """What the provider said of one login."""

    id: str
    """Of this one login: the same in all tabs of a browser, another one after logging in again."""
    subject: str
    """Empty when it was not said; then no list names this person."""
    issuer: str
    email: str
    """Empty unless the provider says that it is verified."""
    name: str
    """Chosen by the person: to be shown, not to be trusted."""
    values: frozenset[str]
    """Roles or groups, from the claim that the settings name."""
    issued_at: datetime | None
    """None when it was not said or cannot be read."""


def read_login(claims: Mapping[str, Any], role_claim: str) -> Login:
    """The login that these claims of an id token describe."""

    def text(claim: str) -> str:
        value = claims.get(claim)
        return value if isinstance(value, str) else ""

    canonical = json.dumps({name: claims[name] for name in sorted(claims)}, sort_keys=True, default=str)
    verified = claims.get("email_verified") is True or text("email_verified").casefold() == "true"
    return Login(
        id=hashlib.sha256(canonical.encode()).hexdigest(),
        subject=text("sub"),
        issuer=text("iss"),
        email=text("email") if verified else "",
        name=text("name"),
        values=_values(claims.get(role_claim)) if role_claim else frozenset(),
        issued_at=_moment(claims.get("iat")),
    )


def _values(claim: object) -> frozenset[str]:
    listed = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(value for value in listed if isinstance(value, str))


def _moment(claim: object) -> datetime | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    try:
        return datetime.fromtimestamp(claim, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class EndedLogins:
    """Logins that somebody ended, which other tabs still hold and a copied cookie still says. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[str, datetime] = {}

    def end(self, login_id: str, now: datetime) -> None:
        """Ends it for as long as its cookie could live; after that its age ends it."""
        with self._lock:
            self._ended = {one: moment for one, moment in self._ended.items() if now - moment <= LOGIN_LIFE}
            self._ended.setdefault(login_id, now)

    def __contains__(self, login_id: str) -> bool:
        with self._lock:
            return login_id in self._ended

    def __len__(self) -> int:
        with self._lock:
            return len(self._ended)


@dataclass(frozen=True)
class Caller:
    """Somebody at the moment of one act."""

    name: str
    """For the audit log: a verified e-mail address, or subject and issuer."""
    role: Role | None
    why_not: str = ""
    """One sentence: why not more, when that is not for the lack of a role."""
    remedy: Remedy = Remedy.ASK
    """What would help."""
    shown: str = field(default="", compare=False)
    """As they call themselves."""

    def may(self, role: Role) -> bool:
        return self.role is not None and self.role >= role

    def require(self, role: Role, what: str) -> None:
        """Raises AccessError unless they have this role. `what` is the act as one thing: "Applying a plan"."""
        if self.may(role):
            return
        if self.why_not:
            raise AccessError(f"{what} is for {role.people}. {self.why_not}", self.remedy.value)
        are = self.role.one if self.role else "logged in without a role"
        raise AccessError(f"{what} is for {role.people}; you are {are}.", self.remedy.value)


def nobody(why_not: str = "You are not logged in.", remedy: Remedy = Remedy.LOG_IN) -> Caller:
    """Somebody who may do nothing."""
    return Caller("nobody", None, why_not, remedy)


def caller_of_login(login: Login, access: AccessSettings, ended: EndedLogins, now: datetime) -> Caller:
    """What somebody who is logged in may do now."""
    if login.id in ended:
        return nobody("You have logged out in another tab.", Remedy.LOG_IN_AGAIN)
    if login.issued_at is not None and now - login.issued_at > LOGIN_LIFE:
        return nobody(f"Your login is older than {LOGIN_LIFE.days} days.", Remedy.LOG_IN_AGAIN)
    role = role_of(login, access)
    name = login.email or " at ".join(filter(None, (login.subject or "unnamed", login.issuer)))
    shown = login.name or name
    if role is Role.ADMIN and not _is_young(login, now):
        hours = ADMIN_LOGIN_LIFE // timedelta(hours=1)
        return Caller(name, Role.OPS, f"Your login is older than {hours} hours.", Remedy.LOG_IN_AGAIN, shown)
    return Caller(name, role, shown=shown)


def role_of(login: Login, access: AccessSettings) -> Role | None:
    """The highest role that lists and claim give; None without any."""
    for role, people, values in (
        (Role.ADMIN, access.admins, access.admin_values),
        (Role.OPS, access.ops, access.ops_values),
        (Role.VIEWER, access.viewers, access.viewer_values),
    ):
        if _names(people, login) or login.values.intersection(values):
            return role
    return Role.VIEWER if access.everyone == "viewer" else None


def _names(people: Iterable[str], login: Login) -> bool:
    # an entry with an @ is an address alone: some providers let people choose their subject, also one with an @
    return any(
        login.email.casefold() == person.casefold() if "@" in person else login.subject == person for person in people
    )


def _is_young(login: Login, now: datetime) -> bool:
    return login.issued_at is not None and -_CLOCKS_DIFFER <= now - login.issued_at <= ADMIN_LOGIN_LIFE


def local_caller(name: str, address: str | None, *, token_given: bool) -> Caller:
    """What whoever reaches a dashboard without login may do, by the address it listens on (None: every address)."""
    if not (address and on_this_machine(address)):
        where = address or "every address of this machine"
        off = f"Admin is off: the dashboard listens on {where}, and nobody has to log in."
        return Caller(name, Role.OPS, off, Remedy.CONFIGURE, "everybody who reaches this page")
    if not token_given:
        return Caller(name, Role.OPS, "The admin token was not entered.", Remedy.GIVE_TOKEN, name)
    return Caller(name, Role.ADMIN, shown=name)

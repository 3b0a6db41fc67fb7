"""Who may do what: the role of whoever calls, from what the provider said of their login or from a token.

Pure: knows neither Streamlit nor files. What is said here of a caller holds for one act and is asked anew at the next.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from threading import Lock

from cachetools import TTLCache

from dashboard.errors import AccessError
from dashboard.settings import AccessSettings, WebSettings

ADMIN_WITHIN = timedelta(hours=8)
"""Claims are not read again while the login's cookie lives, 30 days: so old may a login be for an admin's acts."""
_SKEW = timedelta(minutes=1)
_COOKIE_LIVES = timedelta(days=31)


class Role(IntEnum):
    """Each may also do what those before it may."""

    VIEWER = 1
    OPS = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


_PLURAL = {Role.VIEWER: "viewers", Role.OPS: "ops and admins", Role.ADMIN: "admins"}


@dataclass(frozen=True)
class Login:
    """What a provider said when somebody logged in."""

    id: str
    """Names this one login and no other of the same person."""
    name: str
    """For people and the audit log: the e-mail address, else the subject."""
    subject: str
    email: str
    """In lower case; empty unless the provider has verified it."""
    values: frozenset[str]
    """Of the claim that holds roles or groups."""
    issued_at: datetime | None
    """UTC; None when the provider does not say."""


@dataclass(frozen=True)
class Caller:
    """Somebody who wants something done, for this one act."""

    name: str
    role: Role | None
    """None: may do nothing."""
    why_not: str = ""
    """Why the role is not a higher one, and what to do; empty when it is what it is."""

    def may(self, role: Role) -> bool:
        return self.role is not None and self.role >= role

    def require(self, role: Role, what: str) -> None:
        """Raises AccessError unless this role is had; `what` begins a sentence, such as `Applying a plan`."""
        if not self.may(role):
            are = f"you are {self.role.word}" if self.role else "you have no role here"
            raise AccessError(f"{what} is for {_PLURAL[role]}; {are}.", self.why_not or "Ask an admin for the role.")


class EndedLogins:
    """Logins that ended by logging out: other tabs go on showing them, and their cookie could be sent again.

    Of this process only; after its end every tab has to connect anew, with the cookies of then.
    """

    def __init__(self) -> None:
        self._ids: TTLCache[str, bool] = TTLCache(maxsize=100_000, ttl=_COOKIE_LIVES.total_seconds())
        self._lock = Lock()

    def add(self, login: Login) -> None:
        with self._lock:
            self._ids[login.id] = True

    def __contains__(self, login: Login) -> bool:
        with self._lock:
            return login.id in self._ids


def login_of(claims: Mapping[str, object], role_claim: str) -> Login:
    """What claims of an ID token mean here; anything that is not as it should be counts as not said."""
    subject = _text(claims.get("sub"))
    told = _text(claims.get("email"))
    verified = str(claims.get("email_verified", "")).lower() == "true"
    held = claims.get(role_claim) if role_claim else None
    values = [held] if isinstance(held, str) else held if isinstance(held, list | tuple) else []
    fingerprint = json.dumps(dict(claims), sort_keys=True, default=str)
    return Login(
        id=hashlib.sha256(fingerprint.encode()).hexdigest(),
        name=told or subject or "somebody without a name",
        subject=subject,
        email=told.casefold() if verified else "",
        values=frozenset(value for value in values if isinstance(value, str)),
        issued_at=_moment(claims.get("iat")),
    )


def logged_in(login: Login, settings: AccessSettings, ended: EndedLogins, now: datetime) -> Caller:
    """Who has logged in at a provider."""
    if login in ended:
        return Caller(login.name, None, "You have logged out, in this tab or in another. Log in again.")
    role = _role(login, settings)
    if role is None:
        return Caller(login.name, None, f"Ask an admin for a role, and tell them your subject, {login.subject}.")
    if role is Role.ADMIN and not _is_fresh(login, now):
        hours = ADMIN_WITHIN // timedelta(hours=1)
        return Caller(login.name, Role.OPS, f"An admin's login must be younger than {hours} hours: log in again.")
    return Caller(login.name, role)


def on_this_machine(name: str, web: WebSettings, token: str, entered: str) -> Caller:
    """Who uses the dashboard where nobody logs in: ops, and an admin with the token."""
    if not web.is_loopback:
        return Caller(
            name,
            Role.OPS,
            f"Admin is off: the dashboard listens on {web.address}, and nobody logs in. Set up a provider, which the "
            "README tells under Roles, or let it listen on 127.0.0.1.",
        )
    if entered and hmac.compare_digest(entered.encode(), token.encode()):
        return Caller(name, Role.ADMIN)
    return Caller(name, Role.OPS, "Enter the admin token: `sales-trends token` prints it.")


def _role(login: Login, settings: AccessSettings) -> Role | None:
    """The highest one that a list or the claim gives."""
    lists = {
        Role.ADMIN: (settings.admins, settings.admin_values),
        Role.OPS: (settings.ops, settings.ops_values),
        Role.VIEWER: (settings.viewers, settings.viewer_values),
    }
    for role, (people, values) in lists.items():
        named = _listed(people)
        by_email = login.email and login.email in {one.casefold() for one in named}
        # compared exactly: two subjects may differ in nothing but their case
        if by_email or (login.subject and login.subject in named) or login.values & _listed(values):
            return role
    return Role.VIEWER if settings.everyone == "viewer" else None


def _listed(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def _is_fresh(login: Login, now: datetime) -> bool:
    return login.issued_at is not None and -_SKEW <= now - login.issued_at < ADMIN_WITHIN


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

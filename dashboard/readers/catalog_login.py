"""How a catalog lets us in: key and secret that become a token (OAuth 2, client credentials), or a token as it is.

Source: RFC 6749, section 4.4; the Iceberg REST specification, `/v1/oauth/tokens`.
"""

import time
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pyiceberg.catalog.rest.auth import AuthManager
from requests import Response, Session
from requests.exceptions import RequestException

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers.http_session import nobody, patient, unanswered

CATALOG_SCOPE = "catalog"
_RENEWED_BEFORE_SECONDS = 60.0
_LONGEST_REASON = 300
_REFUSED, _TOO_MANY = 401, 429


@dataclass(frozen=True)
class ClientCredentials:
    """What becomes a token; of Tableflow an API key and its secret."""

    client_id: SecretStr
    client_secret: SecretStr
    token_uri: str
    scope: str = CATALOG_SCOPE
    """Tableflow knows this one alone."""
    setting: str = ""
    """The setting that holds the id, for what is said when it is not taken."""


@dataclass(frozen=True)
class BearerToken:
    """A token that somebody else renews."""

    token: SecretStr
    setting: str = ""
    """The setting that holds it."""


class Login(Protocol):
    """Gives the header of every request, and is told when it was not taken."""

    def auth_header(self) -> str | None: ...

    def forget(self) -> None: ...


class FixedLogin(AuthManager):
    """The same header always; None without a token."""

    def __init__(self, token: BearerToken | None) -> None:
        self._token = token

    def auth_header(self) -> str | None:
        return f"Bearer {self._token.token.get_secret_value()}" if self._token else None

    def forget(self) -> None:
        """There is no other one."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: SecretStr
    expires_in: float | None = None


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    error: str = ""
    error_description: str = ""


class OAuthLogin(AuthManager):
    """A token that is asked for when it is first needed, a minute before it ends, and when it was refused.

    PyIceberg's own managers either send the old token with the request for a new one, or never ask for one before the
    old has ended by its own clock. Any thread may call.
    """

    def __init__(self, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._lock = Lock()
        self._header: str | None = None
        self._renew_at: float | None = None

    def auth_header(self) -> str:
        """Raises SettingsError for a key, secret or scope that is not taken, UnreachableError, ReadError."""
        with self._lock:
            ended = self._renew_at is not None and time.monotonic() >= self._renew_at
            if self._header is None or ended:
                asked_at = time.monotonic()
                answer = self._ask()
                self._header = f"Bearer {answer.access_token.get_secret_value()}"
                lasts = answer.expires_in
                self._renew_at = None if lasts is None else asked_at + lasts - min(_RENEWED_BEFORE_SECONDS, lasts / 10)
            return self._header

    def forget(self) -> None:
        with self._lock:
            self._header = None

    def _ask(self) -> _Answer:
        given = self._credentials
        form = {
            "grant_type": "client_credentials",
            "client_id": given.client_id.get_secret_value(),
            "client_secret": given.client_secret.get_secret_value(),
            "scope": given.scope,
        }
        try:
            with patient(Session()) as session:
                session.auth = nobody
                # a redirect would carry the secret to another host
                response = session.post(given.token_uri, data=form, allow_redirects=False)
        except RequestException as error:
            raise unanswered("The token endpoint", given.token_uri, error) from None  # the request holds the secret
        if not response.ok or response.is_redirect:
            raise self._refusal(response)
        try:
            return _Answer.model_validate_json(response.content)
        except ValidationError:
            # without the cause, which could show a token
            raise ReadError(
                f"What answers at {given.token_uri} gives no token.", "Check the address of the token endpoint."
            ) from None

    def _refusal(self, response: Response) -> SalesTrendsError:
        given, status = self._credentials, response.status_code
        said = _said(response)
        for secret in (given.client_secret, given.client_id):
            said.error_description = said.error_description.replace(secret.get_secret_value(), "***")
        reason = said.error_description.rstrip(".")[:_LONGEST_REASON]
        told = f"{said.error}: {reason}" if said.error and reason else said.error or response.reason or ""
        message = f"{given.token_uri} gives no token: {told} ({status})."
        if said.error == "invalid_scope":
            return SettingsError(message, f"The scope asked for is {given.scope!r}; Tableflow's is {CATALOG_SCOPE!r}.")
        if status == _REFUSED or said.error in ("invalid_client", "unauthorized_client"):
            key = f"the key in {given.setting}" if given.setting else "the key"
            return SettingsError(message, f"Check {key} and the secret beside it; Tableflow wants a key of its own.")
        if status == _TOO_MANY or status >= 500:
            return UnreachableError(message, "Try again in a few minutes.")
        return ReadError(message, "Check the address of the token endpoint.")


def _said(response: Response) -> _Refusal:
    try:
        return _Refusal.model_validate_json(response.content)
    except ValidationError:
        return _Refusal()

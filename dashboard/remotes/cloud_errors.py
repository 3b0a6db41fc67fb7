"""What Confluent Cloud's services refuse, as errors: one sentence from either of their two kinds of bodies.

Source: docs.confluent.io/cloud/current/api.html, section "Errors"; Schema Registry's own kind:
docs.confluent.io/platform/current/schema-registry/develop/api.html, section "Errors".
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic import SecretStr

from dashboard.errors import DeployError, SalesTrendsError, SettingsError, UnreachableError

_LONGEST_REASON = 1_000


class Refused(DeployError):
    """The service understood a request and refused it."""

    def __init__(self, message: str, hint: str = "", *, status: int, code: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        """Schema Registry's own number, such as 40401; None from every other service."""


class NotFound(Refused):
    pass


class Conflict(Refused):
    """The thing exists already, or has changed since it was read."""


class TooMany(Refused):
    """More requests than the service takes for now."""

    retry_after_seconds: float = 0


class Passing(UnreachableError):
    """The service may answer a moment later; whether it carried the request out is unknown."""

    retry_after_seconds: float = 0


@dataclass(frozen=True)
class ApiKey:
    """A key and what to say about it when it is not taken."""

    role: str
    """Such as `the Flink API key`."""
    setting: str
    """The setting that holds it."""
    key: SecretStr
    secret: SecretStr

    def hidden_in(self, text: str) -> str:
        for value in (self.secret.get_secret_value(), self.key.get_secret_value()):
            text = text.replace(value, "***") if value else text
        return text


def refusal(response: httpx.Response, address: str, api_key: ApiKey, doing: str) -> SalesTrendsError:
    """The error for an answer that is not a success."""
    status = response.status_code
    reason, code = _reason(response)
    said = f"{api_key.hidden_in(reason)} ({status})."
    message = f"{address} refused to {doing}: {said}"
    key = f"{api_key.role} in {api_key.setting}"
    if status == 401:
        return SettingsError(message, f"Check {key} and the secret beside it; a key opens one service alone.")
    if status == 403:
        return Refused(message, f"Give the owner of {key} the role that this needs.", status=status)
    if status == 404:
        return NotFound(message, status=status, code=code)
    if status == 409:
        return Conflict(message, status=status, code=code)
    if status == 429:
        seconds = _retry_after(response)
        too_many = TooMany(message, f"Wait {max(seconds, 60):.0f} s, then run the command again.", status=status)
        too_many.retry_after_seconds = seconds
        return too_many
    if status >= 500:
        passing = Passing(f"{address} failed to {doing}: {said}", "Run the command again in a few minutes.")
        passing.retry_after_seconds = _retry_after(response)
        return passing
    return Refused(message, status=status, code=code)


def _reason(response: httpx.Response) -> tuple[str, int | None]:
    """All that the body says, in one line, and Schema Registry's own number."""
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    listed = body.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    # a real 404 has no id, code or title
    said = [str(error.get("detail") or error.get("title") or error.get("code") or "") for error in errors]
    said = [*said, str(body.get("message") or "")]
    reason = "; ".join(" ".join(text.split()).rstrip(".") for text in said if text.strip())
    code = body.get("error_code")
    return reason[:_LONGEST_REASON] or response.reason_phrase or "no reason given", code if type(code) is int else None


def _retry_after(response: httpx.Response) -> float:
    """Seconds from now; the header holds seconds or a date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())

"""What every service of AWS says of whoever asks it, and of nobody that answers, as our errors, without a secret.

Raise them from None: of a wrong signature AWS repeats the signed headers, a session token among them, and what botocore
says of a proxy may hold its password.

Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, docs.aws.amazon.com/glue/latest/webapi/
CommonErrors.html.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError

CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws sso login` renews a session."
SET_CLOCK = "Set the clock of this machine, best by NTP: AWS takes no request that is minutes off."
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "Forbidden"})
"""Codes for who is known, and may not."""
_LENT = "The catalog lent keys that are not taken; read again, it lends new ones."
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SIGNED_AT_ANOTHER_TIME = re.compile(r"[Ss]ignature (expired|not yet current)")
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset(
    {
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_TOO_MANY = frozenset({"RequestLimitExceeded", "SlowDown", "TooManyRequestsException"})
_UNWELL = 500
_APART = timedelta(minutes=1)
"""AWS takes what is 5 minutes off, and S3 15."""


class Refusal(NamedTuple):
    """What an answer of AWS says when it is no."""

    code: str
    said: str
    """One line without a full stop."""
    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""

    @property
    def passes(self) -> bool:
        """The same request may well be answered a little later."""
        return self.status >= _UNWELL or "Throttl" in self.code or self.code in _TOO_MANY


def refusal_of(error: ClientError) -> Refusal:
    told, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    said = _line(str(told.get("Message", ""))) or "no reason given"
    return Refusal(str(told.get("Code", "")), said, int(answer.get("HTTPStatusCode", 0)), answer.get("HTTPHeaders", {}))


def signing_fault(refusal: Refusal, doing: str, *, lent: bool = False) -> SalesTrendsError | None:
    """The error where AWS cannot tell who asks; None where it is about something else.

    `doing` goes on `to`, such as `read s3://bucket/key`; `lent` says that a catalog gave the keys, which no setting of
    ours holds.
    """
    code = refusal.code
    if code in _SKEWED or _SIGNED_AT_ANOTHER_TIME.search(refusal.said):
        return SettingsError(f"AWS refuses to {doing}: {_apart(refusal.headers.get('date'))} ({code}).", SET_CLOCK)
    if code in _SIGNATURE:
        why = "the secret is not the access key's"
    elif code in _EXPIRED:
        why = "the credentials have expired"
    elif code in _UNKNOWN_KEY:
        why = "it does not know the access key"
    else:
        return None
    message = f"AWS refuses to {doing}: {why} ({code})."
    return ReadError(message, _LENT) if lent else SettingsError(message, CREDENTIALS)


def no_answer(error: BotoCoreError, doing: str, where: str) -> SalesTrendsError:
    """The error where AWS was not asked, or did not answer; `where` is told when botocore does not say the address."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return SettingsError(f"There are no AWS credentials to {doing} with.", CREDENTIALS)
    if isinstance(error, NoRegionError):
        return SettingsError(f"No AWS region is known to {doing}.", "Set the target's region.")
    where = urlsplit(str(error.kwargs.get("endpoint_url") or "")).netloc or where
    if isinstance(error, ProxyConnectionError):
        # without its text, which may hold the proxy's password
        return UnreachableError(
            f"The proxy before {where} does not let us {doing}.",
            "HTTPS_PROXY names it; NO_PROXY with the host's name goes past it.",
        )
    if isinstance(error, SSLError):
        return UnreachableError(
            f"The certificate of {where} is not trusted, so we cannot {doing}.",
            "Where a proxy or an own authority signs it, name its certificates in AWS_CA_BUNDLE.",
        )
    if isinstance(error, (HTTPClientError, NoConnection)):
        return UnreachableError(
            f"{where} did not answer the request to {doing}: {type(error).__name__}.",
            "Check the region, the network and any endpoint of your own.",
        )
    of_keys = isinstance(error, (CredentialRetrievalError, ProfileNotFound, SSOError, TokenRetrievalError))
    # else such as a region that is no name
    hint = CREDENTIALS if of_keys else "Check the region and any endpoint of your own."
    return SettingsError(f"AWS cannot be asked to {doing}: {_line(str(error))}.", hint)


def clock_skew(date: str, now: datetime) -> timedelta | None:
    """How far `now` is ahead of an answer's Date header, which has whole seconds; None for one that is no date."""
    try:
        return now - parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return None


def spoken_skew(skew: timedelta, theirs: str) -> str:
    """Such as `this machine's clock is 7 min 3 s ahead of the catalog's`."""
    minutes, seconds = divmod(round(abs(skew.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if count]
    side = "ahead of" if skew > timedelta(0) else "behind"
    return f"this machine's clock is {' '.join(parts) or '0 s'} {side} {theirs}"


def _apart(date: str | None) -> str:
    """As far as the answer's own time tells; it may have gone through a proxy that gives it another."""
    skew = None if date is None else clock_skew(date, datetime.now(UTC))
    return "this machine's clock is wrong" if skew is None or abs(skew) < _APART else spoken_skew(skew, "its own")


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")

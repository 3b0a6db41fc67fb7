"""What AWS refuses, as our errors: of a client of botocore, and of Arrow, which reads the files of tables in S3.

Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, docs.aws.amazon.com/glue/latest/webapi/
CommonErrors.html.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnection

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError

CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws sso login` renews a session."
SET_CLOCK = "Set the clock of this machine, best by NTP: AWS takes no request that is minutes off."
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SIGNED_AT_ANOTHER_TIME = re.compile(r"[Ss]ignature (expired|not yet current)")
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_KEY_NOT_TAKEN = frozenset(
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
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403"})
_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
_ELSEWHERE |= {"301", "TemporaryRedirect"}
_ARROW = re.compile(r"AWS Error (?P<code>[A-Z_]+)(?: \(HTTP status (?P<status>\d+)\))? during (?P<operation>\w+)")
_ARROW_KEY = re.compile(r"key '(?P<key>[^']*)' in bucket '(?P<bucket>[^']*)'")
_REDIRECTED, _UNWELL = 301, 500


def aws_fault(error: Exception, doing: str, where: str, needs: str, *, lent: bool = False) -> SalesTrendsError:
    """The error for what botocore raised; `doing` goes on `to`, such as `read s3://bucket/key`.

    `where` is the service's address, `needs` the sentence that names the missing right; `lent` says that a catalog
    gave the keys, which no setting of ours holds. To be raised from None: what AWS says of a wrong signature repeats
    the signed headers, a session token among them.
    """
    if isinstance(error, ClientError):
        return _refusal(error, doing, where, needs, lent)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return SettingsError(f"There are no AWS credentials to {doing} with.", CREDENTIALS)
    if isinstance(error, NoRegionError):
        return SettingsError(f"No AWS region is known to {doing}.", "Set the target's region.")
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
            f"AWS at {where} did not answer the request to {doing}: {type(error).__name__}.",
            "Check the region, the network and any endpoint of your own.",
        )
    if isinstance(error, BotoCoreError):
        # such as a profile that does not exist, or a region that is no name
        return SettingsError(f"AWS cannot be asked to {doing}: {str(error).rstrip('.')}.", CREDENTIALS)
    raise error


def _refusal(error: ClientError, doing: str, where: str, needs: str, lent: bool) -> SalesTrendsError:
    told = error.response.get("Error", {})
    code, said = str(told.get("Code", "")), str(told.get("Message", "")).rstrip(".") or "no reason given"
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"AWS refuses to {doing}: {said} ({code})."
    keys = "The catalog lent keys that are not taken; read again, it lends new ones." if lent else CREDENTIALS
    if code in _SKEWED or _SIGNED_AT_ANOTHER_TIME.search(said):
        return ReadError(f"AWS refuses to {doing}: {_apart(headers.get('date'))} ({code}).", SET_CLOCK)
    if code in _SIGNATURE:
        message = f"AWS refuses to {doing}: the secret is not the access key's ({code})."
    if code in _EXPIRED or code in _KEY_NOT_TAKEN or code in _SIGNATURE:
        return (ReadError if lent else SettingsError)(message, keys)
    if code in _DENIED:
        return ReadError(message, needs)
    if code in _ELSEWHERE:
        region = headers.get("x-amz-bucket-region")
        return SettingsError(message, f"The bucket is in {region or 'another region'}; set the target's region to it.")
    if code in ("NoSuchBucket", "NoSuchKey", "404"):
        return ReadError(message, "The table names a file that is not there; look whether the bucket was emptied.")
    if status >= _UNWELL or "Throttl" in code or code in ("SlowDown", "TooManyRequestsException"):
        return UnreachableError(message, "Try again in a few minutes.")
    return ReadError(message, f"It was asked at {where}.")


def _apart(date: str | None) -> str:
    skew = None if date is None else clock_skew(date, datetime.now(UTC))
    return "this machine's clock is wrong" if skew is None else spoken_skew(skew, "its own")


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


def arrow_fault(error: OSError, thing: str) -> SalesTrendsError | None:
    """The error for what Arrow says of S3; None when it is about something else.

    It asks with HEAD, whose refusals have no body: what was wrong with a request is then not told.
    """
    told = _ARROW.search(text := str(error))
    if told is None:
        return None
    at = _ARROW_KEY.search(text)
    file = f"s3://{at['bucket']}/{at['key']}" if at else "its files"
    status, code = int(told["status"] or 0), told["code"]
    if code == "NETWORK_CONNECTION":
        reason = text.partition("operation: ")[2].partition(";")[0].rstrip(".")
        return UnreachableError(
            f"S3 did not give {file} of {thing}: {reason}.", "Check the region, the network and any endpoint of S3."
        )
    if code in ("SLOW_DOWN", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "THROTTLING") or status >= _UNWELL:
        return UnreachableError(f"S3 cannot give {file} of {thing} now ({status or code}).", "Try again in a moment.")
    if status == _REDIRECTED:
        return SettingsError(f"The bucket of {thing} is in another region.", "Set the target's region to the bucket's.")
    if code == "ACCESS_DENIED":
        return ReadError(
            f"S3 does not let us read {file} of {thing}.",
            "The credentials need s3:GetObject on it; `sales-trends doctor` says more.",
        )
    said = f"status {status}" if status else code
    return ReadError(f"S3 refuses to give {file} of {thing} ({said}).", "`sales-trends doctor` says why.")

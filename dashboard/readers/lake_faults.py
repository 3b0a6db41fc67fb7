"""What Glue and S3 refuse, as our errors: to a client of botocore, and to Arrow, which reads the files of tables."""

import re

from botocore.exceptions import BotoCoreError, ClientError

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.remotes.aws_faults import DENIED, no_answer, refusal_of, signing_fault

_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})
_ELSEWHERE |= {"301", "TemporaryRedirect"}
_ARROW = re.compile(r"AWS Error (?P<code>[A-Z_]+)(?: \(HTTP status (?P<status>\d+)\))? during (?P<operation>\w+)")
_ARROW_KEY = re.compile(r"key '(?P<key>[^']*)' in bucket '(?P<bucket>[^']*)'")
_REDIRECTED, _UNWELL = 301, 500


def lake_fault(
    error: ClientError | BotoCoreError, doing: str, where: str, needs: str, *, lent: bool = False
) -> SalesTrendsError:
    """The error for what botocore raised, to be raised from None; `doing` goes on `to`, such as `read s3://bucket/key`.

    `where` is the service's address, `needs` the sentence that names the missing right; `lent` says that a catalog
    gave the keys, which no setting of ours holds.
    """
    if isinstance(error, BotoCoreError):
        return no_answer(error, doing, where)
    refusal = refusal_of(error)
    if (fault := signing_fault(refusal, doing, lent=lent)) is not None:
        return fault
    message = f"AWS refuses to {doing}: {refusal.said} ({refusal.code})."
    if refusal.code in DENIED:
        return ReadError(message, needs)
    if refusal.code in _ELSEWHERE:
        region = refusal.headers.get("x-amz-bucket-region") or "another region"
        return SettingsError(message, f"The bucket is in {region}; set the target's region to it.")
    if refusal.code in ("NoSuchBucket", "NoSuchKey", "404"):
        return ReadError(message, "The table names a file that is not there; look whether the bucket was emptied.")
    if refusal.passes:
        return UnreachableError(message, "Try again in a few minutes.")
    return ReadError(message, f"It was asked at {where}.")


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

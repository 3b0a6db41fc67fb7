"""What Athena, Glue, S3 and botocore say when they refuse, as one of our errors; never with a key or a token in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection
from pyathena.error import Error as PyAthenaError
from pyathena.model import AthenaQueryExecution

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers.athena_access import PASSING, AthenaAccess

_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws sso login` renews a session."
_CLOCK = "Set this machine's clock (timedatectl, or the system's settings), then try again."
_OUTPUT = "Name an s3:// folder that the credentials may write to, or set one in the workgroup."
_TABLEFLOW = "Tableflow makes it, named after the Kafka cluster, once its Glue integration has synced."
_LATER = "Try again in a few minutes."

_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
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
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "Forbidden"})
_ACTION = re.compile(r"perform: (?P<action>[\w:*-]+)(?: on (?:the )?resource: (?P<resource>\S+))?")
_SNAPSHOT_GONE = re.compile(r"snapshot ID does not exist", re.IGNORECASE)
_NO_TABLE = re.compile(r"TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|(Table|Schema) \S+ does not exist")
_NO_OUTPUT = re.compile(r"output (bucket|location|to url)", re.IGNORECASE)
_NO_RIGHT = re.compile(r"access ?denied|insufficient (permissions|lake formation)|PERMISSION_DENIED", re.IGNORECASE)
_FILE_GONE = re.compile(r"NoSuchKey|ICEBERG_MISSING_METADATA|ICEBERG_INVALID_METADATA|specified key does not exist")


class SnapshotGoneError(ReadError):
    """A snapshot or a file of it expired after the table was looked up; the current one may be read."""


@contextmanager
def translated(access: AthenaAccess, thing: str) -> Iterator[None]:
    """What the AWS libraries raise, as one of ours."""
    try:
        yield
    except (PyAthenaError, BotoCoreError, ClientError) as error:
        # PyAthena wraps what botocore raised
        cause = error.__cause__ or error
        told = _refusal(cause, access, thing) if isinstance(cause, ClientError) else _no_answer(cause, access, thing)
        if isinstance(cause, ClientError) and _code(cause) in _SIGNATURE:
            # AWS repeats the signed headers, the session token among them: not even the trace may hold that
            raise told from None
        raise told from error


def failed_query(execution: AthenaQueryExecution, access: AthenaAccess, thing: str) -> SalesTrendsError:
    """Why a query that ended badly did, by Athena's reason."""
    reason = _sentence(execution.error_message or execution.state_change_reason or "no reason given")
    message = f"Athena could not answer {thing}: {reason}"
    if execution.state == AthenaQueryExecution.STATE_CANCELLED:
        return ReadError(f"The query for {thing} was stopped in Athena: {reason}", "Ask again.")
    if _SNAPSHOT_GONE.search(reason) or _FILE_GONE.search(reason):
        return SnapshotGoneError(message, "Snapshots expire; ask for a newer one, which `sales-trends tables` lists.")
    if _NO_OUTPUT.search(reason):
        return SettingsError(f"Athena cannot write its answers to {_output(access)}: {reason}", _OUTPUT)
    if _NO_RIGHT.search(reason):
        return ReadError(
            message, f"Grant s3:GetObject on the tables' bucket, and in Lake Formation SELECT on {access.database}."
        )
    if _NO_TABLE.search(reason):
        return ReadError(message, f"See which tables the Glue database {access.database} holds. {_TABLEFLOW}")
    if execution.retryable:
        return UnreachableError(message, _LATER)
    return ReadError(message, "The workgroup's history shows the query in the Athena console.")


def no_database(access: AthenaAccess) -> SalesTrendsError:
    return SettingsError(f"There is no Glue database {access.database} in {access.region}.", _TABLEFLOW)


def _refusal(error: ClientError, access: AthenaAccess, thing: str) -> SalesTrendsError:
    code, said = _code(error), str(error.response.get("Error", {}).get("Message", ""))
    signed = _signing(code, said, access)
    if signed is not None:
        return signed
    if code in _DENIED or _NO_RIGHT.search(said):
        found = _ACTION.search(said)
        # S3 names no action
        action = found["action"] if found else f"s3:{error.operation_name}"
        resource = (found["resource"] if found else None) or thing
        return ReadError(
            f"AWS does not let these credentials do {action} on {resource.rstrip('.')}.",
            f"Allow it there in IAM, and in Lake Formation where it guards {access.database}.",
        )
    if code in PASSING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return UnreachableError(
            f"AWS in {access.region} cannot serve {thing} now ({code}), however often it is asked.", _LATER
        )
    if "workgroup" in said.lower() and "not found" in said.lower():
        return SettingsError(
            f"There is no Athena workgroup {access.workgroup} in {access.region}.",
            "Name one that `aws athena list-work-groups` lists.",
        )
    if _NO_OUTPUT.search(said):
        return SettingsError(f"Athena has no place for its answers, {_output(access)}: {_sentence(said)}", _OUTPUT)
    if code in ("NoSuchKey", "NoSuchBucket"):
        return SnapshotGoneError(f"A metadata file of {thing} is gone ({code}).", "Read again; it was just replaced.")
    return ReadError(
        f"AWS in {access.region} refuses to serve {thing}: {_sentence(said or 'no reason given')} ({code})",
        "Check the settings of Athena: region, database, workgroup and output location.",
    )


def _signing(code: str, said: str, access: AthenaAccess) -> SalesTrendsError | None:
    """Of requests that AWS cannot tell the sender of."""
    if code in _EXPIRED and "signature" not in said.lower():
        return SettingsError("The AWS credentials have expired.", _KEYS)
    late = "signature expired" in said.lower() or "not yet current" in said.lower()
    if code == "RequestTimeTooSkewed" or code in _EXPIRED or (code in _SIGNATURE and late):
        return SettingsError(f"This machine's clock differs from that of AWS in {access.region}.", _CLOCK)
    if code in _SIGNATURE:
        return SettingsError("AWS does not accept the signature: the secret access key is not the key's.", _KEYS)
    if code in _UNKNOWN_KEY:
        return SettingsError(f"AWS does not know the access key ({code}).", _KEYS)
    return None


def _no_answer(error: BaseException, access: AthenaAccess, thing: str) -> SalesTrendsError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return SettingsError(f"There are no AWS credentials to read {thing} with.", _KEYS)
    if isinstance(error, SSOError | TokenRetrievalError | CredentialRetrievalError | ProfileNotFound):
        return SettingsError(f"There are no AWS credentials to be had: {_sentence(str(error))}", _KEYS)
    if isinstance(error, HTTPClientError | NoConnection):
        host = urlsplit(str(error.kwargs.get("endpoint_url"))).netloc or f"AWS in {access.region}"
        return UnreachableError(
            f"{host} did not answer about {thing}: {type(error).__name__}.",
            f"See whether {access.region} is the region that is meant, and whether this machine reaches it.",
        )
    if isinstance(error, BotoCoreError):
        # such as a region that is no name
        return SettingsError(f"AWS cannot be asked about {thing}: {_sentence(str(error))}", "Check region and address.")
    return ReadError(f"What Athena answered about {thing} makes no sense: {_sentence(str(error))}", _LATER)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _output(access: AthenaAccess) -> str:
    return access.output_location or f"which the workgroup {access.workgroup} does not name"


def _sentence(text: str) -> str:
    """One line that ends with one full stop."""
    return " ".join(text.split()).rstrip(".") + "."

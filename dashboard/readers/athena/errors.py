"""What Athena, Glue, S3 and botocore say when they refuse, as one of our errors; never with a key or a token in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pyathena.error import Error as PyAthenaError
from pyathena.model import AthenaQueryExecution

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers.athena.access import AthenaAccess
from dashboard.remotes.aws_faults import DENIED, no_answer, refusal_of, signing_fault

_OUTPUT = "Name an s3:// folder that the credentials may write to, or set one in the workgroup."
_TABLEFLOW = "Tableflow makes it, named after the Kafka cluster, once its Glue integration has synced."
_LATER = "Try again in a few minutes."

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
        raise _told(error.__cause__ or error, access, thing) from None


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


def _told(error: BaseException, access: AthenaAccess, thing: str) -> SalesTrendsError:
    if isinstance(error, ClientError):
        return _refusal(error, access, thing)
    if isinstance(error, BotoCoreError):
        return no_answer(error, f"read {thing}", f"AWS in {access.region}")
    return ReadError(f"What Athena answered about {thing} makes no sense: {_sentence(str(error))}", _LATER)


def _refusal(error: ClientError, access: AthenaAccess, thing: str) -> SalesTrendsError:
    refusal = refusal_of(error)
    code, said = refusal.code, refusal.said
    if (fault := signing_fault(refusal, f"read {thing}")) is not None:
        return fault
    if code in DENIED or _NO_RIGHT.search(said):
        found = _ACTION.search(said)
        # S3 names no action
        action = found["action"] if found else f"s3:{error.operation_name}"
        resource = (found["resource"] if found else None) or thing
        return ReadError(
            f"AWS does not let these credentials do {action} on {resource.rstrip('.')}.",
            f"Allow it there in IAM, and in Lake Formation where it guards {access.database}.",
        )
    if refusal.passes:
        return UnreachableError(
            f"AWS in {access.region} cannot serve {thing} now ({code}), however often it is asked.", _LATER
        )
    if "workgroup" in said.lower() and "not found" in said.lower():
        return SettingsError(
            f"There is no Athena workgroup {access.workgroup} in {access.region}.",
            "Name one that `aws athena list-work-groups` lists.",
        )
    if _NO_OUTPUT.search(said):
        return SettingsError(f"Athena has no place for its answers, {_output(access)}: {said}.", _OUTPUT)
    if code in ("NoSuchKey", "NoSuchBucket"):
        return SnapshotGoneError(f"A metadata file of {thing} is gone ({code}).", "Read again; it was just replaced.")
    return ReadError(
        f"AWS in {access.region} refuses to serve {thing}: {said} ({code}).",
        "Check the settings of Athena: region, database, workgroup and output location.",
    )


def _output(access: AthenaAccess) -> str:
    return access.output_location or f"which the workgroup {access.workgroup} does not name"


def _sentence(text: str) -> str:
    """One line that ends with one full stop."""
    return " ".join(text.split()).rstrip(".") + "."

"""What is told when AWS refuses, fails or is not there: one sentence, the next step, and no secret."""

import socket
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers.athena import access as athena_access
from dashboard.readers.athena.access import AthenaSession
from tests.fakes.aws import Aws
from tests.readers.athena_world import RANGE, SECRET, START, TOKEN, World, served_aws, world

WORKGROUP = "arn:aws:athena:eu-central-1:111122223333:workgroup/primary"
CANONICAL = (
    "The request signature we calculated does not match the signature you provided. The Canonical String for this "
    f"request should have been 'POST\n/\n\nhost:athena\nx-amz-security-token:{TOKEN}\n'"
)


@pytest.fixture(scope="module")
def served() -> Iterator[Aws]:
    with served_aws() as fake:
        yield fake


@pytest.fixture
def lake(tmp_path: Path, served: Aws) -> Iterator[World]:
    with world(tmp_path, served) as made:
        made.revenue((START, "1.00"))
        yield made


def refused(lake: World, **settings: Any) -> SalesTrendsError:
    with pytest.raises(SalesTrendsError) as caught:
        lake.engine(**settings).ask("revenue_windows", RANGE)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert TOKEN not in told
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("action", "code", "message", "kind", "said"),
    [
        (
            "GetTable",
            "ExpiredTokenException",
            "The security token included in the request is expired",
            SettingsError,
            "the credentials have expired (ExpiredTokenException). Set AWS_ACCESS_KEY_ID",
        ),
        (
            "StartQueryExecution",
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            SettingsError,
            "it does not know the access key (UnrecognizedClientException)",
        ),
        ("GetTable", "InvalidSignatureException", CANONICAL, SettingsError, "the secret is not the access key's"),
        (
            "StartQueryExecution",
            "InvalidSignatureException",
            CANONICAL,
            SettingsError,
            "the secret is not the access key's",
        ),
        (
            "StartQueryExecution",
            "InvalidSignatureException",
            "Signature expired: 20260329T000000Z is now earlier than 20260329T001000Z (20260329T001500Z - 5 min.)",
            SettingsError,
            "AWS refuses to read revenue_windows of lkc-test: this machine's clock is wrong",
        ),
        ("GetObject", "RequestTimeTooSkewed", "too large", SettingsError, "this machine's clock is wrong"),
        ("GetTable", "RequestExpired", "Request has expired", SettingsError, "Set the clock of this machine"),
        ("GetObject", "SignatureDoesNotMatch", "no match", SettingsError, "the secret is not the access key's"),
        (
            "StartQueryExecution",
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/x is not authorized to perform: athena:StartQueryExecution on "
            f"resource: {WORKGROUP} because no identity-based policy allows the athena:StartQueryExecution action",
            ReadError,
            f"AWS does not let these credentials do athena:StartQueryExecution on {WORKGROUP}. Allow it there in IAM",
        ),
        (
            "GetObject",
            "AccessDenied",
            "Access Denied",
            ReadError,
            "AWS does not let these credentials do s3:GetObject on lkc-test.revenue_summary",
        ),
        (
            "StartQueryExecution",
            "InvalidRequestException",
            "Unable to verify/create output bucket answers",
            SettingsError,
            "Athena has no place for its answers, s3://shop-lake/answers/: Unable to verify/create output bucket",
        ),
        (
            "StartQueryExecution",
            "InvalidRequestException",
            "Queries of this type are not supported",
            ReadError,
            "refuses to serve revenue_windows of lkc-test: Queries of this type are not supported",
        ),
    ],
)
def test_a_refusal_is_told_by_its_kind(
    lake: World, action: str, code: str, message: str, kind: type[SalesTrendsError], said: str
) -> None:
    lake.aws.refuse(action, code, message, 403 if code.startswith("Access") else 400)

    error = refused(lake)

    assert said in str(error)
    assert type(error) is kind
    assert error.hint


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        (
            "Access denied when writing output to url: s3://shop-lake/answers/1.csv. Please ensure you are allowed to "
            "access the S3 bucket.",
            SettingsError,
            "Athena cannot write its answers to s3://shop-lake/answers/: Access denied when writing output",
        ),
        (
            "PERMISSION_DENIED: Error opening Iceberg split s3://b/f.parquet: Access Denied (Service: Amazon S3; 403)",
            ReadError,
            "Grant s3:GetObject on the tables' bucket",
        ),
        (
            "TABLE_NOT_FOUND: line 5:6: Table 'awsdatacatalog.lkc-test.revenue_summary' does not exist",
            ReadError,
            "See which tables the Glue database lkc-test holds",
        ),
        (
            "COLUMN_NOT_FOUND: line 2:8: Column 'window_start' cannot be resolved",
            ReadError,
            "Athena could not answer revenue_windows of lkc-test: COLUMN_NOT_FOUND: line 2:8: Column 'window_start' "
            "cannot be resolved. The workgroup's history",
        ),
    ],
)
def test_a_failed_query_is_told_with_athenas_reason(
    lake: World, reason: str, kind: type[SalesTrendsError], said: str
) -> None:
    lake.aws.athena.fails_with = reason

    error = refused(lake)

    assert said in str(error)
    assert type(error) is kind


def test_a_data_file_that_is_gone_is_looked_for_in_the_current_snapshot_and_then_told(lake: World) -> None:
    lake.aws.athena.fails_with = "ICEBERG_CANNOT_OPEN_SPLIT: Error opening s3://b/f.parquet: NoSuchKey"

    assert "NoSuchKey" in str(refused(lake))
    assert lake.aws.calls["StartQueryExecution"] == 2


def test_what_is_not_there_is_named(lake: World) -> None:
    assert "There is no Athena workgroup nobodys in eu-central-1." in str(refused(lake, workgroup="nobodys"))
    assert "There is no Glue database lkc-other in eu-central-1." in str(refused(lake, database="lkc-other"))
    nowhere = refused(lake, output_location=None)
    assert "Athena has no place for its answers, which the workgroup primary does not name" in str(nowhere)
    assert isinstance(nowhere, SettingsError)


def test_a_table_that_is_not_icebergs_is_refused(lake: World) -> None:
    lake.aws.client("glue").update_table(DatabaseName="lkc-test", TableInput={"Name": "revenue_summary"})

    assert "lkc-test.revenue_summary is no Iceberg table in Glue." in str(refused(lake))


def test_metadata_that_cannot_be_read_is_told(lake: World) -> None:
    s3 = lake.aws.client("s3")
    (file,) = s3.list_objects_v2(Bucket="shop-lake")["Contents"]
    s3.put_object(Bucket="shop-lake", Key=file["Key"], Body=b'{"format-version": 9}')

    assert "The metadata of lkc-test.revenue_summary cannot be read." in str(refused(lake))


def test_without_credentials_the_places_for_them_are_named(lake: World) -> None:
    error = refused(lake, access_key_id=None, secret_access_key=None, session_token=None)

    assert "There are no AWS credentials to read lkc-test.revenue_summary with. Set AWS_ACCESS_KEY_ID" in str(error)
    assert isinstance(error, SettingsError)


def test_credentials_are_found_where_boto3_looks(lake: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    engine = lake.engine(access_key_id=None, secret_access_key=None, session_token=None)

    assert engine.ask("revenue_windows", RANGE).rows.num_rows == 1


def test_a_profile_or_a_region_that_there_is_not_is_a_setting(lake: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(refused(lake, region="eu central"), SettingsError)
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    error = refused(lake, access_key_id=None, secret_access_key=None, session_token=None)
    assert "The config profile (nobodys) could not be found." in str(error)


def test_an_address_where_nothing_answers_is_unreachable(lake: World) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        error = refused(lake, endpoint_url=f"http://{address}")

    assert isinstance(error, UnreachableError)
    assert f"{address} did not answer the request to read lkc-test.revenue_summary" in str(error)
    assert "Check the region" in error.hint


@pytest.mark.parametrize("action", ["GetTable", "GetQueryExecution"])
def test_a_throttled_request_is_made_again(lake: World, action: str) -> None:
    lake.aws.refuse(action, "ThrottlingException", "Rate exceeded", times=2)

    assert lake.engine().ask("revenue_windows", RANGE).rows.num_rows == 1
    assert lake.aws.calls["StartQueryExecution"] == 1


def test_throttling_without_end_is_told_after_a_few_requests(lake: World) -> None:
    lake.aws.refuse("StartQueryExecution", "TooManyRequestsException", "Rate exceeded")

    error = refused(lake)

    assert isinstance(error, UnreachableError)
    assert "AWS in eu-central-1 cannot serve revenue_windows of lkc-test now (TooManyRequestsException)" in str(error)
    assert lake.aws.calls["StartQueryExecution"] == 6


def test_an_error_of_the_service_itself_may_pass(lake: World) -> None:
    lake.aws.refuse("GetTable", "Unnamed", "<html>", status=502)

    error = refused(lake)

    assert isinstance(error, UnreachableError)
    assert "cannot serve lkc-test.revenue_summary now (Unnamed)" in str(error)


def test_a_query_whose_start_failed_for_another_reason_is_not_started_twice(lake: World) -> None:
    lake.aws.refuse("StartQueryExecution", "InternalServerException", "went wrong", status=500)

    assert isinstance(refused(lake), UnreachableError)
    # the second is botocore's own, with the token of the first, by which Athena knows the query again
    assert lake.aws.calls["StartQueryExecution"] == 2


@pytest.mark.parametrize("refuses_the_stop", [False, True])
def test_a_query_whose_state_cannot_be_asked_for_is_stopped(lake: World, refuses_the_stop: bool) -> None:
    lake.aws.refuse("GetQueryExecution", "InvalidRequestException", "It is not known")
    if refuses_the_stop:
        lake.aws.refuse("StopQueryExecution", "AccessDeniedException", "You may not")

    assert "It is not known" in str(refused(lake))
    assert lake.aws.calls["StopQueryExecution"] == 1


def test_many_who_ask_first_make_one_set_of_clients(lake: World, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)

    def begun(**options: Any) -> Session:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.3)
        return Session(**options)

    monkeypatch.setattr(athena_access, "Session", begun)
    session = AthenaSession(lake.access())
    with closing(session), ThreadPoolExecutor(4) as pool:
        assert len({id(one) for one in pool.map(lambda _: session.clients(), range(4))}) == 1


def test_no_setting_shows_a_secret(lake: World) -> None:
    shown = repr(lake.access())

    assert SECRET not in shown
    assert TOKEN not in shown
    assert "AKIDEXAMPLE" not in shown


def test_a_wrong_signature_is_not_logged_either(lake: World, caplog: pytest.LogCaptureFixture) -> None:
    lake.aws.refuse("StartQueryExecution", "InvalidSignatureException", CANONICAL)

    refused(lake)

    assert TOKEN not in caplog.text

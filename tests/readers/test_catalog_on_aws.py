"""Tables whose files are in S3, by keys that the catalog lends or by one's own rights, and tables that Glue shows."""

import traceback
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import pyarrow as pa
import pytest
from pyarrow.fs import S3FileSystem
from pyiceberg.table import Table

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers.catalog import FileAccess, translated
from dashboard.readers.lake import Lake
from tests.fakes.aws_lake import BUCKET, KEY, REGION, AwsLake
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.readers.lake_world import aws_with_revenue, glue, only_these_aws_credentials, tableflow

OURS = "AKIAOURS"


@pytest.fixture(scope="module")
def written() -> Iterator[tuple[AwsLake, Table]]:
    with aws_with_revenue() as written:
        yield written


@pytest.fixture
def aws(written: tuple[AwsLake, Table], monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsLake]:
    only_these_aws_credentials(monkeypatch, written[0], OURS)
    yield written[0]
    written[0].forget()


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeConfluentCloud]:
    with FakeConfluentCloud() as cloud:
        yield cloud


def total(lake: Lake) -> Decimal:
    rows = lake.revenue()
    return sum(rows["total_revenue"].to_pylist(), Decimal())


def fault(lake: Lake) -> SalesTrendsError:
    with pytest.raises(SalesTrendsError) as caught:
        lake.revenue()
    assert caught.value.hint
    return caught.value


# keys that the catalog lends


@pytest.mark.parametrize("place", ["config", "storage-credentials"])
def test_files_are_read_with_the_keys_that_tableflow_lends(
    cloud: FakeConfluentCloud,
    aws: AwsLake,
    written: tuple[AwsLake, Table],
    place: Literal["config", "storage-credentials"],
) -> None:
    cloud.tableflow_catalog.lend("revenue_summary", written[1], aws.keys(), place)

    assert total(Lake.reached_by(tableflow(cloud))) == Decimal("3.30")
    assert aws.access_keys == {KEY}


def test_an_own_bucket_is_read_by_own_rights_and_no_keys_are_asked_for(
    cloud: FakeConfluentCloud, aws: AwsLake, written: tuple[AwsLake, Table]
) -> None:
    cloud.tableflow_catalog.lend("revenue_summary", written[1], aws.keys())
    files = FileAccess(lent=False, region=REGION, endpoint=aws.url)

    assert total(Lake.reached_by(tableflow(cloud, files=files))) == Decimal("3.30")
    assert aws.access_keys == {OURS}


def test_an_own_bucket_is_reached_past_a_proxy_only_where_there_is_none_to_pass(
    aws: AwsLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com:3128")

    assert FileAccess(lent=False, region=REGION).properties()["s3.proxy-uri"] == "http://proxy.example.com:3128"
    assert "s3.proxy-uri" not in FileAccess(lent=False, region=REGION, endpoint=aws.url).properties()


@pytest.mark.parametrize(
    ("proxy", "uri"),
    [
        ("http://user:sec%ret@proxy.corp:3128", "http://user:sec%25ret@proxy.corp:3128"),
        ("http://user:p%40s%2Fs@proxy.corp:3128/", "http://user:p%40s%2Fs@proxy.corp:3128"),
        ("http://user:a@b c@proxy.corp", "http://user:a%40b%20c@proxy.corp"),
        ("user:secret@proxy.corp:3128", "http://user:secret@proxy.corp:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_a_proxy_is_given_to_arrow_as_arrow_can_parse_it(monkeypatch: pytest.MonkeyPatch, proxy: str, uri: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    given = FileAccess(lent=False, region=REGION).properties()["s3.proxy-uri"]

    assert given == uri
    S3FileSystem(region=REGION, anonymous=True, proxy_options=given)


@pytest.mark.parametrize(
    "proxy", ["http://user:se/cret@proxy.corp:3128", "http://user:12/cret@proxy", "http://user:[cret@proxy", "http://"]
)
def test_a_proxy_that_cannot_be_parsed_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)

    with pytest.raises(SettingsError, match="The proxy in HTTPS_PROXY is no address") as told:
        FileAccess(lent=False, region=REGION).properties()

    assert "cret" not in "".join(traceback.format_exception(told.value))


def test_what_arrow_says_where_there_is_a_proxy_is_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.corp:3128")

    with pytest.raises(ReadError) as told, translated("http://127.0.0.1:9", "a table"):
        raise pa.ArrowInvalid("No table")

    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


@pytest.mark.parametrize(
    ("code", "status", "family", "said"),
    [
        ("AccessDenied", 403, ReadError, f"S3 does not let us read s3://{BUCKET}/"),
        ("PermanentRedirect", 301, SettingsError, "another region"),
        ("ExpiredToken", 400, ReadError, "status 400"),
        ("SlowDown", 503, UnreachableError, "now"),
        ("NoSuchKey", 404, ReadError, "is gone"),
    ],
)
def test_what_s3_refuses_is_one_sentence_and_the_next_step(
    aws: AwsLake, code: str, status: int, family: type[SalesTrendsError], said: str
) -> None:
    aws.refuse(r"\.parquet$", code, status)

    told = fault(Lake.reached_by(glue(aws)))

    assert type(told) is family
    assert said in told.message


# Glue


def test_the_tables_that_glue_shows_are_read(aws: AwsLake) -> None:
    lake = Lake.reached_by(glue(aws))

    assert total(lake) == Decimal("3.30")
    assert lake.table_names() == ["revenue_summary"]
    assert lake.table("completed_orders") is None
    snapshot = lake.snapshot()
    assert snapshot is not None
    assert snapshot.rows == 2


@pytest.mark.parametrize(
    ("code", "message", "family", "said"),
    [
        ("AccessDeniedException", "not authorized to perform: glue:GetTable", ReadError, "perform: glue:GetTable"),
        ("InvalidSignatureException", "Signature expired: 1 is now earlier", SettingsError, "clock"),
        ("InvalidSignatureException", "x-amz-security-token:hush", SettingsError, "the secret is not"),
        ("UnrecognizedClientException", "invalid", SettingsError, "does not know the access key"),
        ("ExpiredTokenException", "expired", SettingsError, "expired"),
        ("ThrottlingException", "Rate exceeded", UnreachableError, "Rate exceeded"),
    ],
)
def test_what_glue_refuses_is_one_sentence_and_the_next_step(
    aws: AwsLake, code: str, message: str, family: type[SalesTrendsError], said: str
) -> None:
    aws.refuse("GetTable", code, message=message)

    told = fault(Lake.reached_by(glue(aws)))

    assert type(told) is family
    assert said in told.message
    assert "hush" not in str(told)


def test_without_any_aws_credentials_it_is_said_where_they_are_looked_for(
    written: tuple[AwsLake, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_these_aws_credentials(monkeypatch, written[0], None)

    told = fault(Lake.reached_by(glue(written[0])))

    assert isinstance(told, SettingsError)
    assert "no AWS credentials" in told.message
    assert "AWS_PROFILE" in told.hint


def test_a_profile_that_does_not_exist_is_told(aws: AwsLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "nobody" in fault(Lake.reached_by(glue(aws))).message


def test_a_glue_that_does_not_answer_is_given_up(aws: AwsLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:9")

    told = fault(Lake.reached_by(glue(aws)))

    assert isinstance(told, UnreachableError)
    assert "EndpointConnectionError" in told.message

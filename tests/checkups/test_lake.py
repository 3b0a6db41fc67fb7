"""Doctor on the way to the tables: each thing that can be wrong is named, with what to do about it."""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.table import Table

from dashboard.checkups.lake import examine_lake
from dashboard.local.doctor import Finding
from dashboard.readers import http_session
from dashboard.readers.catalog import CatalogAccess, FileAccess, open_catalog
from tests.fakes.aws_lake import BUCKET, REGION, AwsLake
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.iceberg_tables import NAMESPACE, append, revenue_table, served_catalog
from tests.readers.lake_world import NOON, SETTING, aws_with_revenue, glue, only_these_aws_credentials, tableflow

REVENUE = ("revenue_summary",)


@pytest.fixture(scope="module")
def written() -> Iterator[tuple[AwsLake, Table]]:
    with aws_with_revenue() as written:
        yield written


@pytest.fixture
def aws(written: tuple[AwsLake, Table], monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsLake]:
    only_these_aws_credentials(monkeypatch, written[0], "AKIAOURS")
    yield written[0]
    written[0].forget()


@pytest.fixture
def cloud() -> Iterator[FakeConfluentCloud]:
    with FakeConfluentCloud() as cloud:
        append(revenue_table(cloud.iceberg_catalog, namespace=cloud.cluster_id), [(NOON, "1.10")])
        yield cloud


def examined(access: CatalogAccess, tables: tuple[str, ...] = REVENUE) -> list[Finding]:
    findings = examine_lake(access, tables=tables)
    assert all(bool(one.remedy) != one.ok for one in findings), "a fault, and only a fault, comes with what to do"
    return findings


def the_fault(access: CatalogAccess, tables: tuple[str, ...] = REVENUE) -> Finding:
    """The one fault there is, after which nothing more is asked."""
    findings = examined(access, tables)
    (fault,) = [one for one in findings if not one.ok]
    return fault


# the way is free


def test_on_a_free_way_every_step_is_named(cloud: FakeConfluentCloud) -> None:
    findings = examined(tableflow(cloud))

    assert [one.name for one in findings] == [
        "Lake address",
        "Lake login",
        "Lake catalog",
        "Lake namespace",
        "Table revenue_summary",
        "Files of revenue_summary",
    ]
    assert all(one.ok for one in findings)
    assert "newest snapshot of 20" in findings[4].detail


def test_it_is_said_whose_keys_read_the_files(
    cloud: FakeConfluentCloud, aws: AwsLake, written: tuple[AwsLake, Table]
) -> None:
    cloud.tableflow_catalog.lend("revenue_summary", written[1], aws.keys())

    assert examined(tableflow(cloud))[-1].detail == "read with keys that the catalog lends"
    assert examined(glue(aws))[-1].detail == "read with our own rights"


def test_a_young_local_catalog_has_no_fault(tmp_path: Path) -> None:
    with served_catalog(tmp_path) as uri:
        findings = examined(CatalogAccess(uri, NAMESPACE))
        assert all(one.ok for one in findings)
        assert "not there yet" in findings[-1].detail

        revenue_table(open_catalog(CatalogAccess(uri, "")))
        assert examined(CatalogAccess(uri, NAMESPACE))[-1].detail == "there, and nothing committed yet"


# the address


def test_an_address_where_nobody_is() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"

    fault = the_fault(CatalogAccess(uri, NAMESPACE))

    assert (fault.name, fault.detail) == ("Lake address", f"The catalog at {uri} cannot be reached.")


def test_an_address_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        fault = the_fault(CatalogAccess(f"http://127.0.0.1:{silent.getsockname()[1]}", NAMESPACE))

    assert "did not answer in time" in fault.detail


def test_a_service_that_is_no_catalog_is_sent_no_key(cloud: FakeConfluentCloud) -> None:
    access = tableflow(cloud)

    fault = the_fault(replace(access, uri=cloud.control_plane_url))

    assert fault.name == "Lake address"
    assert "is not an Iceberg catalog" in fault.detail
    assert not any("oauth" in one.path for one in cloud.requests)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda faults: faults.not_json("GET", "/v1/config"), "is not an Iceberg catalog"),
        (lambda faults: faults.answer("GET", "/v1/config", status=503), "cannot serve us now (status 503)"),
        (lambda faults: faults.answer("GET", "/v1/config", status=429), "cannot serve us now (status 429)"),
        (lambda faults: faults.cut("GET", "/v1/config"), "cannot be reached"),
    ],
)
def test_what_stands_before_the_catalog(cloud: FakeConfluentCloud, order: Callable[..., None], said: str) -> None:
    order(cloud.faults)

    assert said in the_fault(tableflow(cloud)).detail


@pytest.mark.parametrize(
    ("seconds", "said"), [(-423, r"7 min [2-4] s ahead of"), (7_500, r"2 h (5 min|4 min 5\d s).* behind")]
)
def test_a_clock_that_is_wrong_is_told_with_how_much_and_the_rest_is_tried_too(
    cloud: FakeConfluentCloud, seconds: float, said: str
) -> None:
    cloud.faults.clock_seconds = seconds

    findings = examined(tableflow(cloud))

    (clock,) = [one for one in findings if not one.ok]
    assert clock.name == "Clock"
    assert re.search(f"this machine's clock is {said} the catalog's", clock.detail)
    assert findings[-1].name == "Files of revenue_summary"


# key and scope


def test_a_wrong_secret(cloud: FakeConfluentCloud) -> None:
    fault = the_fault(tableflow(cloud, secret="hush-hush-hush"))  # noqa: S106

    assert fault.name == "Lake login"
    assert "invalid_client" in fault.detail
    assert SETTING in fault.remedy
    assert "hush" not in str(fault)


def test_a_wrong_scope(cloud: FakeConfluentCloud) -> None:
    fault = the_fault(tableflow(cloud, scope="PRINCIPAL_ROLE:ALL"))

    assert "invalid_scope" in fault.detail
    assert "'catalog'" in fault.remedy


def test_a_key_that_may_not_read_the_catalog(cloud: FakeConfluentCloud) -> None:
    cloud.tableflow_catalog.refuse(403, "ForbiddenException", "not your environment")

    fault = the_fault(tableflow(cloud))

    assert fault.name == "Lake catalog"
    assert "not your environment" in fault.detail
    assert "right to read" in fault.remedy


# namespace and table


def test_a_namespace_that_is_not_there_is_told_with_those_that_are(cloud: FakeConfluentCloud, aws: AwsLake) -> None:
    fault = the_fault(replace(tableflow(cloud), namespace="lkc-other"))
    assert fault.name == "Lake namespace"
    assert f"has no namespace lkc-other; it has {cloud.cluster_id}." in fault.detail

    fault = the_fault(glue(aws, "lkc-other"))
    assert "has no namespace lkc-other; it has lkc-abc123." in fault.detail


def test_a_namespace_with_dots_is_one_level(cloud: FakeConfluentCloud) -> None:
    revenue_table(cloud.iceberg_catalog, namespace="sales")

    assert "has no namespace sales.eu" in the_fault(replace(tableflow(cloud), namespace="sales.eu")).detail


def test_a_table_that_is_not_there_yet_is_told_with_those_that_are(cloud: FakeConfluentCloud, aws: AwsLake) -> None:
    for access in (tableflow(cloud), glue(aws)):
        fault = the_fault(access, ("revenue_summary", "completed_orders"))
        assert fault.name == "Table completed_orders"
        assert "has no table completed_orders; it has revenue_summary." in fault.detail
        assert "15 minutes" in fault.remedy


# Glue


def test_a_right_in_glue_that_is_missing_is_named(aws: AwsLake) -> None:
    aws.refuse("GetDatabase|GetTable", "AccessDeniedException", message="not authorized to perform: glue:GetDatabase")

    fault = the_fault(glue(aws))

    assert fault.name == "Lake namespace"
    assert "glue:GetDatabase" in fault.detail
    assert "glue:GetTable" in fault.remedy


def test_without_credentials_for_glue(written: tuple[AwsLake, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    only_these_aws_credentials(monkeypatch, written[0], None)

    assert "no AWS credentials" in the_fault(glue(written[0])).detail


# files


@pytest.mark.parametrize(
    ("code", "status", "said", "remedy"),
    [
        ("AccessDenied", 403, "(AccessDenied)", f"s3:GetObject on arn:aws:s3:::{BUCKET}/*"),
        ("RequestTimeTooSkewed", 403, "this machine's clock is 16 min", "NTP"),
        ("InvalidAccessKeyId", 403, "(InvalidAccessKeyId)", "AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", 400, "(ExpiredToken)", "aws sso login"),
        ("PermanentRedirect", 301, "(PermanentRedirect)", "The bucket is in us-west-2"),
        ("NoSuchBucket", 404, "(NoSuchBucket)", "not there"),
    ],
)
def test_files_that_cannot_be_read_are_told_by_what_s3_says(
    aws: AwsLake, code: str, status: int, said: str, remedy: str
) -> None:
    aws.clock_seconds = -16 * 60 - 5
    aws.refuse(r"\.parquet$", code, status, x_amz_bucket_region="us-west-2")

    fault = the_fault(glue(aws))

    assert fault.name == "Files of revenue_summary"
    assert said in fault.detail
    assert remedy in fault.remedy


def test_a_manifest_that_cannot_be_read_is_the_file_that_is_named(aws: AwsLake) -> None:
    aws.refuse(r"/snap-.*\.avro$", "AccessDenied", 403)

    assert re.search(r"read s3://\S+/snap-\S+\.avro: .*\(AccessDenied\)", the_fault(glue(aws)).detail)


def test_lent_keys_that_do_not_open_the_files_are_the_catalogs_affair(
    cloud: FakeConfluentCloud, aws: AwsLake, written: tuple[AwsLake, Table]
) -> None:
    cloud.tableflow_catalog.lend("revenue_summary", written[1], aws.keys())
    aws.refuse(r"\.parquet$", "AccessDenied", 403)

    fault = the_fault(tableflow(cloud))

    assert "read s3://" in fault.detail
    assert "keys that the catalog lent do not open" in fault.remedy
    assert "makers" not in str(fault)


def test_a_bucket_that_does_not_answer(aws: AwsLake) -> None:
    files = FileAccess(lent=False, region=REGION, endpoint="http://127.0.0.1:9")

    fault = the_fault(replace(glue(aws), files=files))

    assert fault.name == "Table revenue_summary", "Glue's metadata is a file too"
    assert "S3 did not give" in fault.detail

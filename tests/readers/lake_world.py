"""What tests of connections share: the addresses of a fake Tableflow and AWS, as a reader is told them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from pyiceberg.table import Table

from dashboard.readers.catalog import CatalogAccess, FileAccess
from dashboard.readers.catalog_login import ClientCredentials
from tests.fakes.aws_lake import DATABASE, REGION, AwsLake, aws_lake
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.iceberg_tables import append, revenue_table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTING = "SALES_STAGING__TABLEFLOW_API_KEY"


def tableflow(
    cloud: FakeConfluentCloud,
    *,
    secret: str | None = None,
    scope: str = "catalog",
    files: FileAccess = FileAccess(),  # noqa: B008  # frozen
) -> CatalogAccess:
    uri, (key, right) = cloud.tableflow_catalog_url, cloud.tableflow_key
    login = ClientCredentials(SecretStr(key), SecretStr(secret or right), f"{uri}/v1/oauth/tokens", scope, SETTING)
    return CatalogAccess(uri, cloud.cluster_id, login=login, files=files)


def glue(aws: AwsLake, namespace: str = DATABASE) -> CatalogAccess:
    files = FileAccess(lent=False, region=REGION, endpoint=aws.url)
    return CatalogAccess(f"https://glue.{REGION}.amazonaws.com", namespace, "glue", files=files)


def logins(cloud: FakeConfluentCloud) -> int:
    return sum(one.path.endswith("/oauth/tokens") for one in cloud.requests)


@contextmanager
def aws_with_revenue() -> Iterator[tuple[AwsLake, Table]]:
    """A table of two windows in Glue and S3."""
    with aws_lake() as aws:
        table = revenue_table(aws.catalog(), namespace=DATABASE)
        append(table, [(NOON, "1.10"), (NOON.replace(second=5), "2.20")])
        aws.forget()
        yield aws, table.refresh()


def only_these_aws_credentials(patch: pytest.MonkeyPatch, aws: AwsLake, key: str | None) -> None:
    """Neither the developer's nor a machine's own."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", "/dev/null")
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    patch.setenv("AWS_ENDPOINT_URL_GLUE", aws.url)
    if key:
        patch.setenv("AWS_ACCESS_KEY_ID", key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

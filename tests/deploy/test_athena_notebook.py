"""The texts for Athena's notebooks, given to PyAthena's Spark cursor as its note says; no Spark runs them here."""

import json
from collections.abc import Iterator

import pytest
import sqlglot
from boto3.session import Session
from pyathena.connection import Connection
from pyathena.cursor import Cursor
from pyathena.spark.cursor import SparkCursor

from dashboard.deploy.lake_access import LakeAddress, access
from tests.fakes.aws import REGION, Aws
from tests.readers.athena_world import served_aws

CATALOG = "https://tableflow.eu-central-1.aws.confluent.cloud/iceberg/catalog/organizations/org-1/environments/env-1"
TOPICS = ("revenue_summary", "shiftleft.public.orders")
LAKE = LakeAddress(CATALOG, f"{CATALOG}/v1/oauth/tokens", "lkc-abc123", TOPICS, REGION, True, True)
ALL = pytest.mark.parametrize(
    "lake",
    [LAKE, LakeAddress(CATALOG, None, "lkc-abc123", TOPICS, None, False, False)],
    ids=["Tableflow", "files"],
)


def texts(lake: LakeAddress) -> tuple[str, str]:
    session, cell = (one.text for one in access(lake) if one.engine == "Athena notebook")
    return session, cell


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with served_aws() as fake:
        yield fake


@pytest.fixture
def athena(aws: Aws) -> Iterator[Connection[Cursor]]:
    aws.begin_anew()
    session = Session("key", "secret", region_name=REGION)
    with Connection(session=session, region_name=REGION, work_group="spark", endpoint_url=aws.url) as connection:
        yield connection
        connection.client.close()


@ALL
def test_a_spark_cursor_takes_the_properties_and_runs_the_cell(
    lake: LakeAddress, athena: Connection[Cursor], aws: Aws
) -> None:
    session, cell = texts(lake)
    configuration = {"MaxConcurrentDpus": 20, "SparkProperties": json.loads(session)}

    # botocore checks the request by the model of the API before it is sent
    with athena.cursor(SparkCursor, engine_configuration=configuration, poll_interval=0) as cursor:
        cursor.execute(cell)

    assert aws.spark.sessions == [{"WorkGroup": "spark", "EngineConfiguration": configuration}]
    assert aws.spark.calculations == [cell]
    assert aws.spark.ended == ["session-1"]


@ALL
def test_the_cell_asks_each_table_in_sparks_dialect(lake: LakeAddress) -> None:
    asked: list[str] = []

    class Spark:
        def sql(self, text: str) -> "Spark":
            asked.append(text)
            return self

        def show(self, truncate: bool = True) -> None:
            pass

    exec(compile(texts(lake)[1], "cell", "exec"), {"spark": Spark()})  # noqa: S102

    first, *selects = asked
    assert first == "SHOW TABLES IN lake.`lkc-abc123`"
    named = [sqlglot.parse_one(one, dialect="spark").find(sqlglot.exp.Table) for one in selects]
    assert [(one.catalog, one.db, one.name) for one in named if one] == [
        ("lake", "lkc-abc123", name) for name in TOPICS
    ]

"""What a user is told to paste: PyIceberg's program is run, Spark's given to a shell, the others are parsed."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog

from dashboard.deploy.lake_access import LakeAddress, Snippet, access
from dashboard.errors import DeployError
from tests.iceberg_tables import NAMESPACE, append, revenue_table, served_catalog

CATALOG = "https://tableflow.us-east-1.aws.confluent.cloud/iceberg/catalog/organizations/org-1/environments/env-1"
TOKENS = f"{CATALOG}/v1/oauth/tokens"
TOPICS = ("revenue_summary", "shiftleft.public.orders")
KEY, SECRET = "the-key", "the-secret"

MANAGED = LakeAddress(CATALOG, TOKENS, "lkc-abc123", TOPICS, "us-east-1", True, True)
OWN_BUCKET = replace(MANAGED, managed_storage=False)
OWN_CATALOG = LakeAddress("http://lake.example:8181/iceberg/", None, "lkc-abc123", TOPICS, "eu-west-1", False, False)
LOCAL = LakeAddress("http://127.0.0.1:8181/iceberg", None, NAMESPACE, TOPICS, None, False, False)
ALL = pytest.mark.parametrize(
    "details",
    [MANAGED, OWN_BUCKET, OWN_CATALOG, LOCAL, replace(MANAGED, token_uri=None), replace(OWN_BUCKET, region=None)],
    ids=["managed", "own bucket", "own catalog", "local", "no token address", "no region"],
)


def snippet(details: LakeAddress, engine: str, title: str = "") -> Snippet:
    (found,) = (one for one in access(details) if one.engine == engine and one.title.startswith(title))
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[LakeAddress]:
    """A served catalog with two tables of one row, one of them with dots in its name."""
    with served_catalog(tmp_path) as uri:
        catalog = RestCatalog("test", uri=uri)
        append(revenue_table(catalog), [(datetime(2026, 3, 1, 12, tzinfo=UTC), "17.25")])
        orders = pa.table({"orderid": pa.array([4711], pa.int32())})
        catalog.create_table((NAMESPACE, "shiftleft.public.orders"), orders.schema).append(orders)
        catalog.close()
        yield replace(LOCAL, catalog_uri=uri)


def run(command: list[str], text: str = "", **variables: str) -> str:
    environment = os.environ | {"NO_PROXY": "127.0.0.1"} | variables
    ended = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# PyIceberg


def test_pyicebergs_program_reads_a_catalog_without_credentials(lake: LakeAddress) -> None:
    shown = run([sys.executable, "-W", "error", "-c", snippet(lake, "PyIceberg").text])

    assert "17.25" in shown
    assert "4711" in shown


@contextmanager
def token_endpoint() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """An address that gives tokens, and the forms that asked for one."""
    asked = []

    class Tokens(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            answer = b'{"access_token": "a-token", "token_type": "bearer", "expires_in": 3600}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Tokens) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/oauth/tokens", asked
        finally:
            server.shutdown()
            thread.join(10)


def test_pyicebergs_program_takes_its_credentials_from_the_environment(lake: LakeAddress) -> None:
    with token_endpoint() as (uri, asked):
        details = replace(lake, token_uri=uri, region="us-east-1", managed_storage=True, needs_credentials=True)
        program = snippet(details, "PyIceberg").text
        shown = run([sys.executable, "-W", "error", "-c", program], TABLEFLOW_API_KEY=KEY, TABLEFLOW_API_SECRET=SECRET)

    assert "17.25" in shown
    assert asked[0]["client_id"] == [KEY]
    assert asked[0]["client_secret"] == [SECRET]
    assert asked[0]["scope"] == ["catalog"]


@ALL
def test_pyicebergs_program_is_python(details: LakeAddress) -> None:
    compile(snippet(details, "PyIceberg").text, "pasted", "exec")


# DuckDB, whose iceberg extension is no package of ours: its parser takes what it then could not run


@ALL
def test_duckdb_parses_its_statements(details: LakeAddress) -> None:
    statements = duckdb.extract_statements(snippet(details, "DuckDB").text)

    assert [one.type.name for one in statements if one.type.name in ("ATTACH", "SELECT")] == [
        "ATTACH",
        "SELECT",
        "SELECT",
    ]
    assert [one.type.name for one in statements].count("CREATE") == (
        details.needs_credentials + (not details.managed_storage and details != LOCAL)
    )


def test_duckdb_asks_for_tableflows_scope_and_takes_what_the_catalog_lends() -> None:
    text = snippet(MANAGED, "DuckDB").text

    assert f"OAUTH2_SERVER_URI '{TOKENS}'" in text
    assert "OAUTH2_SCOPE 'catalog'" in text
    assert f"ENDPOINT '{CATALOG}'" in text
    assert "ACCESS_DELEGATION_MODE" not in text
    assert "AUTHORIZATION_TYPE" not in text


def test_duckdb_reads_ones_own_bucket_with_the_machines_credentials() -> None:
    text = snippet(OWN_BUCKET, "DuckDB").text

    assert "CREATE SECRET lake_files (TYPE s3, PROVIDER credential_chain, REGION 'us-east-1');" in text
    assert "ACCESS_DELEGATION_MODE 'none'" in text


def test_duckdb_needs_no_secret_for_ones_own_catalog() -> None:
    text = snippet(LOCAL, "DuckDB").text

    assert "AUTHORIZATION_TYPE 'none'" in text
    assert "SECRET" not in text


# Spark


def spark(details: LakeAddress, folder: Path) -> tuple[dict[str, str], str, str]:
    """Properties, packages and queries as a shell gives them to a spark-sql."""
    program = folder / "spark-sql"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print(json.dumps([sys.argv[1:], sys.stdin.read(), os.environ.get('TABLEFLOW_CREDENTIAL')]))\n"
    )
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    shell = shutil.which("bash")
    assert shell is not None
    shown = run([shell], snippet(details, "Spark").text, PATH=path, TABLEFLOW_API_KEY=KEY, TABLEFLOW_API_SECRET=SECRET)
    flags, queries, credential = json.loads(shown)
    assert credential == (f"{KEY}:{SECRET}" if details.needs_credentials else None)
    assert SECRET not in str(flags)
    pairs = list(zip(flags[::2], flags[1::2], strict=True))
    (packages,) = (value for flag, value in pairs if flag == "--packages")
    return dict(value.split("=", 1) for flag, value in pairs if flag == "--conf"), packages, queries


def test_a_shell_gives_spark_the_properties_of_managed_storage(tmp_path: Path) -> None:
    properties, packages, queries = spark(MANAGED, tmp_path)

    assert properties == {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": "lake",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": CATALOG,
        "spark.sql.catalog.lake.rest.auth.type": "oauth2",
        "spark.sql.catalog.lake.credential": "env:TABLEFLOW_CREDENTIAL",
        "spark.sql.catalog.lake.scope": "catalog",
        "spark.sql.catalog.lake.oauth2-server-uri": TOKENS,
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "spark.sql.catalog.lake.s3.remote-signing-enabled": "true",
        "spark.sql.catalog.lake.client.region": "us-east-1",
    }
    assert "iceberg-aws-bundle" in packages
    assert queries.splitlines() == [
        "SELECT * FROM lake.`lkc-abc123`.`revenue_summary` LIMIT 10;",
        "SELECT * FROM lake.`lkc-abc123`.`shiftleft.public.orders` LIMIT 10;",
    ]


def test_spark_signs_by_itself_for_ones_own_bucket(tmp_path: Path) -> None:
    properties, _, _ = spark(OWN_BUCKET, tmp_path)

    assert "spark.sql.catalog.lake.s3.remote-signing-enabled" not in properties
    assert "spark.sql.catalog.lake.credential" in properties


def test_spark_needs_neither_credentials_nor_s3_for_the_local_catalog(tmp_path: Path) -> None:
    properties, packages, _ = spark(LOCAL, tmp_path)

    assert {name for name in properties if name.startswith("spark.sql.catalog.lake.")} == {
        "spark.sql.catalog.lake.type",
        "spark.sql.catalog.lake.uri",
    }
    assert "aws" not in packages


# Trino


def trino(details: LakeAddress) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    parser.read_string("[catalog]\n" + snippet(details, "Trino").text)
    return dict(parser["catalog"])


def test_trinos_properties_for_managed_storage() -> None:
    assert trino(MANAGED) == {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.uri": CATALOG,
        "iceberg.rest-catalog.security": "OAUTH2",
        "iceberg.rest-catalog.oauth2.credential": "${ENV:TABLEFLOW_API_KEY}:${ENV:TABLEFLOW_API_SECRET}",
        "iceberg.rest-catalog.oauth2.scope": "catalog",
        "iceberg.rest-catalog.oauth2.server-uri": TOKENS,
        "iceberg.rest-catalog.vended-credentials-enabled": "true",
        "fs.native-s3.enabled": "true",
        "s3.region": "us-east-1",
        "iceberg.security": "read_only",
    }


def test_trino_is_lent_nothing_for_ones_own_bucket() -> None:
    assert trino(MANAGED).keys() - trino(OWN_BUCKET).keys() == {"iceberg.rest-catalog.vended-credentials-enabled"}


def test_trinos_properties_for_the_local_catalog() -> None:
    assert trino(LOCAL) == {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.uri": "http://127.0.0.1:8181/iceberg",
        "fs.hadoop.enabled": "true",
        "iceberg.security": "read_only",
    }


def test_trino_is_told_of_capitals_in_names() -> None:
    matching = "iceberg.rest-catalog.case-insensitive-name-matching"

    assert trino(replace(LOCAL, topics=["Orders"]))[matching] == "true"
    assert trino(replace(LOCAL, namespace="lkc-ABC"))[matching] == "true"
    assert matching not in trino(LOCAL)


# Athena


@ALL
def test_athenas_session_properties_are_json_about_one_catalog(details: LakeAddress) -> None:
    properties = json.loads(snippet(details, "Athena notebook", "Spark properties").text)

    assert properties["spark.sql.catalog.lake.uri"] == details.catalog_uri.rstrip("/")
    assert ("spark.sql.catalog.lake.credential" in properties) == details.needs_credentials
    assert ("spark.sql.catalog.lake.s3.remote-signing-enabled" in properties) == details.managed_storage
    assert {name.split(".")[3] for name in properties if name.startswith("spark.sql.catalog.")} == {"lake"}


@ALL
def test_athenas_cell_is_python(details: LakeAddress) -> None:
    text = snippet(details, "Athena notebook", "The first cell").text

    compile(text, "pasted", "exec")
    assert all(f"lake.`{details.namespace}`.`{topic}`" in text for topic in details.topics)


def test_athena_sql_reads_the_glue_database_of_the_cluster() -> None:
    (first, second) = snippet(OWN_BUCKET, "Athena SQL").text.splitlines()

    assert first == 'SELECT * FROM "lkc-abc123"."revenue_summary" LIMIT 10;'
    assert second == 'SELECT * FROM "lkc-abc123"."shiftleft.public.orders" LIMIT 10;'


@pytest.mark.parametrize("details", [MANAGED, OWN_CATALOG, LOCAL], ids=["managed", "own catalog", "local"])
def test_glue_is_offered_only_where_tableflow_can_integrate_it(details: LakeAddress) -> None:
    assert "Athena SQL" not in {one.engine for one in access(details)}


# all of them


@ALL
def test_every_engine_is_served_whole(details: LakeAddress) -> None:
    snippets = access(details)

    assert {"PyIceberg", "DuckDB", "Spark", "Trino", "Athena notebook"} <= {one.engine for one in snippets}
    for one in snippets:
        assert one.title
        assert "Documentation: https://" in one.note
        assert "$catalog" not in one.text + one.note
        assert "if_" not in one.text + one.note
        assert "\n\n\n" not in one.text


@ALL
def test_every_topic_is_asked_for(details: LakeAddress) -> None:
    for one in access(details):
        if not one.title.startswith("Spark properties"):
            assert all(topic in one.text for topic in details.topics)


def test_the_limits_of_an_engine_are_told_where_they_matter() -> None:
    assert "trinodb/trino#21189" in snippet(MANAGED, "Trino").note
    assert "trinodb/trino#21189" not in snippet(LOCAL, "Trino").note
    assert "duckdb-iceberg#348" in snippet(MANAGED, "DuckDB").note
    assert "duckdb-iceberg#348" not in snippet(replace(MANAGED, topics=["revenue_summary"]), "DuckDB").note
    for engine in ("PyIceberg", "DuckDB", "Spark", "Trino", "Athena notebook"):
        title = "Spark properties" if engine == "Athena notebook" else ""
        assert "lends no keys to your own bucket" in snippet(OWN_BUCKET, engine, title).note
        assert "lends no keys" not in snippet(MANAGED, engine, title).note


def test_an_unknown_region_is_left_to_be_filled_in() -> None:
    assert trino(replace(MANAGED, region=None))["s3.region"] == "<AWS_REGION>"
    assert "s3.region" not in trino(LOCAL)


# secrets, and names that do not belong into quotes


@ALL
def test_no_value_of_the_environment_ever_appears(details: LakeAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TABLEFLOW_API_KEY", "TABLEFLOW_API_SECRET", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "swordfish")

    assert all("swordfish" not in f"{one}" for one in access(details))


@pytest.mark.parametrize(
    "uri",
    [
        "https://user:swordfish@lake.example/iceberg",
        "https://swordfish@lake.example",
        "https://lake.example/iceberg?token=swordfish",
        "https://lake.example/#swordfish",
        "https://lake.example/'; DROP TABLE swordfish",
        "https://lake.example/$(swordfish)",
        "https://lake.example/`swordfish`",
        "https://lake.example/\nswordfish",
        "file:///swordfish",
        "swordfish",
    ],
)
def test_an_address_that_is_not_plain_is_refused_and_not_repeated(uri: str) -> None:
    for details in (replace(MANAGED, catalog_uri=uri), replace(MANAGED, token_uri=uri)):
        with pytest.raises(DeployError) as caught:
            access(details)
        assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a'b", 'a"b', "a`b", "a b", "a\nb", "$a", "a;b", "größe", "a/b"])
def test_a_name_that_no_topic_can_have_is_refused(name: str) -> None:
    for details in (
        replace(MANAGED, namespace=name),
        replace(MANAGED, topics=["revenue_summary", name]),
        replace(MANAGED, region=name),
    ):
        with pytest.raises(DeployError, match="cannot be pasted safely"):
            access(details)

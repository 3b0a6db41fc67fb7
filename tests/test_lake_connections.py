"""What a target's settings make of its Iceberg tables: which catalog, which login, whose rights to the files."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.errors import SettingsError, UnreachableError
from dashboard.lake_connections import (
    athena_access_of,
    catalog_access_of,
    catalog_interval_of,
    lake_of,
    mirror_folder_of,
)
from dashboard.local.broker import CLUSTER_ID
from dashboard.readers.athena.access import AthenaAccess
from dashboard.readers.catalog import CatalogAccess, open_catalog
from dashboard.readers.catalog_login import BearerToken, ClientCredentials
from dashboard.settings import PREFIX, Settings, load_settings
from tests.conftest import free_ports
from tests.iceberg_tables import NAMESPACE, append, revenue_table, served_catalog

CLOUD = {
    "ORGANIZATION": "org-1",
    "ENVIRONMENT": "env-1",
    "COMPUTE_POOL": "lfcp-1",
    "KAFKA_CLUSTER": "lkc-1",
    "KAFKA_CLUSTER_NAME": "sales",
    "KAFKA_BOOTSTRAP": "pkc-1.example.com:9092",
    "FLINK_ENDPOINT": "https://flink.example.com",
    "SCHEMA_REGISTRY_URL": "https://registry.example.com",
    "REGION": "eu-central-1",
    "TABLEFLOW_API_KEY": "key",
    "TABLEFLOW_API_SECRET": "hush-hush-hush",
}
OWN_BUCKET = {"BUCKET": "b", "PROVIDER_INTEGRATION": "cspi-1", "GLUE_PROVIDER_INTEGRATION": "cspi-2"}
OWN = """
[own]
kind = "open-source"
kafka_bootstrap = "kafka:9092"
schema_registry_url = "https://registry"
flink_endpoint = "https://jobmanager"
sql_gateway_endpoint = "https://gateway"
iceberg_catalog = "https://catalog"
iceberg_namespace = "sales"
state = "s3://bucket/flink"
"""

Named = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")


@pytest.fixture
def confluent(monkeypatch: pytest.MonkeyPatch) -> Named:
    def named(**fields: str) -> Settings:
        for field, value in {**CLOUD, **fields}.items():
            monkeypatch.setenv(f"SALES_CONFLUENT__{field}", value)
        return load_settings(target="confluent")

    return named


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Named:
    (tmp_path / "targets.toml").write_text(OWN)
    monkeypatch.setenv("SALES_TARGETS_FILE", str(tmp_path / "targets.toml"))

    def named(**fields: str) -> Settings:
        for field, value in fields.items():
            monkeypatch.setenv(f"SALES_OWN__{field}", value)
        return load_settings(target="own")

    return named


# the local stack


def test_the_local_tables_are_in_the_namespace_that_the_catalog_holds_them_in(tmp_path: Path) -> None:
    with served_catalog(tmp_path) as uri:
        settings = load_settings(local={"registry_port": int(uri.split(":")[2].split("/")[0])})
        assert lake_of(settings).namespace == CLUSTER_ID

        append(revenue_table(open_catalog(CatalogAccess(uri, ""))), [(datetime(2026, 3, 1, tzinfo=UTC), "1.10")])

        lake = lake_of(settings)
        assert lake.namespace == NAMESPACE
        assert lake.revenue().num_rows == 1


def test_a_local_catalog_that_does_not_run_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        lake_of(load_settings(local={"registry_port": free_ports(1)[0]}))


# Confluent Cloud


def test_tableflows_catalog_follows_from_region_environment_and_key(confluent: Named) -> None:
    access = catalog_access_of(confluent())

    address = (
        "https://tableflow.eu-central-1.aws.confluent.cloud/iceberg/catalog/organizations/org-1/environments/env-1"
    )
    assert (access.kind, access.uri, access.namespace) == ("rest", address, "lkc-1")
    assert access.files.lent
    assert isinstance(access.login, ClientCredentials)
    assert access.login.client_secret.get_secret_value() == "hush-hush-hush"
    assert (access.login.token_uri, access.login.scope) == (f"{address}/v1/oauth/tokens", "catalog")
    assert access.login.setting == "SALES_CONFLUENT__TABLEFLOW_API_KEY"
    assert "hush" not in repr(access)


def test_an_own_bucket_is_read_by_own_rights_in_the_clusters_region(confluent: Named) -> None:
    files = catalog_access_of(confluent(**OWN_BUCKET, S3_ENDPOINT="https://bucket.vpce.example.com")).files

    assert (files.lent, files.region, files.endpoint) == (False, "eu-central-1", "https://bucket.vpce.example.com")


@pytest.mark.parametrize(
    ("fields", "namespace", "address"),
    [
        ({}, "lkc-1", "https://glue.eu-central-1.amazonaws.com"),
        ({"GLUE_DATABASE": "lake"}, "lake", "https://glue.eu-central-1.amazonaws.com"),
        ({"REGION": "cn-north-1"}, "lkc-1", "https://glue.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_glue_is_read_where_it_is_chosen_and_needs_no_key_of_tableflow(
    confluent: Named, fields: dict[str, str], namespace: str, address: str
) -> None:
    keyless = {"TABLEFLOW_API_KEY": "", "TABLEFLOW_API_SECRET": ""}

    access = catalog_access_of(confluent(**OWN_BUCKET, **keyless, CATALOG="glue", **fields))

    assert (access.kind, access.namespace, access.uri) == ("glue", namespace, address)
    assert access.login is None
    assert not access.files.lent


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"TABLEFLOW_API_KEY": "", "TABLEFLOW_API_SECRET": ""}, "no key for Tableflow"),
        ({"REGION": ""}, "address of confluent's Iceberg catalog is not known"),
    ],
)
def test_what_is_missing_is_named(confluent: Named, fields: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        lake_of(confluent(**fields))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, AthenaAccess("eu-central-1", "lkc-1", "team")),
        ({"GLUE_DATABASE": "lake"}, AthenaAccess("eu-central-1", "lake", "team")),
        (
            {"ATHENA_DATABASE": "d", "ATHENA_REGION": "eu-west-1", "ATHENA_OUTPUT": "s3://b/answers"},
            AthenaAccess("eu-west-1", "d", "team", "s3://b/answers"),
        ),
    ],
)
def test_athena_asks_glues_database_unless_it_is_told_otherwise(
    confluent: Named, fields: dict[str, str], wanted: AthenaAccess
) -> None:
    assert athena_access_of(confluent(**OWN_BUCKET, ATHENA_WORKGROUP="team", **fields)) == wanted


def test_a_target_without_athena_says_what_sets_it_up(confluent: Named) -> None:
    for settings in (load_settings(), confluent(**OWN_BUCKET)):
        with pytest.raises(SettingsError, match="Athena is not set up") as caught:
            athena_access_of(settings)
        assert "athena_workgroup" in caught.value.hint


# own clusters


def test_an_own_catalog_is_open_unless_a_login_is_given(own: Named) -> None:
    access = catalog_access_of(own())

    assert (access.uri, access.namespace, access.login) == ("https://catalog", "sales", None)
    assert access.files.lent


def test_an_own_catalog_takes_key_and_secret_or_a_token(own: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    access = catalog_access_of(
        own(
            ICEBERG_CLIENT_ID="me",
            ICEBERG_CLIENT_SECRET="hush",  # noqa: S106
            ICEBERG_SCOPE="PRINCIPAL_ROLE:ALL",
            ICEBERG_WAREHOUSE="w",
            ICEBERG_LENDS_KEYS="false",
            S3_REGION="eu-west-1",
        )
    )
    assert isinstance(access.login, ClientCredentials)
    assert (access.login.token_uri, access.login.scope) == ("https://catalog/v1/oauth/tokens", "PRINCIPAL_ROLE:ALL")
    assert (access.warehouse, access.files.lent, access.files.region) == ("w", False, "eu-west-1")

    monkeypatch.delenv("SALES_OWN__ICEBERG_CLIENT_ID")
    monkeypatch.delenv("SALES_OWN__ICEBERG_CLIENT_SECRET")
    assert isinstance(catalog_access_of(own(ICEBERG_TOKEN="hush")).login, BearerToken)  # noqa: S106


# how often, and where the mirror is


def test_the_catalog_is_asked_as_often_as_its_tables_change(confluent: Named, own: Named) -> None:
    assert catalog_interval_of(load_settings()) == timedelta(milliseconds=500)
    assert catalog_interval_of(confluent()) == timedelta(seconds=15)
    assert catalog_interval_of(own()) == timedelta(seconds=1)
    assert catalog_interval_of(own(CATALOG_INTERVAL="1m")) == timedelta(minutes=1)


def test_each_catalog_and_namespace_has_a_mirror_of_its_own(tmp_path: Path) -> None:
    settings = load_settings(lake={"mirror": tmp_path})
    places = [
        CatalogAccess("https://a/iceberg", "lkc-1"),
        CatalogAccess("https://a/iceberg", "lkc-2"),
        CatalogAccess("https://b/iceberg", "lkc-1"),
        CatalogAccess("https://a/other", "lkc-1"),
        CatalogAccess("https://a/iceberg", "lkc-1", warehouse="w"),
        CatalogAccess("https://a/iceberg", "../../etc"),
        CatalogAccess("https://a/iceberg", "../../ETC"),
    ]
    folders = [mirror_folder_of(settings, place) for place in places]

    assert len({str(folder).lower() for folder in folders}) == len(places)
    assert {folder.parent for folder in folders} == {tmp_path}
    assert mirror_folder_of(settings, places[0]) == folders[0]
    assert "lkc-1" in folders[0].name

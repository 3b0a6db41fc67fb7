"""The Iceberg tables of each kind of target, by its settings: for whoever reads them, with whichever engine."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.errors import SettingsError
from dashboard.local.broker import CLUSTER_ID
from dashboard.readers.athena.access import AthenaAccess
from dashboard.readers.catalog import CatalogAccess, FileAccess
from dashboard.readers.catalog_login import BearerToken, ClientCredentials
from dashboard.readers.lake import Lake, find_namespace
from dashboard.settings import Settings
from dashboard.target_fields import ConfluentTargetSettings, OpenSourceTargetSettings
from dashboard.targets import LOCAL, load_target

_TOKENS = "/v1/oauth/tokens"
"""Where a catalog gives tokens unless it says otherwise. Source: the Iceberg REST specification."""


def lake_of(settings: Settings) -> Lake:
    """The tables of the target that the settings name.

    Only the local catalog is asked already, for the namespace that holds the tables: without one it is the local
    cluster's. Raises SettingsError for what is missing, and of the local catalog what `find_namespace` raises.
    """
    access = catalog_access_of(settings)
    if settings.target == LOCAL and (found := find_namespace(access.uri)):
        access = CatalogAccess(access.uri, found)
    return Lake.reached_by(access)


def catalog_access_of(settings: Settings) -> CatalogAccess:
    """How the target's catalog and files are reached; nothing is asked. Raises SettingsError for what is missing."""
    if settings.target == LOCAL:
        return CatalogAccess(f"http://127.0.0.1:{settings.local.registry_port}/iceberg", CLUSTER_ID)
    target = load_target(settings.target, settings)
    if isinstance(target, OpenSourceTargetSettings):
        return _own_catalog(target)
    return _glue(target) if target.catalog == "glue" else _tableflow(target)


def athena_access_of(settings: Settings) -> AthenaAccess:
    """Where the target's tables are asked for with Athena; raises SettingsError where it is not set up."""
    target = None if settings.target == LOCAL else load_target(settings.target, settings)
    if not isinstance(target, ConfluentTargetSettings) or not target.athena_workgroup:
        raise SettingsError(
            f"Athena is not set up for the target {settings.target}.",
            "It reads what Glue shows of a target on Confluent Cloud: set glue_provider_integration and "
            "athena_workgroup, or ask another engine.",
        )
    return AthenaAccess(
        target.athena_region or target.region,
        target.athena_database or target.glue_database or target.kafka_cluster,
        target.athena_workgroup,
        target.athena_output or None,
    )


def catalog_interval_of(settings: Settings) -> timedelta:
    """How often the target's catalog is asked for a new snapshot, by all who look together."""
    if settings.target == LOCAL:
        return settings.local.catalog_interval
    return load_target(settings.target, settings).catalog_interval


def mirror_folder_of(settings: Settings, access: CatalogAccess) -> Path:
    """Where the mirror of these tables is kept: a folder for each catalog and namespace, whatever target names them."""
    told = f"{urlsplit(access.uri).hostname}-{access.namespace}"
    readable = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in told)[:80]
    digest = sha256(f"{access.kind}\n{access.uri}\n{access.warehouse}\n{access.namespace}".encode()).hexdigest()
    return settings.lake.mirror / f"{readable}-{digest[:12]}"


def _tableflow(target: ConfluentTargetSettings) -> CatalogAccess:
    uri = target.tableflow_address()
    key, secret = target.key_for("tableflow")
    login = ClientCredentials(key, secret, f"{uri}{_TOKENS}", setting=target.key_setting("tableflow"))
    # Tableflow lends keys to Confluent's own storage alone
    return CatalogAccess(uri, target.kafka_cluster, login=login, files=_files(target, lent=not target.bucket))


def _glue(target: ConfluentTargetSettings) -> CatalogAccess:
    domain = "amazonaws.com.cn" if target.region.startswith("cn-") else "amazonaws.com"
    return CatalogAccess(
        f"https://glue.{target.region}.{domain}",
        target.glue_database or target.kafka_cluster,
        "glue",
        files=_files(target, lent=False),
    )


def _files(target: ConfluentTargetSettings, *, lent: bool) -> FileAccess:
    return FileAccess(lent, target.region, target.s3_endpoint)


def _own_catalog(target: OpenSourceTargetSettings) -> CatalogAccess:
    uri, prefix = target.iceberg_catalog, target.prefix
    login: ClientCredentials | BearerToken | None = None
    if target.iceberg_client_id.get_secret_value():
        login = ClientCredentials(
            target.iceberg_client_id,
            target.iceberg_client_secret,
            target.iceberg_token_uri or f"{uri}{_TOKENS}",
            target.iceberg_scope,
            f"{prefix}ICEBERG_CLIENT_ID",
        )
    elif target.iceberg_token.get_secret_value():
        login = BearerToken(target.iceberg_token, f"{prefix}ICEBERG_TOKEN")
    return CatalogAccess(
        uri,
        target.iceberg_namespace,
        login=login,
        warehouse=target.iceberg_warehouse,
        files=FileAccess(target.iceberg_lends_keys, target.s3_region, target.s3_endpoint),
    )

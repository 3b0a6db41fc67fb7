"""Stands for Tableflow on open-source Flink: one statement per topic that copies it to an Iceberg table."""

from dashboard.deploy.open_source import Addresses, options
from dashboard.remotes.flink import Session

_PREFIX = "tableflow-"
_CATALOG = "lake"

SESSION_PROPERTIES = {"table.exec.iceberg.use-v2-sink": "true"}
"""Only Iceberg's second sink maintains its table."""

_TABLE_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # A commit every few seconds: keep the metadata small, for manifests, not files, cost planning time. Every 30
    # commits snapshots beyond the newest 60 expire, every 60 commits small files become one.
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "flink-maintenance.expire-snapshots.enabled": "true",
    "flink-maintenance.expire-snapshots.schedule.commit-count": "30",
    # not optional: without it Iceberg 1.11.0 fails with a NullPointerException
    "flink-maintenance.expire-snapshots.retain-last": "60",
    "flink-maintenance.expire-snapshots.max-snapshot-age-seconds": "60",
    "flink-maintenance.rewrite.enabled": "true",
    "flink-maintenance.rewrite.schedule.commit-count": "60",
    "flink-maintenance.rate-limit-seconds": "10",
    "flink-maintenance.lock-check-delay-seconds": "5",
}


def statement_name(topic: str) -> str:
    """Letters, digits and hyphens only, as on Confluent Cloud."""
    return _PREFIX + topic.replace(".", "-").replace("_", "-")


def tables(session: Session, addresses: Addresses) -> set[str]:
    """Names of the tables in the namespace, whoever made them; none where there is no namespace."""
    _make_catalog_known(session, addresses)
    if [addresses.namespace] not in session.execute(f"SHOW DATABASES FROM {_CATALOG}").rows:
        return set()
    return {str(row[0]) for row in session.execute(f"SHOW TABLES FROM {_CATALOG}.`{addresses.namespace}`").rows}


def use_catalog(session: Session, addresses: Addresses) -> None:
    """Makes the Iceberg catalog known to the session and its namespace exist."""
    _make_catalog_known(session, addresses)
    session.execute(f"CREATE DATABASE IF NOT EXISTS {_CATALOG}.`{addresses.namespace}`")


def _make_catalog_known(session: Session, addresses: Addresses) -> None:
    session.execute(
        f"CREATE CATALOG {_CATALOG} WITH (\n"
        + options({"type": "iceberg", "catalog-type": "rest", "uri": addresses.catalog})
        + "\n)"
    )


def create_table(session: Session, topic: str, columns: list[tuple[str, str]], addresses: Addresses) -> None:
    """Makes the Iceberg table of a topic unless it exists. `columns` are names and canonical Flink types."""
    lines = ["`$$partition` INT NOT NULL", "`$$offset` BIGINT NOT NULL"]
    lines += [f"`{name}` {_iceberg_type(type_)}" for name, type_ in columns]
    body = ",\n    ".join(lines)
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {_table(topic, addresses)} (\n    {body}\n) WITH (\n"
        + options(_TABLE_PROPERTIES)
        + "\n)"
    )


def drop_table(session: Session, topic: str, addresses: Addresses) -> None:
    session.execute(f"DROP TABLE IF EXISTS {_table(topic, addresses)}")


def copying_statement(topic: str, columns: list[tuple[str, str]], addresses: Addresses) -> str:
    """The INSERT that goes on copying; times become instants where the pipeline means instants."""
    values = ["`$$partition`", "`$$offset`"]
    values += [
        f"CAST(`{name}` AS {_iceberg_type(type_).removesuffix(' NOT NULL')})" if "TIMESTAMP" in type_ else f"`{name}`"
        for name, type_ in columns
    ]
    return f"INSERT INTO {_table(topic, addresses)}\nSELECT\n    " + ",\n    ".join(values) + f"\nFROM `{topic}`"


def _table(topic: str, addresses: Addresses) -> str:
    return f"{_CATALOG}.`{addresses.namespace}`.`{topic}`"


def _iceberg_type(flink_type: str) -> str:
    """Iceberg keeps microseconds."""
    return flink_type.replace("TIMESTAMP(3)", "TIMESTAMP(6)").replace("TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(6)")

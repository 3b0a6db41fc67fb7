"""Asks each system of a target elsewhere whether it lets us in and has what the pipeline reads and writes there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from dashboard.checkups.lake import examine_athena, examine_lake
from dashboard.clusters import kafka_and_registry
from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import ReadError, SalesTrendsError
from dashboard.lake_connections import athena_access_of, catalog_access_of
from dashboard.local.doctor import Finding
from dashboard.readers.lake import ORDERS_TABLE, REVENUE_TABLE
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_metrics import CloudMetrics
from dashboard.remotes.cloud_tableflow import CloudTableflow
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import Settings
from dashboard.target_fields import ConfluentTargetSettings
from dashboard.targets import load_target

_TABLES = (REVENUE_TABLE, ORDERS_TABLE)
_CONNECT_SECONDS = 10
_PATIENT = Pace(repeat_seconds=0)


def examine_target(settings: Settings) -> list[Finding]:
    """Every finding about a target other than the local stack. Changes nothing; each question is limited in time."""
    return list(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from _clusters(settings)
    target = load_target(settings.target, settings)
    if isinstance(target, ConfluentTargetSettings):
        yield from _tableflow(target)
        yield Finding.of("Metrics", lambda: _measures(target))
    try:
        access = catalog_access_of(settings)
    except SalesTrendsError as error:
        yield Finding("Lake", False, error.message, error.hint)
    else:
        yield from examine_lake(access, tables=_TABLES)
    if isinstance(target, ConfluentTargetSettings) and target.athena_workgroup:
        yield examine_athena(athena_access_of(settings), settings.pipeline.window_size)


def _clusters(settings: Settings) -> Iterator[Finding]:
    try:
        kafka, registry = kafka_and_registry(settings)
    except SalesTrendsError as error:
        yield Finding("Kafka and registry", False, error.message, error.hint)
        return
    yield (
        found := Finding.of("Kafka", lambda: f"{len(kafka.topic_names(_CONNECT_SECONDS))} topics at {kafka.bootstrap}")
    )
    if found.ok:
        yield Finding.of("Topics", lambda: _topics(kafka, settings))
    yield Finding.of("Registry", lambda: _contracts(registry, settings))


def _topics(kafka: Kafka, settings: Settings) -> str:
    pipeline = load_pipeline(settings.pipeline)
    wanted = {topic.name for topic in pipeline.topics} | set(pipeline.created_tables)
    if missing := sorted(wanted - kafka.topic_names()):
        raise ReadError(
            f"Missing: {', '.join(missing)}.",
            f"`sales-trends plan --target {settings.target}` shows what makes them, if others do not.",
        )
    return f"all {len(wanted)} are there"


def _contracts(registry: Registry, settings: Settings) -> str:
    """The subjects of the topics that the dashboard reads."""
    missing = [name for name in _TABLES if registry.latest(f"{name}-value") is None]
    if missing:
        raise ReadError(
            f"{registry.url} has no schema of {', '.join(missing)}.",
            f"It comes with the statement that writes the topic; see `sales-trends status --target {settings.target}`.",
        )
    return registry.url


def _tableflow(target: ConfluentTargetSettings) -> Iterator[Finding]:
    """What Tableflow itself says of the tables: a suspended one is read without a fault, and only grows older."""
    try:
        key, secret = target.key_for("tableflow")
    except SalesTrendsError as error:
        yield Finding("Tableflow", False, error.message, error.hint)
        return
    tableflow = CloudTableflow(
        target.control_plane_endpoint,
        key,
        secret,
        environment=target.environment,
        cluster=target.kafka_cluster,
        key_setting=target.key_setting("tableflow"),
    )
    for name in _TABLES:
        yield (found := Finding.of(f"Tableflow {name}", partial(_state, tableflow, name)))
        if not found.ok and not found.detail.startswith(name):
            return  # it would say the same of the others


def _state(tableflow: CloudTableflow, name: str) -> str:
    topic = tableflow.topic(name)
    if topic is None:
        raise ReadError(f"{name} is no Tableflow topic.", "`sales-trends plan` shows what turns it on.")
    reason = "; ".join(topic.faults)
    if topic.suspended:
        raise ReadError(
            f"{name} is suspended{': ' if reason else ''}{reason}.",
            "Settle the record or change that stopped it, then `sales-trends apply`; until then the table grows older.",
        )
    if topic.faults or topic.phase == "FAILED":
        raise ReadError(f"{name} fails: {reason or topic.phase}.", "Confluent Cloud's page of the topic says more.")
    return f"{topic.phase.lower()}, {topic.write_mode.lower() or 'no write mode yet'}"


def _measures(target: ConfluentTargetSettings) -> str:
    """What is measured of statements in the compute pool; that nothing runs there yet is no fault."""
    metrics = CloudMetrics(
        target.metrics_endpoint, *target.key_for("cloud"), key_setting=target.key_setting("cloud"), pace=_PATIENT
    )
    missing = metrics.look((), (target.compute_pool,), datetime.now(UTC)).missing
    return f"{metrics.address}, without {', '.join(missing)}" if missing else metrics.address

"""How a test reaches the fake of Confluent Cloud through our own clients, and deploys on it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from pydantic import SecretStr

from dashboard.deploy.apply import Application, Outcome, Target, destroy_plan_for, plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.confluent.wanted import CloudPlace
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.plan import Plan, Step
from dashboard.errors import SalesTrendsError
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_metrics import Budget, CloudMetrics
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from dashboard.remotes.cloud_tableflow import CloudTableflow
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.settings import PipelineSettings
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

HASTE = Pace(time.monotonic, lambda seconds: time.sleep(seconds / 50))
"""The fake is fifty times faster than the service."""
KMS_KEY = KmsKey("arn:aws:kms:us-east-1:000000000000:key/k")
SEVEN_DAYS_MS = "604800000"
"""As Kafka keeps a topic unless it is told otherwise."""
WITH_KEY = CloudPlace(kms_key=KMS_KEY)


class Silent:
    """A report that nobody reads."""

    def begins(self, what: str, step: Step) -> None: ...

    def waits_for(self, text: str) -> None: ...

    def ended(self, what: str, step: Step, error: SalesTrendsError | None) -> None: ...


@contextmanager
def cloud_on(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    """An environment on a cluster in memory, in which a connector already writes the orders."""

    def topics() -> list[str]:
        return [name for name in kafka.topics if not name.startswith("sales-trends-")]

    def retention_ms(topic: str) -> str:
        return kafka.retention_ms.get(topic, SEVEN_DAYS_MS)

    with FakeConfluentCloud(on_topic=kafka.mirror, topics=topics, retention_ms=retention_ms) as cloud:
        with_orders(cloud, kafka)
        yield cloud


def with_orders(cloud: FakeConfluentCloud, kafka: Kafka) -> None:
    for topic in load_pipeline(PipelineSettings()).topics:
        if topic.given:
            kafka.create_topics([Topic(topic.name, topic.partitions)])
            registry_of(cloud).register(f"{topic.name}-value", Contract(json.dumps(topic.value)))


def secret(key: tuple[str, str]) -> tuple[SecretStr, SecretStr]:
    return SecretStr(key[0]), SecretStr(key[1])


def registry_of(cloud: FakeConfluentCloud, transport: httpx.BaseTransport | None = None) -> CloudRegistry:
    return CloudRegistry(
        cloud.registry_url,
        *secret(cloud.registry_key),
        key_setting="SALES_CONFLUENT__SCHEMA_REGISTRY_API_KEY",
        pace=HASTE,
        transport=transport,
    )


def tableflow_of(cloud: FakeConfluentCloud, transport: httpx.BaseTransport | None = None) -> CloudTableflow:
    return CloudTableflow(
        cloud.control_plane_url,
        *secret(cloud.tableflow_key),
        environment=cloud.environment,
        cluster=cloud.cluster_id,
        key_setting="SALES_CONFLUENT__TABLEFLOW_API_KEY",
        pace=HASTE,
        transport=transport,
    )


def flink_of(cloud: FakeConfluentCloud, transport: httpx.BaseTransport | None = None, database: str = "") -> CloudFlink:
    return CloudFlink(
        cloud.flink_url,
        *secret(cloud.flink_key),
        organization=cloud.organization,
        environment=cloud.environment,
        compute_pool=cloud.compute_pool,
        principal="sa-123",
        catalog=cloud.environment,
        database=database or cloud.cluster_name,
        database_id="" if database else cloud.cluster_id,
        key_setting="SALES_CONFLUENT__FLINK_API_KEY",
        pace=HASTE,
        transport=transport,
    )


def metrics_of(cloud: FakeConfluentCloud, pace: Pace, budget: Budget | None = None) -> CloudMetrics:
    return CloudMetrics(
        cloud.metrics_url,
        *secret(cloud.cloud_key),
        key_setting="SALES_CONFLUENT__API_KEY",
        pace=pace,
        budget=budget or Budget(),
    )


def target_on(
    cloud: FakeConfluentCloud,
    kafka: Kafka,
    pipeline: Pipeline | None = None,
    place: CloudPlace = WITH_KEY,
    transport: Callable[[], httpx.BaseTransport | None] = lambda: None,
    database: str = "",
) -> ConfluentTarget:
    """`transport` gives each client one of its own; `database` is another Kafka cluster of the environment."""
    clients = (
        flink_of(cloud, transport(), database),
        registry_of(cloud, transport()),
        tableflow_of(cloud, transport()),
    )
    described = pipeline or load_pipeline(PipelineSettings())
    return ConfluentTarget("confluent", described, kafka, *clients, place, poll_seconds=0.02)


def applied(target: Target, *lose: str) -> Plan:
    plan = plan_for(target)
    carried_out(target, plan, *lose)
    return plan


def carried_out(target: Target, plan: Plan, *lose: str) -> Outcome:
    return Application(plan, target, Silent(), lose=lose).run()


def destroyed(target: Target, *delete: str) -> Plan:
    plan = destroy_plan_for(target, delete=delete)
    carried_out(target, plan, *delete)
    target.forget()
    return plan

"""The parts of a pipeline on Confluent Cloud, as a gatherer looks at them."""

from datetime import timedelta

from dashboard.deploy.pipeline import Pipeline
from dashboard.errors import SettingsError
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.cloud_readings import CloudReadings
from dashboard.freshness.gatherer import Look
from dashboard.freshness.readings import Part
from dashboard.freshness.tables import TableReadings
from dashboard.freshness.topics import TopicReadings
from dashboard.readers.lake import Lake
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_metrics import CloudMetrics
from dashboard.remotes.cloud_tableflow import CloudTableflow
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry


class CloudParts:
    """What is kept between looks, until it is closed; nothing is asked before the first one."""

    def __init__(
        self,
        pipeline: Pipeline,
        flink: CloudFlink,
        tableflow: CloudTableflow,
        metrics: CloudMetrics | SettingsError,
        kafka: Kafka,
        registry: Registry,
        lake: Lake,
        catalog_interval: timedelta,
    ) -> None:
        """The clients of Confluent Cloud are to ask at a glance (`AT_A_GLANCE`); `lake` once a table and interval."""
        names = [*(topic.name for topic in pipeline.topics), *pipeline.created_tables]
        self._cloud = CloudReadings(pipeline, flink, tableflow, metrics)
        self._topics = TopicReadings(kafka, registry.schema, names, Backlog())
        self._tables = TableReadings(lake, pipeline.tableflow_topics, catalog_interval)

    @property
    def looks(self) -> dict[Part, Look]:
        return {Part.KAFKA: self._topics.look, **self._cloud.looks, Part.CATALOG: self._tables.look}

    def close(self) -> None:
        """Not during a look."""
        self._topics.close()

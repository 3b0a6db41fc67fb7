"""The parts of a pipeline on an open-source Flink, the local stack's or anybody's, as a gatherer looks at them."""

from dashboard.deploy.statements import Deployment
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.flink_readings import FlinkReadings, Statuses
from dashboard.freshness.gatherer import Look
from dashboard.freshness.readings import Part
from dashboard.freshness.topics import TopicReadings
from dashboard.remotes.flink_metrics import FlinkMetrics
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry


class OpenSourceParts:
    """What is kept between looks, until it is closed; nothing is asked before the first one."""

    def __init__(
        self,
        deployment: Deployment,
        statuses: Statuses,
        kafka: Kafka,
        registry: Registry,
        tables: Look,
    ) -> None:
        """`statuses` says how each statement is, given their jobs; `tables` looks at the catalog."""
        pipeline, backlog = deployment.pipeline, Backlog()
        names = [*(topic.name for topic in pipeline.topics), *pipeline.created_tables]
        self._topics = TopicReadings(kafka, registry.schema, names, backlog)
        self._statements = FlinkReadings(
            FlinkMetrics(deployment.flink.rest), deployment.statement_names, deployment.jobs, statuses, backlog
        )
        self._tables = tables

    @property
    def looks(self) -> dict[Part, Look]:
        return {Part.KAFKA: self._topics.look, Part.FLINK: self._statements.look, Part.CATALOG: self._tables}

    def close(self) -> None:
        """Not during a look."""
        self._topics.close()
        self._statements.close()

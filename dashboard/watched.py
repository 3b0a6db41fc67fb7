"""What a watch looks at, of each kind of target: which parts there are, how data flows, what is asked besides."""

from collections.abc import Callable
from datetime import timedelta

from dashboard.cloud_deployment import CloudDeployment
from dashboard.clusters import kafka_and_registry, kind_of
from dashboard.deploy.checks import CheckResult
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deployments import deployed, looked_at
from dashboard.freshness.backlog import Backlog
from dashboard.freshness.gatherer import Look
from dashboard.freshness.hops import ways_of
from dashboard.freshness.lease import Lease, watching_on
from dashboard.freshness.open_source import OpenSourceParts
from dashboard.freshness.overview import folder_of
from dashboard.freshness.pages import PageReadings
from dashboard.freshness.quality import QualityChecks
from dashboard.freshness.readings import Part
from dashboard.freshness.seen import Seen
from dashboard.freshness.tables import TableReadings
from dashboard.freshness.topics import TopicReadings
from dashboard.lake_connections import catalog_interval_of, lake_of
from dashboard.lake_engines import engine_of
from dashboard.local import services
from dashboard.local.processes import ProcessTable
from dashboard.local.service_status import service_statuses
from dashboard.narration import Narrator
from dashboard.open_source_deployment import OpenSourceDeployment
from dashboard.readers.engine import Engine
from dashboard.settings import Settings
from dashboard.targets import LOCAL

_INTERVAL, _CLOUD_INTERVAL = timedelta(seconds=2), timedelta(seconds=10)
_QUALITY_EVERY, _CLOUD_QUALITY_EVERY = timedelta(minutes=10), timedelta(hours=1)
"""On Confluent Cloud a check is a query that is paid for."""
_SETTLING, _CLOUD_SETTLING = timedelta(minutes=2), timedelta(minutes=20)


class WatchedTarget:
    """One target as `freshness.looking.Watched` describes it."""

    def __init__(self, settings: Settings, engine: Callable[[], Engine] | None) -> None:
        """`engine` gives the one that pages ask; without it one is opened when it is needed.

        Raises SettingsError for what the target lacks.
        """
        self._settings = settings
        self._pages = engine
        self._own: Engine | None = None
        pipeline = load_pipeline(settings.pipeline)
        deployment = looked_at(settings)
        is_cloud = isinstance(deployment, CloudDeployment)
        self.ways = ways_of(pipeline, settings.pipeline, kind_of(settings.target))
        self.interval = _CLOUD_INTERVAL if is_cloud else _INTERVAL
        self.quality_every = _CLOUD_QUALITY_EVERY if is_cloud else _QUALITY_EVERY
        self.quality = QualityChecks(
            self._check, tuple(pipeline.without_rows.items()), self.engine, _CLOUD_SETTLING if is_cloud else _SETTLING
        )
        self.telling = None if settings.target == LOCAL else self._telling(pipeline)
        if isinstance(deployment, CloudDeployment):
            self.looks, self._close = self._of_cloud(deployment, pipeline)
        else:
            self.looks, self._close = self._of_own(deployment)
        if engine is not None:
            self.looks[Part.READERS] = PageReadings(engine).look

    def beside(self) -> Seen:
        """What does not run on this machine though it should."""
        if self._settings.target != LOCAL:
            return Seen()
        statuses = service_statuses(self._settings, ProcessTable(self._settings.local.home))
        wanted = {*services.PLATFORM, *services.SHOP}
        return Seen(programs={one.name: one.state for one in statuses if one.name in wanted and one.state != "running"})

    def engine(self) -> Engine:
        if self._pages is not None:
            return self._pages()
        if self._own is None:
            self._own = engine_of(self._settings, self._settings.lake.engine)
        return self._own

    def close(self) -> None:
        self._close()
        if self._own is not None:
            self._own.close()
        if self.telling is not None:
            self.telling.release()

    def _check(self, name: str, limit: int) -> CheckResult:
        return deployed(self._settings, Narrator()).check(name, limit)

    def _telling(self, pipeline: Pipeline) -> Lease:
        kafka, _ = kafka_and_registry(self._settings)
        topic = next(one.name for one in pipeline.topics if one.partitions == 1)
        return Lease(folder_of(self._settings) / "telling", watching_on(kafka, topic, "sales-trends"))

    def _of_own(self, deployment: OpenSourceDeployment) -> tuple[dict[Part, Look], Callable[[], None]]:
        parts = OpenSourceParts(
            deployment.statements,
            deployment.statuses,
            deployment.kafka,
            deployment.registry,
            _tables(self._settings, deployment.pipeline),
        )
        return parts.looks, parts.close

    def _of_cloud(self, deployment: CloudDeployment, pipeline: Pipeline) -> tuple[dict[Part, Look], Callable[[], None]]:
        kafka, registry = kafka_and_registry(self._settings)
        names = [*(topic.name for topic in pipeline.topics), *pipeline.created_tables]
        topics = TopicReadings(kafka, registry.schema, names, Backlog())
        return {
            Part.KAFKA: topics.look,
            **deployment.readings.looks,
            Part.CATALOG: _tables(self._settings, pipeline),
        }, topics.close


def _tables(settings: Settings, pipeline: Pipeline) -> Look:
    """Looks at them; a catalog that is away when the watch begins is asked again and again, as any other part."""
    reached: list[TableReadings] = []

    def look() -> Seen:
        if not reached:
            interval = catalog_interval_of(settings)
            reached.append(TableReadings(lake_of(settings), pipeline.tableflow_topics, interval))
        return reached[0].look()

    return look

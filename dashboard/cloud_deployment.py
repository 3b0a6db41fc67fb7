"""The pipeline on Confluent Cloud: from a target's settings to what commands and pages plan, apply and look at."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from dashboard.clusters import confluent_clusters
from dashboard.deploy.apply import ApplyError
from dashboard.deploy.audit import Writer
from dashboard.deploy.checks import CheckResult, check_result, checked_sql, first_rows
from dashboard.deploy.confluent import hold
from dashboard.deploy.confluent.hold import HELD_BACK, JOIN_ID
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.confluent.wanted import CloudPlace, Glue, PaymentApp
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.deployment import Change, TargetDeployment
from dashboard.deploy.lake_access import LakeAddress
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.plan import Plan, Step
from dashboard.deploy.raw_records import RawRecords
from dashboard.deploy.resources import Id
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import DeployError, SalesTrendsError, SettingsError
from dashboard.freshness.cloud_readings import CloudReadings
from dashboard.narration import Narrator
from dashboard.remotes import ecs
from dashboard.remotes.cloud_api import REAL_TIME, Pace
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_metrics import CloudMetrics
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.cloud_tableflow import MANAGED, CloudTableflow, own_bucket
from dashboard.settings import PipelineSettings
from dashboard.target_fields import ConfluentTargetSettings

_SNAPSHOT = {"sql.snapshot.mode": "now"}
"""The query reads what is there now and ends. Source: docs.confluent.io, "Snapshot Queries"."""
_CHECK_SECONDS = 120
_STAYS = f"{DEDUPLICATION} stays stopped until {JOIN} runs."


class CloudDeployment(TargetDeployment):
    """One environment, Kafka cluster and compute pool; nothing is asked before the first call."""

    target: ConfluentTarget

    def __init__(
        self,
        settings: ConfluentTargetSettings,
        pipeline: PipelineSettings,
        narrator: Callable[[], Narrator],
        *,
        who: str | None = None,
        pace: Pace = REAL_TIME,
        poll_seconds: float = 5,
    ) -> None:
        """Raises SettingsError when a key or a part of a place is missing."""
        self._settings = settings
        self._pipeline = described = load_pipeline(pipeline)
        kafka, schemas = confluent_clusters(settings)
        self._pace = pace
        self._flink = _flink(settings, pace)
        place = _place(settings)
        self._app = place.app
        target = ConfluentTarget(
            settings.name,
            described,
            kafka,
            self._flink,
            CloudRegistry(
                settings.schema_registry_url,
                *settings.key_for("schema_registry"),
                key_setting=settings.key_setting("schema_registry"),
                pace=pace,
            ),
            _tableflow(settings, pace),
            place,
            poll_seconds=poll_seconds,
        )
        super().__init__(target, kafka, RawRecords(kafka, schemas, described.secret_fields), narrator, who)

    @cached_property
    def readings(self) -> CloudReadings:
        """What Confluent Cloud tells of it, to be looked at again and again: each look asks once, and waits little."""
        settings, pace = self._settings, self._pace.at_a_glance
        return CloudReadings(
            self._pipeline, _flink(settings, pace), _tableflow(settings, pace), _metrics(settings, pace)
        )

    def apply(
        self,
        planned: str | None = None,
        *,
        lose: Collection[str] = (),
        adopt: Collection[str] = (),
        prune: Collection[str] = (),
    ) -> Plan:
        try:
            done = super().apply(planned, lose=lose, adopt=adopt, prune=prune)
        except ApplyError as error:
            # the next apply finds the contract as described, and would say nothing
            try:
                self._restart_app(error.outcome.done)
            except SalesTrendsError as fault:
                # why the apply failed is what to raise
                self._narrator().say(f"The payment app was not restarted: {fault.message} {fault.hint}".strip())
            raise
        self._restart_app(done.steps)
        return done

    def plan(self, *, adopt: Collection[str] = (), prune: Collection[str] = ()) -> Plan:
        """As everywhere, and that the deduplication rests while the join is started."""
        return hold.with_pause(super().plan(adopt=adopt, prune=prune), self.target)

    @property
    def checks(self) -> Mapping[str, str]:
        """The text of each check by its name."""
        return self._pipeline.checks

    def check(self, name: str, limit: int = 100) -> CheckResult:
        """What a check finds in the topics as they are now; DeployError for a name that is no check."""
        sql = checked_sql(self.checks, name)
        found = self._flink.answer(first_rows(sql, limit), f"check-{name}", _SNAPSHOT, _CHECK_SECONDS)
        return check_result(sql, found.columns, found.rows, limit)

    @property
    def restart_command(self) -> str:
        """What restarts the payment app in a shell; empty where its place is not known."""
        return ecs.command(self._app.cluster, self._app.service, self._app.region) if self._app else ""

    def restart_app(self) -> str:
        """Begins a new deployment of the payment app on ECS; says so. Raises DeployError where its place is unknown."""
        app, prefix = self._app, self._settings.prefix
        if app is None:
            raise DeployError(
                f"Nothing tells where the payment app of {self.target.name} runs.",
                f"Set {prefix}ECS_CLUSTER, and {prefix}ECS_SERVICE and {prefix}ECS_REGION where they differ from "
                f"{self._settings.ecs_service} and the cluster's region.",
            )
        with self.acting("restart", app.service), self._narrator().step(f"Restart {app.service}"):
            ecs.restart(app.cluster, app.service, app.region)
        return f"{app.service} is being restarted: its old tasks go when the new ones run."

    def _carry_out(self, change: Change) -> None:
        self.target.note_uids()  # older versions did not
        hold.carry_out(change.plan, change.run, self.target)

    def _stop(self, id_: Id, writer: Writer) -> str:
        """Before the join the deduplication, so that payments wait where it reads them and not where the join does."""
        if id_ != JOIN_ID or not (self.target.runs(JOIN_ID) and self.target.runs(HELD_BACK)):
            return super()._stop(id_, writer)
        self.target.check_ours(JOIN_ID)
        super()._stop(HELD_BACK, writer)
        with _adding(f"{DEDUPLICATION} was stopped first; `sales-trends resume {DEDUPLICATION}` lets it go on."):
            self.audit.write("", "stop", str(HELD_BACK))
            said = super()._stop(JOIN_ID, writer)
        return f"{said} {DEDUPLICATION} was stopped first: no payment may come before its order."

    def _resume(self, id_: Id, writer: Writer) -> str:
        """The join before the deduplication, whichever of the two somebody names."""
        pair = (JOIN_ID, HELD_BACK)
        resting = [one for one in pair if id_ in pair and self.target.rests(one)]
        if id_ not in resting:
            # it is told so
            return super()._resume(id_, writer)
        if JOIN_ID not in resting and self.target.runs(JOIN_ID):
            with _adding(_STAYS), self._narrator().step(f"Wait for {JOIN}") as step:
                self.target.wait_ready(JOIN_ID, step.waits_for)
        said = list[str]()
        for one in resting:
            with _adding(_STAYS if one == JOIN_ID and HELD_BACK in resting else " ".join(said)):
                said.append(super()._resume(one, writer))
                if one != id_:
                    self.audit.write("", "resume", str(one))
        return " ".join(said)

    def _restart_app(self, done: Iterable[Step]) -> None:
        if told := self.target.restart_app(done):
            self._narrator().say(told)


def lake_address(settings: ConfluentTargetSettings, pipeline: Pipeline) -> LakeAddress:
    """How other engines reach the tables; raises SettingsError where the catalog's address cannot be told."""
    catalog = settings.tableflow_address()
    return LakeAddress(
        catalog_uri=catalog,
        token_uri=f"{catalog}/v1/oauth/tokens",
        namespace=settings.kafka_cluster,
        topics=pipeline.tableflow_topics,
        region=settings.region or None,
        managed_storage=not settings.bucket,
        needs_credentials=True,
    )


@contextmanager
def _adding(told: str) -> Iterator[None]:
    """To a fault also what has happened before it."""
    try:
        yield
    except SalesTrendsError as fault:
        fault.hint = f"{fault.hint} {told}".strip()
        raise


def _flink(settings: ConfluentTargetSettings, pace: Pace) -> CloudFlink:
    return CloudFlink(
        settings.flink_endpoint,
        *settings.key_for("flink"),
        organization=settings.organization,
        environment=settings.environment,
        compute_pool=settings.compute_pool,
        principal=settings.principal,
        catalog=settings.environment,
        database=settings.kafka_cluster_name,
        database_id=settings.kafka_cluster,
        key_setting=settings.key_setting("flink"),
        pace=pace,
    )


def _tableflow(settings: ConfluentTargetSettings, pace: Pace) -> CloudTableflow:
    return CloudTableflow(
        settings.control_plane_endpoint,
        *settings.key_for("tableflow"),
        environment=settings.environment,
        cluster=settings.kafka_cluster,
        key_setting=settings.key_setting("tableflow"),
        pace=pace,
    )


def _metrics(settings: ConfluentTargetSettings, pace: Pace) -> CloudMetrics | SettingsError:
    """Without a key for it, why there are none: all else can be looked at."""
    try:
        key = settings.key_for("cloud")
    except SettingsError as fault:
        return fault
    return CloudMetrics(settings.metrics_endpoint, *key, key_setting=settings.key_setting("cloud"), pace=pace)


def _place(settings: ConfluentTargetSettings) -> CloudPlace:
    glue = settings.glue_provider_integration
    app = settings.ecs_cluster
    if app and not (settings.ecs_region or settings.region):
        raise SettingsError(
            f"The target {settings.name} has an ECS cluster without a region.", f"Set {settings.prefix}ECS_REGION."
        )
    return CloudPlace(
        storage=own_bucket(settings.bucket, settings.provider_integration) if settings.bucket else MANAGED,
        kms_key=KmsKey(settings.kms_key_id, settings.kms_type) if settings.kms_key_id else None,
        glue=Glue(glue, settings.glue_database) if glue else None,
        app=PaymentApp(app, settings.ecs_service, settings.ecs_region or settings.region) if app else None,
    )

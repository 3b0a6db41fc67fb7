"""The pipeline on the local stack, whose topics a made-up shop writes."""

from collections.abc import Callable, Collection

from pydantic import SecretStr

from dashboard.clusters import local_clusters
from dashboard.deploy.apply import plan_for
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.open_source import Addresses
from dashboard.deploy.open_source_target import Rules
from dashboard.deploy.plan import Plan
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.kms import LOCAL_KMS_KEY_ID, LOCAL_KMS_TYPE
from dashboard.narration import Narrator
from dashboard.open_source_deployment import Clusters, OpenSourceDeployment, WaitUntil
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.flink import Flink
from dashboard.settings import Settings

_NO_KEY = SecretStr("")
_PATIENCE_SECONDS = 5.0
"""How long a request to the stack's own registry is repeated."""


class StackDeployment(OpenSourceDeployment):
    """What runs inside the Kafka and the Flink of one local stack."""

    def __init__(
        self, settings: Settings, narrator: Callable[[], Narrator], wait_until: WaitUntil, who: str | None = None
    ) -> None:
        local = settings.local
        kafka, registry = local_clusters(local)
        clusters = Clusters(
            kafka,
            registry,
            Flink(f"http://127.0.0.1:{local.flink_port}", f"http://127.0.0.1:{local.gateway_port}"),
            Addresses(
                bootstrap=kafka.bootstrap,
                registry=registry.url,
                catalog=f"{registry.url}/iceberg",
                namespace=CLUSTER_ID,
                state=(local.home / "flink" / "state").as_uri(),
            ),
            Rules(
                CloudRegistry(
                    registry.url, _NO_KEY, _NO_KEY, key_setting="", pace=Pace(repeat_seconds=_PATIENCE_SECONDS)
                ),
                KmsKey(LOCAL_KMS_KEY_ID, LOCAL_KMS_TYPE),
            ),
        )
        super().__init__(
            settings.target, settings.pipeline, clusters, narrator, wait_until, local.home, is_local=True, who=who
        )

    def plan(self, *, adopt: Collection[str] = (), prune: Collection[str] = ()) -> Plan:
        if adopt or prune:
            return super().plan(adopt=adopt, prune=prune)
        # all in this stack's own folder is ours, also what was made before there was a ledger
        return plan_for(self.target, adopt=self._adopts_unknown)

    def _adopts_unknown(self, _id: Id) -> bool:
        return self.target.ledger_is_empty

    def destroy_plan(self, *, delete: Collection[str] = ()) -> Plan:
        if written := sorted({topic.name for topic in self.pipeline.topics} & set(delete)):
            raise DeployError(
                f"The shop writes {', '.join(written)} and remembers what it wrote, so they are not deleted alone.",
                "`sales-trends down --delete-data` deletes the whole stack.",
            )
        return super().destroy_plan(delete=delete)

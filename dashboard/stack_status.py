"""How the local stack is: its programs and its statements."""

from dataclasses import asdict, dataclass

from dashboard.deploy.statement_status import StatementStatus
from dashboard.local import services
from dashboard.local.service_status import ServiceStatus


@dataclass(frozen=True)
class StackStatus:
    services: list[ServiceStatus]
    statements: list[StatementStatus]

    @property
    def platform_runs(self) -> bool:
        """Kafka, Flink, registry and catalog."""
        running = {one.name for one in self.services if one.state == "running"}
        return running.issuperset(services.PLATFORM)

    @property
    def running(self) -> bool:
        """Everything that was started runs, and so do all statements."""
        return all(one.as_wanted for one in self.services) and all(one.state == "RUNNING" for one in self.statements)

    def as_dict(self) -> dict[str, object]:
        return {"running": self.running, **asdict(self)}

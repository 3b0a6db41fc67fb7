"""What the programs of a stack are doing: pid, address, version, memory, log."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import psutil

from dashboard.local import services
from dashboard.local.processes import ProcessTable
from dashboard.local.versions import service_versions
from dashboard.settings import Settings

State = Literal["running", "ended", "stopped"]


@dataclass(frozen=True)
class ServiceStatus:
    name: str
    state: State
    """`ended` is one that nobody stopped; `stopped` is also one that was never started."""
    pid: int | None
    address: str
    version: str
    memory_mb: int | None
    since: str | None
    """UTC, ISO 8601."""
    log: str

    @property
    def as_wanted(self) -> bool:
        """It runs, or is one that a stack may do without and was left out."""
        may_be_left_out = self.name in (*services.SHOP, services.DASHBOARD)
        return self.state == "running" or (self.state == "stopped" and may_be_left_out)


def service_statuses(settings: Settings, processes: ProcessTable) -> list[ServiceStatus]:
    """Every program in the order of their start."""
    local = settings.local
    addresses = {
        "kafka": f"127.0.0.1:{local.kafka_port}",
        "registry": f"http://127.0.0.1:{local.registry_port}",
        "jobmanager": f"http://127.0.0.1:{local.flink_port}",
        "gateway": f"http://127.0.0.1:{local.gateway_port}",
        services.DASHBOARD: settings.web.url,
    }
    versions = service_versions()
    return [_status(processes, name, addresses.get(name, ""), versions[name]) for name in services.NAMES]


def _status(processes: ProcessTable, name: str, address: str, version: str) -> ServiceStatus:
    log = str(processes.log_file(name))
    process = processes.find(name)
    if process is not None:
        try:
            memory = process.memory_info().rss // 2**20
            since = datetime.fromtimestamp(process.create_time(), UTC).isoformat(timespec="seconds")
            return ServiceStatus(name, "running", process.pid, address, version, memory, since, log)
        except psutil.NoSuchProcess:
            pass
    state: State = "ended" if processes.died(name) else "stopped"
    return ServiceStatus(name, state, None, address, version, None, None, log)

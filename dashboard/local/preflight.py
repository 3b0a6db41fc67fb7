"""What must be so before anything is started: a platform with Java, room on the disk, ports that are ours to use."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dashboard.errors import StackError
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.home import file_faults
from dashboard.local.jars import jars_to_download
from dashboard.local.java import java_executable
from dashboard.local.processes import ProcessTable, port_answers
from dashboard.local.services import DASHBOARD, PLATFORM
from dashboard.remotes.kafka import Kafka
from dashboard.settings import Settings

LEAST_DISK_MB = 500
"""Below this nothing is started: a broker or a checkpoint that meets a full disk ends in the middle of a write."""
_MB = 10**6
_CLUSTER_SECONDS = 3


@dataclass(frozen=True)
class Port:
    """One port of the stack."""

    title: str
    service: str
    number: int
    variable: str
    """The setting that moves it."""


def ports_of(settings: Settings) -> list[Port]:
    """Every port that the stack listens on."""
    local = settings.local
    return [
        Port("Kafka", "kafka", local.kafka_port, "SALES_LOCAL__KAFKA_PORT"),
        Port("Kafka controller", "kafka", local.kafka_controller_port, "SALES_LOCAL__KAFKA_CONTROLLER_PORT"),
        Port("Registry", "registry", local.registry_port, "SALES_LOCAL__REGISTRY_PORT"),
        Port("Flink", "jobmanager", local.flink_port, "SALES_LOCAL__FLINK_PORT"),
        Port("Flink RPC", "jobmanager", local.flink_rpc_port, "SALES_LOCAL__FLINK_RPC_PORT"),
        Port("SQL gateway", "gateway", local.gateway_port, "SALES_LOCAL__GATEWAY_PORT"),
        Port("Dashboard", DASHBOARD, settings.web.port, "SALES_WEB__PORT"),
    ]


def check_before_start(settings: Settings, *, page: bool) -> None:
    """Raises StackError for what would keep the stack from starting; starts and changes nothing."""
    java_executable()
    home, cache = settings.local.home, settings.local.cache
    with file_faults(home):
        _check_room(home, LEAST_DISK_MB, "SALES_LOCAL__HOME")
        if missing := jars_to_download(cache):
            _check_room(cache, sum(jar.size for jar in missing) // _MB + 1, "SALES_LOCAL__CACHE")
    _check_ports(settings, [*PLATFORM, *([DASHBOARD] if page else [])])


def free_mb(folder: Path) -> int:
    """Megabytes free where this folder is or would be made."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(existing).free // _MB


def foreign_broker(settings: Settings) -> str:
    """The cluster id of whatever Kafka answers on our port when it is not this stack's own; empty otherwise."""
    port = settings.local.kafka_port
    if not port_answers(port):
        return ""
    cluster_id = Kafka(f"127.0.0.1:{port}").cluster_id(_CLUSTER_SECONDS)
    ours = cluster_id == CLUSTER_ID and ProcessTable(settings.local.home).find("kafka") is not None
    return "" if cluster_id is None or ours else cluster_id


def _check_room(folder: Path, needed_mb: int, variable: str) -> None:
    free = free_mb(folder)
    if free < needed_mb:
        raise StackError(
            f"Only {free:,} MB are free for {folder}; starting takes at least {needed_mb:,} MB.",
            f"Free space there, or set {variable} to a folder on another disk.",
        )


def _check_ports(settings: Settings, wanted: Collection[str]) -> None:
    processes = ProcessTable(settings.local.home)
    if cluster_id := foreign_broker(settings):
        number = settings.local.kafka_port
        if cluster_id == CLUSTER_ID:
            raise StackError(
                f"Port {number} is used by the Kafka broker of another Sales Trends stack.",
                "Stop that one with `sales-trends down` and its SALES_LOCAL__HOME, "
                "or set SALES_LOCAL__KAFKA_PORT and the other ports to free ones.",
            )
        raise StackError(
            f"Port {number} is used by another Kafka broker: its cluster is {cluster_id}, ours would be {CLUSTER_ID}.",
            "End that broker, or set SALES_LOCAL__KAFKA_PORT to a free port.",
        )
    for port in ports_of(settings):
        if port.service in wanted and processes.another_listens(port.service, port.number):
            raise StackError(
                f"{port.title} cannot use port {port.number}: another program listens there.",
                f"End that program, or set {port.variable} to a free port.",
            )

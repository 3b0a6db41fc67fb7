"""The local Flink session cluster: JobManager, one TaskManager with slots to spare, and the SQL gateway."""

from dashboard.local.java import java_command, write_log4j
from dashboard.local.processes import Service
from dashboard.remotes.flink import Flink
from dashboard.settings import LocalSettings

SLOTS = 16
"""Eight statements run; a checked SELECT or a statement that is being replaced needs more for a while."""

_JAVA_OPTIONS = [
    *(
        f"--add-exports={package}=ALL-UNNAMED"
        for package in (
            "java.rmi/sun.rmi.registry",
            "java.security.jgss/sun.security.krb5",
        )
    ),
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.net",
            "java.io",
            "java.nio",
            "sun.nio.ch",
            "java.lang.reflect",
            "java.text",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
        )
    ),
]
"""From the config.yaml inside flink-dist 2.1.3."""

_CONFIG = """\
# Written anew at every start.
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: 127.0.0.1
# submissions go through the gateway only; the port for uploaded files is the system's choice
blob.server.port: 0
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest_port}
web.submit.enable: false
# Flink answers pages of every origin unless told otherwise, and statements read card numbers
web.access-control-allow-origin: http://127.0.0.1:{rest_port}
web.upload.dir: {folder}/upload
io.tmp.dirs: {folder}/tmp
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: {slots}
# started without Flink's scripts, every part of the TaskManager's memory must be named
taskmanager.cpu.cores: 2
taskmanager.memory.framework.heap.size: 96m
taskmanager.memory.task.heap.size: 416m
taskmanager.memory.framework.off-heap.size: 96m
taskmanager.memory.framework.off-heap.batch-shuffle.size: 16m
taskmanager.memory.task.off-heap.size: 32m
# for the window buffers of the statements that have them; taken when used
taskmanager.memory.managed.size: 256m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
sql-gateway.endpoint.type: rest
sql-gateway.endpoint.rest.address: 127.0.0.1
sql-gateway.endpoint.rest.bind-address: 127.0.0.1
sql-gateway.endpoint.rest.port: {gateway_port}
# how old what the REST interface tells of running tasks may be; fetched only while somebody asks
metrics.fetcher.update-interval: 2 s
# so long a TaskManager that died is waited for before those of another are fetched
web.timeout: 20 s
# a dead TaskManager is noticed in seconds
heartbeat.interval: 2000
heartbeat.timeout: 12000
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 1 s
restart-strategy.exponential-delay.max-backoff: 15 s
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.num-retained: 3
execution.checkpointing.timeout: 5 min
execution.checkpointing.tolerable-failed-checkpoints: 100
# state on disk, of which a checkpoint writes what is new: see docs/decisions/0008
state.backend.type: rocksdb
execution.checkpointing.incremental: true
# one budget for all slots: an equal share for each would starve the few statements with much state. As long as
# managed memory is on, that equal share is what each gets, whatever the next line says.
state.backend.rocksdb.memory.managed: false
state.backend.rocksdb.memory.fixed-per-tm: 256mb
# flushed at every checkpoint anyway; large ones would take the budget that the block cache needs
state.backend.rocksdb.writebuffer.size: 8mb
state.backend.rocksdb.compression.per.level: NO_COMPRESSION
state.backend.rocksdb.use-bloom-filter: true
parallelism.default: 1
# Iceberg's own lock, one map for all statements, is emptied when any of them ends: see docs/decisions/0009
flink-maintenance.lock.type: jdbc
flink-maintenance.lock.jdbc.uri: "{maintenance_lock}"
classloader.check-leaked-classloader: false
"""

_MAINTENANCE_LOCK = (
    "jdbc:h2:mem:maintenance;DB_CLOSE_DELAY=-1;INIT=CREATE TABLE IF NOT EXISTS flink_maintenance_lock ("
    "LOCK_TYPE CHAR(1) NOT NULL, LOCK_ID VARCHAR(100) NOT NULL, INSTANCE_ID CHAR(36) NOT NULL, "
    "PRIMARY KEY (LOCK_TYPE, LOCK_ID))"
)
"""In the memory of the one TaskManager, with which it dies: what was held there is held by nobody then.

The table is made here because Iceberg's way of making it fails for a statement that begins beside another.
"""

_QUIET = {
    "org.apache.kafka": "WARN",
    "org.apache.flink.kafka": "WARN",
    "org.apache.pekko": "WARN",
    "org.apache.hadoop": "ERROR",
    "org.apache.iceberg": "WARN",
    "org.apache.flink.runtime.checkpoint.CheckpointCoordinator": "WARN",
    # both of a sink's committers report a metric of the same name at every commit
    "org.apache.flink.metrics.MetricGroup": "ERROR",
}


def flink_services(settings: LocalSettings, classpath: str) -> list[Service]:
    """JobManager, TaskManager and gateway; their configuration is written before each start."""
    folder = settings.home / "flink"
    conf = folder / "conf"
    log4j = conf / "log4j2.properties"

    def prepare() -> None:
        for name in ("tmp", "upload", "conf"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(
            rpc_port=settings.flink_rpc_port,
            rest_port=settings.flink_port,
            gateway_port=settings.gateway_port,
            folder=folder,
            slots=SLOTS,
            maintenance_lock=_MAINTENANCE_LOCK,
        )
        (conf / "config.yaml").write_text(config)
        write_log4j(log4j, _QUIET)

    flink = Flink(f"http://127.0.0.1:{settings.flink_port}", f"http://127.0.0.1:{settings.gateway_port}")
    environment = {"FLINK_CONF_DIR": str(conf)}

    def service(name: str, title: str, main: str, heap_mb: int, arguments: list[str], **more: object) -> Service:
        options = [*_JAVA_OPTIONS, f"-Dlog4j2.configurationFile={log4j}", *_memory_options(name)]
        command = java_command(main, classpath, heap_mb=heap_mb, coordinates=name != "taskmanager", options=options)
        command += arguments
        return Service(name, title, command, environment=environment, prepare=prepare, **more)  # type: ignore[arg-type]  # checked where it is called

    return [
        service(
            "jobmanager",
            "Flink JobManager",
            "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
            384,
            ["--configDir", str(conf), "--executionMode", "cluster"],
            ready=lambda: "" if flink.slots() is not None else "its REST interface",
            address=flink.rest,
            ports={
                settings.flink_port: "SALES_LOCAL__FLINK_PORT",
                settings.flink_rpc_port: "SALES_LOCAL__FLINK_RPC_PORT",
            },
        ),
        service(
            "taskmanager",
            "Flink TaskManager",
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
            512,
            ["--configDir", str(conf)],
            ready=lambda: "" if flink.slots() else "registration at the JobManager",
        ),
        service(
            "gateway",
            "Flink SQL gateway",
            "org.apache.flink.table.gateway.SqlGateway",
            320,
            ["-Dsql-gateway.endpoint.rest.address=127.0.0.1"],
            ready=lambda: "" if flink.gateway_version() else "its REST interface",
            address=flink.gateway,
            ports={settings.gateway_port: "SALES_LOCAL__GATEWAY_PORT"},
        ),
    ]


def _memory_options(name: str) -> list[str]:
    if name != "taskmanager":
        return []
    # what the parts above add up to: network, framework and task off-heap
    return ["-XX:MaxDirectMemorySize=192m", "-XX:MaxMetaspaceSize=256m"]

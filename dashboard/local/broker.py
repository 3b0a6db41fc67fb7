"""The local Kafka broker: one process, broker and controller in one (KRaft), on loopback."""

import subprocess
from pathlib import Path

from dashboard.errors import StackError
from dashboard.local.java import java_command, write_log4j
from dashboard.local.processes import Service
from dashboard.remotes.kafka import Kafka
from dashboard.settings import LocalSettings

CLUSTER_ID = "lkc-local"
"""Named like Confluent Cloud's clusters: it is also the namespace of the Iceberg tables."""

WEEK_MS = 7 * 24 * 3600 * 1000
"""How long a prepared transaction may wait for Flink to come back; Flink's sinks ask for the same."""

_FORMAT_SECONDS = 60
_FOLDER, _DATA = "kafka", "data"

_PROPERTIES = """\
# Written anew at every start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
# history has past timestamps: any retention would delete it
log.retention.ms=-1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
transaction.max.timeout.ms={transaction_ms}
transactional.id.expiration.ms={transaction_ms}
# a small machine: little memory, few threads
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""

_QUIET = {
    "org.apache.kafka": "WARN",
    "kafka": "WARN",
    "kafka.server": "INFO",
    "org.apache.kafka.clients": "ERROR",
}


def broker_service(settings: LocalSettings, classpath: str) -> Service:
    """The broker's service; before a start it writes its files, and on first use formats its storage."""
    folder = settings.home / _FOLDER
    data = folder / _DATA
    properties = folder / "server.properties"
    log4j = folder / "log4j2.properties"
    options = [f"-Dlog4j2.configurationFile={log4j}", f"-Dkafka.logs.dir={settings.home / 'logs'}"]

    def prepare() -> None:
        write_log4j(log4j, _QUIET, level="WARN")
        properties.write_text(
            _PROPERTIES.format(
                port=settings.kafka_port,
                controller_port=settings.kafka_controller_port,
                data=data,
                transaction_ms=WEEK_MS,
            )
        )
        if not (data / "meta.properties").exists():
            tool = "kafka.tools.StorageTool"
            _format_storage(java_command(tool, classpath, heap_mb=128, coordinates=True, options=options), properties)

    kafka = Kafka(f"127.0.0.1:{settings.kafka_port}")
    return Service(
        name="kafka",
        title="Kafka broker",
        command=[
            *java_command("kafka.Kafka", classpath, heap_mb=384, coordinates=False, options=options),
            str(properties),
        ],
        ready=lambda: _waits_for(kafka),
        ports={
            settings.kafka_port: "SALES_LOCAL__KAFKA_PORT",
            settings.kafka_controller_port: "SALES_LOCAL__KAFKA_CONTROLLER_PORT",
        },
        address=kafka.bootstrap,
        prepare=prepare,
    )


def topic_on_disk(home: Path, topic: str) -> bool:
    """Whether the broker of this stack has ever made the topic and not deleted it since; it need not run."""
    return (home / _FOLDER / _DATA / f"{topic}-0").is_dir()


def _format_storage(command: list[str], properties: Path) -> None:
    remedy = f"Look at {properties.parent}; `sales-trends doctor` checks the machine."
    try:
        result = subprocess.run(
            [*command, "format", "--cluster-id", CLUSTER_ID, "--config", str(properties)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_FORMAT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"Kafka's storage was not formatted within {_FORMAT_SECONDS} s.", remedy) from error
    except OSError as error:
        raise StackError(f"Java cannot be run: {command[0]}: {error.strerror or error}.", remedy) from error
    if result.returncode:
        said = [line.strip() for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        reason = next((line for line in said if not line.startswith("at ")), f"exit code {result.returncode}")
        raise StackError(f"Kafka's storage could not be formatted: {reason[:300]}", remedy)


def _waits_for(kafka: Kafka) -> str:
    cluster_id = kafka.cluster_id(timeout_seconds=1)
    if cluster_id is None:
        return "an answer to a metadata request"
    if cluster_id != CLUSTER_ID:
        return f"our broker; {kafka.bootstrap} is answered by cluster {cluster_id}"
    return ""

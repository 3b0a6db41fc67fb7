"""A real broker with a second listener that asks for a user and password."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from dashboard.local import services
from dashboard.local.jars import fetch_jars
from dashboard.local.processes import ProcessTable
from dashboard.narration import Narrator, Step
from dashboard.remotes.kafka_access import KafkaAccess
from dashboard.settings import Settings
from tests.conftest import free_ports, stack_settings

USER = "shop"
RIGHT = "right-password"
_LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT
listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_shop="{password}";
"""


@dataclass(frozen=True)
class Guarded:
    plain: str
    """Where no password is asked for."""
    bootstrap: str
    settings: Settings
    """Of the stack whose broker it is."""

    def by(self, password: str, protocol: str = "SASL_PLAINTEXT") -> KafkaAccess:
        return KafkaAccess(self.bootstrap, protocol, "PLAIN", USER, SecretStr(password), setting="SALES_X__KEY")


@contextmanager
def guarded_broker(home: Path) -> Iterator[Guarded]:
    """The broker, in this home."""
    settings = stack_settings(home)
    settings.local.home.mkdir()
    [port] = free_ports(1)
    console = Console(file=StringIO())
    kafka = services.all_services(settings, fetch_jars(settings.local.cache, Narrator(console)))["kafka"]

    def prepare() -> None:
        kafka.prepare()
        with (settings.local.home / "kafka" / "server.properties").open("a") as properties:
            properties.write(
                _LISTENERS.format(
                    port=settings.local.kafka_port,
                    controller=settings.local.kafka_controller_port,
                    guarded=port,
                    password=RIGHT,
                )
            )

    processes = ProcessTable(settings.local.home)
    guarded_kafka = replace(kafka, prepare=prepare)
    try:
        processes.launch(guarded_kafka)
        processes.wait_ready(guarded_kafka, Step("Kafka", console, None))
        yield Guarded(kafka.address, f"127.0.0.1:{port}", settings)
    finally:
        processes.stop("kafka", 20)

"""A real Kafka broker of its own, in a home of its own; it can be stopped and started again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich.console import Console

from dashboard.local import services
from dashboard.local.jars import fetch_jars
from dashboard.local.processes import ProcessTable, Service
from dashboard.narration import Narrator, Step
from dashboard.remotes.kafka import Kafka
from dashboard.settings import Settings
from tests.conftest import stack_settings


@dataclass(frozen=True)
class RealBroker:
    """Everybody may use it; topics must be created."""

    settings: Settings
    """Of the stack whose broker it is."""
    _service: Service
    _processes: ProcessTable

    @property
    def kafka(self) -> Kafka:
        return Kafka(f"127.0.0.1:{self.settings.local.kafka_port}")

    def start(self) -> None:
        self._processes.launch(self._service)
        self._processes.wait_ready(self._service, Step("Kafka", Console(file=StringIO()), None))

    def stop(self) -> None:
        self._processes.stop("kafka", 20)

    def kill(self) -> None:
        process = self._processes.find("kafka")
        assert process is not None
        process.kill()
        process.wait(20)


@contextmanager
def real_broker(home: Path) -> Iterator[RealBroker]:
    """The broker, running."""
    settings = stack_settings(home)
    settings.local.home.mkdir()
    jars = fetch_jars(settings.local.cache, Narrator(Console(file=StringIO())))
    broker = RealBroker(settings, services.all_services(settings, jars)["kafka"], ProcessTable(settings.local.home))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()

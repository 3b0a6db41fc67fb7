"""A real Kafka broker for what is deployed to the fake of Confluent Cloud."""

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from dashboard.local import services
from dashboard.local.jars import fetch_jars
from dashboard.local.processes import ProcessTable
from dashboard.narration import Narrator, Step
from dashboard.remotes.kafka import Kafka
from tests.conftest import stack_settings


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Of one partition topics and no security; each test leaves no topic behind."""
    settings = stack_settings(tmp_path_factory.mktemp("broker") / "home")
    settings.local.home.mkdir()
    console = Console(file=StringIO())
    kafka = services.all_services(settings, fetch_jars(settings.local.cache, Narrator(console)))["kafka"]
    processes = ProcessTable(settings.local.home)
    try:
        processes.launch(kafka)
        processes.wait_ready(kafka, Step("Kafka", console, None))
        yield Kafka(f"127.0.0.1:{settings.local.kafka_port}")
    finally:
        processes.stop("kafka", 20)

"""A real Kafka broker for what is deployed to the fake of Confluent Cloud."""

from collections.abc import Iterator

import pytest

from dashboard.remotes.kafka import Kafka
from tests.real_broker import real_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Of one partition topics and no security; each test leaves no topic behind."""
    with real_broker(tmp_path_factory.mktemp("broker") / "home") as broker:
        yield broker.kafka

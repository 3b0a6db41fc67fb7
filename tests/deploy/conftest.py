"""A Kafka in memory and a real one for what is deployed to the fake of Confluent Cloud."""

from collections.abc import Iterator

import pytest

from dashboard.remotes.kafka import Kafka
from tests.deploy.cloud import cloud_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka
from tests.real_broker import real_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Of one partition topics and no security; each test leaves no topic behind."""
    with real_broker(tmp_path_factory.mktemp("broker") / "home") as broker:
        yield broker.kafka


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        yield cloud

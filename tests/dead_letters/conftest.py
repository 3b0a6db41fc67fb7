"""A real broker, and a world on it that is new for each test."""

from collections.abc import Iterator

import pytest

from tests.dead_letters.world import World
from tests.real_broker import RealBroker, real_broker


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("letters") / "home") as broker:
        yield broker


@pytest.fixture
def world(real: RealBroker) -> World:
    return World(real.kafka)

"""The tail where Kafka asks for TLS, user and password."""

from collections.abc import Iterator

import pytest

from dashboard.errors import SettingsError, UnreachableError
from dashboard.readers.tail import Tail
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.kafka_access import KafkaAccess
from tests.conftest import eventually
from tests.guarded_broker import RIGHT, Guarded, guarded_broker
from tests.readers.topics import ORDER, Texts, new_topic, order, produce


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_broker(tmp_path_factory.mktemp("guarded") / "home") as guarded:
        yield guarded


def tail_of(access: KafkaAccess, topic: str) -> Tail:
    return Tail(Kafka(access), Texts(_1=ORDER), topic, amount_field="amount")


@pytest.mark.parametrize("encrypted", [True, False])
def test_it_reads_with_user_and_password(guarded: Guarded, encrypted: bool) -> None:
    plain = Kafka(guarded.plain)
    topic = new_topic(plain)
    produce(plain, topic, map(order, range(20)))
    tail = tail_of(guarded.by_tls(RIGHT) if encrypted else guarded.by(RIGHT), topic)
    eventually(lambda: tail.look().sums.cents == 2_500, 30)
    assert tail.look().fault is None
    tail.close()


@pytest.mark.parametrize(
    ("access", "kind", "told"),
    [
        (lambda guarded: guarded.by_tls("wrong"), SettingsError, "refused the user or key"),
        (lambda guarded: guarded.by("wrong"), SettingsError, "refused the user or key"),
        (lambda guarded: guarded.by_tls(RIGHT, trusted=False), UnreachableError, "certificate is not trusted"),
    ],
)
def test_what_it_is_refused_for_is_told_without_the_password(
    guarded: Guarded, access: object, kind: type[Exception], told: str
) -> None:
    topic = new_topic(Kafka(guarded.plain))
    tail = tail_of(access(guarded), topic)  # type: ignore[operator]
    eventually(lambda: tail.look().fault is not None, 30)
    fault = tail.look().fault
    assert isinstance(fault, kind)
    assert told in str(fault)
    assert RIGHT not in str(fault)
    tail.close()

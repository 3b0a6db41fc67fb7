import threading
from typing import Any

import pytest

from dashboard.errors import ReadError
from dashboard.local.shop.journal import End
from dashboard.local.shop.outlet import Outlet, Record
from dashboard.local.shop.topics import read_from, topic_ends, wait_for_topic
from dashboard.local.worker import Interrupted

NEVER = threading.Event()
ALWAYS = threading.Event()
ALWAYS.set()


def records(count: int, start: int = 0) -> list[Record]:
    return [Record(b"%d" % number, b"value", 1_000 + number) for number in range(start, start + count)]


def test_sent_records_are_found_from_the_last_settlement_on(broker: Any) -> None:
    partitions = wait_for_topic(broker.servers, "payments", NEVER)
    outlet = Outlet(broker.servers, "payments")
    first = outlet.send(records(200), NEVER)
    assert set(first) == set(range(partitions))
    assert sum(end.next_offset for end in first.values()) == 200
    assert max(end.newest_ms or 0 for end in first.values()) == 1_199
    second = outlet.send(records(50, start=200), NEVER)
    found = list(read_from(broker.servers, "payments", first, NEVER))
    assert sorted((int(record.key), record.timestamp_ms) for record in found) == [
        (number, 1_000 + number) for number in range(200, 250)
    ]
    assert {partition: end.next_offset for partition, end in (first | second).items()} == topic_ends(
        broker.servers, "payments", range(partitions), NEVER
    )


def test_records_of_a_key_stay_in_order(broker: Any) -> None:
    wait_for_topic(broker.servers, "payments", NEVER)
    Outlet(broker.servers, "payments").send([Record(b"1", b"%d" % n, 5_000 - n) for n in range(300)], NEVER)
    assert [int(value) for _, value, _ in broker.records("payments")] == list(range(300))


def test_an_empty_batch_ends_nowhere(broker: Any) -> None:
    assert Outlet(broker.servers, "payments").send([], NEVER) == {}


def test_a_topic_that_ends_before_the_settlement_is_another_topic(broker: Any) -> None:
    wait_for_topic(broker.servers, "payments", NEVER)
    with pytest.raises(ReadError, match="fewer records than its journal"):
        list(read_from(broker.servers, "payments", {0: End(7, 1_000)}, NEVER))


def test_waiting_for_a_broker_ends_when_told_to() -> None:
    with pytest.raises(Interrupted):
        wait_for_topic("127.0.0.1:1", "payments", ALWAYS)


def test_a_batch_that_no_broker_takes_is_left_in_flight_when_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.local.shop.outlet._STOP_GRACE_SECONDS", 0.2)
    with pytest.raises(Interrupted):
        Outlet("127.0.0.1:1", "payments").send(records(3), ALWAYS)

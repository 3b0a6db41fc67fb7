import random

from dashboard.local.shop.journal import End
from dashboard.local.shop.settlement import settle
from dashboard.local.shop.topics import Found


def test_what_the_topic_holds_was_sent_and_the_rest_is_void() -> None:
    in_flight = {(3000, 100): 1, (3001, 110): 2, (3002, 120): 3}
    ends = {0: End(7, 90), 1: End(0, None)}
    found = [(3000, Found(0, 7, b"", 100)), (3002, Found(1, 0, b"", 120))]
    settlement = settle(in_flight, ends, found)
    assert settlement.void == [2]
    assert settlement.ends == {0: End(8, 100), 1: End(1, 120)}


def test_a_payment_and_its_duplicate_are_told_apart_by_their_time() -> None:
    settlement = settle({(3000, 100): 1, (3000, 105): 2}, {0: End(0, None)}, [(3000, Found(0, 0, b"", 100))])
    assert settlement.void == [2]


def test_the_newest_time_of_a_partition_never_moves_back() -> None:
    settlement = settle({(3000, 100): 1}, {0: End(3, 900)}, [(3000, Found(0, 3, b"", 100))])
    assert settlement.ends == {0: End(4, 900)}


def test_nothing_in_flight_and_nothing_found_changes_nothing() -> None:
    assert settle({}, {0: End(3, 900)}, []).ends == {0: End(3, 900)}


def test_any_part_of_a_batch_that_arrived_is_settled_rightly() -> None:
    chance = random.Random(3000)
    for _ in range(200):
        rows = {(3000 + row, 1_000 + row): row for row in range(1, chance.randrange(2, 50))}
        arrived = {record for record in rows if chance.random() < 0.5}
        found = [
            (order_id, Found(0, offset, b"", sent_as)) for offset, (order_id, sent_as) in enumerate(sorted(arrived))
        ]
        settlement = settle(rows, {0: End(0, None)}, found)
        assert set(settlement.void) == {row for record, row in rows.items() if record not in arrived}
        assert settlement.ends[0].next_offset == len(arrived)

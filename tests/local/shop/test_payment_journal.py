from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.local.shop.payment_journal import DUPLICATE, FIRST, Counters, PaymentJournal, Pending, Row


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[PaymentJournal]:
    with PaymentJournal(tmp_path) as journal:
        journal.begin(seed=1, partitions=2, order_partitions=2)
        yield journal


def test_what_is_due_comes_in_the_order_of_its_place_and_stays_until_taken(journal: PaymentJournal) -> None:
    pending = [Pending(place, 4000 - place, FIRST, place) for place in (30, 10, 20, 40)]
    journal.plan(pending)
    assert [due.place for due in journal.due(until=30, limit=10)] == [10, 20, 30]
    assert journal.due(until=30, limit=2) == journal.due(until=30, limit=2)
    taken = journal.due(until=30, limit=2)[-1]
    journal.write([Row(1, 3990, 10, 10, 1.0, FIRST), Row(2, 3980, 20, 20, 1.0, FIRST)], [], Counters(2, 2, 20), taken)
    assert [due.place for due in journal.due(until=100, limit=10)] == [30, 40]
    assert journal.backlog(until=30) == 1
    assert journal.counters() == Counters(row=2, number=2, clock=20)


def test_records_of_the_same_place_are_taken_one_by_one(journal: PaymentJournal) -> None:
    journal.plan([Pending(10, 3000, FIRST, 10), Pending(10, 3000, DUPLICATE, 10), Pending(10, 3001, FIRST, 10)])
    (first,) = journal.due(until=10, limit=1)
    journal.write([], [], Counters(0, 0, 10), first)
    assert [due[1:3] for due in journal.due(until=10, limit=9)] == [(3000, DUPLICATE), (3001, FIRST)]


def test_rows_beyond_the_settlement_are_in_flight_unless_refused(journal: PaymentJournal) -> None:
    rows = [Row(number, 3000 + number, 10, 10, 1.5, FIRST) for number in (1, 2, 3)]
    journal.write(rows, [2], Counters(3, 3, 10), None)
    assert journal.in_flight() == [rows[0], rows[2]]
    journal.settle(1, {})
    assert journal.in_flight() == [rows[2]]
    journal.settle(3, {}, void=[3])
    assert journal.in_flight() == []


def test_an_amount_comes_back_as_the_very_same_double(journal: PaymentJournal) -> None:
    amounts = [0.1 + 0.2, 999.9999999999999, 5e-324, 1.005]
    rows = [Row(number, 3000, 10, 10, amount, FIRST) for number, amount in enumerate(amounts, 1)]
    journal.write(rows, [], Counters(4, 4, 10), None)
    assert [row.amount for row in journal.in_flight()] == amounts


def test_the_oldest_unpaid_order_is_given_once_and_only_when_it_is_old_enough(journal: PaymentJournal) -> None:
    journal.plan([], [(200, 3001), (100, 3000)])
    assert journal.take_unpaid(before=100) is None
    assert journal.take_unpaid(before=101) == (100, 3000)
    assert journal.take_unpaid(before=101) is None
    assert journal.take_unpaid(before=1_000) == (200, 3001)
    assert journal.take_unpaid(before=1_000) is None


def test_duplicates_of_a_payment_that_was_never_sent_are_forgotten(journal: PaymentJournal) -> None:
    journal.plan([Pending(10, 3000, DUPLICATE, 5), Pending(10, 3001, DUPLICATE, 5), Pending(20, 3000, FIRST, 5)])
    journal.forget_duplicates([3000])
    assert [due[1:3] for due in journal.due(until=99, limit=9)] == [(3001, DUPLICATE), (3000, FIRST)]

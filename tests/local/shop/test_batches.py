from collections import Counter
from typing import Any

import pytest

from dashboard.enforcement.outcomes import Refused
from dashboard.local.shop.batches import Batch, Till, again, payments_of
from dashboard.local.shop.fates import FIRST_STRAY_ID, duplicate_after_ms
from dashboard.local.shop.payment_journal import DUPLICATE, FIRST, LATE, Counters, Pending, Row

SEED = 3000
NOW = 1_795_366_800_000
MINUTE = 60_000
START = Counters(row=0, number=0, clock=0)


def in_words(value: dict[str, Any]) -> bytes:
    return repr(value).encode()


def due(count: int, start: int = NOW, apart_ms: int = 50) -> list[Pending]:
    places = [start + index * apart_ms for index in range(count)]
    return [Pending(place, 3000 + index, FIRST, place) for index, place in enumerate(places)]


def batch_of(pending: list[Pending], *, until: int | None = None, counters: Counters = START, now: int = NOW) -> Batch:
    return Till(SEED, in_words).batch(
        pending, until=pending[-1].place if until is None else until, now=now, counters=counters
    )


def find_duplicated(*, within_ms: int = MINUTE) -> int:
    """An order whose payment is sent again within that time."""
    return next(
        order_id
        for order_id in range(3000, 9000)
        if (after := duplicate_after_ms(order_id, seed=SEED)) is not None and 1_000 < after < within_ms
    )


def test_payments_lead_never_less_than_the_shortest_delay_after_their_order() -> None:
    for order_id in range(3000, 6000):
        for payment in payments_of(order_id, NOW, seed=SEED, shortest_delay_ms=MINUTE, clock=0):
            assert payment.ts >= NOW + MINUTE
            assert 0 <= payment.place - payment.ts <= 2_000


def test_strays_have_ids_that_no_order_has() -> None:
    ids = [
        payment.order_id
        for order_id in range(3000, 9000)
        for payment in payments_of(order_id, NOW, seed=SEED, shortest_delay_ms=MINUTE, clock=0)
    ]
    strays = [payment_id for payment_id in ids if payment_id >= FIRST_STRAY_ID]
    assert len(strays) == pytest.approx(30, abs=15)
    assert len(set(ids)) == len(ids)


def test_an_order_learned_of_too_late_is_paid_from_where_the_stream_is() -> None:
    clock = NOW + 200 * 24 * 60 * MINUTE
    for order_id in range(3000, 3500):
        for payment in payments_of(order_id, NOW, seed=SEED, shortest_delay_ms=MINUTE, clock=clock):
            assert payment.ts == clock


def test_a_batch_is_in_the_order_of_its_places_with_its_duplicates_in_between() -> None:
    batch = batch_of(due(3_000))
    kinds = Counter(row.kind for row in batch.rows)
    assert kinds[FIRST] == 3_000
    assert kinds[DUPLICATE] > 150
    sent_as = [row.sent_as for row in batch.rows]
    assert sent_as == sorted(sent_as)
    assert [row.row for row in batch.rows] == list(range(1, len(batch.rows) + 1))
    assert batch.counters.number == 3_000
    assert all(pending.place > batch.counters.clock for pending in batch.later)


def test_a_duplicate_is_the_same_record_but_for_its_own_time() -> None:
    batch = batch_of(due(3_000))
    rows_by_order: dict[int, list[Row]] = {}
    for row in batch.rows:
        rows_by_order.setdefault(row.order_id, []).append(row)
    records = {row.row: record for row, record in zip(batch.rows, batch.records, strict=True)}
    pairs = [rows for rows in rows_by_order.values() if len(rows) == 2]
    assert pairs
    for first, duplicate in pairs:
        assert (duplicate.ts, duplicate.amount) == (first.ts, first.amount)
        assert records[duplicate.row].value == records[first.row].value
        assert records[duplicate.row].key == records[first.row].key == str(first.order_id).encode()
        assert first.sent_as == first.ts
        assert 0 < duplicate.sent_as - first.sent_as < 30 * MINUTE


def test_a_duplicate_is_the_same_after_a_restart() -> None:
    order_id = find_duplicated()
    first = batch_of([Pending(NOW, order_id, FIRST, NOW)], until=NOW, counters=Counters(10, 5, NOW))
    (pending,) = first.later
    assert (pending.kind, pending.ts, pending.number, pending.first_sent) == (DUPLICATE, NOW, 6, NOW)
    second = batch_of([pending], counters=first.counters)
    assert second.records[0].value == first.records[0].value
    assert second.counters.number == first.counters.number


def test_an_encrypted_duplicate_is_the_very_same_bytes() -> None:
    numbers = iter(range(100))

    def encrypted(value: dict[str, Any]) -> bytes:
        value["cc_number"] = f"secret {next(numbers)}"
        return in_words(value)

    till = Till(SEED, encrypted)
    order_id = find_duplicated()
    first = till.batch([Pending(NOW, order_id, FIRST, NOW)], until=NOW, now=NOW, counters=START)
    second = till.batch(first.later, until=NOW + 30 * MINUTE, now=NOW, counters=first.counters)
    assert second.records[0].value == first.records[0].value


def test_a_duplicate_is_dropped_when_its_first_was_sent_twenty_nine_minutes_ago_by_the_wall_clock() -> None:
    pending = Pending(NOW + MINUTE, find_duplicated(), DUPLICATE, NOW, 1, NOW)
    assert len(batch_of([pending], now=NOW + 29 * MINUTE - 1).rows) == 1
    assert batch_of([pending], now=NOW + 29 * MINUTE).rows == []


def test_a_refused_payment_is_noted_and_neither_sent_nor_sent_again() -> None:
    def strict(value: dict[str, Any]) -> bytes:
        if len(value["confirmation_code"]) != 8:
            raise Refused("validateConfirmationCode", "no code")
        return in_words(value)

    batch = Till(SEED, strict).batch(due(1_200), until=NOW + 60 * MINUTE, now=NOW, counters=START)
    assert len(batch.records) + len(batch.rejected) == len(batch.rows)
    assert len(batch.rejected) == pytest.approx(150, abs=30)
    rejected = {row.order_id for row in batch.rows if row.row in set(batch.rejected)}
    assert all(row.kind == FIRST for row in batch.rows if row.order_id in rejected)
    assert not rejected & {pending.order_id for pending in batch.later}
    assert "validateConfirmationCode" in batch.refusal


def test_a_late_payment_has_its_own_old_time_and_no_duplicate() -> None:
    old = NOW - 26 * 60 * MINUTE
    order_id = find_duplicated()
    batch = batch_of([Pending(NOW, order_id, LATE, old)], until=NOW + 30 * MINUTE)
    (row,) = batch.rows
    assert (row.ts, row.sent_as, row.kind) == (old, old, LATE)
    assert batch.records[0].timestamp_ms == old
    assert batch.counters.clock == NOW
    assert batch.later == []


def test_a_payment_that_never_reached_the_topic_is_made_anew_where_the_stream_is() -> None:
    row = Row(7, 3007, NOW - MINUTE, NOW - MINUTE, 12.5, FIRST)
    assert again(row, Counters(9, 9, NOW)) == Pending(NOW, 3007, FIRST, NOW)

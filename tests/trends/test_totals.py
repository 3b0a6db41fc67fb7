from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from dashboard.trends.calendars import Calendar
from dashboard.trends.ranges import RANGES, Between, Range
from dashboard.trends.sales import Ahead
from dashboard.trends.trend import Asked, Trend, trend
from tests.queries.rows import orders
from tests.trends.world import BERLIN, DAY, HOUR, NOON, SECONDS_5, UTC_ZONE, Rows, TableOf, every, found, table

MINUTE = timedelta(minutes=1)


def with_orders(rows: Rows, placed: pa.Table, streamed: Rows | None = None, asked: Range = RANGES["1 h"]) -> Trend:
    ahead = Ahead(table(streamed or {}))
    answer = trend(TableOf(table(rows), placed), Asked(asked, Calendar(UTC_ZONE)), ahead=ahead)
    assert answer is not None
    return answer


def test_an_average_order_is_rounded_half_up_to_cents() -> None:
    placed = pa.concat_tables([orders((NOON, 0.01)), orders((NOON, 0.0), offset=1)])

    assert with_orders({NOON: "0.01"}, placed).total.average_order == Decimal("0.01")


def test_of_windows_whose_orders_are_not_all_known_there_is_no_average_and_it_is_said_of_how_many() -> None:
    rows: dict[datetime, str | None] = {NOON: "1.00", NOON + SECONDS_5: "2.00"}

    total = with_orders(rows, orders((NOON, 1.0))).total

    assert (total.orders, total.uncounted, total.counted_orders, total.average_order) == (1, 1, None, None)
    assert with_orders({NOON: "1.00"}, orders((NOON, 1.0))).total.counted_orders == 1


def test_without_an_order_there_is_no_average() -> None:
    answer = found({NOON: "1.00", NOON - 5 * DAY: "1.00"}, RANGES["Yesterday"])

    assert (answer.total.counted_orders, answer.total.average_order) == (0, None)
    assert (answer.best_bucket, answer.best_day) == (None, None)


def test_orders_of_a_time_that_is_streamed_alone_are_not_known_and_not_none() -> None:
    streamed = {NOON - n * MINUTE: "5.00" for n in range(14, -1, -1)}

    answer = with_orders({NOON - 40 * MINUTE: "1.00"}, orders((NOON - 40 * MINUTE, 1.0)), streamed, RANGES["15 min"])

    assert (answer.total.windows, answer.total.streamed) == (0, Decimal("75.00"))
    assert (answer.total.counted_orders, answer.total.average_order) == (None, None)
    [compared] = answer.compared
    assert compared.orders.text == compared.average_order.text == "not comparable: not known yet"


def test_the_best_bucket_and_the_best_day_are_the_first_of_the_highest() -> None:
    rows = every(HOUR, NOON - 4 * DAY, NOON) | {NOON - 2 * DAY: "9.00", NOON - DAY: "9.00", NOON - DAY + HOUR: "1.01"}

    answer = found(rows, RANGES["7 d"], BERLIN, grain="hour")

    assert answer.best_bucket is not None
    assert answer.best_day is not None
    assert (answer.best_bucket.start, answer.best_bucket.revenue) == (NOON - 2 * DAY, Decimal("9.00"))
    assert answer.best_day.start == (NOON - DAY).replace(hour=23) - DAY
    assert answer.best_day.end - answer.best_day.start == DAY
    assert answer.best_day.revenue == Decimal("32.01")
    assert found(rows, RANGES["90 d"], grain="week").best_day is None


def test_sparklines_have_few_points_of_as_many_complete_buckets_each() -> None:
    rows = every(timedelta(minutes=15), NOON - 8 * DAY, NOON + timedelta(minutes=30))

    sparks = found(rows, RANGES["7 d"], grain="hour").sparks

    assert set(sparks.revenue) == {24.0}
    assert 24 <= len(sparks.revenue) <= 30
    assert set(sparks.orders) == set(sparks.average_order) == {None}


def test_sparklines_of_orders_stand_where_orders_are_known() -> None:
    rows: dict[datetime, str | None] = {NOON: "1.00", NOON + SECONDS_5: "3.00"}

    sparks = with_orders(rows, orders((NOON, 1.0), (NOON + SECONDS_5, 1.5), (NOON + SECONDS_5, 1.5))).sparks

    assert sparks.orders[-2:] == (1.0, 2.0)
    assert sparks.average_order[-2:] == (1.0, 1.5)


def test_sparklines_of_orders_end_where_windows_are_streamed_and_an_average_of_no_orders_is_none() -> None:
    sold = [NOON, NOON + MINUTE, NOON + 3 * MINUTE]
    rows: dict[datetime, str | None] = {at: f"{n}.00" for n, at in enumerate(sold, 1)}
    # nothing was sold in the last minute but one
    ahead = Ahead(table({NOON + 4 * MINUTE: "9.00", NOON + 6 * MINUTE: "9.00"}))
    placed = orders(*((at, float(n)) for n, at in enumerate(sold, 1)))
    asked = Asked(Between(NOON, NOON + 7 * MINUTE), Calendar(UTC_ZONE), "1 min")

    answer = trend(TableOf(table(rows), placed), asked, ahead=ahead)

    assert answer is not None
    assert answer.sparks.revenue[:6] == (1.0, 2.0, 0.0, 3.0, 9.0, 0.0)
    assert answer.sparks.orders == (1.0, 1.0, 0.0, 1.0)
    assert answer.sparks.average_order == (1.0, 2.0, 3.0)

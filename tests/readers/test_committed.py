"""What an engine says of a state that it answers from."""

from datetime import timedelta

import pyarrow as pa

from dashboard.readers.committed import NOTHING, committed_by
from tests.trends.world import NOON, SECONDS_5, TableOf, table


class Counting(TableOf):
    """Tells how often it was asked."""

    def __init__(self, rows: pa.Table) -> None:
        super().__init__(rows)
        self.times = 0

    def ask(self, *given: object, **more: object):  # type: ignore[no-untyped-def]
        self.times += 1
        assert more.get("snapshot_id") == self.snapshot.id
        return super().ask(*given, **more)  # type: ignore[arg-type]


def test_an_engine_is_asked_once_for_the_windows_of_a_state_and_only_when_somebody_wants_them() -> None:
    engine = Counting(table({NOON + SECONDS_5 * n: "1.00" for n in range(100)}))
    state = committed_by(engine, engine.newest(), NOON + 100 * SECONDS_5)
    assert engine.times == 0

    ends = [state.windows(NOON + SECONDS_5 * n)["window_end"].to_pylist() for n in (90, 95, 90, 100)]

    assert [len(one) for one in ends] == [10, 5, 10, 0]
    assert min(ends[0]) == NOON + 91 * SECONDS_5
    assert engine.times == 1
    assert len(state.windows(NOON - SECONDS_5)) == 100
    assert engine.times == 2
    assert state.state != NOTHING.state
    assert state.newest_end == NOON + 100 * SECONDS_5


def test_a_window_that_begins_a_day_earlier_is_among_those_that_end_later() -> None:
    day = timedelta(days=1)
    engine = TableOf(table({NOON - day: "1.00", NOON: "2.00"}, window=day))

    state = committed_by(engine, engine.newest(), NOON + day)

    assert state.windows(NOON - timedelta(seconds=1))["window_start"].to_pylist() == [NOON - day, NOON]

"""How many records came and, of completed orders, what they sum up to: exactly, by the second of their timestamps."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np

from dashboard.wording import CENT

_KEPT_SECONDS = 600
_AHEAD_SECONDS = 5
"""A record further in the future than this does not move the clock of what is shown."""
_EXACT_BELOW = 1e9
"""Up to here a hundredfold double is off by less than a millionth."""
_DOUBT = 1e-3
_LARGEST = 1e15


@dataclass(frozen=True)
class Second:
    """What one second, or several, came to."""

    start: datetime
    """UTC; inclusive."""
    count: int
    amount: Decimal | None
    """To cents; None for a topic whose records are no orders."""


@dataclass(frozen=True)
class Sums:
    """All that came until one moment."""

    count: int = 0
    cents: int = 0
    without_amount: int = 0
    """Records that are not in the sum, because no amount can be read in them."""

    @property
    def amount(self) -> Decimal:
        return Decimal(self.cents).scaleb(-2)

    def since(self, before: "Sums") -> "Sums":
        """What came after that moment."""
        return Sums(self.count - before.count, self.cents - before.cents, self.without_amount - before.without_amount)


@dataclass
class OrderCounts:
    """Counts, for one thread at a time."""

    sums: Sums = Sums()
    _seconds: dict[int, list[int]] = field(default_factory=dict)
    """By second since the epoch: how many, and how many cents."""
    _newest: int | None = None

    def count(self, seconds: Sequence[int], *, now: float) -> None:
        """Records by the second of their timestamps."""
        came = Counter(seconds)
        for second, count in came.items():
            self._kept(second)[0] += count
        self.sums = replace(self.sums, count=self.sums.count + len(seconds))
        believed = [second for second in came if second <= now + _AHEAD_SECONDS]
        self._newest = max([*believed, self._newest or 0], default=0) or None
        if len(self._seconds) > 2 * _KEPT_SECONDS:
            self._forget()

    def sum(self, seconds: Sequence[int], amounts: Sequence[object]) -> None:
        """The amounts of records that are counted; what is no amount is counted as such."""
        if _are_amounts(amounts):
            at, summed = seconds, amounts
        else:
            pairs = [(second, one) for second, one in zip(seconds, amounts, strict=True) if is_amount(one)]
            at, summed = [second for second, _ in pairs], [one for _, one in pairs]
            self.leave_out(len(amounts) - len(summed))
        cents: defaultdict[int, int] = defaultdict(int)
        for second, its_cents in zip(at, cents_of(summed), strict=True):
            cents[second] += its_cents
        for second, its_cents in cents.items():
            self._kept(second)[1] += its_cents
        self.sums = replace(self.sums, cents=self.sums.cents + sum(cents.values()))

    def leave_out(self, count: int) -> None:
        """Records that are counted and will be in no sum."""
        self.sums = replace(self.sums, without_amount=self.sums.without_amount + count)

    def _kept(self, second: int) -> list[int]:
        kept = self._seconds.get(second)
        if kept is None:
            kept = self._seconds[second] = [0, 0]
        return kept

    def newest(self) -> datetime | None:
        """The end of the newest second with a record; UTC."""
        return None if self._newest is None else _at(self._newest + 1)

    def last(self, span: timedelta, bucket: timedelta, until: datetime, *, with_amounts: bool) -> list[Second]:
        """Every bucket of the span before `until`, the oldest first, quiet ones with nothing; all in whole seconds."""
        end, step = int(until.timestamp()), int(bucket.total_seconds())
        found = []
        for start in range(end - int(span.total_seconds()), end, step):
            kept = [self._seconds[at] for at in range(start, start + step) if at in self._seconds]
            cents = sum(one[1] for one in kept)
            amount = Decimal(cents).scaleb(-2) if with_amounts else None
            found.append(Second(_at(start), sum(one[0] for one in kept), amount))
        return found

    def _forget(self) -> None:
        # those that the newest do not reach, and of strange times in the future too many
        kept = sorted(self._seconds, key=lambda second: abs(second - (self._newest or second)))[:_KEPT_SECONDS]
        self._seconds = {second: self._seconds[second] for second in kept}


def cents_of(amounts: Sequence[Any]) -> list[int]:
    """Each amount in cents, rounded half-up by the decimal text of the double, as the pipeline does."""
    doubles = np.array(amounts, dtype=np.float64)
    hundredfold = doubles * 100
    nearest = np.rint(hundredfold)
    doubted = (np.abs(np.abs(hundredfold - nearest) - 0.5) < _DOUBT) | ~(np.abs(doubles) < _EXACT_BELOW)
    cents: list[int] = np.where(doubted, 0, nearest).astype(np.int64).tolist()
    for place in np.flatnonzero(doubted).tolist():
        cents[place] = int(Decimal(repr(amounts[place])).quantize(CENT, ROUND_HALF_UP).scaleb(2))
    return cents


def _are_amounts(values: Sequence[Any]) -> bool:
    """Whether all are amounts; most are doubles, and those are looked at together."""
    if {*map(type, values)} <= {float}:
        return bool((np.abs(np.array(values, dtype=np.float64)) < _LARGEST).all())
    return all(map(is_amount, values))


def is_amount(value: object) -> bool:
    """Whether it is a number of the size of money; what is none, or endless, is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)

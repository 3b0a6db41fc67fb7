"""The shape of the shop's past: when its orders came, and why nothing jumps where live begins."""

import math
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

HOURS = (
    0.35, 0.22, 0.16, 0.13, 0.14, 0.22, 0.42, 0.70, 0.95, 1.12, 1.24, 1.36,
    1.48, 1.40, 1.26, 1.20, 1.24, 1.36, 1.56, 1.74, 1.78, 1.52, 1.05, 0.62,
)  # fmt: skip
"""How busy each hour of the day is (UTC), about 1 on average: quiet nights, a lunch hump, a busy evening."""

WEEKDAYS = (0.94, 0.92, 0.95, 1.00, 1.10, 1.20, 0.98)
"""How busy each weekday is, Monday first."""

GROWTH = 0.15
"""How much busier the end of the past is than its beginning."""

OUTAGE_LEVEL = 0.12
"""What was left of the orders during the one odd day's outage, 10:00 to 16:00 UTC."""

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_STEP_MS = 60_000
_OUTAGE_MS = (10 * _HOUR_MS, 16 * _HOUR_MS)
_SHORTEST_WITH_OUTAGE_MS = 4 * _DAY_MS
_RAMP_LIMIT_MS = 8 * _HOUR_MS
_RAMP_SHARE = 0.25
"""At most this share of the past's orders belongs to the ramp up to the live rate."""

Milliseconds = npt.NDArray[np.int64]
Curve = npt.NDArray[np.float64]


def ramp_ms(*, orders: int, live_rate: float) -> float:
    """The time constant of the ramp: 8 hours, or less when the live rate would eat up the past's orders."""
    return min(_RAMP_LIMIT_MS, _RAMP_SHARE * orders / live_rate * 1000)


def intensity(at_ms: Milliseconds, *, start_ms: int, end_ms: int, orders: int, live_rate: float) -> Curve:
    """Orders per second at each time of the past; it ends exactly at `live_rate`.

    intensity(t) = shape(t)·(1-w) + live_rate·w, where w = exp(-(end-t)/tau) runs from nearly 0 to 1. The shape is
    scaled so that the past holds `orders` in all.
    """
    grid = _grid(start_ms=start_ms, end_ms=end_ms, tau_ms=ramp_ms(orders=orders, live_rate=live_rate))
    scale = _scale(grid, start_ms=start_ms, end_ms=end_ms, orders=orders, live_rate=live_rate)
    weight = _ramp_weight(at_ms, end_ms=end_ms, tau_ms=ramp_ms(orders=orders, live_rate=live_rate))
    return scale * _shape(at_ms, start_ms=start_ms, end_ms=end_ms) * (1 - weight) + live_rate * weight


def past_orders(*, start_ms: int, end_ms: int, orders: int, live_rate: float, seed: int) -> Milliseconds:
    """The times of `orders` orders in [start_ms, end_ms), ascending; the same arguments give the same times.

    Inverse-CDF sampling, one draw in each of `orders` equal slices of the cumulated intensity: sorted as made, and
    as even at its end as live orders are.
    """
    if orders <= 0 or end_ms <= start_ms:
        return np.empty(0, dtype=np.int64)
    grid = _grid(start_ms=start_ms, end_ms=end_ms, tau_ms=ramp_ms(orders=orders, live_rate=live_rate))
    level = intensity(grid, start_ms=start_ms, end_ms=end_ms, orders=orders, live_rate=live_rate)
    cumulated = np.concatenate(([0.0], np.cumsum((level[1:] + level[:-1]) / 2 * np.diff(grid))))
    slices = (np.arange(orders) + np.random.default_rng(seed).random(orders)) / orders
    times = np.interp(slices * cumulated[-1], cumulated, grid.astype(np.float64))
    return np.asarray(np.minimum(times, end_ms - 1), dtype=np.int64)


def _grid(*, start_ms: int, end_ms: int, tau_ms: float) -> Milliseconds:
    """Minutes, and finer steps where the ramp is steep."""
    minutes = np.arange(start_ms, end_ms, _STEP_MS, dtype=np.int64)
    ramp = end_ms - (np.linspace(0, 12, 2_400) * tau_ms).astype(np.int64)
    return np.unique(np.concatenate((minutes, ramp[ramp >= start_ms], [start_ms, end_ms])))


def _ramp_weight(at_ms: Milliseconds, *, end_ms: int, tau_ms: float) -> Curve:
    weight: Curve = np.exp(-(end_ms - at_ms) / max(tau_ms, 1.0))
    return weight


def _scale(grid: Milliseconds, *, start_ms: int, end_ms: int, orders: int, live_rate: float) -> float:
    """What the shape is multiplied with so that shape and ramp together hold `orders`."""
    weight = _ramp_weight(grid, end_ms=end_ms, tau_ms=ramp_ms(orders=orders, live_rate=live_rate))
    seconds = np.diff(grid) / 1000
    shape = _shape(grid, start_ms=start_ms, end_ms=end_ms) * (1 - weight)
    of_ramp = float(np.sum((weight[1:] + weight[:-1]) / 2 * seconds)) * live_rate
    of_shape = float(np.sum((shape[1:] + shape[:-1]) / 2 * seconds))
    return max(orders - of_ramp, 0.0) / of_shape if of_shape > 0 else 0.0


def _shape(at_ms: Milliseconds, *, start_ms: int, end_ms: int) -> Curve:
    """Hours, weekdays and growth multiplied, without jumps between hours or days, and the outage."""
    hours = np.asarray((*HOURS, HOURS[0]))
    level: Curve = np.interp(at_ms % _DAY_MS / _HOUR_MS, np.arange(25), hours)
    # a weekday's level holds at noon; between two noons it moves evenly
    noons = (at_ms - _DAY_MS // 2) / _DAY_MS
    weekday = (np.floor(noons).astype(np.int64) + _weekday(0)) % 7
    days = np.asarray(WEEKDAYS)
    level *= days[weekday] + (days[(weekday + 1) % 7] - days[weekday]) * (noons - np.floor(noons))
    level *= 1 + GROWTH * (at_ms - start_ms) / (end_ms - start_ms)
    outage = outage_day_ms(start_ms=start_ms, end_ms=end_ms)
    if outage is not None:
        dark = (at_ms >= outage + _OUTAGE_MS[0]) & (at_ms < outage + _OUTAGE_MS[1])
        level = np.where(dark, level * OUTAGE_LEVEL, level)
    return level


def outage_day_ms(*, start_ms: int, end_ms: int) -> int | None:
    """Midnight (UTC) of the odd day, five eighths into the past; None when the past is shorter than four days."""
    if end_ms - start_ms < _SHORTEST_WITH_OUTAGE_MS:
        return None
    return math.floor((start_ms + (end_ms - start_ms) * 5 / 8) / _DAY_MS) * _DAY_MS


def _weekday(days_since_epoch: int) -> int:
    return datetime.fromtimestamp(days_since_epoch * 86_400, UTC).weekday()

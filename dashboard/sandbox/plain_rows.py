"""Rows of which every value can be shown, written to a file and read by Python: what cannot becomes text."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def plain_rows(rows: pa.Table) -> pa.Table:
    """Intervals, unions, and times that no calendar of Python's has become text, and what holds one becomes JSON."""
    for place, field in enumerate(rows.schema):
        if not _is_plain(rows[place]):
            told = [_told(one) for one in rows[place]]
            texts = [one if one is None or isinstance(one, str) else json.dumps(one, default=str) for one in told]
            rows = rows.set_column(place, field.name, pa.array(texts, pa.string()))
    return rows


def _is_plain(values: pa.ChunkedArray) -> bool:
    kind = values.type
    if _holds_odd(kind):
        return False
    try:
        if pa.types.is_nested(kind):
            values.to_pylist()
        elif pa.types.is_temporal(kind):
            pc.min_max(values).as_py()
    except (ValueError, OverflowError):
        return False
    return True


def _holds_odd(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return any(_holds_odd(kind.field(place).type) for place in range(kind.num_fields))
    return bool(pa.types.is_union(kind) or pa.types.is_interval(kind))


def _told(one: pa.Scalar) -> Any:
    """A value of which JSON can be made."""
    kind = one.type
    if pa.types.is_union(kind):
        return None if one.value is None else _told(one.value)
    if not one.is_valid:
        return None
    if pa.types.is_map(kind):
        return [[_told(entry[name]) for name in ("key", "value")] for entry in one.values]
    if pa.types.is_struct(kind):
        return {name: _told(value) for name, value in one.items()}
    if pa.types.is_nested(kind):
        return [_told(value) for value in one.values]
    if pa.types.is_interval(kind):
        return _interval(*one.as_py())
    try:
        return one.as_py()
    except (ValueError, OverflowError):
        return one.cast(pa.string()).as_py()


def _interval(months: int, days: int, nanoseconds: int) -> str:
    """As DuckDB writes it, such as 14 months 3 days 04:05:06."""
    parts = [f"{count} {unit}" for count, unit in ((months, "months"), (days, "days")) if count]
    if nanoseconds or not parts:
        seconds, fraction = divmod(abs(nanoseconds) // 1_000, 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        parts.append(f"{'-' if nanoseconds < 0 else ''}{clock}{f'.{fraction:06}' if fraction else ''}")
    return " ".join(parts)

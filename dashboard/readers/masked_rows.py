"""Rows of tables without card numbers and secrets, for whoever looks at them."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.readers.readable import masked

_MAY_HOLD = r"(\p{Nd}\P{Nd}*){12}\p{Nd}"
"""Thirteen digits, whatever stands between them: without so many no text holds a card number."""


def shown_schema(stored: pa.Schema) -> pa.Schema:
    """What `masked_rows` makes of rows like these: what is nested or binary becomes text."""
    return pa.schema([_text_field(one) if _becomes_text(one.type) else one for one in stored])


def masked_rows(rows: pa.Table, secret: frozenset[str], *, numbers: bool = False) -> pa.Table:
    """With card numbers hidden in every text, and all but ciphertext in columns that `secret` names in small letters.

    What is nested or binary becomes JSON. Numbers stand as they are, for a sum of them must be right; one in a column
    that is secret is hidden as NULL. With `numbers`, for whoever only looks at the rows, card numbers are hidden among
    them too, and a column that loses one becomes text.
    """
    columns = [_column(rows[field.name], field, secret, numbers) for field in rows.schema]
    return pa.table(columns, names=rows.schema.names)


def _column(
    values: pa.ChunkedArray, field: pa.Field, secret: frozenset[str], numbers: bool
) -> pa.ChunkedArray | pa.Array:
    name, is_secret = field.name, field.name.casefold() in secret
    if _becomes_text(field.type):
        return pa.array([_text(masked(value, secret, name)) for value in values.to_pylist()], pa.string())
    if not _is_text(field.type) and numbers:
        given = values.to_pylist()
        shown = [masked(value, secret, name) for value in given]
        return values if shown == given else pa.array(map(_text, shown), pa.string())
    if not _is_text(field.type):
        return pa.nulls(len(values), field.type) if is_secret else values
    if is_secret:
        return pa.array([masked(value, secret, name) for value in values.to_pylist()], field.type)
    suspects = pc.fill_null(pc.match_substring_regex(values, _MAY_HOLD), False)
    if not pc.any(suspects, min_count=0).as_py():
        return values
    shown = [masked(value, secret, name) for value in values.filter(suspects).to_pylist()]
    return pc.replace_with_mask(values.combine_chunks(), suspects.combine_chunks(), pa.array(shown, field.type))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _becomes_text(kind: pa.DataType) -> bool:
    plain = pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    return not (plain or _is_text(kind))


def _text_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str, ensure_ascii=False)

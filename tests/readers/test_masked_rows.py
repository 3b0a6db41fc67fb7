"""Rows as somebody may see them: for a sum that must be right, and for eyes alone."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from dashboard.readers.masked_rows import masked_rows, shown_schema

NO_SECRET: frozenset[str] = frozenset()
ROWS = pa.table(
    {
        "id": [1, 4111111111111234],
        "amount": pa.array([Decimal("1.00"), Decimal("2.50")]),
        "ts": [datetime(2026, 3, 29, tzinfo=UTC)] * 2,
        "note": ["4111 1111 1111 1234", None],
        "card": [{"number": "4111111111111234"}, None],
    }
)


def test_numbers_stand_where_they_are_summed_and_are_hidden_where_they_are_only_looked_at() -> None:
    summed, seen = masked_rows(ROWS, NO_SECRET), masked_rows(ROWS, NO_SECRET, numbers=True)
    assert summed["id"].to_pylist() == [1, 4111111111111234]
    assert seen["id"].to_pylist() == ["1", "<card number>"]
    for rows in (summed, seen):
        assert rows["note"].to_pylist() == ["<card number>", None]
        assert rows["card"].to_pylist() == ['{"number": "<card number>"}', None]
        for name in ("amount", "ts"):
            assert rows[name].equals(ROWS[name]), name
    assert summed.schema == shown_schema(ROWS.schema)


def test_in_a_secret_column_no_number_is_left_either_way() -> None:
    secret = frozenset({"id"})
    assert masked_rows(ROWS, secret)["id"].to_pylist() == [None, None]
    assert masked_rows(ROWS, secret, numbers=True)["id"].to_pylist() == ["<card number>"] * 2

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from dashboard.readers.in_memory import ask_tables
from dashboard.readers.questions import WITHOUT_ORDERS, compose

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask() -> Ask:
    """Asks one question of given rows of revenue_summary, and of completed_orders if there are any."""

    def run(
        name: str, rows: pa.Table, orders: pa.Table | None = None, *, window_seconds: int = 5, **parameters: Any
    ) -> list[dict[str, Any]]:
        tables = {"revenue_summary": rows}
        if orders is not None:
            tables["completed_orders"] = orders
        composed = compose(name, "direct", () if orders is not None else WITHOUT_ORDERS)
        values = composed.values(parameters, window_seconds=window_seconds)
        rows_out: list[dict[str, Any]] = ask_tables(tables, composed.text, values).to_pylist()
        return rows_out

    return run

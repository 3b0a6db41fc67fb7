from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dashboard.sql_files import read_sql

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Runs one file of queries/ on given rows of revenue_summary, as it stands in the file."""
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:

        def run(name: str, rows: pa.Table, **parameters: object) -> list[dict[str, Any]]:
            connection.register("revenue_summary", rows)
            answer: pa.Table = connection.execute(read_sql("queries", name), parameters).to_arrow_table()
            rows_out: list[dict[str, Any]] = answer.to_pylist()
            return rows_out

        yield run

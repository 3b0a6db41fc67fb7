"""Tables of the lake as Athena has them, and what DuckDB itself answers over the same rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from botocore.loaders import JSONFileLoader
from pydantic import SecretStr
from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, TimestampType, TimestamptzType

from dashboard.readers.athena.engine import AthenaAccess, AthenaEngine
from dashboard.readers.lake_table import normalised
from dashboard.readers.questions import at_snapshots, compose
from tests.fakes.aws import DATABASE, OUTPUT, REGION, Aws, aws
from tests.iceberg_tables import WINDOW, append, revenue_table, sqlite_catalog

SECRET, TOKEN = "wJalrXUtnFEMI-not-a-secret", "FwoGZXIvYXdzE-not-a-token"
START = datetime(2026, 3, 29, tzinfo=UTC)
"""A Sunday on which Europe puts its clocks forward."""
RANGE: Mapping[str, datetime | int] = {"start": START, "end": START + timedelta(days=1)}
OFFSETS: Mapping[str, datetime | int] = {
    "change_1": START + timedelta(hours=1),
    "change_2": START + timedelta(days=1),
    "offset_1": 60,
    "offset_2": 120,
    "offset_3": 120,
}
PARAMETERS: Mapping[str, Mapping[str, datetime | int]] = {
    "late_orders": RANGE,
    "revenue_by_bucket": {**RANGE, **OFFSETS, "bucket_seconds": 900},
    "revenue_by_day": {**RANGE, **OFFSETS},
    "newest_window": RANGE,
    "revenue_compared": {**RANGE, "middle": START + timedelta(hours=2)},
    "revenue_extent": RANGE,
    "revenue_faults": RANGE,
    "revenue_totals": RANGE,
    "revenue_windows": RANGE,
}
Order = tuple[datetime, float]


@dataclass
class World:
    catalog: Catalog
    aws: Aws
    engines: list[AthenaEngine] = field(default_factory=list)

    def access(self, **other: Any) -> AthenaAccess:
        usual = {
            "region": REGION,
            "database": DATABASE,
            "output_location": OUTPUT,
            "access_key_id": "AKIDEXAMPLE",
            "secret_access_key": SecretStr(SECRET),
            "session_token": SecretStr(TOKEN),
            "endpoint_url": self.aws.url,
        }
        return AthenaAccess(**{**usual, **other})

    def engine(self, look_every: timedelta = timedelta(0), **other: Any) -> AthenaEngine:
        made = AthenaEngine(self.access(**other), WINDOW, look_every=look_every)
        self.engines.append(made)
        return made

    def revenue(self, *rows: tuple[datetime, str | None], zoned: bool = False) -> Table:
        table = revenue_table(self.catalog, zoned=zoned, namespace=DATABASE)
        if rows:
            append(table, rows)
        self.aws.publish(table)
        return table

    def more_revenue(self, table: Table, *rows: tuple[datetime, str | None]) -> None:
        append(table, rows)
        self.aws.publish(table)

    def orders(self, *orders: Order, zoned: bool = False) -> Table:
        schema = Schema(
            NestedField(1, "ts", TimestamptzType() if zoned else TimestampType()),
            NestedField(2, "amount", DoubleType()),
            NestedField(3, "$$partition", IntegerType()),
            NestedField(4, "$$offset", LongType()),
        )
        table = self.catalog.create_table((DATABASE, "completed_orders"), schema)
        self.more_orders(table, *orders)
        return table

    def more_orders(self, table: Table, *orders: Order) -> None:
        kind = table.schema().as_arrow().field("ts").type
        times = pa.array([at.replace(tzinfo=None) for at, _ in orders], pa.timestamp("us")).cast(kind)
        amounts = pa.array([amount for _, amount in orders], pa.float64())
        places = [pa.array([0] * len(orders), pa.int32()), pa.array(range(len(orders)), pa.int64())]
        table.append(pa.table([times, amounts, *places], names=["ts", "amount", "$$partition", "$$offset"]))
        self.aws.publish(table)


_models = cache(JSONFileLoader().load_file)


@contextmanager
def served_aws() -> Iterator[Aws]:
    """For many tests, each of which lets it begin anew."""
    with pytest.MonkeyPatch.context() as patch, aws() as fake:
        # every session reads megabytes of the models of AWS anew
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: _models(path))
        patch.setenv("NO_PROXY", "127.0.0.1")
        # nothing of this machine's own settings
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/nonexistent")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield fake


@contextmanager
def world(folder: Path, fake: Aws) -> Iterator[World]:
    fake.begin_anew()
    with sqlite_catalog(folder) as catalog:
        made = World(catalog, fake)
        try:
            yield made
        finally:
            for engine in made.engines:
                engine.close()


def duckdbs(
    question: str, tables: Mapping[str, pa.Table], instead: Sequence[tuple[str, str]] = (), text: str | None = None
) -> pa.Table:
    """What DuckDB answers, by its own text, over given rows."""
    composed = compose(question, "direct", tuple(instead))
    given = {**PARAMETERS[question], "window_seconds": int(WINDOW.total_seconds())}
    naive = {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in given.items()
        if name in composed.parameters
    }
    with duckdb.connect(config={"autoinstall_known_extensions": False, "threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, rows in tables.items():
            connection.register(name, rows)
        return normalised(connection.execute(text or at_snapshots(composed.text, {}), naive).to_arrow_table())

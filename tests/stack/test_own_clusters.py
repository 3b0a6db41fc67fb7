"""A user's own Kafka, Flink, registry and catalog, named by address: Kafka asks everybody for a password."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from rich.console import Console

from dashboard.deploy.pipeline import load_pipeline
from dashboard.local import services
from dashboard.local.jars import fetch_jars
from dashboard.local.kms import make_local_kms_secret
from dashboard.local.processes import ProcessTable, Service
from dashboard.narration import Narrator, Step
from dashboard.readers.lake import Lake
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.registry import Registry
from dashboard.settings import PipelineSettings
from dashboard.verify import verify
from tests.conftest import eventually
from tests.guarded_broker import RIGHT, USER, Guarded, guarded_broker

pytestmark = [pytest.mark.stack, pytest.mark.long]

NAMESPACE = "sales"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Kafka with a password, Flink, registry and catalog, as somebody else would run them."""
    with guarded_broker(tmp_path_factory.mktemp("own") / "home") as guarded:
        processes, others = programs(guarded)
        names = ["registry", *services.FLINK]
        try:
            for name in names:
                processes.launch(others[name])
            for name in names:
                processes.wait_ready(others[name], Step(name, Console(file=StringIO()), None))
            yield guarded
        finally:
            processes.stop_all(tuple(name for name in services.STOP_ORDER if name != "kafka"), 20)


def catalog_of(guarded: Guarded) -> Catalog:
    port, warehouse = guarded.settings.local.registry_port, guarded.settings.local.home / "theirs"
    return load_catalog("theirs", type="rest", uri=f"http://127.0.0.1:{port}/iceberg", warehouse=warehouse.as_uri())


def programs(guarded: Guarded) -> tuple[ProcessTable, dict[str, Service]]:
    home, cache = guarded.settings.local.home, guarded.settings.local.cache
    return ProcessTable(home), services.all_services(guarded.settings, fetch_jars(cache, Narrator()))


@pytest.fixture
def run(guarded: Guarded, tmp_path: Path) -> Run:
    """The command on the target `own`, whose password is in the environment alone."""
    local = guarded.settings.local
    fields = {
        "kind": "open-source",
        "kafka_bootstrap": guarded.bootstrap,
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "schema_registry_url": f"http://127.0.0.1:{local.registry_port}",
        "flink_endpoint": f"http://127.0.0.1:{local.flink_port}",
        "sql_gateway_endpoint": f"http://127.0.0.1:{local.gateway_port}",
        "iceberg_catalog": f"http://127.0.0.1:{local.registry_port}/iceberg",
        "iceberg_namespace": NAMESPACE,
        "state": (local.home / "own-state").as_uri(),
    }
    file = tmp_path / "targets.toml"
    file.write_text("\n".join(["[own]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())]))
    environment = {
        **os.environ,
        "SALES_TARGETS_FILE": str(file),
        "SALES_LOCAL__HOME": str(tmp_path / "elsewhere" / "home"),
        "SALES_OWN__KAFKA_USERNAME": USER,
        "SALES_OWN__KAFKA_PASSWORD": RIGHT,
    }

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dashboard", *words, "--target", "own"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
        assert RIGHT not in done.stdout + done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def test_without_the_topic_that_a_connector_makes_nothing_is_planned(run: Run, guarded: Guarded) -> None:
    assert "has no topic shiftleft.public.orders" in run("plan", code=1).stderr
    assert Kafka(guarded.plain).topic_names() <= {"__consumer_offsets", "__transaction_state"}


def test_the_pipeline_is_deployed_by_address_and_every_window_is_right(run: Run, guarded: Guarded) -> None:
    local = guarded.settings.local
    registry = Registry(f"http://127.0.0.1:{local.registry_port}")
    (orders,) = [topic for topic in load_pipeline(PipelineSettings()).topics if topic.given]
    Kafka(guarded.plain).create_topics([Topic(orders.name, orders.partitions)])
    for part, schema in (("key", orders.key), ("value", orders.value)):
        assert schema is not None
        registry.register(f"{orders.name}-{part}", schema)
    theirs = catalog_of(guarded)
    theirs.create_namespace(NAMESPACE)
    theirs.create_table((NAMESPACE, "payments"), pa.schema([("mine", pa.int32())]))
    refused = run("apply", "--yes", code=1)
    assert "Not known to be ours: tableflow payments" in refused.stderr
    assert "mine" in theirs.load_table((NAMESPACE, "payments")).schema().column_names
    theirs.drop_table((NAMESPACE, "payments"))
    run("apply", "--yes")
    assert "Nothing to do" in run("plan").stdout
    processes, others = programs(guarded)
    # the shop is the local stack's, whose `up` makes it
    make_local_kms_secret(local.home)
    for name in services.SHOP:
        processes.launch(others[name])
    begun = datetime.now(UTC)
    lake = Lake(f"{registry.url}/iceberg", NAMESPACE)

    def right() -> bool:
        found = verify(guarded.settings, lake)
        assert found.ok or not found.compared, "\n".join(found.lines())
        return found.closed_until is not None and found.closed_until >= begun

    eventually(right, 180)
    rows = {(one["kind"], one["name"]): one for one in json.loads(run("status", "--json").stdout)["resources"]}
    assert rows["statement", "completed-orders-materializer"]["phase"] == "RUNNING"
    assert ("topic", orders.name) not in rows, "what others make is none of ours"


def test_destroying_leaves_what_others_made(run: Run, guarded: Guarded) -> None:
    processes, _ = programs(guarded)
    processes.stop_all(services.SHOP, 20)
    ours = ("payments", "error-payments", "unique_payments", "completed_orders", "revenue_summary")
    words = [word for name in (*ours, "shiftleft.public.orders") for word in ("--delete-data", name)]
    run("destroy", "--yes", *words)
    left = {name for name in Kafka(guarded.plain).topic_names() if not name.startswith("__")}
    assert left == {"shiftleft.public.orders", "sales-trends-audit"}
    registry = Registry(f"http://127.0.0.1:{guarded.settings.local.registry_port}")
    assert registry.latest("shiftleft.public.orders-value") is not None
    assert registry.latest("payments-value") is None

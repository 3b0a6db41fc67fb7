from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    BadRequestError,
    CommitFailedException,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform
from pyiceberg.types import LongType, NestedField, TimestamptzType

NAME = "shiftleft.public.orders"
ROWS = pa.table({"id": [1, 2, 3], "note": ["a", None, "c"]})
Identifier = tuple[str, str]


@pytest.fixture
def orders(namespace: str) -> Identifier:
    return namespace, NAME


def files_of(table: Table, kind: str = "") -> list[Path]:
    return [path for path in Path(table.location().removeprefix("file://")).rglob(f"*{kind}") if path.is_file()]


def rows_in(catalog: RestCatalog, identifier: Identifier) -> int:
    return int(catalog.load_table(identifier).scan().to_arrow().num_rows)


def test_a_table_is_made_written_and_read_by_the_real_client(
    catalog: RestCatalog, orders: Identifier, home: Path
) -> None:
    table = catalog.create_table(orders, ROWS.schema)
    table.append(ROWS)
    table.append(ROWS)

    assert catalog.load_table(orders).scan().to_arrow().num_rows == 6
    assert catalog.load_table(orders).scan(snapshot_id=table.snapshots()[0].snapshot_id).to_arrow().equals(ROWS)
    assert catalog.list_tables(orders[0]) == [orders]
    assert table.location() == f"file://{home.resolve()}/warehouse/{orders[0]}/{NAME}"
    assert table.metadata.format_version == 2


def test_schema_partitions_and_properties_change_together_or_alone(catalog: RestCatalog, orders: Identifier) -> None:
    schema = Schema(
        NestedField(1, "id", LongType(), required=True), NestedField(2, "at", TimestamptzType(), required=True)
    )
    by_day = PartitionSpec(PartitionField(2, 1000, DayTransform(), "at_day"))
    table = catalog.create_table(orders, schema, partition_spec=by_day, properties={"keep": "1", "drop": "1"})

    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            update.add_column("price", LongType())
            update.rename_column("id", "order_id")
        transaction.set_properties({"keep": "2"})
        transaction.remove_properties("drop")
    with table.update_spec() as update_spec:
        update_spec.add_identity("order_id")

    read = catalog.load_table(orders)
    assert [field.name for field in read.schema().fields] == ["order_id", "at", "price"]
    assert [field.name for field in read.spec().fields] == ["at_day", "order_id"]
    assert read.properties["keep"] == "2"
    assert "drop" not in read.properties


def test_a_staged_table_exists_only_once_it_is_committed(catalog: RestCatalog, orders: Identifier) -> None:
    staged = catalog.create_table_transaction(orders, ROWS.schema, properties={"made": "staged"})
    assert not catalog.table_exists(orders)
    folder = Path(staged.table_metadata.location.removeprefix("file://")) / "metadata"
    assert folder.is_dir(), "DuckDB makes no folders"
    staged.append(ROWS)

    staged.commit_transaction()

    assert rows_in(catalog, orders) == 3
    assert catalog.load_table(orders).properties["made"] == "staged"


def test_of_two_staged_tables_with_one_name_only_the_first_is_made(catalog: RestCatalog, orders: Identifier) -> None:
    first, second = (catalog.create_table_transaction(orders, ROWS.schema) for _ in range(2))
    first.commit_transaction()

    with pytest.raises(CommitFailedException, match="already exists"):
        second.commit_transaction()

    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table_transaction(orders, ROWS.schema)
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table(orders, ROWS.schema)


def test_a_stale_commit_is_a_conflict_and_changes_nothing(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier
) -> None:
    table = catalog.create_table(orders, ROWS.schema)
    stale = catalog.load_table(orders)
    with table.update_schema() as update:
        update.add_column("price", LongType())

    with pytest.raises(CommitFailedException, match="schema id has changed"), stale.update_schema() as update:
        update.add_column("tax", LongType())

    assert [field.name for field in catalog.load_table(orders).schema().fields] == ["id", "note", "price"]
    refused = http.post(
        f"/namespaces/{orders[0]}/tables/{NAME}",
        json={"requirements": [{"type": "assert-current-schema-id", "current-schema-id": 0}], "updates": []},
    )
    assert refused.status_code == 409
    assert refused.json()["error"]["type"] == "CommitFailedException"


def test_writers_at_the_same_time_lose_no_row(catalog: RestCatalog, address: str, orders: Identifier) -> None:
    catalog.create_table(orders, ROWS.schema, properties={"commit.retry.num-retries": "40"})

    def append_three_times(_: int) -> None:
        with RestCatalog("writer", uri=address) as own:
            table = own.load_table(orders)
            for _ in range(3):
                table.append(ROWS)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(append_three_times, range(3)))

    assert rows_in(catalog, orders) == 27
    assert len(catalog.load_table(orders).snapshots()) == 9


def test_commits_that_do_not_contradict_each_other_all_succeed_at_once(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier
) -> None:
    uuid = catalog.create_table(orders, ROWS.schema).metadata.table_uuid

    def set_property(number: int) -> int:
        commit = {
            "requirements": [{"type": "assert-table-uuid", "uuid": str(uuid)}],
            "updates": [{"action": "set-properties", "updates": {f"p{number}": "1"}}],
        }
        return http.post(f"/namespaces/{orders[0]}/tables/{NAME}", json=commit).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(set_property, range(24))) == {200}

    assert {f"p{number}" for number in range(24)} <= catalog.load_table(orders).properties.keys()


def test_a_snapshot_that_comes_late_is_a_conflict_and_not_a_bad_request(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier
) -> None:
    """The Java client takes 400 for good and tries again after 409."""
    table = catalog.create_table(orders, ROWS.schema)
    table.append(ROWS)
    snapshot = table.metadata.snapshots[0].model_dump(mode="json", by_alias=True, exclude_none=True)
    late = snapshot | {"snapshot-id": 7, "parent-snapshot-id": snapshot["snapshot-id"]}

    refused = http.post(
        f"/namespaces/{orders[0]}/tables/{NAME}", json={"updates": [{"action": "add-snapshot", "snapshot": late}]}
    )

    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "CommitFailedException")


def test_a_transaction_over_two_tables_changes_both_or_none(
    catalog: RestCatalog, http: httpx.Client, namespace: str
) -> None:
    def change(name: str, schema_id: int) -> dict[str, object]:
        return {
            "identifier": {"namespace": [namespace], "name": name},
            "requirements": [{"type": "assert-current-schema-id", "current-schema-id": schema_id}],
            "updates": [{"action": "set-properties", "updates": {"changed": str(schema_id)}}],
        }

    def changed() -> list[bool]:
        return ["changed" in catalog.load_table((namespace, name)).properties for name in ("a", "b")]

    for name in ("a", "b"):
        catalog.create_table((namespace, name), ROWS.schema)

    refused = http.post("/transactions/commit", json={"table-changes": [change("a", 0), change("b", 1)]})
    assert (refused.status_code, changed()) == (409, [False, False])
    twice = http.post("/transactions/commit", json={"table-changes": [change("a", 0), change("a", 0)]})
    assert (twice.status_code, changed()) == (400, [False, False])
    done = http.post("/transactions/commit", json={"table-changes": [change("a", 0), change("b", 0)]})
    assert (done.status_code, changed()) == (204, [True, True])


def test_updates_that_add_what_is_there_already_change_nothing(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier
) -> None:
    """As the Java client sends them to replace a table by itself."""
    table = catalog.create_table(orders, ROWS.schema)
    schema = table.schema().model_dump(mode="json", by_alias=True, exclude_none=True)
    updates = [
        {"action": "add-schema", "schema": schema, "last-column-id": 2},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "remove-properties", "removals": ["never-set"]},
    ]

    answer = http.post(f"/namespaces/{orders[0]}/tables/{NAME}", json={"requirements": [], "updates": updates})

    assert answer.status_code == 200
    metadata = answer.json()["metadata"]
    assert [len(metadata[part]) for part in ("schemas", "partition-specs", "sort-orders")] == [1, 1, 1]
    assert answer.json()["metadata-location"] == table.metadata_location


@pytest.mark.parametrize(
    "update",
    [
        {"action": "set-current-schema", "schema-id": 9},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 9},
        {"action": "remove-snapshots", "snapshot-ids": [9]},
        {"action": "set-location", "location": "file:///etc"},
        {"action": "set-location", "location": "s3://bucket/table"},
        {"action": "set-properties", "updates": {"write.metadata.path": "file:///etc/metadata"}},
        {"action": "add-encryption-key", "encryption-key": {}},
        {"action": "set-statistics"},
    ],
    ids=lambda update: "-".join(str(part) for part in update.values()),
)
def test_an_update_that_does_not_fit_is_a_bad_request_and_changes_nothing(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier, update: dict[str, object]
) -> None:
    before = catalog.create_table(orders, ROWS.schema).metadata_location

    refused = http.post(f"/namespaces/{orders[0]}/tables/{NAME}", json={"updates": [update]})

    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "BadRequestException")
    assert catalog.load_table(orders).metadata_location == before


@pytest.mark.parametrize("version", ["1", "3"])
def test_only_format_v2_is_made_and_kept(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier, version: str
) -> None:
    path = f"/namespaces/{orders[0]}/tables"
    schema = {"type": "struct", "fields": [{"id": 1, "name": "id", "type": "long", "required": False}]}
    made = http.post(path, json={"name": "other", "schema": schema, "properties": {"format-version": version}})
    catalog.create_table(orders, ROWS.schema)
    upgrade = {"action": "upgrade-format-version", "format-version": int(version)}
    upgraded = http.post(f"{path}/{NAME}", json={"updates": [upgrade]})

    for refused in (made, upgraded):
        assert (refused.status_code, refused.json()["error"]["type"]) == (406, "UnsupportedOperationException")


def test_snapshots_expire_and_the_rows_stay(catalog: RestCatalog, orders: Identifier) -> None:
    table = catalog.create_table(orders, ROWS.schema)
    for _ in range(3):
        table.append(ROWS)
    oldest, second, newest = (snapshot.snapshot_id for snapshot in table.snapshots())

    table.maintenance.expire_snapshots().by_ids([oldest, second]).commit()

    assert [snapshot.snapshot_id for snapshot in catalog.load_table(orders).snapshots()] == [newest]
    assert rows_in(catalog, orders) == 9


@pytest.mark.parametrize("depth", [20, 100, 250])
def test_a_schema_that_nests_deeply_is_taken_or_refused_but_breaks_nothing(
    http: httpx.Client, namespace: str, depth: int
) -> None:
    field: dict[str, object] = {"id": 1, "name": "leaf", "type": "long", "required": False}
    for number in range(2, depth):
        inner = {"type": "struct", "fields": [field]}
        field = {"id": number, "name": f"f{number}", "type": inner, "required": False}
    body = {"name": "deep", "schema": {"type": "struct", "fields": [field]}}

    made = http.post(f"/namespaces/{namespace}/tables", json=body)

    assert made.status_code == (200 if depth == 20 else made.status_code)
    assert made.status_code in (200, 400)


def test_old_metadata_files_go_unless_the_table_keeps_them(catalog: RestCatalog, namespace: str) -> None:
    keep = {"write.metadata.delete-after-commit.enabled": "false"}
    tidy = catalog.create_table((namespace, "tidy"), ROWS.schema)
    hoard = catalog.create_table((namespace, "hoard"), ROWS.schema, properties=keep)

    for table in (tidy, hoard):
        for number in range(14):
            with table.transaction() as transaction:
                transaction.set_properties({"number": str(number)})

    assert len(files_of(tidy, ".metadata.json")) == 11, "the newest and the ten before it"
    assert len(files_of(hoard, ".metadata.json")) == 15


def test_dropping_keeps_the_files_and_purging_deletes_them(catalog: RestCatalog, namespace: str) -> None:
    def made() -> Table:
        table: Table = catalog.create_table((namespace, NAME), ROWS.schema)
        table.append(ROWS)
        return table

    dropped = made()
    catalog.drop_table((namespace, NAME))
    left = set(files_of(dropped))
    assert len(left) == 5
    purged = made()
    assert set(files_of(purged)) > left
    catalog.purge_table((namespace, NAME))

    assert set(files_of(purged)) == left
    assert not catalog.table_exists((namespace, NAME))
    with pytest.raises(NoSuchTableError):
        catalog.drop_table((namespace, NAME))


def test_a_table_whose_files_are_gone_can_still_be_dropped(catalog: RestCatalog, orders: Identifier) -> None:
    table = catalog.create_table(orders, ROWS.schema)
    table.append(ROWS)
    for path in files_of(table):
        path.unlink()

    catalog.purge_table(orders)

    assert not catalog.table_exists(orders)


def test_a_table_is_renamed_with_its_rows_also_into_another_namespace(
    catalog: RestCatalog, http: httpx.Client, orders: Identifier
) -> None:
    target = (f"{orders[0]}-b", "renamed")
    catalog.create_table(orders, ROWS.schema).append(ROWS)

    def rename() -> tuple[int, str]:
        source, destination = ({"namespace": [space], "name": name} for space, name in (orders, target))
        answer = http.post("/tables/rename", json={"source": source, "destination": destination})
        return answer.status_code, answer.json()["error"]["type"] if answer.content else ""

    assert rename() == (404, "NoSuchNamespaceException")
    catalog.create_namespace(target[0])
    assert rename() == (204, "")
    assert rows_in(catalog, target) == 3
    assert rename() == (404, "NoSuchTableException")
    catalog.create_table(orders, ROWS.schema)
    assert rename() == (409, "AlreadyExistsException")


def test_a_dropped_table_is_registered_again_from_its_files(
    catalog: RestCatalog, orders: Identifier, home: Path, tmp_path: Path
) -> None:
    table = catalog.create_table(orders, ROWS.schema)
    table.append(ROWS)
    catalog.drop_table(orders)

    catalog.register_table(orders, table.metadata_location)

    assert rows_in(catalog, orders) == 3
    with pytest.raises(TableAlreadyExistsError):
        catalog.register_table(orders, table.metadata_location)
    outside = tmp_path / "00000-metadata.json"
    outside.write_text(table.metadata.model_dump_json())
    no_metadata = home / "warehouse" / "notes.json"
    no_metadata.write_text("{}")
    for location in (outside, no_metadata):
        with pytest.raises(BadRequestError):
            catalog.register_table((orders[0], "other"), f"file://{location}")


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "a b", "a\x00b", "é", "x" * 250])
def test_a_table_name_that_could_leave_its_folder_is_refused(http: httpx.Client, namespace: str, name: str) -> None:
    schema = {"type": "struct", "fields": []}

    refused = http.post(f"/namespaces/{namespace}/tables", json={"name": name, "schema": schema})

    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "BadRequestException")


def outside(home: Path) -> str:
    return f"file://{home.resolve()}/elsewhere"


def above(home: Path) -> str:
    return f"file://{home.resolve()}/warehouse/a/../../elsewhere"


def through_a_link(home: Path) -> str:
    (home / "elsewhere").mkdir(exist_ok=True)
    link = home / "warehouse" / "link"
    if not link.is_symlink():
        link.symlink_to(home / "elsewhere")
    return f"file://{home.resolve()}/warehouse/link/table"


@pytest.mark.parametrize(
    "place",
    [outside, above, through_a_link, lambda home: f"file://{home.resolve()}/warehouse", lambda home: "s3://bucket/a"],
)
def test_a_table_cannot_be_placed_outside_the_warehouse(
    catalog: RestCatalog, orders: Identifier, home: Path, place: Callable[[Path], str]
) -> None:
    with pytest.raises(BadRequestError, match=r"warehouse|local file"):
        catalog.create_table(orders, ROWS.schema, location=place(home))

    assert not catalog.table_exists(orders)
    assert not any((home / "elsewhere").rglob("*.json"))

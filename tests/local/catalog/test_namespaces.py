from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
)
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

IDS = Schema(NestedField(1, "id", LongType(), required=False))


@pytest.fixture
def name() -> str:
    return f"lkc-{uuid4().hex}"


def test_a_namespace_is_made_listed_loaded_and_dropped(catalog: RestCatalog, name: str) -> None:
    assert not catalog.namespace_exists(name)

    catalog.create_namespace(name, {"owner": "shop"})

    assert catalog.namespace_exists(name)
    assert (name,) in catalog.list_namespaces()
    assert catalog.load_namespace_properties(name) == {"owner": "shop"}
    catalog.drop_namespace(name)
    assert not catalog.namespace_exists(name)


def test_what_is_not_there_or_there_already_is_told_by_its_own_error(catalog: RestCatalog, name: str) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: catalog.load_namespace_properties(name),
        lambda: catalog.drop_namespace(name),
        lambda: catalog.list_tables(name),
        lambda: catalog.list_namespaces(name),
        lambda: catalog.update_namespace_properties(name, updates={"a": "b"}),
        lambda: catalog.create_table((name, "orders"), IDS),
    ]
    for attempt in attempts:
        with pytest.raises(NoSuchNamespaceError):
            attempt()
    catalog.create_namespace(name)
    with pytest.raises(NamespaceAlreadyExistsError):
        catalog.create_namespace(name)


def test_dots_are_part_of_a_name_and_levels_are_told_apart_by_the_unit_separator(
    http: httpx.Client, catalog: RestCatalog, name: str
) -> None:
    dotted, parent, child = [f"{name}.public"], [name], [name, "public"]
    for levels in (dotted, parent, child):
        assert http.post("/namespaces", json={"namespace": levels}).status_code == 200

    assert http.get(f"/namespaces/{name}.public").json()["namespace"] == dotted
    assert http.get(f"/namespaces/{name}%1Fpublic").json()["namespace"] == child
    assert http.get(f"/namespaces?parent={name}").json()["namespaces"] == [child]
    tops = http.get("/namespaces").json()["namespaces"]
    assert dotted in tops
    assert parent in tops
    assert child not in tops
    catalog.create_table((f"{name}.public", "orders"), IDS)
    assert catalog.list_tables((f"{name}.public",)) == [(f"{name}.public", "orders")]
    assert catalog.list_tables((name, "public")) == []


def test_a_namespace_is_made_only_below_one_that_is_there(http: httpx.Client, name: str) -> None:
    refused = http.post("/namespaces", json={"namespace": [name, "below"]})

    assert (refused.status_code, refused.json()["error"]["type"]) == (404, "NoSuchNamespaceException")


def test_names_differ_by_case(http: httpx.Client, name: str) -> None:
    http.post("/namespaces", json={"namespace": [name]})
    http.post("/namespaces", json={"namespace": [name, "below"]})

    assert http.head(f"/namespaces/{name.upper()}").status_code == 404
    assert http.post("/namespaces", json={"namespace": [name.upper()]}).status_code == 200
    assert http.get(f"/namespaces?parent={name.upper()}").json()["namespaces"] == []


@pytest.mark.parametrize(
    "levels",
    [
        [],
        [""],
        ["."],
        [".."],
        ["../outside"],
        ["a/b"],
        ["a\\b"],
        ["a b"],
        ["a%2Eb"],
        ["a\x1fb"],
        ["a\x00"],
        ["é"],
        ["x" * 250],
        ["ok", ".."],
    ],
)
def test_a_name_that_could_leave_its_folder_is_refused(http: httpx.Client, levels: list[str]) -> None:
    refused = http.post("/namespaces", json={"namespace": levels})

    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "BadRequestException"


@pytest.mark.parametrize("path", ["%2E%2E", "..%2F..%2Fetc", "%00", "%1F", "a%1F", "%FF", "a%252Eb"])
def test_such_a_name_in_a_path_is_a_namespace_that_is_not_there(http: httpx.Client, path: str) -> None:
    missing = http.get(f"/namespaces/{path}")

    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NoSuchNamespaceException")


def test_properties_are_updated_removed_and_missed(catalog: RestCatalog, http: httpx.Client, name: str) -> None:
    catalog.create_namespace(name, {"keep": "1", "drop": "1"})

    summary = catalog.update_namespace_properties(name, removals={"drop", "none"}, updates={"keep": "2", "new": "1"})

    assert (summary.updated, summary.removed, summary.missing) == (["keep", "new"], ["drop"], ["none"])
    assert catalog.load_namespace_properties(name) == {"keep": "2", "new": "1"}
    both = http.post(f"/namespaces/{name}/properties", json={"removals": ["a"], "updates": {"a": "1"}})
    assert (both.status_code, both.json()["error"]["type"]) == (422, "UnprocessableEntityException")


def test_a_namespace_outlives_its_last_property_and_keeps_its_own_mark(
    catalog: RestCatalog, http: httpx.Client, name: str
) -> None:
    catalog.create_namespace(name, {"only": "1"})
    catalog.update_namespace_properties(name, removals={"only"})

    assert catalog.load_namespace_properties(name) == {}
    taken = http.post(f"/namespaces/{name}/properties", json={"removals": ["exists"]})
    assert taken.status_code == 400
    assert catalog.namespace_exists(name)


def test_a_namespace_with_tables_or_namespaces_below_is_not_dropped(catalog: RestCatalog, name: str) -> None:
    catalog.create_namespace(name)
    catalog.create_namespace((name, "below"))
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace(name)
    catalog.drop_namespace((name, "below"))
    catalog.create_table((name, "orders"), IDS)
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace(name)
    catalog.drop_table((name, "orders"))

    catalog.drop_namespace(name)

    assert not catalog.namespace_exists(name)

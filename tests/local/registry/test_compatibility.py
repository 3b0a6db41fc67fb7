import json
from collections.abc import Sequence

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from dashboard.local.registry.compatibility import LEVELS

Field = dict[str, object]
ID: Field = {"name": "id", "type": "long"}
NOTE: Field = {"name": "note", "type": "string"}
NOTE_WITH_DEFAULT: Field = {**NOTE, "default": ""}
PRICE: Field = {"name": "price", "type": "double", "default": 0.0}


def sale(*fields: Field, name: str = "Sale") -> Schema:
    return Schema(json.dumps({"type": "record", "name": name, "fields": list(fields)}), "AVRO")


def may_follow(client: SchemaRegistryClient, subject: str, level: str, schemas: Sequence[Schema]) -> bool:
    """Whether the last schema may follow the others, which are taken without a check."""
    *earlier, last = schemas
    client.set_compatibility(subject, "NONE")
    for schema in earlier:
        client.register_schema(subject, schema)
    client.set_compatibility(subject, level)
    try:
        client.register_schema(subject, last)
    except SchemaRegistryError as error:
        assert (error.http_status_code, error.error_code) == (409, 40901)  # noqa: PT017  # either way is a result here
        return False
    return True


ADDS_WITHOUT_DEFAULT = (sale(ID), sale(ID, NOTE))
ADDS_WITH_DEFAULT = (sale(ID), sale(ID, NOTE_WITH_DEFAULT))
REMOVES_WITHOUT_DEFAULT = (sale(ID, NOTE), sale(ID))
RENAMES_THE_RECORD = (sale(ID), sale(ID, name="Order"))


@pytest.mark.parametrize(
    ("schemas", "allowed_by"),
    [
        (ADDS_WITHOUT_DEFAULT, {"NONE", "FORWARD", "FORWARD_TRANSITIVE"}),
        (ADDS_WITH_DEFAULT, set(LEVELS)),
        (REMOVES_WITHOUT_DEFAULT, {"NONE", "BACKWARD", "BACKWARD_TRANSITIVE"}),
        (RENAMES_THE_RECORD, {"NONE"}),
    ],
    ids=["adds without default", "adds with default", "removes without default", "renames the record"],
)
def test_a_level_allows_exactly_the_changes_it_promises(
    client: SchemaRegistryClient, subject: str, schemas: Sequence[Schema], allowed_by: set[str]
) -> None:
    allowed = {level for level in LEVELS if may_follow(client, f"{subject}-{level}", level, schemas)}

    assert allowed == allowed_by


@pytest.mark.parametrize(
    ("level", "schemas"),
    [
        ("BACKWARD", (sale(ID), sale(ID, NOTE_WITH_DEFAULT), sale(ID, NOTE))),
        ("FORWARD", (sale(ID, NOTE), sale(ID, NOTE_WITH_DEFAULT), sale(ID))),
        ("FULL", (sale(ID, NOTE), sale(ID, NOTE_WITH_DEFAULT), sale(ID))),
    ],
)
def test_a_transitive_level_looks_at_every_version_and_the_plain_one_only_at_the_last(
    client: SchemaRegistryClient, subject: str, level: str, schemas: Sequence[Schema]
) -> None:
    assert may_follow(client, f"{subject}-plain", level, schemas)
    assert not may_follow(client, f"{subject}-transitive", f"{level}_TRANSITIVE", schemas)


def test_the_refusal_names_the_subject_the_kind_of_fault_and_its_place(
    client: SchemaRegistryClient, subject: str
) -> None:
    client.register_schema(subject, sale(ID))

    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(subject, sale(ID, NOTE))

    message = caught.value.error_message
    assert subject in message
    assert "reader_field_missing_default_value at /fields/1" in message


def test_a_check_tells_the_verdict_and_the_reasons_without_registering(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    client.register_schema(subject, sale(ID))
    path = f"/compatibility/subjects/{subject}/versions"

    assert client.test_compatibility(subject, sale(ID, PRICE))
    assert not client.test_compatibility(subject, sale(ID, NOTE), version=1)
    assert not client.test_compatibility_all_versions(subject, sale(ID, NOTE))
    verdict = http.post(f"{path}/latest?verbose=true", json=sale(ID, NOTE).to_dict()).json()
    assert verdict["is_compatible"] is False
    assert "note" in verdict["messages"][0]
    assert client.get_versions(subject) == [1]


def test_anything_may_follow_nothing_but_an_unknown_version_is_an_error(
    client: SchemaRegistryClient, subject: str
) -> None:
    assert client.test_compatibility(subject, sale(ID))
    with pytest.raises(SchemaRegistryError) as caught:
        client.test_compatibility(subject, sale(ID), version=1)
    assert caught.value.error_code == 40401


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF"])
@pytest.mark.parametrize("level", ["NONE", "BACKWARD"])
def test_a_schema_that_cannot_be_judged_is_refused_and_never_called_compatible(
    client: SchemaRegistryClient, subject: str, kind: str, level: str
) -> None:
    client.set_compatibility(subject, level)
    other = Schema('{"type": "object"}', kind)

    for attempt in (client.register_schema, client.test_compatibility, client.lookup_schema):
        with pytest.raises(SchemaRegistryError) as caught:
            attempt(subject, other)
        assert caught.value.error_code == 42201
        assert kind in caught.value.error_message
    assert client.get_schema_types() == ["AVRO"]


def test_logical_types_younger_than_the_parser_are_taken(client: SchemaRegistryClient, subject: str) -> None:
    def at(logical: str) -> Schema:
        return sale({"name": "ts", "type": {"type": "long", "logicalType": logical}})

    client.register_schema(subject, at("timestamp-millis"))

    assert client.register_schema(subject, at("local-timestamp-millis"))
    assert client.get_versions(subject) == [1, 2]


def test_types_of_references_are_known_also_those_of_references_of_references(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    def refer(name: str) -> dict[str, object]:
        return {"name": name, "subject": f"{subject}-{name}", "version": 1}

    city = {"type": "record", "name": "City", "fields": [NOTE]}
    address = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": "City"}]}
    order = {"type": "record", "name": "Order", "fields": [{"name": "to", "type": "Address"}]}
    client.register_schema(f"{subject}-City", Schema(json.dumps(city)))
    for name, schema, needs in (("Address", address, "City"), ("Order", order, "Address")):
        body = {"schema": json.dumps(schema), "references": [refer(needs)]}
        assert http.post(f"/subjects/{subject}-{name}/versions", json=body).status_code == 200

    registered = client.get_latest_version(f"{subject}-Order")
    assert [reference.to_dict() for reference in registered.schema.references or []] == [refer("Address")]
    assert client.get_referenced_by(f"{subject}-Address") == [registered.schema_id]
    with pytest.raises(SchemaRegistryError) as caught:
        client.delete_subject(f"{subject}-City")
    assert (caught.value.http_status_code, caught.value.error_code) == (422, 42206)


def test_a_reference_to_nothing_is_an_invalid_schema(http: httpx.Client, subject: str) -> None:
    body = {"schema": '"string"', "references": [{"name": "X", "subject": f"{subject}-none", "version": 1}]}

    refused = http.post(f"/subjects/{subject}/versions", json=body)

    assert refused.json()["error_code"] == 42201
    assert f"{subject}-none" in refused.json()["message"]

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import pytest
from confluent_kafka.schema_registry import Metadata, MetadataProperties, MetadataTags, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext


def sale(*fields: str, doc: str = "") -> str:
    columns = [{"name": name, "type": "string", "default": ""} for name in ("order_id", *fields)]
    return json.dumps({"type": "record", "name": "Sale", "doc": doc, "fields": columns})


CONTRACT: dict[str, Any] = {
    "metadata": {
        "tags": {"**.Sale.order_id": ["PII", "KEY"]},
        "properties": {"owner": "payments"},
        "sensitive": ["owner"],
    },
    "ruleSet": {
        "domainRules": [
            {
                "name": "validate",
                "kind": "CONDITION",
                "mode": "WRITE",
                "type": "CEL",
                "expr": "message.order_id != ''",
                "params": {"dlq.topic": "error-payments", "z": "1", "a": "2"},
                "onFailure": "DLQ",
                "disabled": False,
            }
        ]
    },
}


def register(http: httpx.Client, subject: str, text: str, **parts: Any) -> dict[str, Any]:
    answer = http.post(f"/subjects/{subject}/versions", json={"schema": text, **parts})
    assert answer.status_code == 200, answer.text
    registered: dict[str, Any] = answer.json()
    return registered


def test_the_real_serializer_and_deserializer_agree_through_the_registry(
    client: SchemaRegistryClient, address: str, subject: str
) -> None:
    topic = subject.removesuffix("-value")
    context = SerializationContext(topic, MessageField.VALUE)
    client.register_schema(subject, Schema(sale("card")))
    serializer = AvroSerializer(client, conf={"auto.register.schemas": False, "use.latest.version": True})
    with SchemaRegistryClient({"url": address}) as reading:
        payment = AvroDeserializer(reading)(serializer({"order_id": "7", "card": "4111"}, context), context)

    assert payment == {"order_id": "7", "card": "4111"}


def test_an_unknown_subject_version_and_schema_are_told_apart(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    def code(path: str) -> tuple[int, int]:
        answer = http.get(path)
        return answer.status_code, answer.json()["error_code"]

    assert code(f"/subjects/{subject}/versions/latest") == (404, 40401)
    client.register_schema(subject, Schema(sale()))
    assert code(f"/subjects/{subject}/versions/2") == (404, 40402)
    assert code("/schemas/ids/2147483647") == (404, 40403)
    assert code(f"/schemas/ids/{10**30}") == (404, 40403)
    assert code("/schemas/ids/one") == (404, 40403)
    assert code("/schemas/guids/5b9d1a57-7f3c-4a6e-8d0e-000000000000") == (404, 40403)
    with pytest.raises(SchemaRegistryError) as caught:
        client.lookup_schema(subject, Schema(sale("another")))
    assert caught.value.error_code == 40403


@pytest.mark.parametrize("version", ["0", "-2", "first", "1.5", "%C2%B2", str(2**31), "9" * 5000])
def test_a_version_that_is_no_version_is_refused(http: httpx.Client, subject: str, version: str) -> None:
    refused = http.get(f"/subjects/{subject}/versions/{version}")

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42202)


def test_the_same_schema_gets_the_same_version_and_id_whatever_its_layout(http: httpx.Client, subject: str) -> None:
    first = register(http, subject, sale())
    loose = json.dumps(json.loads(sale()), indent=4)
    reordered = json.dumps(dict(reversed(json.loads(sale()).items())))

    for again in (sale(), loose, reordered):
        answer = register(http, subject, again)
        assert (answer["version"], answer["id"], answer["guid"]) == (1, first["id"], first["guid"])
    assert register(http, f"{subject}-other", loose)["id"] == first["id"]


def test_normalizing_writes_the_plain_form_and_finds_it_again(client: SchemaRegistryClient, subject: str) -> None:
    wordy = Schema('{"type": "record", "name": "A", "fields": [{"type": {"type": "string"}, "name": "b"}]}')
    client.register_schema(subject, wordy, normalize_schemas=True)

    assert client.get_latest_version(subject).schema.schema_str == (
        '{"fields":[{"name":"b","type":"string"}],"name":"A","type":"record"}'
    )
    assert client.lookup_schema(subject, wordy, normalize_schemas=True).version == 1


def test_metadata_and_rules_come_back_exactly_as_they_were_sent(http: httpx.Client, subject: str) -> None:
    registered = register(http, subject, sale(), **CONTRACT)

    for path in (f"/subjects/{subject}/versions/latest", f"/schemas/ids/{registered['id']}"):
        kept = http.get(path).json()
        assert {part: kept[part] for part in CONTRACT} == CONTRACT
        assert list(kept["ruleSet"]["domainRules"][0]["params"]) == ["dlq.topic", "z", "a"]
        assert str(UUID(kept["guid"])) == registered["guid"]
    assert http.get(f"/schemas/guids/{registered['guid']}").json()["schema"] == registered["schema"]


def test_the_python_client_reads_tags_and_rules(client: SchemaRegistryClient, http: httpx.Client, subject: str) -> None:
    register(http, subject, sale(), ruleSet=CONTRACT["ruleSet"])
    tags = Metadata(MetadataTags({"**.order_id": ["PII"]}), MetadataProperties({"owner": "shop"}), [])
    client.register_schema(subject, Schema(sale(), "AVRO", [], tags, None))

    latest = client.get_latest_version(subject)

    assert latest.version == 2
    assert latest.schema.metadata == tags
    assert latest.schema.rule_set is not None
    assert [rule.on_failure for rule in latest.schema.rule_set.domain_rules or []] == ["DLQ"]
    assert client.get_latest_with_metadata(subject, {"owner": "shop"}).version == 2


def test_a_version_that_names_neither_inherits_both_and_an_empty_rule_set_removes_the_rules(
    http: httpx.Client, subject: str
) -> None:
    first = register(http, subject, sale(), **CONTRACT)
    second = register(http, subject, sale("note"))
    third = register(http, subject, sale("note"), ruleSet={})
    fourth = register(http, subject, sale("note", "more"))

    assert {part: second[part] for part in CONTRACT} == CONTRACT
    assert third["ruleSet"] == {}
    assert fourth["ruleSet"] == {}
    assert fourth["metadata"] == CONTRACT["metadata"]
    assert len({version["id"] for version in (first, second, third, fourth)}) == 4
    assert register(http, subject, sale())["version"] == 5, "the first text without its rules is another contract"


def test_an_empty_schema_means_the_latest_text(http: httpx.Client, subject: str) -> None:
    refused = http.post(f"/subjects/{subject}/versions", json={"schema": "", **CONTRACT})
    assert refused.json() == {"error_code": 42201, "message": "Empty schema"}
    first = register(http, subject, sale())

    second = register(http, subject, "", **CONTRACT)

    assert (second["version"], second["schema"]) == (2, first["schema"])


def test_a_schema_without_its_rules_is_still_found(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    registered = register(http, subject, sale(), **CONTRACT)

    found = client.lookup_schema(subject, Schema(sale()))

    assert (found.version, found.schema_id) == (1, registered["id"])


def test_a_subject_with_slashes_spaces_and_percent_signs_is_one_subject(
    client: SchemaRegistryClient, subject: str
) -> None:
    odd = f"{subject}/versions/1 %2F+é?#"
    schema_id = client.register_schema(odd, Schema(sale()))

    assert client.get_latest_version(odd).schema_id == schema_id
    assert odd in client.get_subjects()
    assert client.get_subjects_by_schema_id(schema_id, subject_name=odd) == [odd]
    assert client.delete_subject(odd) == [1]


@pytest.mark.parametrize("name", ["%20", "a%00b", "a%0Ab", "x" * 600, "%3A.context%3Asubject"])
def test_a_name_that_could_not_be_a_subject_is_refused(http: httpx.Client, name: str) -> None:
    refused = http.post(f"/subjects/{name}/versions", json={"schema": sale()})

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42208)


def test_a_subject_is_soft_deleted_before_it_is_deleted_for_good(client: SchemaRegistryClient, subject: str) -> None:
    def code_of_delete(*, permanent: bool) -> int:
        with pytest.raises(SchemaRegistryError) as caught:
            client.delete_subject(subject, permanent=permanent)
        return int(caught.value.error_code)

    assert code_of_delete(permanent=False) == 40401
    schema_id = client.register_schema(subject, Schema(sale()))
    client.register_schema(subject, Schema(sale("note")))
    assert code_of_delete(permanent=True) == 40405

    assert client.delete_subject(subject) == [1, 2]
    assert code_of_delete(permanent=False) == 40404
    assert subject not in client.get_subjects()
    assert subject in client.get_subjects(deleted_only=True)
    assert client.get_versions(subject, deleted=True) == [1, 2]
    assert client.get_schema(schema_id).schema_str, "records written with it stay readable"

    assert client.delete_subject(subject, permanent=True) == [1, 2]
    assert code_of_delete(permanent=True) == 40401


def test_versions_go_on_after_a_soft_delete_and_keep_their_ids(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    first = register(http, subject, sale())
    client.delete_subject(subject)

    again = register(http, subject, sale())

    assert (again["version"], again["id"]) == (2, first["id"])
    assert client.get_schema_versions(first["id"], subject_name=subject)[0].version == 2


def test_a_single_version_is_deleted_in_the_same_two_steps(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    register(http, subject, sale())
    register(http, subject, sale("note"))
    path = f"/subjects/{subject}/versions/2"

    assert http.delete(f"{path}?permanent=true").json()["error_code"] == 40407
    assert http.delete(path).json() == 2
    assert http.delete(path).json()["error_code"] == 40406
    assert http.get(path).json()["error_code"] == 40402
    assert http.get(f"{path}?deleted=true").json()["version"] == 2
    assert client.get_latest_version(subject).version == 1
    assert http.delete(f"{path}?permanent=true").json() == 2


def test_an_id_is_never_given_again(http: httpx.Client, subject: str) -> None:
    first = register(http, subject, sale(doc=subject))
    for permanent in ("false", "true"):
        assert http.delete(f"/subjects/{subject}?permanent={permanent}").status_code == 200
    assert http.get(f"/schemas/ids/{first['id']}").json()["error_code"] == 40403

    assert register(http, subject, sale(doc=subject))["id"] > first["id"]


def test_writers_at_the_same_time_get_one_version_each_and_the_same_schema_one_id(
    address: str, http: httpx.Client, subject: str
) -> None:
    def write(number: int) -> int:
        with httpx.Client(base_url=address) as own:
            return int(register(own, f"{subject}-{number % 3}", sale(f"note_{number // 6}"))["version"])

    http.put("/config/" + subject, json={"compatibility": "NONE"})
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(write, range(24)))

    for number in range(3):
        assert http.get(f"/subjects/{subject}-{number}/versions").json() == [1, 2, 3, 4]

from collections.abc import Iterator

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
STRING = Schema('"string"')


@pytest.fixture
def _global_settings_put_back(http: httpx.Client) -> Iterator[None]:
    yield
    http.delete("/mode")
    http.delete("/config")


def test_answers_and_errors_carry_the_media_type_of_the_registry(http: httpx.Client) -> None:
    assert http.get("/subjects").headers["content-type"] == MEDIA_TYPE
    assert http.get("/subjects/none/versions").headers["content-type"] == MEDIA_TYPE
    assert http.get("/contexts").json() == ["."]
    assert http.get("/associations/resources/-/payments?resourceType=topic&associationType=value").json() == []


def test_the_text_of_a_schema_comes_alone_where_it_is_asked_for(http: httpx.Client, subject: str) -> None:
    registered = http.post(f"/subjects/{subject}/versions", json={"schema": '"string"'}).json()

    assert http.get(f"/subjects/{subject}/versions/1/schema").text == '"string"'
    assert http.get(f"/schemas/ids/{registered['id']}/schema").text == '"string"'


def test_paths_and_methods_that_are_not_there_answer_in_the_error_form(http: httpx.Client) -> None:
    assert http.get("/dek-registry/v2/keks").json()["error_code"] == 404
    assert http.patch("/subjects").json()["error_code"] == 405


def test_subjects_are_listed_by_prefix_and_in_pages(client: SchemaRegistryClient, subject: str) -> None:
    names = [f"{subject}-{number}" for number in range(3)]
    for name in names:
        client.register_schema(name, STRING)

    assert client.get_subjects(subject_prefix=subject) == names
    assert client.get_subjects(subject_prefix=subject, offset=1, limit=1) == names[1:2]
    assert client.get_subjects(subject_prefix="_%") == []


def test_schemas_are_listed_by_prefix_latest_version_and_in_pages(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    for text in ('"string"', '"bytes"'):
        client.register_schema(f"{subject}-a", Schema(text))
    client.register_schema(f"{subject}-b", STRING)

    def listed(**params: str) -> list[tuple[str, int]]:
        answer = http.get("/schemas", params={"subjectPrefix": subject} | params).json()
        return [(one["subject"].removeprefix(f"{subject}-"), one["version"]) for one in answer]

    assert listed() == [("a", 1), ("a", 2), ("b", 1)]
    assert listed(latestOnly="true") == [("a", 2), ("b", 1)]
    assert listed(offset="1", limit="1") == [("a", 2)]
    client.delete_subject(f"{subject}-b")
    assert listed() == [("a", 1), ("a", 2)]
    assert listed(deleted="true") == [("a", 1), ("a", 2), ("b", 1)]


@pytest.mark.usefixtures("_global_settings_put_back")
def test_the_level_of_a_subject_hides_that_of_the_registry_until_it_is_deleted(
    client: SchemaRegistryClient, http: httpx.Client, subject: str
) -> None:
    assert client.get_compatibility() == "BACKWARD"
    with pytest.raises(SchemaRegistryError) as caught:
        client.get_compatibility(subject)
    assert caught.value.error_code == 40408

    client.set_compatibility(level="FULL")
    assert http.get(f"/config/{subject}?defaultToGlobal=true").json() == {"compatibilityLevel": "FULL"}
    client.set_compatibility(subject, "forward_transitive")
    assert client.get_compatibility(subject) == "FORWARD_TRANSITIVE"
    assert http.delete(f"/config/{subject}").json() == {"compatibilityLevel": "FORWARD_TRANSITIVE"}
    assert http.delete(f"/config/{subject}").json()["error_code"] == 40401


def test_a_level_or_mode_that_does_not_exist_is_refused_with_the_ones_that_do(http: httpx.Client, subject: str) -> None:
    level = http.put(f"/config/{subject}", json={"compatibility": "SIDEWAYS"})
    mode = http.put(f"/mode/{subject}", json={"mode": "IMPORT"})

    assert (level.status_code, level.json()["error_code"]) == (422, 42203)
    assert "FULL_TRANSITIVE" in level.json()["message"]
    assert (mode.status_code, mode.json()["error_code"]) == (422, 42204)
    assert "READONLY" in mode.json()["message"]


def test_what_a_configuration_could_not_keep_is_refused_not_dropped(http: httpx.Client, subject: str) -> None:
    refused = http.put(f"/config/{subject}", json={"compatibility": "FULL", "overrideRuleSet": {"domainRules": []}})

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42205)
    assert "overrideRuleSet" in refused.json()["message"]


def test_a_read_only_subject_takes_nothing_and_loses_nothing(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(subject, STRING)
    assert client.update_mode(subject, "READONLY") == "READONLY"

    for attempt in (
        lambda: client.register_schema(subject, Schema('"long"')),
        lambda: client.delete_subject(subject),
        lambda: client.set_compatibility(subject, "NONE"),
    ):
        with pytest.raises(SchemaRegistryError) as caught:
            attempt()
        assert caught.value.error_code == 42205
    assert client.get_mode(subject) == "READONLY"
    assert client.delete_mode(subject)
    assert client.delete_subject(subject) == [1]


@pytest.mark.usefixtures("_global_settings_put_back")
def test_the_mode_of_the_registry_holds_for_subjects_without_their_own(
    client: SchemaRegistryClient, subject: str
) -> None:
    assert client.get_global_mode() == "READWRITE"
    client.update_global_mode("READONLY")

    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(subject, STRING)
    assert caught.value.error_code == 42205
    client.update_mode(subject, "READWRITE")
    assert client.register_schema(subject, STRING)

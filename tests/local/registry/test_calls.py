import json

import httpx
import pytest

from dashboard.local.registry.calls import LARGEST_BODY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 1}',
        b'{"schema": "1", "metadata": []}',
        b'{"references": {}}',
        b'{"references": ["a"]}',
        b'{"references": [{"subject": "a", "version": "1"}]}',
        b'{"ruleSet": "none"}',
        b'{"schema": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_body_that_is_not_a_request_is_a_bad_request(http: httpx.Client, subject: str, body: bytes) -> None:
    refused = http.post(f"/subjects/{subject}/versions", content=body)

    assert (refused.status_code, refused.json()["error_code"]) == (400, 400)
    assert refused.json()["message"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "strnig",
        '{"type": "recrod", "name": "A"}',
        '{"type": "record", "name": "A"}',
        '{"type": "record", "name": 5, "fields": []}',
        '{"type": "record", "name": "has space", "fields": []}',
        '{"type": "enum", "name": "E", "symbols": 3}',
        '{"type": "fixed", "name": "F", "size": "wide"}',
        '["null", "null"]',
        '{"type": "array"}',
        "NaN",
        "1e999",
        '"\\ud800"',
        "[" * 100_000,
        '{"type": "array", "items": ' * 3000 + '"int"' + "}" * 3000,
    ],
    ids=lambda text: text[:24],
)
def test_a_text_that_is_no_avro_schema_is_an_invalid_schema(http: httpx.Client, subject: str, text: str) -> None:
    for path in (f"/subjects/{subject}/versions", f"/compatibility/subjects/{subject}/versions/latest"):
        refused = http.post(path, json={"schema": text})
        assert (refused.status_code, refused.json()["error_code"]) == (422, 42201)
        assert refused.json()["message"].startswith("Invalid schema: ")


@pytest.mark.parametrize("depth", [100, 200, 300, 400, 600, 900])
def test_a_schema_or_metadata_that_nests_deeply_is_taken_or_refused_but_breaks_nothing(
    http: httpx.Client, subject: str, depth: int
) -> None:
    text = '{"type": "array", "items": ' * depth + '"int"' + "}" * depth
    metadata = '{"properties": ' * depth + "{}" + "}" * depth
    for body in (f'{{"schema": {json.dumps(text)}}}', f'{{"schema": "\\"int\\"", "metadata": {metadata}}}'):
        answer = http.post(f"/subjects/{subject}/versions?normalize=true", content=body)
        assert answer.status_code in (200, 400, 409, 422)


def test_a_huge_body_is_read_to_its_end_and_refused(http: httpx.Client, subject: str) -> None:
    refused = http.post(f"/subjects/{subject}/versions", content=b" " * (LARGEST_BODY_BYTES + 1))

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42209)
    assert http.get("/subjects").status_code == 200


@pytest.mark.parametrize("part", ["schemaTagsToAdd", "schemaTagsToRemove", "propagateSchemaTags"])
def test_tags_that_would_be_lost_are_refused(http: httpx.Client, subject: str, part: str) -> None:
    """A tag that is dropped in silence is a card number in clear."""
    refused = http.post(f"/subjects/{subject}/versions", json={"schema": '"string"', part: [{"tags": ["PII"]}]})

    assert (refused.status_code, refused.json()["error_code"]) == (422, 42205)
    assert part in refused.json()["message"]


def test_an_id_of_the_callers_choice_is_refused(http: httpx.Client, subject: str) -> None:
    refused = http.post(f"/subjects/{subject}/versions", json={"schema": '"string"', "id": 77})

    assert refused.json()["error_code"] == 42205


@pytest.mark.parametrize("query", ["offset=x", "limit=1.5"])
def test_a_page_that_is_no_number_is_a_bad_request(http: httpx.Client, query: str) -> None:
    assert http.get(f"/subjects?{query}").json()["error_code"] == 400

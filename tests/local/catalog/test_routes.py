import httpx
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from dashboard.local.catalog.calls import LARGEST_BODY_BYTES

NAME = "shiftleft.public.orders"
IDS = Schema(NestedField(1, "id", LongType(), required=False))


@pytest.fixture
def table(http: httpx.Client, catalog: RestCatalog, namespace: str) -> str:
    """The path of a table with two snapshots of which the first is no longer referenced."""
    catalog.create_table((namespace, NAME), IDS)
    path = f"/namespaces/{namespace}/tables/{NAME}"
    for number in (1, 2):
        snapshot = {
            "snapshot-id": number,
            "sequence-number": number,
            "timestamp-ms": 1_763_800_000_000 + number,
            "manifest-list": f"file:///nowhere/snap-{number}.avro",
            "summary": {"operation": "append"},
        }
        branch = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}
        commit = {"updates": [{"action": "add-snapshot", "snapshot": snapshot}, branch]}
        assert http.post(path, json=commit).status_code == 200
    return path


def test_the_configuration_names_what_is_served_and_nothing_else(http: httpx.Client) -> None:
    config = http.get("/config?warehouse=any").json()

    assert "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}" in config["endpoints"]
    assert "POST /v1/{prefix}/transactions/commit" in config["endpoints"]
    assert not [endpoint for endpoint in config["endpoints"] if "view" in endpoint or "config" in endpoint]


def test_a_head_request_tells_whether_a_thing_exists_without_a_body(http: httpx.Client, table: str) -> None:
    namespace = table.split("/tables/")[0]

    assert http.head(table).status_code == 204
    assert http.head(namespace).status_code == 204
    for missing in (f"{table}s", f"{namespace}s", f"{namespace}s/tables/{NAME}"):
        assert (http.head(missing).status_code, http.head(missing).content) == (404, b"")


def test_a_table_that_is_not_there_is_told_in_the_form_of_the_specification(http: httpx.Client, table: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = http.request(method, f"{table}s", json={"requirements": [], "updates": []})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["type"]) == (404, 404, "NoSuchTableException")
        assert f"{NAME}s" in error["message"]


def test_a_client_that_has_the_newest_version_is_sent_nothing(http: httpx.Client, table: str) -> None:
    loaded = http.get(table)

    again = http.get(table, headers={"If-None-Match": loaded.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    committed = http.post(table, json={"updates": [{"action": "set-properties", "updates": {"a": "1"}}]})
    newer = http.get(table, headers={"If-None-Match": loaded.headers["etag"]})
    assert newer.status_code == 200
    assert newer.headers["etag"] == committed.headers["etag"]


def test_a_client_may_ask_for_the_referenced_snapshots_alone(http: httpx.Client, table: str) -> None:
    def snapshots(query: str) -> list[int]:
        return [snapshot["snapshot-id"] for snapshot in http.get(table + query).json()["metadata"]["snapshots"]]

    assert snapshots("") == snapshots("?snapshots=all") == [1, 2]
    assert snapshots("?snapshots=refs") == [2]
    assert http.get(f"{table}?snapshots=refs").headers["etag"] != http.get(table).headers["etag"]


def test_the_name_is_found_that_the_flink_runtime_takes_apart_at_its_dots(
    http: httpx.Client, catalog: RestCatalog, namespace: str, table: str
) -> None:
    taken_apart = f"/namespaces/{namespace}%1Fshiftleft%1Fpublic/tables/orders"

    assert http.get(taken_apart).json()["metadata-location"] == http.get(table).json()["metadata-location"]
    catalog.create_namespace((namespace, "shiftleft"))
    catalog.create_namespace((namespace, "shiftleft", "public"))
    assert http.get(taken_apart).status_code == 404, "a namespace that is there is meant"


def test_metrics_are_taken(http: httpx.Client, table: str) -> None:
    assert http.post(f"{table}/metrics", json={"report-type": "scan-report"}).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/namespaces/a/views"),
        ("POST", "/namespaces/a/views"),
        ("GET", "/namespaces/a/tables/b/credentials"),
        ("POST", "/namespaces/a/tables/b/plan"),
        ("PUT", "/namespaces/a"),
    ],
)
def test_what_is_not_served_is_refused_as_unsupported(http: httpx.Client, method: str, path: str) -> None:
    refused = http.request(method, path)

    assert refused.status_code == 406
    assert refused.json()["error"]["type"] == "UnsupportedOperationException"
    assert path in refused.json()["error"]["message"]


def test_a_login_is_refused_in_the_form_of_logins(http: httpx.Client) -> None:
    refused = http.post("/oauth/tokens", data={"grant_type": "client_credentials"})

    assert refused.status_code == 400
    assert refused.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"updates": [{"action": "fly"}]}'])
def test_a_body_that_is_not_a_commit_is_a_bad_request(http: httpx.Client, table: str, body: bytes) -> None:
    refused = http.post(table, content=body)

    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "BadRequestException")
    assert "CommitTable" in refused.json()["error"]["message"]


def test_a_huge_body_is_read_to_its_end_and_refused(http: httpx.Client, table: str) -> None:
    refused = http.post(table, content=b" " * (LARGEST_BODY_BYTES + 1))

    assert (refused.status_code, refused.json()["error"]["code"]) == (413, 413)
    assert http.get(table).status_code == 200


@pytest.mark.parametrize("path", ["..%2F..%2Fetc", "%2E%2E", "a%00b", "%FF"])
def test_a_table_name_that_could_leave_its_folder_is_a_table_that_is_not_there(
    http: httpx.Client, namespace: str, path: str
) -> None:
    for method in ("GET", "DELETE"):
        missing = http.request(method, f"/namespaces/{namespace}/tables/{path}?purgeRequested=true")
        assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NoSuchTableException")

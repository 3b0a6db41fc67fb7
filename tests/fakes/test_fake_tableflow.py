"""The fake's Tableflow and integrations, by plain httpx; its catalog, by the real readers PyIceberg and httpx."""

from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import Flink, client

TOPICS = "/tableflow/v1/tableflow-topics"
CATALOGS = "/tableflow/v1/catalog-integrations"
PROVIDERS = "/pim/v1/integrations"
ROLE = "arn:aws:iam::000000000000:role/lake"


@pytest.fixture
def scope(cloud: FakeConfluentCloud) -> dict[str, str]:
    """What GET and DELETE need in their query."""
    return {"environment": cloud.environment, "spec.kafka_cluster": cloud.cluster_id}


@pytest.fixture
def spec(cloud: FakeConfluentCloud) -> dict[str, Any]:
    """What POST and PATCH need in their body."""
    cloud.add_topic("revenue_summary")
    place = {"environment": {"id": cloud.environment}, "kafka_cluster": {"id": cloud.cluster_id}}
    return place | {"display_name": "revenue_summary", "storage": {"kind": "Managed"}}


def status(http: httpx.Client, scope: dict[str, str], topic: str = "revenue_summary") -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"{TOPICS}/{topic}", params=scope).raise_for_status().json()["status"]
    return found


def test_a_topic_is_accepted_pending_and_runs_a_little_later(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str], flink: Flink
) -> None:
    made = control_plane.post(TOPICS, json={"spec": spec})
    assert (made.status_code, made.json()["status"]["phase"]) == (202, "PENDING")
    assert made.headers["location"].endswith("/revenue_summary")

    flink.clock.advance(flink.cloud.delays.tableflow)
    assert status(control_plane, scope)["phase"] == "RUNNING"
    assert status(control_plane, scope)["write_mode"] == "APPEND"
    assert control_plane.post(TOPICS, json={"spec": spec}).status_code == 409


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"storage": {"kind": "BYOB", "bucket_name": "b"}}, 422),
        ({"storage": {"kind": "ByobAws", "bucket_name": "b"}}, 422),
        ({"environment": "env-abc123"}, 422),
        ({"kafka_cluster": {"id": "lkc-other"}}, 404),
        ({"display_name": "nothing"}, 404),
        ({"config": {"retention_ms": 604800000}}, 400),
        ({"config": {"retention_ms": "60"}}, 422),
        ({"config": {"error_handling": {"mode": "IGNORE"}}}, 422),
        ({"table_formats": []}, 422),
    ],
)
def test_a_wrong_body_is_refused(
    control_plane: httpx.Client, spec: dict[str, Any], change: dict[str, Any], code: int
) -> None:
    assert control_plane.post(TOPICS, json={"spec": spec | change}).status_code == code


def test_a_body_without_spec_is_refused(control_plane: httpx.Client, spec: dict[str, Any]) -> None:
    assert control_plane.post(TOPICS, json=spec).status_code == 400


def test_reading_and_deleting_need_both_query_parameters(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str]
) -> None:
    control_plane.post(TOPICS, json={"spec": spec}).raise_for_status()
    for method in ("GET", "DELETE"):
        for name in scope:
            response = control_plane.request(method, f"{TOPICS}/revenue_summary", params={name: scope[name]})
            assert response.status_code == 400

    assert control_plane.delete(f"{TOPICS}/revenue_summary", params=scope).status_code == 204
    assert control_plane.get(f"{TOPICS}/revenue_summary", params=scope).status_code == 404


def test_a_change_says_in_its_body_where_it_is(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str]
) -> None:
    control_plane.post(TOPICS, json={"spec": spec}).raise_for_status()
    place = {key: spec[key] for key in ("environment", "kafka_cluster")}
    one = f"{TOPICS}/revenue_summary"
    longer = {"config": {"retention_ms": "864000000"}}

    assert control_plane.patch(one, params=scope, json={"spec": longer}).status_code == 422
    assert control_plane.patch(one, json={"spec": place | {"suspended": True}}).status_code == 422
    assert control_plane.patch(one, json={"spec": place | {"storage": {"kind": "ByobAws"}}}).status_code == 422
    changed = control_plane.patch(one, json={"spec": place | longer})
    assert changed.status_code == 200
    assert changed.json()["spec"]["config"]["retention_ms"] == "864000000"


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ("'changelog.mode' = 'append'", "APPEND"),
        ("'changelog.mode' = 'upsert', 'kafka.cleanup-policy' = 'compact'", "UPSERT"),
        ("'changelog.mode' = 'upsert', 'kafka.cleanup-policy' = 'delete-compact'", "UPSERT"),
        ("'changelog.mode' = 'upsert'", ""),
        ("'changelog.mode' = 'retract'", ""),
    ],
)
def test_the_write_mode_follows_changelog_and_cleanup_or_fails(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str], flink: Flink, options: str, mode: str
) -> None:
    flink.run("make", f"CREATE TABLE orders (id INT PRIMARY KEY NOT ENFORCED, n INT) WITH ({options})")
    control_plane.post(TOPICS, json={"spec": spec | {"display_name": "orders"}}).raise_for_status()
    flink.clock.advance(1)
    found = status(control_plane, scope, "orders")

    if mode:
        assert (found["phase"], found["write_mode"]) == ("RUNNING", mode)
    else:
        assert found["phase"] == "FAILED"
        assert "does not support" in found["error_message"]


def test_another_changelog_mode_after_the_start_fails(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str], flink: Flink
) -> None:
    flink.run("make", "CREATE TABLE t (id INT PRIMARY KEY NOT ENFORCED, n INT) WITH ('changelog.mode' = 'append')")
    control_plane.post(TOPICS, json={"spec": spec | {"display_name": "t"}}).raise_for_status()
    flink.run("change", "ALTER TABLE t SET ('changelog.mode' = 'upsert', 'kafka.cleanup-policy' = 'compact')")
    flink.clock.advance(1)

    assert "from APPEND to UPSERT" in status(control_plane, scope, "t")["error_message"]


def test_a_test_fails_and_suspends_and_a_client_resumes(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str], flink: Flink
) -> None:
    flink.cloud.fail_tableflow("revenue_summary", "No access to the bucket")
    control_plane.post(TOPICS, json={"spec": spec}).raise_for_status()
    flink.clock.advance(1)
    assert status(control_plane, scope)["error_message"] == "No access to the bucket"
    assert status(control_plane, scope)["failing_table_formats"][0]["format"] == "ICEBERG"

    flink.cloud.suspend_tableflow("revenue_summary", "a record with a null value")
    place = {key: spec[key] for key in ("environment", "kafka_cluster")}
    body = {"spec": place | {"suspended": False}}
    control_plane.patch(f"{TOPICS}/revenue_summary", json=body).raise_for_status()
    flink.clock.advance(1)
    assert status(control_plane, scope)["phase"] == "RUNNING"


def test_lists_are_paged(control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str]) -> None:
    control_plane.post(TOPICS, json={"spec": spec}).raise_for_status()

    assert control_plane.get(TOPICS).status_code == 400
    listed = control_plane.get(TOPICS, params=scope).json()
    assert (listed["kind"], [one["spec"]["display_name"] for one in listed["data"]]) == (
        "TableflowTopicList",
        ["revenue_summary"],
    )
    assert "next" not in listed["metadata"]


def test_a_bucket_of_ones_own_needs_an_integration_that_then_cannot_go(
    cloud: FakeConfluentCloud, control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str]
) -> None:
    environment = {"environment": cloud.environment}
    assert control_plane.get(PROVIDERS, params=environment).status_code == 403  # it takes the cloud key
    with client(cloud.control_plane_url, cloud.cloud_key) as http:
        config = {"kind": "AwsIntegrationConfig", "customer_iam_role_arn": ROLE}
        body = {"display_name": "lake", "config": config, "environment": {"id": cloud.environment}}
        made = http.post(PROVIDERS, json=body)
        assert made.status_code == 201
        one = f"{PROVIDERS}/{made.json()['id']}"
        storage = {"kind": "ByobAws", "bucket_name": "b", "provider_integration_id": made.json()["id"]}
        control_plane.post(TOPICS, json={"spec": spec | {"storage": storage}}).raise_for_status()

        assert http.delete(one, params=environment).status_code == 409
        control_plane.delete(f"{TOPICS}/revenue_summary", params=scope).raise_for_status()
        assert http.delete(one, params=environment).status_code == 204


def test_a_catalog_connects_and_keeps_its_secret(
    control_plane: httpx.Client, spec: dict[str, Any], scope: dict[str, str], flink: Flink
) -> None:
    secret = {"client_id": "id", "client_secret": "hidden", "endpoint": "https://snow.example"}
    config = {"kind": "Snowflake", "warehouse": "w", "allowed_scope": "s"} | secret
    made = control_plane.post(CATALOGS, json={"spec": spec | {"display_name": "snow", "config": config}})
    assert (made.status_code, made.json()["status"]["phase"]) == (202, "PENDING")

    flink.clock.advance(1)
    found = control_plane.get(f"{CATALOGS}/{made.json()['id']}", params=scope)
    assert found.json()["status"]["phase"] == "CONNECTED"
    assert "hidden" not in made.text + found.text
    flink.cloud.fail_catalog_integration("snow", "No such warehouse")
    listed = control_plane.get(CATALOGS, params=scope).json()["data"]
    assert listed[0]["status"] == {"phase": "FAILED", "error_message": "No such warehouse"}
    assert control_plane.delete(f"{CATALOGS}/{made.json()['id']}", params=scope).status_code == 204


# the Iceberg catalog


@pytest.mark.parametrize("topic", ["revenue_summary", "shiftleft.public.orders"])
def test_pyiceberg_reads_what_tableflow_wrote(cloud: FakeConfluentCloud, topic: str) -> None:
    rows = pa.table({"id": [1, 2]})
    cloud.iceberg_catalog.create_table((cloud.cluster_id, topic), rows.schema).append(rows)
    url = cloud.tableflow_catalog_url
    credential = ":".join(cloud.tableflow_key)
    login = {"credential": credential, "oauth2-server-uri": f"{url}/v1/oauth/tokens"}
    catalog = load_catalog("tableflow", type="rest", uri=url, **login)

    assert catalog.list_tables(cloud.cluster_id) == [(cloud.cluster_id, topic)]
    assert catalog.load_table((cloud.cluster_id, topic)).scan().to_arrow() == rows
    catalog.close()


def test_the_catalog_takes_basic_logins_too_and_nothing_without_one(cloud: FakeConfluentCloud) -> None:
    tokens = f"{cloud.tableflow_catalog_url}/v1/oauth/tokens"
    grant = {"grant_type": "client_credentials", "scope": "catalog"}
    with client(cloud.tableflow_catalog_url, None) as http:
        assert http.get("/v1/namespaces").status_code == 401
        assert http.post(tokens, data=grant, auth=cloud.flink_key).json()["error"] == "invalid_client"
        wrong_scope = http.post(tokens, data=grant | {"scope": "PRINCIPAL_ROLE:ALL"}, auth=cloud.tableflow_key)
        assert wrong_scope.json()["error"] == "invalid_scope"
        token = http.post(tokens, data=grant, auth=cloud.tableflow_key).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert http.get("/v1/namespaces", headers=bearer).json() == {"namespaces": [[cloud.cluster_id]]}
        assert http.post("/v1/namespaces", headers=bearer, json={"namespace": ["x"]}).status_code == 403

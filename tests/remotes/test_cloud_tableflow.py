"""Tables of topics and the catalogs that show them, in exactly the shapes of Tableflow's interface."""

from typing import Any

import httpx
import pytest

from dashboard.errors import DeployError, SettingsError
from dashboard.remotes.cloud_errors import Conflict
from dashboard.remotes.cloud_tableflow import DAY_MS, MANAGED, CloudTableflow, ErrorHandling, own_bucket
from tests.remotes.scripted import CUT, KEY, SECRET, Script, done, refused

API = "https://api.confluent.cloud"
BOTH = {"environment": "env-1", "spec.kafka_cluster": "lkc-1"}
OWNER = {"environment": {"id": "env-1"}, "kafka_cluster": {"id": "lkc-1"}}
GONE = refused(404, "not found")
TOPIC: dict[str, Any] = {
    "kind": "TableflowTopic",
    "spec": {
        "display_name": "revenue_summary",
        "suspended": False,
        "storage": {
            "kind": "ByobAws",
            "bucket_name": "b",
            "provider_integration_id": "cspi-1",
            "table_path": "s3://b//1/2",
            "bucket_region": "us-east-1",
        },
        "table_formats": ["ICEBERG"],
        "config": {"retention_ms": "9223372036854775808", "error_handling": {"mode": "LOG", "target": "error_log"}},
        **OWNER,
    },
    "status": {
        "phase": "FAILED",
        "error_message": "Suspended.",
        "failing_table_formats": [{"format": "ICEBERG", "error_message": "No access."}],
        "catalog_sync_statuses": [
            {"catalog_type": "AWS_GLUE", "sync_status": "FAILED", "error_message": "No database."}
        ],
        "write_mode": "UPSERT",
    },
}
INTEGRATION: dict[str, Any] = {
    "id": "tci-1",
    "spec": {
        "display_name": "glue",
        "config": {"kind": "AwsGlue", "provider_integration_id": "cspi-1", "custom_database": "sales"},
        **OWNER,
    },
    "status": {"phase": "CONNECTED", "last_sync_at": "x"},
}


def tableflow(script: Script) -> CloudTableflow:
    return CloudTableflow(
        API,
        KEY,
        SECRET,
        "env-1",
        "lkc-1",
        key_setting="SALES_STAGING__TABLEFLOW_API_KEY",
        transport=script.transport,
        pace=script.pace,
    )


def test_topics_are_listed_page_after_page() -> None:
    following = {"next": f"{API}/tableflow/v1/tableflow-topics?page_token=t"}
    script = Script(done(data=[TOPIC], metadata=following), done(data=[TOPIC], metadata={}))
    assert [topic.name for topic in tableflow(script).topics()] == ["revenue_summary"] * 2
    assert script.params(0) == {**BOTH, "page_size": "100"}
    assert script.params(1) == {**BOTH, "page_size": "100", "page_token": "t"}


def test_a_topic_tells_its_table_and_all_its_faults() -> None:
    script = Script(done(**TOPIC))
    topic = tableflow(script).topic("shiftleft.public.orders")
    assert topic is not None
    assert (topic.storage, topic.table_path) == (own_bucket("b", "cspi-1"), "s3://b//1/2")
    assert (topic.retention_ms, topic.error_handling) == (9223372036854775808, ErrorHandling("LOG", "error_log"))
    assert (topic.phase, topic.write_mode, topic.suspended) == ("FAILED", "UPSERT", False)
    assert topic.faults == ("Suspended.", "No access.", "No database.")
    assert script.asked == ["GET shiftleft.public.orders"]
    assert script.params() == BOTH


def test_a_topic_that_has_just_begun_may_tell_nothing_yet() -> None:
    script = Script(done(spec={"display_name": "x", "storage": {"kind": "Managed"}}, status={"phase": "PENDING"}))
    topic = tableflow(script).topic("x")
    assert topic is not None
    assert (topic.storage, topic.write_mode, topic.faults, topic.retention_ms) == (MANAGED, "", (), None)


def test_a_topic_without_a_table_is_none() -> None:
    assert tableflow(Script(GONE)).topic("x") is None


def test_a_table_in_confluents_storage_is_asked_for_by_the_topics_name() -> None:
    script = Script(httpx.Response(202, json=TOPIC))
    tableflow(script).create("revenue_summary")
    assert script.requests[0].url.path == "/tableflow/v1/tableflow-topics"
    assert script.params() == {}
    assert script.body() == {
        "spec": {
            "display_name": "revenue_summary",
            "storage": {"kind": "Managed"},
            "table_formats": ["ICEBERG"],
            "environment": {"id": "env-1"},
            "kafka_cluster": {"id": "lkc-1"},
            "config": {"retention_ms": "604800000", "error_handling": {"mode": "SUSPEND"}},
        }
    }


def test_a_table_in_our_own_bucket_names_it() -> None:
    script = Script(done(**TOPIC))
    handling = ErrorHandling("LOG", "error_log")
    tableflow(script).create("x", own_bucket("b", "cspi-1"), retention_ms=DAY_MS, error_handling=handling)
    spec = script.body()["spec"]
    assert spec["storage"] == {"kind": "ByobAws", "bucket_name": "b", "provider_integration_id": "cspi-1"}
    assert spec["config"] == {
        "retention_ms": "86400000",
        "error_handling": {"mode": "LOG", "target": "error_log"},
    }


def test_a_retention_below_a_day_is_never_sent() -> None:
    for ask in (tableflow(Script()).create, tableflow(Script()).update):
        with pytest.raises(DeployError, match="a day"):
            ask("x", retention_ms=DAY_MS - 1)


def test_a_table_whose_making_was_cut_is_found() -> None:
    script = Script(CUT, done(**TOPIC))
    assert tableflow(script).create("revenue_summary").name == "revenue_summary"
    assert script.asked == ["POST tableflow-topics", "GET revenue_summary"]


def test_a_topic_that_has_a_table_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        tableflow(Script(refused(409, "already enabled"))).create("x")


def test_a_change_carries_its_place_in_the_body_and_only_what_changes() -> None:
    script = Script(done(), done(), done())
    cloud = tableflow(script)
    cloud.update("x", retention_ms=2 * DAY_MS)
    assert script.body() == {"spec": {**OWNER, "config": {"retention_ms": "172800000"}}}
    cloud.update("x", error_handling=ErrorHandling("SKIP"))
    assert script.body() == {"spec": {**OWNER, "config": {"error_handling": {"mode": "SKIP"}}}}
    cloud.update("x", resume=True)
    assert script.body() == {"spec": {**OWNER, "suspended": False}}
    assert script.asked == ["PATCH x"] * 3
    assert script.params() == {}
    assert script.requests[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("answers", [[httpx.Response(204)], [GONE], [CUT, GONE]])
def test_ending_a_table_names_its_place_and_is_done_when_it_is_gone(
    answers: list[httpx.Response | Exception],
) -> None:
    script = Script(*answers)
    tableflow(script).delete("x")
    assert script.params() == BOTH
    assert script.requests[-1].method == "DELETE"


def test_integrations_are_listed_whatever_their_kind() -> None:
    snowflake = {"id": "tci-2", "spec": {"display_name": "s", "config": {"kind": "Snowflake"}}, "status": None}
    script = Script(done(data=[INTEGRATION, snowflake], metadata={}))
    glue, other = tableflow(script).integrations()
    assert (glue.id, glue.name, glue.kind, glue.provider_integration, glue.database, glue.phase) == (
        "tci-1",
        "glue",
        "AwsGlue",
        "cspi-1",
        "sales",
        "CONNECTED",
    )
    assert (other.kind, other.phase) == ("Snowflake", "")
    assert script.params() == {**BOTH, "page_size": "100"}


@pytest.mark.parametrize(("database", "named"), [("", {}), ("sales", {"custom_database": "sales"})])
def test_glue_is_told_of_the_tables(database: str, named: dict[str, str]) -> None:
    script = Script(done(**INTEGRATION))
    tableflow(script).create_glue_integration("glue", "cspi-1", database)
    config = {"kind": "AwsGlue", "provider_integration_id": "cspi-1", **named}
    assert script.body() == {"spec": {"display_name": "glue", **OWNER, "config": config}}


def test_an_integration_whose_making_was_cut_is_found_by_its_name() -> None:
    script = Script(CUT, done(data=[INTEGRATION]))
    assert tableflow(script).create_glue_integration("glue", "cspi-1").id == "tci-1"
    other = Script(CUT, done(data=[]), done(**INTEGRATION))
    tableflow(other).create_glue_integration("glue", "cspi-1")
    assert other.asked == ["POST catalog-integrations", "GET catalog-integrations", "POST catalog-integrations"]


def test_an_integration_is_deleted_with_its_place() -> None:
    script = Script(GONE)
    tableflow(script).delete_integration("tci-1")
    assert (script.asked, script.params()) == (["DELETE tci-1"], BOTH)


def test_a_key_that_is_not_taken_is_the_tableflow_api_key() -> None:
    with pytest.raises(SettingsError) as caught:
        tableflow(Script(refused(401, "no"))).topics()
    assert "the Tableflow API key in SALES_STAGING__TABLEFLOW_API_KEY" in caught.value.hint

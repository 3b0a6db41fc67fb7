"""The fake's statements API, by plain httpx: what the published API says, and where clients go wrong."""

from typing import Any
from urllib.parse import parse_qs, urlparse

import httpx
import pytest

from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import Flink, client

PAYMENTS = "CREATE TABLE payments (order_id INT NOT NULL, amount DOUBLE)"
UNIQUE = "CREATE TABLE unique_payments AS SELECT order_id, amount FROM payments"


@pytest.fixture
def job(flink: Flink) -> Flink:
    """A CREATE TABLE … AS named `unique` that runs."""
    flink.run("payments", PAYMENTS)
    flink.run("unique", UNIQUE)
    return flink


def phase(flink: Flink, name: str) -> str:
    return str(flink.get(name)["status"]["phase"])


def detail(response: httpx.Response) -> str:
    return " ".join(error["detail"] for error in response.json()["errors"])


# who may


def test_a_wrong_key_is_401_and_a_cloud_key_403_both_in_the_errors_form(cloud: FakeConfluentCloud) -> None:
    path = f"/sql/v1/organizations/{cloud.organization}/environments/{cloud.environment}/statements"
    for key, status in ((None, 401), ((cloud.flink_key[0], "wrong"), 401), (cloud.cloud_key, 403)):
        with client(cloud.flink_url, key) as http:
            response = http.get(path)
        assert response.status_code == status
        assert response.json()["errors"][0]["status"] == str(status)


def test_another_organization_or_environment_is_not_found(cloud: FakeConfluentCloud) -> None:
    with client(cloud.flink_url, cloud.flink_key) as http:
        for place in (f"x/environments/{cloud.environment}", f"{cloud.organization}/environments/env-other"):
            assert http.get(f"/sql/v1/organizations/{place}/statements").status_code == 404


def test_each_service_answers_on_a_port_of_its_own(cloud: FakeConfluentCloud) -> None:
    with client(cloud.flink_url, cloud.registry_key) as http:
        assert http.get("/subjects").status_code == 404


# creating


def test_a_created_statement_is_pending_without_traits_and_has_a_location(flink: Flink) -> None:
    response = flink.post("payments", PAYMENTS)

    assert response.status_code == 201
    assert response.json()["status"]["phase"] == "PENDING"
    assert "traits" not in response.json()["status"]
    assert response.headers["location"].endswith("/statements/payments")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "Upper"}, "/name"),
        ({"name": "under_score"}, "/name"),
        ({"name": "a" * 101}, "/name"),
        ({"spec": {"statement": ""}}, "/spec/statement"),
        ({"spec": {"statement": "SELECT 1", "properties": {"sql.state-ttl": 3600}}}, "/spec/properties"),
        ({"spec": {"statement": "SELECT 1", "principal": {"id": "sa-1"}}}, "/spec/principal"),
        ({"spec": {"statement": "SELECT 1", "compute_pool": {"id": "lfcp-1"}}}, "/spec/compute_pool"),
        ({"metadata": {"labels": {"mine": "true"}}}, "/metadata/labels"),
        ({"environment_id": "env-other"}, "/environment_id"),
    ],
)
def test_a_wrong_body_is_refused_with_a_pointer_to_what_is_wrong(flink: Flink, change: Any, pointer: str) -> None:
    body = {"name": "fine", "spec": {"statement": "SELECT 1"}} | change
    response = flink.http.post("/statements", json=body)

    assert response.status_code in (400, 422)
    assert response.json()["errors"][0]["source"] == {"pointer": pointer}


def test_an_unknown_compute_pool_is_not_found(flink: Flink) -> None:
    assert flink.post("one", "SELECT 1", compute_pool_id="lfcp-other").status_code == 404


def test_text_comes_back_in_one_line_and_labels_as_they_were_sent(flink: Flink) -> None:
    labels = {"user.confluent.io/hash": "sha256:0a"}
    sql = "-- the payments\nCREATE   TABLE payments (\n  note STRING COMMENT 'two  spaces'\n);"
    body = {"name": "one", "metadata": {"labels": labels}, "spec": {"statement": sql}}
    answer = flink.http.post("/statements", json=body).json()

    assert answer["spec"]["statement"] == "CREATE TABLE payments ( note STRING COMMENT 'two  spaces' )"
    assert answer["metadata"]["labels"] == labels


def test_a_name_stays_taken_in_every_phase_until_the_delete_is_done(flink: Flink) -> None:
    flink.run("one", "DROP TABLE nothing")
    assert phase(flink, "one") == "FAILED"
    assert flink.post("one", PAYMENTS).status_code == 409

    assert flink.http.delete("/statements/one").status_code == 202
    assert phase(flink, "one") == "DELETING"
    assert flink.post("one", PAYMENTS).status_code == 409

    flink.clock.advance(flink.cloud.delays.deleting)
    gone = flink.http.get("/statements/one")
    assert gone.status_code == 404
    assert gone.json()["errors"][0].keys() == {"status", "detail", "source"}
    assert flink.post("one", PAYMENTS).status_code == 201


# phases


def test_ddl_completes_while_what_writes_a_table_runs(job: Flink) -> None:
    job.run("insert", "INSERT INTO unique_payments SELECT order_id, amount FROM payments")

    assert phase(job, "payments") == "COMPLETED"
    assert phase(job, "unique") == phase(job, "insert") == "RUNNING"
    assert job.get("unique")["status"]["traits"]["is_bounded"] is True  # wrongly, as the real one
    assert job.get("insert")["status"]["traits"]["is_bounded"] is False


def test_a_failed_statement_says_why_and_has_no_traits(flink: Flink) -> None:
    status = flink.run("insert", "INSERT INTO nowhere SELECT 1")["status"]

    assert status["phase"] == "FAILED"
    assert "nowhere' does not exist" in status["detail"]
    assert "traits" not in status


def test_a_test_fails_a_statement_before_or_after_it_starts(job: Flink) -> None:
    job.cloud.fail_statement("unique", "out of memory")
    job.cloud.fail_statement("late", "no permission")
    job.run("late", "SHOW TABLES")

    assert [job.get(name)["status"]["detail"] for name in ("unique", "late")] == ["out of memory", "no permission"]


@pytest.mark.parametrize("unusual", ["FAILING", "DEGRADED", "HIBERNATING"])
def test_phases_nobody_expects_are_shown_with_traits(job: Flink, unusual: str) -> None:
    job.cloud.set_phase("unique", unusual, "restarting")

    assert job.get("unique")["status"]["phase"] == unusual
    assert job.get("unique")["status"]["traits"]["sql_kind"] == "CREATE_TABLE_AS"


def test_pending_with_a_detail_is_no_failure(flink: Flink) -> None:
    flink.post("one", "SHOW TABLES")
    flink.cloud.set_phase("one", "PENDING", "The server is busy, retrying.")
    flink.clock.advance(60)

    assert flink.get("one")["status"]["phase"] == "PENDING"


def test_an_exhausted_pool_keeps_statements_pending_until_it_has_room(flink: Flink) -> None:
    flink.cloud.exhaust_pool()
    status = flink.run("one", PAYMENTS)["status"]
    assert (status["phase"], status["scaling_status"]["scaling_state"]) == ("PENDING", "POOL_EXHAUSTED")

    flink.cloud.free_pool()
    flink.clock.advance(flink.cloud.delays.pending)
    assert phase(flink, "one") == "COMPLETED"


def test_warnings_are_shown(job: Flink) -> None:
    job.cloud.add_warning("unique", "CRITICAL", "MISSING_WATERMARK", "No watermark.")

    assert job.get("unique")["status"]["warnings"][0]["severity"] == "CRITICAL"


def test_offsets_are_text_and_at_first_none_with_the_year_one(job: Flink) -> None:
    status = job.get("unique")["status"]
    assert (status["latest_offsets"], status["latest_offsets_timestamp"]) == ({}, "0001-01-01T00:00:00Z")

    job.cloud.set_offsets("unique", {"payments": "partition:0,offset:9223372036854775808"})
    assert job.get("unique")["status"]["latest_offsets"]["payments"] == "partition:0,offset:9223372036854775808"


def test_exceptions_are_the_ten_newest_newest_first(job: Flink) -> None:
    for number in range(12):
        job.cloud.add_exception("unique", f"number {number}")
    listed = job.http.get("/statements/unique/exceptions").json()["data"]

    assert [one["message"] for one in listed] == [f"number {number}" for number in range(11, 1, -1)]


def test_carrying_offsets_over_waits_for_the_other_statement_to_stop(job: Flink) -> None:
    after = {"sql.tables.initial-offset-from": "unique"}
    again = job.run("again", "INSERT INTO unique_payments SELECT * FROM payments", **after)
    assert again["status"]["phase"] == "PENDING"

    job.cloud.stop_as("unique", "u-other")
    job.clock.advance(1)
    assert phase(job, "again") == "RUNNING"


# changing


def test_the_answer_to_a_stop_still_shows_the_phase_as_it_was(job: Flink) -> None:
    answer = job.patch("unique", "/spec/stopped", True)
    assert answer.status_code == 200
    assert (answer.json()["spec"]["stopped"], answer.json()["status"]["phase"]) == (True, "RUNNING")

    job.clock.advance(job.cloud.delays.stopping)
    assert phase(job, "unique") == "STOPPED"


def test_a_patch_in_plain_json_is_refused(job: Flink) -> None:
    operation = [{"op": "replace", "path": "/spec/stopped", "value": True}]

    assert job.http.patch("/statements/unique", json=operation).status_code == 415
    assert phase(job, "unique") == "RUNNING"


def test_an_ended_statement_takes_a_stop_and_keeps_its_phase(job: Flink) -> None:
    assert job.patch("payments", "/spec/stopped", True).status_code == 200
    job.clock.advance(1)

    assert phase(job, "payments") == "COMPLETED"


def test_a_put_of_the_whole_object_stops_and_has_no_body(job: Flink) -> None:
    whole = job.get("unique")
    whole["spec"]["stopped"] = True
    answer = job.http.put("/statements/unique", json=whole)

    assert (answer.status_code, answer.content) == (202, b"")
    job.clock.advance(1)
    assert phase(job, "unique") == "STOPPED"


def test_a_put_of_a_version_read_before_a_change_is_a_conflict(job: Flink) -> None:
    whole = job.get("unique")
    job.cloud.set_phase("unique", "DEGRADED")
    whole["spec"]["stopped"] = True

    assert job.http.put("/statements/unique", json=whole).status_code == 409


@pytest.mark.parametrize("part", ["statement", "properties", "compute_pool_id", "principal"])
def test_a_stop_changes_nothing_else(job: Flink, part: str) -> None:
    whole = job.get("unique")
    whole["spec"]["stopped"] = True
    del whole["spec"][part]

    assert job.http.put("/statements/unique", json=whole).status_code == 422
    assert phase(job, "unique") == "RUNNING"


@pytest.mark.parametrize("missing", ["name", "metadata", "spec"])
def test_a_put_of_a_part_is_refused(job: Flink, missing: str) -> None:
    whole = job.get("unique")
    del whole[missing]

    assert job.http.put("/statements/unique", json=whole).status_code == 422


def test_a_resume_may_change_principal_and_pool(job: Flink) -> None:
    job.patch("unique", "/spec/stopped", True)
    assert job.patch("unique", "/spec/stopped", False).status_code == 409  # it is not stopped yet
    job.clock.advance(job.cloud.delays.stopping)
    job.cloud.compute_pools.add("lfcp-2")
    whole = job.get("unique")
    whole["spec"] |= {"stopped": False, "principal": "sa-2", "compute_pool_id": "lfcp-2"}

    assert job.http.put("/statements/unique", json=whole).status_code == 202
    assert phase(job, "unique") == "PENDING"
    job.clock.advance(job.cloud.delays.pending)
    resumed = job.get("unique")
    assert (resumed["status"]["phase"], resumed["spec"]["principal"]) == ("RUNNING", "sa-2")


def test_somebody_else_stops_a_statement(job: Flink) -> None:
    job.cloud.stop_as("unique", "u-other")

    stopped = job.get("unique")
    assert (stopped["spec"]["stopped"], stopped["status"]["phase"]) == (True, "STOPPED")
    assert "u-other" in stopped["status"]["detail"]


# lists


def test_lists_come_in_pages_of_ten_with_an_absolute_address_of_the_next(flink: Flink) -> None:
    for number in range(12):
        flink.post(f"s{number:02}", "SHOW TABLES")
    first = flink.http.get("/statements").json()
    following = urlparse(first["metadata"]["next"])
    token = parse_qs(following.query)["page_token"][0]
    second = flink.http.get("/statements", params={"page_token": token}).json()

    assert f"{following.scheme}://{following.netloc}" == flink.cloud.flink_url
    assert [one["name"] for one in first["data"] + second["data"]] == [f"s{number:02}" for number in range(12)]
    assert not second["metadata"]["next"]


@pytest.mark.parametrize("query", [{"page_size": "101"}, {"page_size": "0"}, {"page_token": "%%%"}])
def test_a_page_that_cannot_be_is_refused_naming_the_parameter(flink: Flink, query: dict[str, str]) -> None:
    response = flink.http.get("/statements", params=query)

    assert response.status_code == 400
    assert response.json()["errors"][0]["source"]["parameter"] in query


def test_lists_select_by_label_and_by_pool(flink: Flink) -> None:
    mine = {"user.confluent.io/daily-sales": "true"}
    body = {"name": "mine", "metadata": {"labels": mine}, "spec": {"statement": "SHOW TABLES"}}
    flink.http.post("/statements", json=body)
    flink.post("other", "SHOW TABLES")

    def names(**query: str) -> list[str]:
        return [one["name"] for one in flink.http.get("/statements", params=query).json()["data"]]

    assert names(label_selector="user.confluent.io/daily-sales=true") == ["mine"]
    assert names(**{"spec.compute_pool_id": "lfcp-other"}) == []
    assert names(statement_name_search_query="other") == ["mine", "other"]  # ignored without the next
    assert names(statement_name_search_query="other", time_ordered="true") == ["other"]


def test_lists_show_a_deleted_statement_a_little_longer(job: Flink) -> None:
    job.http.delete("/statements/unique")
    job.clock.advance(job.cloud.delays.deleting)
    assert job.http.get("/statements/unique").status_code == 404
    assert "unique" in [one["name"] for one in job.http.get("/statements").json()["data"]]

    job.clock.advance(job.cloud.delays.listed_after_delete)
    assert "unique" not in [one["name"] for one in job.http.get("/statements").json()["data"]]


def test_a_purge_forgets_finished_ddl_and_nothing_that_writes(job: Flink) -> None:
    job.cloud.stop_as("unique", "u-other")
    job.cloud.purge_finished()

    assert list(job.cloud.statements) == ["unique"]
    assert {"payments", "unique_payments"} <= job.cloud.tables.keys()


# results


def test_results_begin_with_an_empty_page_and_end_without_a_next(flink: Flink) -> None:
    flink.cloud.add_topic("payments")
    flink.cloud.script_rows("COUNT", ["n"], [[61], [None]])
    flink.cloud.flink.results_page_size = 1
    flink.run("count", "SELECT COUNT(*) FROM payments")
    first = flink.http.get("/statements/count/results").json()

    assert first["results"]["data"] == []
    assert first["metadata"]["next"].startswith(flink.cloud.flink_url)
    assert flink.rows("count") == [["61"], [None]]


def test_an_unbounded_query_runs_and_always_has_a_next_page(flink: Flink) -> None:
    flink.cloud.add_topic("payments")
    flink.run("select", "SELECT * FROM payments")

    assert phase(flink, "select") == "RUNNING"
    assert flink.http.get("/statements/select/results").json()["metadata"]["next"]


# dry runs


def test_a_dry_run_is_answered_at_once_with_an_empty_uid_and_not_kept(flink: Flink) -> None:
    answer = flink.post("dry", PAYMENTS, {"sql.dry-run": "true"}).json()

    assert (answer["metadata"]["uid"], answer["status"]["phase"]) == ("", "COMPLETED")
    assert answer["status"]["traits"]["sql_kind"] == "CREATE_TABLE"
    assert flink.http.get("/statements/dry").status_code == 404
    assert flink.cloud.tables == {}
    assert flink.cloud.subjects == {}


def test_a_dry_run_finds_faults_and_can_be_refused(flink: Flink) -> None:
    flink.cloud.refuse_dry_run("revenue", "not enough privileges")
    for sql, reason in (("INSERT INTO t SELECT 1", "does not exist"), ("DROP TABLE revenue", "not enough")):
        status = flink.post("dry", sql, {"sql.dry-run": "true"}).json()["status"]
        assert status["phase"] == "FAILED"
        assert reason in status["detail"]

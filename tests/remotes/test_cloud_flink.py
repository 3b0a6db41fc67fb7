"""Statements on Confluent Cloud, with a service that answers in every way that it really does."""

from typing import Any

import httpx
import pytest

from dashboard.errors import DeployError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.remotes.cloud_errors import Conflict, NotFound, Refused
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_statement import Column
from tests.remotes.scripted import CUT, KEY, SECRET, Answer, Script, done, refused

FLINK = "https://flink.us-east-1.aws.confluent.cloud"
PATH = "/sql/v1/organizations/org-1/environments/env-1/statements"
TEXT = "INSERT INTO b SELECT * FROM a"
LABELS = {"user.confluent.io/sales-trends": "true"}
GONE = refused(404, "statement not found")


def flink(script: Script, **changed: str) -> CloudFlink:
    place = {"compute_pool": "lfcp-1", "principal": "sa-1", "catalog": "env-1", "database": "cluster_0"} | changed
    return CloudFlink(
        FLINK,
        KEY,
        SECRET,
        "org-1",
        "env-1",
        **place,
        key_setting="SALES_STAGING__FLINK_API_KEY",
        transport=script.transport,
        pace=script.pace,
    )


def answer(phase: str = "RUNNING", text: str = TEXT, detail: str = "", **more: Any) -> dict[str, Any]:
    spec = {"statement": text, "stopped": False, "principal": "sa-1", "compute_pool_id": "lfcp-1", "properties": {}}
    return {
        "name": "a-to-b",
        "metadata": {"resource_version": "7", "uid": "u", "labels": LABELS},
        "spec": spec | more.pop("spec", {}),
        "status": {"phase": phase, "detail": detail, "traits": more.pop("traits", {})},
        **more,
    }


def statement(*phase: str, **more: Any) -> httpx.Response:
    return done(**answer(*phase, **more))


# reading


def test_statements_are_listed_by_label_page_after_page() -> None:
    script = Script(
        done(data=[answer()], metadata={"next": f"{FLINK}{PATH}?page_token=t"}), done(data=[answer()], metadata={})
    )
    assert len(flink(script).statements("user.confluent.io/sales-trends=true")) == 2
    wanted = {"page_size": "100", "label_selector": "user.confluent.io/sales-trends=true"}
    assert [script.params(0), script.params(1)] == [wanted, {**wanted, "page_token": "t"}]
    assert script.requests[0].url.path == PATH


def test_one_that_is_not_there_is_none() -> None:
    assert flink(Script(GONE)).statement("a-to-b") is None


def test_a_key_that_is_not_taken_is_the_flink_api_key() -> None:
    with pytest.raises(SettingsError) as caught:
        flink(Script(refused(401, "unauthorized"))).statement("a-to-b")
    assert "the Flink API key in SALES_STAGING__FLINK_API_KEY" in caught.value.hint


def test_exceptions_come_newest_first() -> None:
    listed = [
        {"name": "E", "message": "first", "timestamp": "2026-11-22T08:00:00Z"},
        {"name": "E", "message": "last", "timestamp": "2026-11-22T10:00:00+01:00"},
        {"name": "NameOnly", "timestamp": None},
    ]
    assert flink(Script(done(data=listed))).exceptions("a-to-b") == ["last", "first", "NameOnly"]
    assert flink(Script(done(data=None))).exceptions("a-to-b") == []


@pytest.mark.parametrize("name", ["a_b", "a.b", "A"])
def test_a_wrong_name_is_never_sent(name: str) -> None:
    cloud = flink(Script())
    for ask in (cloud.statement, cloud.stop, cloud.resume, cloud.delete, cloud.exceptions):
        with pytest.raises(DeployError, match="cannot be a statement's name"):
            ask(name)
    with pytest.raises(DeployError, match="cannot be a statement's name"):
        cloud.create(name, TEXT, {}, {})


# creating


def test_a_statement_is_created_as_the_interface_describes() -> None:
    script = Script(httpx.Response(201, json=answer("PENDING")))
    made = flink(script).create("a-to-b", TEXT, {"sql.state-ttl": "3600 s", "sql.current-catalog": "other"}, LABELS)
    assert made.phase == "PENDING"
    assert script.body() == {
        "name": "a-to-b",
        "organization_id": "org-1",
        "environment_id": "env-1",
        "metadata": {"labels": LABELS},
        "spec": {
            "statement": TEXT,
            "compute_pool_id": "lfcp-1",
            "principal": "sa-1",
            "stopped": False,
            "properties": {
                "sql.state-ttl": "3600 s",
                "sql.current-catalog": "env-1",
                "sql.current-database": "cluster_0",
            },
        },
    }


def test_without_pool_and_principal_the_service_takes_its_own() -> None:
    script = Script(statement())
    flink(script, compute_pool="", principal="").create("a-to-b", TEXT, {}, {})
    assert not {"compute_pool_id", "principal"} & set(script.body()["spec"])


@pytest.mark.parametrize("trouble", [CUT, httpx.Response(500), httpx.Response(504)])
def test_after_a_cut_connection_the_statement_that_was_made_is_found(trouble: httpx.Response | Exception) -> None:
    script = Script(trouble, statement("PENDING", TEXT + " ;\n"))
    assert flink(script).create("a-to-b", TEXT, {}, {}).phase == "PENDING"
    assert script.asked == ["POST statements", "GET a-to-b"]


def test_after_a_cut_connection_one_that_was_not_made_is_made() -> None:
    script = Script(CUT, GONE, statement())
    flink(script).create("a-to-b", TEXT, {}, {})
    assert script.asked == ["POST statements", "GET a-to-b", "POST statements"]


def test_after_a_cut_connection_anothers_statement_is_not_taken_for_ours() -> None:
    script = Script(CUT, statement("RUNNING", "SELECT 1"), statement("RUNNING", "SELECT 1"))
    with pytest.raises(Conflict, match="a statement a-to-b with another text"):
        flink(script).create("a-to-b", TEXT, {}, {})


def test_after_a_cut_connection_one_that_is_being_deleted_is_not_ours() -> None:
    deleting = statement("DELETING")
    script = Script(CUT, deleting, refused(409, "being deleted"), deleting, deleting, GONE, statement("PENDING"))
    assert flink(script).create("a-to-b", TEXT, {}, {}).phase == "PENDING"
    assert script.asked.count("POST statements") == 3


def test_a_name_that_is_being_deleted_is_waited_for() -> None:
    conflict = refused(409, "The statement is being deleted")
    script = Script(conflict, statement("DELETING"), statement("DELETING"), GONE, conflict, GONE, statement())
    flink(script).create("a-to-b", TEXT, {}, {})
    assert script.asked.count("POST statements") == 3
    assert script.slept


def test_a_name_that_stays_in_deletion_is_given_up() -> None:
    script = Script(refused(409, "being deleted"), *[lambda _: statement("DELETING")] * 500)
    with pytest.raises(DeployError, match="a-to-b is still DELETING after"):
        flink(script).create("a-to-b", TEXT, {}, {})
    assert script.now <= 180


def test_a_name_that_is_refused_without_a_statement_is_given_up() -> None:
    answers: list[Answer] = [refused(409, "being deleted"), GONE]
    script = Script(*answers * 100)
    with pytest.raises(Conflict, match="being deleted"):
        flink(script).create("a-to-b", TEXT, {}, {})
    assert 100 < script.now <= 130


@pytest.mark.parametrize("phase", ["RUNNING", "FAILED", "COMPLETED", "STOPPED", "HIBERNATING"])
def test_a_name_that_is_taken_is_a_conflict_even_with_the_same_text(phase: str) -> None:
    script = Script(refused(409, "exists"), statement(phase))
    with pytest.raises(Conflict, match=r"refused to create the statement a-to-b: exists \(409\)") as caught:
        flink(script).create("a-to-b", TEXT, {}, {})
    assert "delete that statement first" in caught.value.hint
    assert script.asked == ["POST statements", "GET a-to-b"]


def test_a_statement_that_is_wrong_is_refused_once() -> None:
    script = Script(refused(422, "Table a does not exist."))
    with pytest.raises(Refused, match="Table a does not exist"):
        flink(script).create("a-to-b", TEXT, {}, {})
    assert script.asked == ["POST statements"]


def test_a_pending_statement_with_a_message_is_no_failure() -> None:
    script = Script(statement("PENDING", TEXT, "retrying"))
    assert flink(script).create("a-to-b", TEXT, {}, {}).detail == "retrying"


# trying out


def test_a_dry_run_is_answered_at_once_and_repeated_without_harm() -> None:
    script = Script(CUT, statement("COMPLETED", traits={"sql_kind": "INSERT_INTO", "is_append_only": True}))
    tried = flink(script).dry_run(TEXT, {"sql.state-ttl": "1 h"})
    assert tried.is_append_only is True
    assert script.asked == ["POST statements"] * 2
    assert script.body()["spec"]["properties"]["sql.dry-run"] == "true"
    assert script.body()["spec"]["properties"]["sql.state-ttl"] == "1 h"


@pytest.mark.parametrize(
    "refusal", [statement("FAILED", TEXT, "Column x is unknown."), refused(400, "Column x is unknown.")]
)
def test_a_dry_run_that_fails_tells_why(refusal: httpx.Response) -> None:
    with pytest.raises(DeployError, match="Column x is unknown"):
        flink(Script(refusal)).dry_run(TEXT)


# stopping and resuming


def test_stopping_writes_the_whole_statement_back() -> None:
    script = Script(statement(something_new={"kept": 1}), httpx.Response(202))
    flink(script).stop("a-to-b")
    whole = answer(something_new={"kept": 1})
    assert script.asked == ["GET a-to-b", "PUT a-to-b"]
    assert script.body() == {**whole, "spec": {**whole["spec"], "stopped": True}}
    assert script.body()["metadata"]["resource_version"] == "7"


def test_a_stale_version_is_fetched_again() -> None:
    newer = answer()
    newer["metadata"]["resource_version"] = "8"
    script = Script(statement(), refused(409, "changed"), done(**newer), httpx.Response(202))
    flink(script).stop("a-to-b")
    assert script.asked == ["GET a-to-b", "PUT a-to-b"] * 2
    assert script.body()["metadata"]["resource_version"] == "8"


def test_a_statement_that_changes_all_the_time_is_given_up() -> None:
    changing: list[Answer] = [lambda _: statement(), refused(409, "changed")]
    script = Script(*changing * 5)
    with pytest.raises(Conflict):
        flink(script).stop("a-to-b")
    assert len(script.asked) == 10


def test_a_stop_whose_answer_was_cut_is_not_done_twice() -> None:
    script = Script(statement(), CUT, refused(409, "changed"), statement(spec={"stopped": True}))
    flink(script).stop("a-to-b")
    assert script.asked == ["GET a-to-b", "PUT a-to-b", "PUT a-to-b", "GET a-to-b"]


def test_one_that_is_stopped_is_left_as_it_is() -> None:
    script = Script(statement(spec={"stopped": True}))
    flink(script).stop("a-to-b")
    assert script.asked == ["GET a-to-b"]


def test_resuming_may_change_principal_and_pool() -> None:
    script = Script(statement("STOPPED", spec={"stopped": True}), httpx.Response(202))
    flink(script).resume("a-to-b", "sa-2", "lfcp-2")
    spec = script.body()["spec"]
    assert (spec["stopped"], spec["principal"], spec["compute_pool_id"]) == (False, "sa-2", "lfcp-2")
    assert spec["statement"] == TEXT


def test_resuming_keeps_what_is_not_named() -> None:
    script = Script(statement("STOPPED", spec={"stopped": True}), httpx.Response(202))
    flink(script).resume("a-to-b")
    spec = script.body()["spec"]
    assert (spec["stopped"], spec["principal"], spec["compute_pool_id"]) == (False, "sa-1", "lfcp-1")


def test_what_is_not_there_cannot_be_stopped() -> None:
    with pytest.raises(NotFound, match="refused to stop the statement a-to-b"):
        flink(Script(GONE)).stop("a-to-b")


# deleting


@pytest.mark.parametrize("answers", [[httpx.Response(202)], [httpx.Response(204)], [GONE], [CUT, GONE]])
def test_deleting_what_is_gone_is_no_failure(answers: list[httpx.Response | Exception]) -> None:
    flink(Script(*answers)).delete("a-to-b")


def test_a_deletion_is_over_when_the_statement_is_gone() -> None:
    script = Script(statement("DELETING"), statement("DELETING"), GONE)
    flink(script).wait_deleted("a-to-b", 60)
    assert len(script.slept) == 2


def test_a_deletion_that_takes_too_long_is_told() -> None:
    with pytest.raises(DeployError, match="a-to-b is still DELETING after 30 s"):
        flink(Script(*[lambda _: statement("DELETING")] * 100)).wait_deleted("a-to-b", 30)


# asking

TRAITS = {
    "schema": {
        "columns": [
            {"name": "n", "type": {"type": "INTEGER", "nullable": False}},
            {"name": "t", "type": {"type": "VARCHAR"}},
        ]
    }
}


def page(*rows: Any, following: str | None = None) -> httpx.Response:
    link = f"https://other.example{PATH}/x/results?page_token={following}" if following else ""
    return done(results={"data": list(rows)}, metadata={"next": link})


def test_a_query_reads_every_page_and_leaves_nothing_behind() -> None:
    script = Script(
        statement("PENDING", traits=None),
        statement("PENDING", traits=None),
        statement("RUNNING", traits=TRAITS),
        page(following="1"),
        statement("RUNNING", traits=TRAITS),
        page({"op": 0, "row": ["1", None]}, following="2"),
        page({"row": ["2", ["a", ["b"]]]}),
        httpx.Response(202),
    )
    rows = flink(script).query("SELECT n, t FROM a", "look")
    assert rows == [{"n": "1", "t": None}, {"n": "2", "t": '["a", ["b"]]'}]
    name = script.body(0)["name"]
    assert name.startswith("look-")
    assert [one.url.path for one in script.requests][-1] == f"{PATH}/{name}"
    assert script.requests[-1].method == "DELETE"
    assert [request.url.params.get("page_token") for request in script.requests if "results" in request.url.path] == [
        None,
        "1",
        "2",
    ]
    assert {request.url.host for request in script.requests} == {"flink.us-east-1.aws.confluent.cloud"}


def test_every_query_has_a_name_of_its_own() -> None:
    names = []
    for _ in range(2):
        script = Script(statement("COMPLETED", traits=TRAITS), statement("COMPLETED", traits=TRAITS), page(), done())
        flink(script).query("SELECT 1", "n" * 100)
        names.append(script.body(0)["name"])
    assert names[0] != names[1]
    assert {len(name) for name in names} == {100}


def test_changes_of_an_answer_are_followed() -> None:
    changes = [
        {"op": 0, "row": ["1", "a"]},
        {"op": 0, "row": ["2", "b"]},
        {"op": 1, "row": ["1", "a"]},
        {"op": 2, "row": ["1", "c"]},
        {"op": 3, "row": ["2", "b"]},
    ]
    script = Script(statement("RUNNING"), statement("RUNNING", traits=TRAITS), page(*changes), done())
    assert flink(script).query("SELECT 1", "look") == [{"n": "1", "t": "c"}]


def test_a_query_that_fails_tells_why_and_is_deleted() -> None:
    script = Script(statement("PENDING"), statement("FAILED", TEXT, "Division by zero."), httpx.Response(202))
    with pytest.raises(DeployError, match="Flink did not answer look: Division by zero"):
        flink(script).query("SELECT 1", "look")
    assert script.requests[-1].method == "DELETE"


def test_a_query_that_fails_while_it_is_read_tells_why_and_is_deleted() -> None:
    running, failed = statement("RUNNING", traits=TRAITS), statement("FAILED", TEXT, "Out of memory.")
    script = Script(running, running, page(following="1"), failed, httpx.Response(202))
    with pytest.raises(DeployError, match="Out of memory"):
        flink(script).query("SELECT 1", "look")
    assert script.requests[-1].method == "DELETE"


def test_the_first_failure_is_told_when_the_deletion_fails_too() -> None:
    script = Script(statement("PENDING"), statement("FAILED", TEXT, "Division by zero."), refused(403, "no"))
    with pytest.raises(DeployError, match="Division by zero"):
        flink(script).query("SELECT 1", "look")


@pytest.mark.parametrize("waiting", ["PENDING", "RUNNING"])
def test_a_query_has_a_time_limit_and_is_deleted(waiting: str) -> None:
    deleted = []

    def service(request: httpx.Request) -> httpx.Response:
        deleted.extend([request.url.path] if request.method == "DELETE" else [])
        if request.url.path.endswith("/results"):
            return page(following=str(len(script.requests)))
        return statement(waiting, traits=TRAITS)

    script = Script(*[service] * 1000)
    with pytest.raises(DeployError, match="Flink did not answer look in time"):
        flink(script).query("SELECT 1", "look", within_seconds=60)
    assert script.now <= 65
    assert len(deleted) == 1


def test_a_query_without_end_that_always_has_rows_ends_in_time() -> None:
    def service(request: httpx.Request) -> httpx.Response:
        script.now += 1
        row = {"op": 0, "row": ["1", "a"]}
        return (
            page(row, following=str(script.now))
            if "results" in request.url.path
            else statement("RUNNING", traits=TRAITS)
        )

    script = Script(*[service] * 1000)
    with pytest.raises(DeployError, match="in time"):
        flink(script).query("SELECT 1", "look", within_seconds=60)


def test_a_query_whose_beginning_was_cut_is_looked_for_and_deleted() -> None:
    script = Script(*[CUT] * 100)
    with pytest.raises(UnreachableError):
        flink(script).query("SELECT 1", "look")
    assert [request.method for request in script.requests].count("DELETE") == 1
    assert script.now < 130


def test_rows_without_announced_columns_are_an_error() -> None:
    script = Script(statement("RUNNING"), statement("RUNNING"), page({"row": ["1"]}), done())
    with pytest.raises(DeployError, match="do not have the 0 columns"):
        flink(script).query("SELECT 1", "look")


# tables


def table_rows(*rows: tuple[str | None, ...]) -> Script:
    names = ["part", "table_name", "item_name", "item_value", "is_nullable", "ordinal_position"]
    traits = {"schema": {"columns": [{"name": name, "type": {"type": "VARCHAR"}} for name in names]}}
    completed = statement("COMPLETED", traits=traits)
    return Script(completed, completed, page(*({"row": list(row)} for row in rows)), done())


def test_all_tables_come_from_one_query() -> None:
    script = table_rows(
        ("option", "payments", "changelog.mode", "append", None, None),
        ("column", "payments", "ts", "TIMESTAMP(3) WITH LOCAL TIME ZONE", "NO", "10"),
        ("column", "payments", "order_id", "INT", "YES", "9"),
        ("table", "payments", "ts", "`ts` - INTERVAL '5' SECOND", None, None),
        ("table", "empty", None, None, None, None),
    )
    tables = flink(script).tables()
    assert set(tables) == {"payments", "empty"}
    payments = tables["payments"]
    assert payments.columns == (
        Column("order_id", "INT", True),
        Column("ts", "TIMESTAMP(3) WITH LOCAL TIME ZONE", False),
    )
    assert (payments.watermark_column, payments.watermark) == ("ts", "`ts` - INTERVAL '5' SECOND")
    assert payments.options == {"changelog.mode": "append"}
    assert (tables["empty"].columns, tables["empty"].watermark, tables["empty"].options) == ((), None, {})
    assert len([request for request in script.requests if request.method == "POST"]) == 1


def test_the_query_for_tables_is_one_that_the_service_documents() -> None:
    script = table_rows()
    flink(script, database="o'neill").tables()
    text = script.body(0)["spec"]["statement"]
    assert text.startswith("SELECT")
    assert not text.endswith(";")
    assert text.count("TABLE_SCHEMA = 'o''neill' OR TABLE_SCHEMA_ID = 'o''neill'") == 3
    assert not [word for word in ("$", "--", " IN ", " LIKE ", "ORDER", "JOIN", "COALESCE", "CASE") if word in text]


def test_no_secret_is_in_a_repr_or_an_error() -> None:
    cloud = flink(Script(refused(422, f"{KEY.get_secret_value()} {SECRET.get_secret_value()}")))
    with pytest.raises(SalesTrendsError) as caught:
        cloud.create("a-to-b", TEXT, {}, {})
    for text in (repr(cloud), repr(vars(cloud)), str(caught.value), repr(caught.value)):
        assert KEY.get_secret_value() not in text
        assert SECRET.get_secret_value() not in text

"""What the fake understands of Flink SQL: tables, their topics and subjects, and INFORMATION_SCHEMA."""

import json
from pathlib import Path

import httpx
import pytest

from tests.fakes.clock import ManualClock
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import Flink, client

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = sorted((ROOT / "pipeline_sql" / "statements").glob("*.sql"))
CONTRACTS = ROOT / "pipeline_sql" / "contracts"
SUMMARY = """
CREATE TABLE revenue_summary (
    window_start TIMESTAMP(3),
    total_revenue DECIMAL(18, 2) NOT NULL,
    ts TIMESTAMP_LTZ(3),
    WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('kafka.retention.time' = '1 d')
"""


def detail(flink: Flink, name: str, sql: str) -> str:
    status = flink.run(name, sql)["status"]
    assert status["phase"] == "FAILED"
    return str(status["detail"])


def test_the_whole_pipeline_of_this_project_runs(flink: Flink, registry: httpx.Client) -> None:
    for file in CONTRACTS.glob("*.avsc"):
        registry.post(f"/subjects/{file.stem}/versions", json={"schema": file.read_text()}).raise_for_status()
    flink.cloud.add_topic("payments")
    flink.cloud.add_topic("shiftleft.public.orders")
    phases = {file.stem: flink.run(file.stem, file.read_text())["status"] for file in STATEMENTS}

    assert {status["phase"] for status in phases.values()} == {"RUNNING", "COMPLETED"}, phases
    assert flink.cloud.tables["unique_payments"].watermark == ("ts", "`ts` - INTERVAL '5' SECOND")
    assert [column.name for column in flink.cloud.tables["payments"].columns][:2] == ["key", "order_id"]


def test_a_table_brings_its_topic_and_subjects_and_leaves_the_subjects(clock: ManualClock) -> None:
    heard: list[tuple[str | None, str | None]] = []
    with FakeConfluentCloud(lambda created, deleted: heard.append((created, deleted)), clock=clock) as cloud:
        base = f"{cloud.flink_url}/sql/v1/organizations/{cloud.organization}/environments/{cloud.environment}"
        with client(base, cloud.flink_key) as http:
            flink = Flink(cloud, clock, http)
            flink.run("make", "CREATE TABLE t (id INT PRIMARY KEY NOT ENFORCED, amount DOUBLE)")
            flink.run("drop", "DROP TABLE t")
        assert cloud.tables == {}
        assert cloud.subjects == {"t-key": False, "t-value": False}
    assert heard == [("t", None), (None, "t")]


def test_topics_of_a_broker_that_stands_in_are_tables_while_they_are_there(clock: ManualClock) -> None:
    topics = {"payments"}
    with FakeConfluentCloud(topics=lambda: topics, clock=clock) as cloud:
        assert list(cloud.tables) == ["payments"]
        topics.clear()
        assert cloud.tables == {}


def test_a_topic_without_schemas_is_a_table_of_bytes_until_they_come(flink: Flink, registry: httpx.Client) -> None:
    flink.cloud.add_topic("payments")
    assert [column.full_type for column in flink.cloud.tables["payments"].columns] == ["VARBINARY(2147483647)"] * 2

    schema = {"schema": (CONTRACTS / "payments-value.avsc").read_text()}
    registry.post("/subjects/payments-value/versions", json=schema).raise_for_status()
    assert flink.cloud.tables["payments"].columns[-1].full_type == "TIMESTAMP(3) WITH LOCAL TIME ZONE"


def test_a_table_that_is_there_is_made_again_only_if_it_may_exist(flink: Flink) -> None:
    flink.run("first", "CREATE TABLE t (id INT)")

    assert "already exists" in detail(flink, "second", "CREATE TABLE t (id INT)")
    assert flink.run("third", "CREATE TABLE IF NOT EXISTS t (id INT)")["status"]["phase"] == "COMPLETED"


def test_deleting_the_statement_keeps_the_table(flink: Flink) -> None:
    flink.run("first", "CREATE TABLE t (id INT)")
    flink.http.delete("/statements/first")
    flink.clock.advance(1)

    assert list(flink.cloud.tables) == ["t"]


def test_another_shape_does_not_fit_the_subject_that_was_left(flink: Flink) -> None:
    flink.run("first", "CREATE TABLE t (id INT)")
    flink.run("drop", "DROP TABLE t")

    reason = detail(flink, "second", "CREATE TABLE t (id BIGINT)")
    assert "schema registry subject 't-value'" in reason
    assert "doesn't match" in reason
    assert flink.run("third", "CREATE TABLE t (id INT)")["status"]["phase"] == "COMPLETED"


def test_subjects_carry_what_flink_writes(flink: Flink, registry: httpx.Client) -> None:
    flink.run("make", SUMMARY)
    text = registry.get("/subjects/revenue_summary-value/versions/latest").json()["schema"]

    assert json.loads(text)["fields"][:2] == [
        {
            "name": "window_start",
            "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}],
            "default": None,
        },
        {"name": "total_revenue", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}},
    ]


def test_changes_of_a_table_show_in_information_schema(flink: Flink) -> None:
    flink.run("make", SUMMARY)
    flink.run("watermark", "ALTER TABLE revenue_summary MODIFY WATERMARK FOR ts AS ts")
    flink.run("set", "ALTER TABLE revenue_summary SET ('changelog.mode' = 'retract')")

    assert flink.ask(
        "SELECT WATERMARK_COLUMN, WATERMARK_EXPRESSION, WATERMARK_IS_HIDDEN FROM INFORMATION_SCHEMA.`TABLES`"
    ) == [["ts", "`ts`", "NO"]]
    assert flink.ask(
        "SELECT `OPTION_VALUE` FROM `INFORMATION_SCHEMA`.`TABLE_OPTIONS` "
        "WHERE `OPTION_KEY` = 'changelog.mode' OR `OPTION_KEY` = 'kafka.retention.time'"
    ) == [["retract"], ["1 d"]]


def test_columns_are_told_as_the_catalog_keeps_them(flink: Flink) -> None:
    flink.run("make", SUMMARY)

    assert flink.ask(
        "SELECT COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, DATA_TYPE, FULL_DATA_TYPE, IS_HIDDEN "
        "FROM `sales-trends`.`INFORMATION_SCHEMA`.`COLUMNS` "
        "WHERE TABLE_SCHEMA = 'sales-cluster' AND TABLE_NAME = 'revenue_summary'"
    ) == [
        ["window_start", "1", "YES", "TIMESTAMP", "TIMESTAMP(3)", "NO"],
        ["total_revenue", "2", "NO", "DECIMAL", "DECIMAL(18, 2)", "NO"],
        ["ts", "3", "YES", "TIMESTAMP_LTZ", "TIMESTAMP(3) WITH LOCAL TIME ZONE", "NO"],
        ["$rowtime", "4", "NO", "TIMESTAMP_LTZ", "TIMESTAMP(3) WITH LOCAL TIME ZONE", "YES"],
    ]


def test_the_documented_union_of_views_is_answered(flink: Flink) -> None:
    flink.run("make", "CREATE TABLE t (id INT, amount DOUBLE, PRIMARY KEY (id) NOT ENFORCED)")

    assert sorted(
        flink.ask(
            "(SELECT 'COLUMNS' AS `section`, `COLUMN_NAME` AS `name`, CAST(NULL AS STRING) AS `enforced` "
            "FROM `INFORMATION_SCHEMA`.`COLUMNS` WHERE `TABLE_NAME` = 't' AND `IS_HIDDEN` <> 'YES') UNION ALL "
            "(SELECT 'KEY', `CONSTRAINT_NAME`, `ENFORCED` FROM `INFORMATION_SCHEMA`.`TABLE_CONSTRAINTS`) UNION ALL "
            "(SELECT 'PART', `COLUMN_NAME`, CAST(NULL AS STRING) FROM `INFORMATION_SCHEMA`.`KEY_COLUMN_USAGE`)"
        ),
        key=str,
    ) == [["COLUMNS", "amount", None], ["COLUMNS", "id", None], ["KEY", "PK_id", "NO"], ["PART", "id", None]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` WHERE TABLE_NAME IN ('a', 'b')",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` WHERE TABLE_NAME LIKE 'a%'",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` WHERE TABLE_NAME != 'a'",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` WHERE NOT (TABLE_NAME = 'a')",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` ORDER BY TABLE_NAME",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` LIMIT 1",
        "SELECT COUNT(*) FROM `INFORMATION_SCHEMA`.`TABLES`",
        "SELECT UPPER(TABLE_NAME) FROM `INFORMATION_SCHEMA`.`TABLES`",
        "SELECT DISTINCT TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES`",
        "SELECT table_name FROM `INFORMATION_SCHEMA`.`TABLES`",
        "SELECT a.TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` a, `INFORMATION_SCHEMA`.`COLUMNS` b",
        "SELECT a.TABLE_NAME FROM `INFORMATION_SCHEMA`.`TABLES` a JOIN `INFORMATION_SCHEMA`.`COLUMNS` b",
        "SELECT TABLE_NAME FROM `INFORMATION_SCHEMA`.`NOTHING`",
        "SELECT TABLE_NAME FROM `other`.`INFORMATION_SCHEMA`.`TABLES`",
    ],
)
def test_what_information_schema_does_not_document_fails(flink: Flink, query: str) -> None:
    assert detail(flink, "query", query)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SET 'sql.state-ttl' = '1 h'", "parse failed"),
        ("DROP TABLE a; DROP TABLE b", "single statement"),
        ("CREATE TABLE t (id INT", "parse failed"),
        ("CREATE TABLE t (id INT) WITH ('changelog.mode' = 'upsert')", "primary key"),
        ("CREATE TABLE t (id INT) WITH ('changelog.mode' = 'often')", "Invalid value"),
        ("CREATE TABLE t (id INT) WITH ('connector' = 'kafka')", "connector"),
        ("CREATE TABLE t (id INT, WATERMARK FOR ts AS ts)", "'ts' is not defined"),
        ("ALTER TABLE t SET ('changelog.mode' = 'append')", "does not exist"),
        ("SELECT * FROM shiftleft.public.orders", "A catalog with name or ID 'shiftleft'"),
        ("SELECT * FROM `shiftleft.public.orders`", "orders' does not exist"),
        ("EXPLAIN DROP TABLE t", "EXPLAIN supports only"),
    ],
)
def test_what_flink_would_refuse_fails_with_a_reason(flink: Flink, sql: str, reason: str) -> None:
    assert reason in detail(flink, "one", sql)


def test_names_need_a_current_catalog_and_database(flink: Flink) -> None:
    body = {"name": "one", "spec": {"statement": "CREATE TABLE t (id INT)"}}
    flink.http.post("/statements", json=body).raise_for_status()
    flink.clock.advance(1)

    assert "sql.current-catalog" in flink.get("one")["status"]["detail"]


def test_explain_answers_a_plan_or_the_one_of_the_test(flink: Flink) -> None:
    flink.cloud.add_topic("payments")
    plan = flink.ask("EXPLAIN SELECT * FROM payments")[0][0]
    assert plan.startswith("== Physical Plan ==")
    assert "StreamTableSourceScan" in plan

    flink.cloud.script_plan("payments", "== Physical Plan ==\n\nStreamSink [1]\nChangelog mode: retract")
    assert "retract" in flink.ask("EXPLAIN SELECT * FROM payments")[0][0]

from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import DeployError
from dashboard.settings import PipelineSettings


def pipeline_folder(
    tmp_path: Path, *, statement: str = "CREATE TABLE t (\n    a INT\n);", properties: str = ""
) -> Path:
    for name in ("statements", "checks", "contracts"):
        (tmp_path / name).mkdir()
    (tmp_path / "statements" / "10-only.sql").write_text(statement)
    (tmp_path / "pipeline.toml").write_text(f"topic = []\n{properties}\n[tableflow]\ntopics = []\n")
    return tmp_path


def test_statements_come_in_the_order_of_their_numbers_and_lose_them_in_their_names() -> None:
    names = [statement.name for statement in load_pipeline(PipelineSettings()).statements]
    assert names == [
        "orders-watermark",
        "unique-payments-maintenance",
        "unique-payments-append",
        "unique-payments-retention",
        "completed-orders",
        "completed-orders-retention",
        "completed-orders-materializer",
        "revenue-summary",
        "revenue-summary-retention",
        "revenue-summary-materializer",
    ]


def test_the_deduplication_alone_has_a_state_ttl() -> None:
    properties = {one.name: dict(one.properties) for one in load_pipeline(PipelineSettings()).statements}
    assert {name: held for name, held in properties.items() if held} == {
        "unique-payments-maintenance": {"sql.state-ttl": "1 h"}
    }


def test_a_secret_among_the_properties_is_shown_nowhere_and_sent_all_the_same(tmp_path: Path) -> None:
    script = "SET 'sql.secrets.key' = 'hush';\nSET 'sql.state-ttl' = '1 h';\nCREATE TABLE t (\n    a INT\n);"
    (statement,) = load_pipeline(PipelineSettings(), pipeline_folder(tmp_path, statement=script)).statements
    assert statement.properties["sql.secrets.key"] == "hush"
    assert "SET 'sql.secrets.key' = '***';\nSET 'sql.state-ttl' = '1 h';" in statement.script
    assert "hush" not in statement.script + repr(statement)


@pytest.mark.parametrize(
    ("size", "literal"),
    [
        (timedelta(seconds=5), "INTERVAL '5' SECOND"),
        (timedelta(seconds=60), "INTERVAL '1' MINUTE"),
        (timedelta(seconds=90), "INTERVAL '90' SECOND"),
        (timedelta(seconds=135), "INTERVAL '135' SECOND(3)"),
        (timedelta(hours=1), "INTERVAL '1' HOUR"),
        (timedelta(minutes=144), "INTERVAL '144' MINUTE(3)"),
        (timedelta(days=1), "INTERVAL '1' DAY"),
    ],
)
def test_the_window_size_becomes_a_literal_that_flink_takes(size: timedelta, literal: str) -> None:
    statements = load_pipeline(PipelineSettings(window_size=size)).statements
    text = next(one.text for one in statements if one.name == "revenue-summary-materializer")
    assert f"DESCRIPTOR(ts), {literal}))" in text


def test_a_property_for_a_statement_that_no_file_defines_is_refused(tmp_path: Path) -> None:
    folder = pipeline_folder(tmp_path, properties='[properties.other]\n"sql.state-ttl" = "1 hour"')
    with pytest.raises(DeployError, match="other"):
        load_pipeline(PipelineSettings(), folder)


def test_a_statement_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    (statement,) = load_pipeline(PipelineSettings(), pipeline_folder(tmp_path, statement="DROP TABLE t;")).statements
    with pytest.raises(DeployError, match="only begins with 'DROP TABLE t'"):
        _ = statement.kind


def test_the_set_lines_of_a_script_become_name_and_properties_of_its_statements_alone(tmp_path: Path) -> None:
    script = """-- the original, as it was typed
SET 'client.statement-name' = 'first-one';
SET 'sql.state-ttl' = '1 hour';
CREATE TABLE t (a STRING) WITH ('x' = 'a;b');
SET 'client.statement-name' = 'second-one';
INSERT INTO t SELECT ';' FROM payments;
"""
    folder = pipeline_folder(tmp_path, statement=script)
    (folder / "statements" / "20-other.sql").write_text("INSERT INTO t SELECT a FROM t;")
    found = [(one.name, dict(one.properties)) for one in load_pipeline(PipelineSettings(), folder).statements]
    ttl = {"sql.state-ttl": "1 hour"}
    assert found == [("first-one", ttl), ("second-one", ttl), ("other", {})]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("-- nothing\n", "10-only.sql: there is no statement in it"),
        ("INSERT INTO t SELECT 1;\nINSERT INTO t SELECT 2;", "the statement on line 1 has no name"),
        ("USE `elsewhere`;\nINSERT INTO t SELECT 1;", "says where or as whom it runs"),
        ("SET 'client.service-account' = 'sa-1';\nINSERT INTO t SELECT 1;", "says where or as whom it runs"),
        ("SET sql.state-ttl = 1;\nINSERT INTO t SELECT 1;", "10-only.sql: The SET on line 1"),
        ("INSERT INTO t SELECT 'a", "10-only.sql: A string that begins on line 1"),
        (
            "SET 'client.statement-name' = 'a';\nINSERT INTO t SELECT 1;SET 'client.statement-name' = 'a';\nSELECT 2",
            "called a",
        ),
    ],
)
def test_a_script_that_cannot_be_deployed_is_refused_with_its_file_and_line(
    tmp_path: Path, script: str, said: str
) -> None:
    with pytest.raises(DeployError, match=said):
        load_pipeline(PipelineSettings(), pipeline_folder(tmp_path, statement=script))

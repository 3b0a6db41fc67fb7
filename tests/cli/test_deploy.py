"""The commands of plan and apply without a stack; with one they are proven in tests/stack/test_deploy.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLAN = {"format_version": 1, "target": "local", "digest": "d" * 64, "adopts": [], "prunes": []}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dashboard", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [["plan"], ["apply", "--yes"], ["drift"], ["audit"], ["stop", "x"], ["resume", "x"], ["restart-app"]],
)
def test_without_a_running_stack_each_says_what_starts_it(environment: dict[str, str], words: list[str]) -> None:
    result = run(environment, *words)
    assert result.returncode == 1
    assert "The local stack does not run: kafka, registry" in result.stderr
    assert "sales-trends up" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        (None, "cannot be read: No such file", 64),
        ("not json", "is not a saved plan", 64),
        ("[]", "is not a saved plan", 64),
        (json.dumps(PLAN | {"format_version": 2}), "has format 2, this version has 1", 64),
        (json.dumps(PLAN | {"target": "mars"}), "is for the target mars, not for local", 1),
    ],
)
def test_what_is_no_plan_for_this_target_is_refused_before_anything_is_asked(
    environment: dict[str, str], tmp_path: Path, text: str | None, message: str, code: int
) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text)
    result = run(environment, "apply", str(file))
    assert result.returncode == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_tableflow_prints_text_for_every_engine_with_the_tables_of_the_pipeline(environment: dict[str, str]) -> None:
    result = run(environment, "tableflow")
    assert result.returncode == 0
    port = environment["SALES_LOCAL__REGISTRY_PORT"]
    for engine in ("PyIceberg", "DuckDB", "Spark", "Trino"):
        assert f"== {engine.lower()}" in result.stdout.lower()
    assert f"http://127.0.0.1:{port}/iceberg" in result.stdout
    assert "revenue_summary" in result.stdout


def test_tableflow_prints_one_engine_when_asked_and_refuses_one_that_it_does_not_know(
    environment: dict[str, str],
) -> None:
    (snippet,) = json.loads(run(environment, "tableflow", "--engine", "duckdb", "--json").stdout)
    assert "ATTACH" in snippet["text"]
    refused = run(environment, "tableflow", "--engine", "oracle")
    assert refused.returncode == 64
    assert "duckdb" in refused.stderr.lower()

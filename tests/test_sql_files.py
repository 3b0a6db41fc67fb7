import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.errors import ReadError
from dashboard.sql_files import ROOT, read_sql


def test_a_file_is_given_as_it_stands() -> None:
    assert read_sql("queries", "revenue_by_bucket") == (ROOT / "queries" / "revenue_by_bucket.sql").read_text()


def test_a_nested_folder_is_found() -> None:
    assert read_sql("pipeline_sql/checks", "duplicates-in-payments").startswith("-- name:    duplicates-in-payments")


def test_a_missing_file_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ReadError) as raised:
        read_sql("queries", "revenue_by_mood")
    assert raised.value.message.startswith("There is no file queries/revenue_by_mood.sql; queries holds ")
    assert "revenue_by_day" in raised.value.message
    assert raised.value.hint


def test_a_missing_folder_holds_no_file() -> None:
    with pytest.raises(ReadError, match="nowhere holds no SQL file"):
        read_sql("nowhere", "anything")


def test_files_are_found_from_any_folder(tmp_path: Path) -> None:
    program = "from dashboard.sql_files import read_sql; print(read_sql('queries', 'revenue_by_day')[:7])"

    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert result.stdout.strip() == "-- name"

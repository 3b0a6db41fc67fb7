import pytest

from dashboard.deploy.checks import check_result, checked_sql, first_rows
from dashboard.deploy.pipeline import load_pipeline
from dashboard.errors import DeployError
from dashboard.settings import PipelineSettings


@pytest.mark.parametrize("name", ["SELECT 1", "", "../statements/x", "revenue-summary-preview.sql"])
def test_only_the_text_of_a_file_is_ever_asked(name: str) -> None:
    checks = load_pipeline(PipelineSettings()).checks
    with pytest.raises(DeployError, match="There is no check called") as caught:
        checked_sql(checks, name)
    assert "revenue-summary-preview" in caught.value.hint


def test_one_row_more_than_wanted_is_asked_for_and_tells_that_there_are_more() -> None:
    assert first_rows("SELECT 1", 2) == "SELECT * FROM (\nSELECT 1\n) LIMIT 3"
    cut = check_result("SELECT 1", ["n"], [[1], [2], [3]], 2)
    assert (cut.rows, cut.more, cut.sql) == ([[1], [2]], True, "SELECT 1")
    whole = check_result("SELECT 1", ["n"], [[1], [2]], 2)
    assert (whole.rows, whole.more) == ([[1], [2]], False)

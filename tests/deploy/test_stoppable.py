import pytest

from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.resources import Id
from dashboard.deploy.stoppable import stoppable
from dashboard.errors import DeployError
from dashboard.settings import PipelineSettings

COPIES = {"tableflow-payments": "payments"}


@pytest.fixture
def pipeline() -> Pipeline:
    return load_pipeline(PipelineSettings())


@pytest.mark.parametrize("name", ["unique-payments-maintenance", "completed-orders-materializer"])
def test_create_table_as_and_insert_run(pipeline: Pipeline, name: str) -> None:
    assert stoppable(pipeline, name) == Id("statement", name)


def test_a_copy_is_of_its_topic_where_there_are_copies(pipeline: Pipeline) -> None:
    assert stoppable(pipeline, "tableflow-payments", COPIES) == Id("tableflow", "payments")
    with pytest.raises(DeployError, match="no statement called tableflow-payments"):
        stoppable(pipeline, "tableflow-payments")


def test_what_only_makes_or_alters_a_table_does_not_run(pipeline: Pipeline) -> None:
    for statement in pipeline.statements:
        if statement.kind in ("create table", "alter table"):
            with pytest.raises(DeployError, match="only makes or alters a table"):
                stoppable(pipeline, statement.name)


def test_another_name_is_refused_with_those_that_run(pipeline: Pipeline) -> None:
    with pytest.raises(DeployError, match="no statement called payments") as caught:
        stoppable(pipeline, "payments", COPIES)
    assert "completed-orders-materializer" in caught.value.hint
    assert "tableflow-payments" in caught.value.hint

from dataclasses import replace

import pytest

from dashboard.deploy.confluent.joins import check_interval_join
from dashboard.deploy.pipeline import Pipeline, Statement, load_pipeline
from dashboard.errors import DeployError
from dashboard.remotes.cloud_statement import Table
from dashboard.settings import PipelineSettings

JOIN = "completed-orders-materializer"
ORDERS = "shiftleft.public.orders"


@pytest.fixture
def pipeline() -> Pipeline:
    return load_pipeline(PipelineSettings())


def join_of(pipeline: Pipeline) -> Statement:
    return next(one for one in pipeline.statements if one.name == JOIN)


def without(pipeline: Pipeline, name: str) -> Pipeline:
    return replace(pipeline, statements=[one for one in pipeline.statements if one.name != name])


def test_the_pipelines_own_join_compares_the_event_time_of_both_sides(pipeline: Pipeline) -> None:
    check_interval_join(pipeline, join_of(pipeline), {})


@pytest.mark.parametrize("column", [None, "$rowtime"])
def test_a_side_with_the_default_watermark_is_refused_by_its_name(pipeline: Pipeline, column: str | None) -> None:
    other = without(pipeline, "orders-watermark")
    with pytest.raises(DeployError, match=r"event time of shiftleft\.public\.orders is \$rowtime"):
        check_interval_join(other, join_of(other), {ORDERS: Table(watermark_column=column)})


def test_a_watermark_that_others_have_set_counts(pipeline: Pipeline) -> None:
    other = without(pipeline, "orders-watermark")
    check_interval_join(other, join_of(other), {ORDERS: Table(watermark_column="orderdate")})


def test_a_join_on_another_column_is_refused(pipeline: Pipeline) -> None:
    """The column of the watermark stands in the answer, and is compared nowhere."""
    text = join_of(pipeline).text
    left, between, right = text.partition("BETWEEN")
    wrong = replace(join_of(pipeline), text=left + between + right.replace(".ts", ".expiration"))
    assert wrong.text != text
    with pytest.raises(DeployError, match="event time of unique_payments is ts"):
        check_interval_join(pipeline, wrong, {})


@pytest.mark.parametrize("name", ["revenue-summary-materializer", "unique-payments-maintenance", "revenue-summary"])
def test_what_joins_nothing_over_an_interval_is_not_looked_at(pipeline: Pipeline, name: str) -> None:
    statement = next(one for one in pipeline.statements if one.name == name)
    check_interval_join(replace(pipeline, statements=[statement]), statement, {})

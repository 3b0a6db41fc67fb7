"""Tables on Confluent Cloud are kept for ever: else a rebuild would find the last seven days alone."""

from dataclasses import replace
from datetime import timedelta

from dashboard.deploy.apply import plan_for
from dashboard.deploy.open_source_wanted import OpenSourceParts
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import applied, carried_out, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

DEFAULT = PipelineSettings()
OPTION = "kafka.retention.time"
RETENTION = {"unique-payments-retention", "completed-orders-retention", "revenue-summary-retention"}


def made_before() -> Pipeline:
    """As it was before tables were kept for ever."""
    whole = load_pipeline(DEFAULT)
    return replace(whole, statements=[one for one in whole.statements if not one.sets_retention])


def kept_for(cloud: FakeConfluentCloud) -> set[str]:
    return {cloud.tables[name].options[OPTION] for name in load_pipeline(DEFAULT).created_tables}


def test_every_table_that_is_made_is_kept_for_ever(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka))
    assert kept_for(cloud) == {"0 ms"}


def test_tables_that_were_made_before_are_kept_for_ever_from_then_on_and_nothing_is_rebuilt(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, made_before()))
    assert kept_for(cloud) == {"7 d"}
    plan = plan_for(target_on(cloud, kafka))
    assert ({step.id.name for step in plan.changes}, plan.losses) == (RETENTION, [])
    assert {step.why for step in plan.changes} == {f"changed: {OPTION}: 7 d instead of 0 ms"}
    carried_out(target_on(cloud, kafka), plan)
    assert kept_for(cloud) == {"0 ms"}
    assert plan_for(target_on(cloud, kafka)).changes == []


def test_on_open_source_flink_nothing_is_another_by_it() -> None:
    """Its topics are kept for ever as they are made."""
    parts = [OpenSourceParts(one, makes_given=True, holds_back=True) for one in (made_before(), load_pipeline(DEFAULT))]
    before, now = ({one.id: one.digest for one in part.wanted()} for part in parts)
    assert before == now


def test_a_plan_says_of_what_it_drops_how_little_of_it_can_be_filled_again(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, made_before()))
    minute = load_pipeline(PipelineSettings(window_size=timedelta(minutes=1)))
    told = {step.id.name: step.loses for step in plan_for(target_on(cloud, kafka, minute)).steps if step.loses}
    assert set(told) == {"revenue-summary", "revenue_summary"}
    assert all("of which nothing older than 7 d can be filled again" in loses for loses in told.values())
    applied(target_on(cloud, kafka))
    told = {step.id.name: step.loses for step in plan_for(target_on(cloud, kafka, minute)).steps if step.loses}
    assert all("older than" not in loses for loses in told.values())

"""Tables on Confluent Cloud are kept for ever: else a rebuild would find the last seven days alone."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.open_source_wanted import OpenSourceParts
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.remotes.kafka import Topic
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import applied, carried_out, flink_of, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

DEFAULT = PipelineSettings()
ORDERS = "shiftleft.public.orders"
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


def told(cloud: FakeConfluentCloud, kafka: FakeKafka, pipeline: Pipeline) -> dict[str, str]:
    """What a plan says of the data that it drops, by name."""
    return {step.data: step.loses for step in plan_for(target_on(cloud, kafka, pipeline)).steps if step.loses}


def with_windows_of_a_minute() -> Pipeline:
    return load_pipeline(PipelineSettings(window_size=timedelta(minutes=1)))


def with_another(name: str) -> Pipeline:
    """One of its statements that keep state is another one."""
    whole = load_pipeline(DEFAULT)
    changed = [
        replace(one, properties={**one.properties, "sql.state-ttl": "2 h"}) if one.name == name else one
        for one in whole.statements
    ]
    return replace(whole, statements=changed)


def test_a_plan_says_of_what_it_drops_how_little_of_it_can_be_filled_again(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, made_before()))
    loses = told(cloud, kafka, with_windows_of_a_minute())
    assert set(loses) == {"revenue_summary"}
    assert "of which nothing older than 7 d in completed_orders can be filled again" in loses["revenue_summary"]
    applied(target_on(cloud, kafka))
    assert "older than" not in told(cloud, kafka, with_windows_of_a_minute())["revenue_summary"]


def test_what_is_gone_already_is_told_though_all_is_kept_from_now_on(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, made_before()))
    kafka.oldest["completed_orders"] = datetime(2026, 5, 24, 8, tzinfo=UTC)
    applied(target_on(cloud, kafka))
    assert kept_for(cloud) == {"0 ms"}
    loses = told(cloud, kafka, with_windows_of_a_minute())["revenue_summary"]
    assert "of which nothing older than 2026-05-24 in completed_orders can be filled again" in loses


def test_a_topic_of_which_every_record_is_gone_reaches_back_to_today(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    kafka.oldest["completed_orders"] = datetime(2026, 5, 24, tzinfo=UTC)
    kafka.empty.add("completed_orders")
    before = datetime.now(UTC).date()
    loses = told(cloud, kafka, with_windows_of_a_minute())["revenue_summary"]
    days = {before, datetime.now(UTC).date()}
    assert any(f"older than {day} in completed_orders" in loses for day in days)


@pytest.mark.parametrize("there", ["there", "deleted"])
def test_a_join_that_is_made_anew_finds_no_order_that_its_connectors_topic_no_longer_keeps(
    cloud: FakeConfluentCloud, kafka: FakeKafka, there: str
) -> None:
    applied(target_on(cloud, kafka))
    if there == "deleted":
        flink_of(cloud).delete("completed-orders-materializer")
        flink_of(cloud).wait_deleted("completed-orders-materializer", 60)
    loses = told(cloud, kafka, with_another("completed-orders-materializer"))
    assert set(loses) == {"completed_orders", "revenue_summary"}
    assert all("nothing older than 7 d in shiftleft.public.orders can be" in text for text in loses.values())


def test_the_deduplication_is_filled_again_from_what_payments_and_orders_still_hold(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    kafka.oldest["payments"] = datetime(2026, 6, 3, 12, tzinfo=UTC)
    loses = told(cloud, kafka, with_another("unique-payments-maintenance"))
    assert "nothing older than 2026-06-03 in payments can be" in loses["unique_payments"]
    both = "nothing older than 2026-06-03 in payments or 7 d in shiftleft.public.orders can be"
    assert both in loses["completed_orders"]
    assert both in loses["revenue_summary"]


def test_an_adopted_topic_is_told_by_what_it_keeps_and_one_of_ours_keeps_all(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    changed = with_another("unique-payments-maintenance")
    assert "older than" not in told(cloud, kafka, changed)["unique_payments"]
    kafka.delete_topics(["payments"])
    assert "payments" not in cloud.tables
    kafka.create_topics([Topic("payments", 6, {"retention.ms": "86400000"})])
    assert "nothing older than 1 d in payments can be" in told(cloud, kafka, changed)["unique_payments"]


def test_a_plan_asks_each_topic_once_and_that_of_others_is_never_ours_to_remove(
    cloud: FakeConfluentCloud, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(target_on(cloud, kafka))
    asked: list[str] = []
    starts = FakeKafka.start_offsets

    def ask(fake: FakeKafka, topic: str) -> dict[int, int]:
        asked.append(topic)
        return starts(fake, topic)

    monkeypatch.setattr(FakeKafka, "start_offsets", ask)
    plan = plan_for(target_on(cloud, kafka), adopt=lambda id_: id_.name == ORDERS, prune=lambda id_: id_.name == ORDERS)
    assert Counter(asked) == Counter({*load_pipeline(DEFAULT).created_tables, "payments", ORDERS, "error-payments"})
    assert plan.changes == []

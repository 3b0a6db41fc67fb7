"""Tableflow is only asked for tables whose changelog it can write; told while planning."""

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.plan import Action
from dashboard.errors import DeployError
from tests.deploy.cloud import applied, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

ORDERS = "SELECT orderid\nFROM `shiftleft.public.orders`"
MADE = Statement("latest", f"CREATE TABLE latest (\n    orderid INT\n)\nAS\n{ORDERS}", {})
REFUSED = "cannot write the table latest, whose changelog mode is retract"


def copied(*statements: Statement, name: str = "latest") -> Pipeline:
    return Pipeline([], list(statements), [name], {})


def altered(mode: str) -> Statement:
    return Statement("latest-mode", f"ALTER TABLE latest SET ('changelog.mode' = '{mode}')", {})


def test_a_table_that_the_files_make_retract_is_refused(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    with pytest.raises(DeployError, match=REFUSED) as refused:
        plan_for(target_on(cloud, kafka, copied(MADE, altered("retract"))))
    assert "primary key" in refused.value.hint
    assert "'changelog.mode' = 'append'" in refused.value.hint
    assert plan_for(target_on(cloud, kafka, copied(MADE, altered("append")))).acts


def test_a_table_that_is_retract_already_is_refused_with_its_copy_or_without(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, copied(MADE)))
    assert plan_for(target_on(cloud, kafka, copied(MADE))).changes == []
    cloud.tables["latest"].options["changelog.mode"] = "retract"
    with pytest.raises(DeployError, match=REFUSED):
        plan_for(target_on(cloud, kafka, copied(MADE)))
    # said in the files, it is put right
    assert [step.id.name for step in plan_for(target_on(cloud, kafka, copied(MADE, altered("append")))).acts]


def test_a_topic_of_others_whose_table_is_retract_is_refused(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    orders = "shiftleft.public.orders"
    cloud.tables[orders].options["changelog.mode"] = "retract"
    with pytest.raises(DeployError, match=f"the table {orders}"):
        plan_for(target_on(cloud, kafka, copied(name=orders)))


def test_a_dry_run_tells_the_mode_of_a_table_that_is_not_there_yet(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    cloud.changes_rows("latest")
    with pytest.raises(DeployError, match=REFUSED):
        plan_for(target_on(cloud, kafka, copied(MADE)))
    cloud.changes_rows("latest", upsert_columns=[0])
    assert {step.action for step in plan_for(target_on(cloud, kafka, copied(MADE))).steps} == {Action.CREATE}


def test_a_table_that_is_made_anew_is_tried_by_its_query(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, copied(MADE)))
    changed = Statement(MADE.name, f"{MADE.text}\nWHERE orderid > 7", {})
    cloud.changes_rows("> 7")
    with pytest.raises(DeployError, match=REFUSED):
        plan_for(target_on(cloud, kafka, copied(changed)))

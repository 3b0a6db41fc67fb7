"""What a plan on Confluent Cloud shows of a change: script and contract, as they are there and as they will be."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.confluent.target import ConfluentTarget
from dashboard.deploy.differences import differences
from dashboard.deploy.ledger import LEDGER_TOPIC, Ledger
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.plan import Step
from dashboard.deploy.resources import Id
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import applied, cloud_on, registry_of, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

REVENUE = Id("statement", "revenue-summary-materializer")
CONTRACT = Id("contract", "payments-value")


@pytest.fixture
def cloud(kafka: FakeKafka) -> Iterator[FakeConfluentCloud]:
    with cloud_on(kafka) as cloud:
        cloud.delays.deleting = cloud.delays.pending = cloud.delays.listed_after_delete = 0.02
        applied(target_on(cloud, kafka))
        yield cloud


def pipeline(seconds: int = 5) -> Pipeline:
    return load_pipeline(PipelineSettings(window_size=timedelta(seconds=seconds)))


def with_secret(secret: str) -> Pipeline:
    whole = pipeline()
    changed = [
        replace(one, properties={"sql.secrets.key": secret}) if one.name == REVENUE.name else one
        for one in whole.statements
    ]
    return replace(whole, statements=changed)


def changed_lines(step: Step) -> list[str]:
    return [line for line in differences(step.before, step.after) if not line.startswith((" ", "@"))]


def step_of(target: ConfluentTarget, id_: Id) -> Step:
    return next(step for step in plan_for(target).steps if step.id == id_)


def test_a_changed_window_is_two_lines_of_its_script(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    step = step_of(target_on(cloud, kafka, pipeline(60)), REVENUE)
    assert [line.split("INTERVAL ")[1].split(")")[0] for line in changed_lines(step)] == ["'5' SECOND", "'1' MINUTE"]
    assert [line[0] for line in changed_lines(step)] == ["-", "+"]


def test_without_the_ledger_the_text_is_the_one_that_the_service_tells(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    kafka.delete_topics([LEDGER_TOPIC])
    step = step_of(target_on(cloud, kafka, pipeline(60)), REVENUE)
    assert "INTERVAL '5' SECOND" in step.before
    assert "INTERVAL '1' MINUTE" in step.after


def test_a_rule_that_somebody_changed_in_the_registry_is_shown_line_by_line(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    registry = registry_of(cloud)
    declared = next(one.contract for one in pipeline().topics if one.name == "payments")
    assert declared is not None
    rules = [
        {**rule, "expr": rule["expr"].replace("{8}", "{9}")} if "expr" in rule else rule for rule in declared.rules
    ]
    registry.register("payments-value", replace(declared, rules=tuple(rules)).registered(2))
    step = step_of(target_on(cloud, kafka), CONTRACT)
    assert [json.loads(line[1:].strip().rstrip(",").partition(": ")[2]) for line in changed_lines(step)] == [
        "message.confirmation_code.matches('^[A-Z0-9]{9}$')",
        "message.confirmation_code.matches('^[A-Z0-9]{8}$')",
    ]


def test_a_secret_that_the_ledger_knows_from_an_older_version_is_not_shown_when_it_is_changed(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    target = target_on(cloud, kafka, with_secret("new"))
    noted = next(one for one in target_on(cloud, kafka).wanted() if one.id == REVENUE)
    Ledger(kafka).note({REVENUE: noted.digest}, {REVENUE: f"SET 'sql.secrets.key' = 'old';\n{noted.text}"})
    plan = plan_for(target)
    step = next(step for step in plan.steps if step.id == REVENUE)
    assert "SET 'sql.secrets.key' = '***';" in step.before
    assert "'old'" not in json.dumps(plan.as_dict())

"""Plan and apply on the real stack: what is changed is rebuilt and right, whoever is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader

from dashboard import open_source_deployment
from dashboard.deploy.pipeline import Pipeline, Statement, load_pipeline
from dashboard.deploy.plan import Action
from dashboard.deploy.resources import Id
from dashboard.deploy.statements import DEDUPLICATION, JOIN, Deployment
from dashboard.errors import DeployError
from dashboard.lifecycle import LocalStack
from dashboard.local.services import SUPERVISOR
from dashboard.narration import Narrator
from dashboard.settings import PipelineSettings
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.stack, pytest.mark.long]

REVENUE = "revenue-summary-materializer"
REBUILT = {Id("topic", "revenue_summary"), Id("statement", REVENUE), Id("tableflow", "revenue_summary")}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = stack_settings(tmp_path_factory.mktemp("deploy") / "home")
    little_past = settings.shop.model_copy(update={"history": timedelta(hours=2), "history_payments": 500})
    with running_stack(settings.model_copy(update={"shop": little_past})) as stack:
        yield stack


def with_windows(stack: LocalStack, window: timedelta) -> LocalStack:
    """The same stack, as somebody sees it who asks for another window size."""
    pipeline = stack.settings.pipeline.model_copy(update={"window_size": window})
    return LocalStack(stack.settings.model_copy(update={"pipeline": pipeline}), Narrator())


def command(stack: LocalStack, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **stack.settings.as_environment()}
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_what_is_up_needs_nothing_and_every_act_is_in_the_audit_log(stack: LocalStack) -> None:
    code, out, _ = ended(command(stack, "plan", "--json"))
    assert (code, json.loads(out)["changes"]) == (0, 0)
    acts = stack.deployment.audit.acts()
    assert [acts[0].what, acts[-1].what] == ["apply begins", "apply ended"]
    made = {act.thing for act in acts if act.what == "make"}
    assert made == {str(one.id) for one in stack.deployment.target.wanted()}


def test_a_changed_window_size_is_refused_until_its_losses_are_named_and_then_verifies(stack: LocalStack) -> None:
    changed = with_windows(stack, timedelta(seconds=10))
    plan = changed.deployment.plan()
    assert {step.id for step in plan.changes} == REBUILT
    assert {step.action for step in plan.changes} == {Action.REPLACE_LOSING_STATE}
    with pytest.raises(DeployError, match="topic revenue_summary"):
        changed.apply(plan.digest)
    assert stack.deployment.plan().changes == [], "a refusal touches nothing"
    changed.apply(plan.digest, lose=["revenue_summary"])
    assert changed.deployment.plan().changes == []
    assert verified_until(changed, datetime.now(UTC)).ok
    with pytest.raises(DeployError, match="not as it was"):
        changed.apply(plan.digest, lose=["revenue_summary"])


def test_a_statement_that_would_change_what_it_wrote_is_refused_by_flink_before_anything_is_touched(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table is read as append-only: by the next statement, and by the copy in Iceberg."""
    pipeline = stack.deployment.pipeline
    updating = (
        "INSERT INTO revenue_summary\n"
        "SELECT ts, ts, SUM(CAST(amount AS DECIMAL(18, 2))) FROM completed_orders GROUP BY ts"
    )
    statements = [replace(one, text=updating) if one.name == REVENUE else one for one in pipeline.statements]
    monkeypatch.setattr(
        open_source_deployment, "load_pipeline", lambda _settings: replace(pipeline, statements=statements)
    )
    changed = with_windows(stack, stack.settings.pipeline.window_size)
    before = {name: job.id for name, job in stack.deployment.statements.jobs().items()}
    with pytest.raises(DeployError, match="doesn't support consuming update"):
        changed.deployment.plan()
    assert {name: job.id for name, job in stack.deployment.statements.jobs().items()} == before


def test_an_apply_that_is_killed_in_the_middle_is_finished_by_the_next(stack: LocalStack) -> None:
    changed = with_windows(stack, timedelta(seconds=15))
    seen = len(changed.deployment.audit.acts())
    first = command(changed, "apply", "--yes", "--lose", "revenue_summary")

    def removing() -> bool:
        return any(act.what == "remove" for act in changed.deployment.audit.acts()[seen:])

    eventually(removing, 60, every_seconds=0.02)
    first.send_signal(signal.SIGKILL)
    ended(first)
    assert {step.id for step in changed.deployment.plan().changes} == REBUILT
    code, _, err = ended(command(changed, "apply", "--yes", "--lose", "revenue_summary"))
    assert code == 0, err
    assert changed.deployment.plan().changes == []
    assert verified_until(changed, datetime.now(UTC)).ok


def test_of_two_applies_at_once_the_second_is_refused_with_the_name_of_the_first(stack: LocalStack) -> None:
    same = with_windows(stack, timedelta(seconds=15))
    with same.deployment.audit.only_writer():
        code, _, err = ended(command(same, "apply", "--yes"))
        assert code == 1
        assert f":{os.getpid()}." in err
    assert same.deployment.plan().changes == []


def test_drift_names_a_statement_that_somebody_stopped_and_apply_resumes_it(stack: LocalStack) -> None:
    same = with_windows(stack, timedelta(seconds=15))
    same.processes.stop(SUPERVISOR, 60)
    same.deployment.statements.cancel("tableflow-payments")
    code, out, _ = ended(command(same, "drift"))
    assert (code, out.strip()) == (2, "? tableflow payments: it is CANCELED")
    code, out, _ = ended(command(same, "apply", "--yes"))
    assert code == 0
    assert "resume: tableflow payments" in out
    assert ended(command(same, "drift"))[0] == 0
    assert verified_until(same, datetime.now(UTC)).ok


def orders(stack: LocalStack, topic: str, up_to: int | None = None) -> list[dict[str, Any]]:
    """The records of a topic with one partition, from its first offset."""
    ends = {0: up_to} if up_to is not None else stack.kafka.end_offsets(topic)
    schemas: dict[bytes, Any] = {}
    found = []
    for record in stack.kafka.records(topic, {0: 0}, ends):
        assert record.value is not None
        header, body = record.value[1:5], record.value[5:]
        if header not in schemas:
            schemas[header] = parse_schema(json.loads(stack.deployment.registry.schema(int.from_bytes(header)) or ""))
        order = schemaless_reader(BytesIO(body), schemas[header], None)
        assert isinstance(order, dict)
        found.append(order)
    return found


def test_a_changed_statement_without_state_goes_on_where_the_old_one_stopped(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter with another text: no record twice, none left out, and nothing else is touched."""
    load = load_pipeline

    def with_filter(least: int) -> LocalStack:
        table = Statement("large-orders", "CREATE TABLE large_orders (\n    order_id INT,\n    amount DOUBLE\n)", {})
        query = f"SELECT order_id, amount FROM completed_orders WHERE amount >= {least}"  # noqa: S608
        filled = Statement("large-orders-filter", f"INSERT INTO large_orders {query}", {})

        def more(settings: PipelineSettings) -> Pipeline:
            pipeline = load(settings)
            return replace(pipeline, statements=[*pipeline.statements, table, filled])

        monkeypatch.setattr(open_source_deployment, "load_pipeline", more)
        return with_windows(stack, timedelta(seconds=15))

    def large() -> list[int]:
        return [order["order_id"] for order in orders(stack, "large_orders")]

    first = with_filter(0)
    # named, for the windows of a stack on which no test above has run
    first.deployment.apply(lose=["revenue_summary"])
    eventually(lambda: len(large()) > 20, 60)
    second = with_filter(1)
    plan = second.deployment.plan()
    assert {step.id.name: step.action for step in plan.changes} == {
        "large-orders-filter": Action.REPLACE_KEEPING_OFFSETS
    }
    untouched = {name: job.id for name, job in stack.deployment.statements.jobs().items()}
    second.deployment.apply()
    assert second.deployment.plan().changes == []
    assert {name: job.id for name, job in stack.deployment.statements.jobs().items()} == untouched
    before = len(large())
    eventually(lambda: len(large()) > before + 10, 60)
    found = large()
    assert len(found) == len(set(found)), "no order twice"
    second.deployment.statements.stop_one("large-orders-filter")
    read = stack.kafka.committed_offsets("large-orders-filter", "completed_orders")[0]
    must_be = {order["order_id"] for order in orders(stack, "completed_orders", read) if order["amount"] >= 1}
    assert must_be <= set(large()), "none left out"
    monkeypatch.setattr(open_source_deployment, "load_pipeline", load)
    same = with_windows(stack, timedelta(seconds=15))
    orphans = [step.id.name for step in same.deployment.plan().changes if step.action is Action.ORPHAN]
    assert set(orphans) == {"large_orders", "large-orders-filter"}
    same.deployment.apply(prune=orphans, lose=["large_orders"])
    assert same.deployment.plan().changes == []
    assert "large_orders" not in stack.kafka.topic_names()


def test_a_join_that_is_made_anew_gets_no_payment_before_it_has_read_the_orders(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deduplication ran before and runs on: every payment is there already."""
    pipeline = load_pipeline(stack.settings.pipeline.model_copy(update={"window_size": timedelta(seconds=15)}))
    statements = [
        replace(one, text=one.text.replace("INTERVAL '96' HOUR", "INTERVAL '97' HOUR")) if one.name == JOIN else one
        for one in pipeline.statements
    ]
    assert statements != pipeline.statements
    changed_pipeline = replace(pipeline, statements=statements)
    monkeypatch.setattr(open_source_deployment, "load_pipeline", lambda _settings: changed_pipeline)
    changed = with_windows(stack, timedelta(seconds=15))
    plan = changed.deployment.plan()
    assert Id("statement", JOIN) in {step.id for step in plan.changes}
    assert Id("statement", DEDUPLICATION) not in {step.id for step in plan.changes}
    held: list[bool] = []
    start = changed.deployment.statements.start

    def spied(name: str, behind: timedelta) -> None:
        held.extend([changed.deployment.statements.hold.exists()] if name == JOIN else [])
        start(name, behind)

    monkeypatch.setattr(Deployment, "start", lambda _self, name, behind=timedelta(0): spied(name, behind))
    changed.apply(lose=plan.losses)
    assert held == [True]
    assert not changed.deployment.statements.hold.exists()
    assert verified_until(changed, datetime.now(UTC)).ok
    monkeypatch.undo()
    same = with_windows(stack, timedelta(seconds=15))
    same.apply(lose=plan.losses)
    assert verified_until(same, datetime.now(UTC)).ok


def test_what_is_destroyed_stays_away_leaves_data_that_nobody_named_and_comes_back_right(stack: LocalStack) -> None:
    same = with_windows(stack, timedelta(seconds=15))
    code, out, _ = ended(command(same, "destroy", "--plan", "--json"))
    assert code == 0
    kept = {one["id"]["name"] for one in json.loads(out)["steps"] if one["action"] == "keep"}
    assert {"payments", "revenue_summary"} <= kept
    refused = ended(command(same, "destroy", "--yes", "--delete-data", "payments"))
    assert refused[0] == 1
    assert "The shop writes payments" in refused[2]
    assert ended(command(same, "destroy", "--yes", "--delete-data", "revenue_summary"))[0] == 0
    assert all(job.ended for job in same.deployment.statements.jobs().values())
    assert same.processes.find(SUPERVISOR) is None, "it would bring the statements back"
    states = {(one.kind, one.name): one.state for one in same.deployment.resources()}
    assert states["topic", "revenue_summary"] == states["tableflow", "revenue_summary"] == "missing"
    assert states["topic", "completed_orders"] == "ready"
    assert states["tableflow", "payments"] == "stopped"
    losses = same.deployment.plan().losses
    assert losses == ["completed_orders", "unique_payments"]
    assert ended(command(same, "down"))[0] == 0
    refused = ended(command(same, "up", "--no-page"))
    assert refused[0] == 1
    assert "`--lose completed_orders --lose unique_payments`" in refused[2]
    words = [word for name in losses for word in ("--lose", name)]
    code, _, err = ended(command(same, "up", "--no-page", *words))
    assert code == 0, err
    assert same.processes.find(SUPERVISOR)
    assert verified_until(same, datetime.now(UTC)).ok
    (payments,) = [one for one in same.deployment.resources() if (one.kind, one.name) == ("tableflow", "payments")]
    assert payments.offsets["payments"].keys() == set(range(6))
    assert payments.since is not None
    assert payments.since > datetime.now(UTC) - timedelta(minutes=5)

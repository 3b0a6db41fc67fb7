"""What people stop by hand on the real stack stays away until they say so, and the numbers are right afterwards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.deploy.checks import CheckResult
from dashboard.deploy.plan import Action
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import DeployError
from dashboard.lifecycle import LocalStack
from dashboard.local.services import ORDER_FEED, PAYMENT_APP, SUPERVISOR
from dashboard.local.shop.progress import read_progress
from dashboard.topic_names import ORDERS_TOPIC
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.stack, pytest.mark.long]

REVENUE = "revenue-summary-materializer"
COPY = "tableflow-revenue-summary"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = stack_settings(tmp_path_factory.mktemp("stops") / "home")
    little_past = settings.shop.model_copy(update={"history": timedelta(hours=2), "history_payments": 500})
    with running_stack(settings.model_copy(update={"shop": little_past})) as stack:
        # until it has caught up, what the shop sends late is not late for the pipeline
        verified_until(stack, eventually(lambda: read_progress(stack.settings.local.home).payments_live_since, 120))
        yield stack


def begun(stack: LocalStack, *words: str, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **stack.settings.as_environment(), **more}
    command = [sys.executable, "-m", "dashboard", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def command(stack: LocalStack, *words: str, **more: str) -> tuple[int, str]:
    """The exit code, and what was printed and said."""
    process = begun(stack, *words, **more)
    out, said = process.communicate(timeout=180)
    return process.returncode, out + said


def live(stack: LocalStack) -> set[str]:
    """The statements that run; none while Flink does not answer."""
    return {one.name for one in stack.status().statements if one.state == "RUNNING"}


def killed_and_back(stack: LocalStack, name: str) -> None:
    """The supervisor has looked since: it was alive, and has brought this program back."""
    process = stack.processes.find(name)
    assert process is not None
    process.kill()
    eventually(lambda: (again := stack.processes.find(name)) is not None and again.pid != process.pid, 90)


def orders_written(stack: LocalStack) -> int:
    return sum(stack.kafka.end_offsets(ORDERS_TOPIC).values())


def test_a_stopped_join_holds_payments_back_and_stays_away_whatever_the_supervisor_brings_back(
    stack: LocalStack,
) -> None:
    others = set(stack.deployment.statements.statement_names) - {JOIN, DEDUPLICATION}
    code, said = command(stack, "stop", JOIN)
    assert code == 0, said
    assert f"{DEDUPLICATION} was stopped first" in said
    assert live(stack) == others
    # it forgets every job, so all that is to run has to be brought back
    killed_and_back(stack, "jobmanager")
    eventually(lambda: live(stack) == others, 120)
    # another supervisor knows it too
    stack.processes.stop(SUPERVISOR, 60)
    stack.supervise()
    killed_and_back(stack, ORDER_FEED)
    before = orders_written(stack)
    eventually(lambda: orders_written(stack) > before + 500, 60)
    assert live(stack) == others
    states = {one.name: (one.state, one.trouble) for one in stack.status().statements}
    for name in (JOIN, DEDUPLICATION):
        assert states[name] == ("STOPPED", f"somebody stopped it; `sales-trends resume {name}` lets it go on")
    resources = {one.name: (one.state, one.phase) for one in stack.deployment.resources() if one.kind == "statement"}
    assert resources[JOIN] == resources[DEDUPLICATION] == ("stopped", "STOPPED")
    planned = {step.id.name: step.action for step in stack.deployment.plan().changes}
    assert planned == {JOIN: Action.RESUME, DEDUPLICATION: Action.RESUME}
    code, said = command(stack, "resume", JOIN)
    assert code == 0, said
    assert f"{JOIN} runs and has read every order, and {DEDUPLICATION} runs." in said
    assert not stack.deployment.statements.hold.exists()
    assert stack.status().running
    assert verified_until(stack, datetime.now(UTC)).ok
    acts = [(act.what, act.thing) for act in stack.deployment.audit.acts() if "stop" in act.what]
    assert acts == [
        ("stop begins", f"statement {JOIN}"),
        ("stop", f"statement {DEDUPLICATION}"),
        ("stop ended", f"statement {JOIN}"),
    ]


def test_a_stopped_copy_goes_on_with_every_window_and_none_twice(stack: LocalStack) -> None:
    code, said = command(stack, "stop", COPY)
    assert code == 0, said
    rows = stack.revenue_rows()
    before = sum(stack.kafka.end_offsets("revenue_summary").values())
    eventually(lambda: sum(stack.kafka.end_offsets("revenue_summary").values()) > before + 3, 90)
    assert COPY not in live(stack)
    assert stack.revenue_rows() == rows
    code, said = command(stack, "resume", COPY)
    assert code == 0, said
    assert verified_until(stack, datetime.now(UTC)).ok


def test_apply_and_up_let_go_on_what_was_stopped(stack: LocalStack) -> None:
    for words, name in ((("apply", "--yes"), REVENUE), (("up", "--no-page"), DEDUPLICATION)):
        stack.stop(name)
        assert name not in live(stack)
        with pytest.raises(DeployError, match="does not run, so there is nothing to stop"):
            stack.stop(name)
        code, said = command(stack, *words)
        assert code == 0, said
        assert stack.status().running
        assert stack.deployment.statements.stopped.names() == set()
    assert verified_until(stack, datetime.now(UTC)).ok


def test_a_stop_that_is_killed_in_the_middle_is_put_right(stack: LocalStack) -> None:
    stopping = begun(stack, "stop", JOIN)
    eventually(lambda: DEDUPLICATION not in live(stack), 60, every_seconds=0.02)
    stopping.send_signal(signal.SIGKILL)
    stopping.communicate()
    if JOIN in stack.deployment.statements.stopped.names():
        # it was faster than the kill
        stack.resume(JOIN)
    eventually(lambda: stack.status().running, 120)
    assert verified_until(stack, datetime.now(UTC)).ok


def goes_on(stack: LocalStack) -> None:
    """The payment app sends."""
    sent = read_progress(stack.settings.local.home).payments_sent
    eventually(lambda: read_progress(stack.settings.local.home).payments_sent > sent + 200, 60)


def test_the_payment_app_is_restarted_without_losing_or_doubling_a_payment(stack: LocalStack) -> None:
    for _ in range(2):
        first = stack.processes.find(PAYMENT_APP)
        assert first is not None
        code, said = command(stack, "restart-app", SALES_SHOP__RATE="1")
        assert code == 0, said
        again = stack.processes.find(PAYMENT_APP)
        assert again is not None
        assert again.pid != first.pid
        rate = stack.settings.as_environment()["SALES_SHOP__RATE"]
        assert again.environ()["SALES_SHOP__RATE"] == rate, "it goes on as it was started"
        goes_on(stack)
    assert "Ended: Shop: payment app" not in stack.processes.log_file(SUPERVISOR).read_text()
    assert verified_until(stack, datetime.now(UTC)).ok
    assert {act.what for act in stack.deployment.audit.acts() if act.thing == PAYMENT_APP} == {
        "restart begins",
        "restart ended",
    }


def found_by(stack: LocalStack, name: str) -> CheckResult:
    def found() -> CheckResult | None:
        result = stack.deployment.check(name, limit=3)
        return result if result.rows else None

    return eventually(found, 120)


def test_every_check_answers_with_the_rows_that_are_wanted(stack: LocalStack) -> None:
    columns = {
        "duplicates-in-payments": ["order_id", "amount", "times"],
        "duplicates-in-unique-payments": ["order_id", "times"],
        "revenue-summary-preview": ["window_start", "window_end", "total_revenue"],
    }
    assert {*columns, "payments-counted-twice"} == stack.deployment.checks.keys()
    assert stack.deployment.check("payments-counted-twice").rows == []
    for name in columns:
        found = found_by(stack, name)
        assert found.columns == columns[name]
        assert len(found.rows) == 3 if found.more else 1 <= len(found.rows) <= 3
        assert found.sql == stack.deployment.checks[name]
    assert {times for _, times in stack.deployment.check("duplicates-in-unique-payments").rows} == {1}
    checks = [job for job in stack.deployment.statements.flink.jobs() if job.name in columns]
    assert {job.ended for job in checks} == {True}, "a check leaves nothing behind that runs"

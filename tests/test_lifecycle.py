"""How commands work on one stack beside each other and beside its supervisor, with made-up statements.

That a real stack starts, stops and goes on is proven in tests/stack.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dashboard.deploy.bad_records import BadRecord
from dashboard.deploy.skipped import Place
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.deploy.statements import Deployment as StatementsOnFlink
from dashboard.errors import DeployError, StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services, stack_lock
from dashboard.local.home import StackKind, record_kind
from dashboard.local.processes import Service
from dashboard.narration import Narrator
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC
from tests.conftest import stack_settings

COPY = "tableflow-payments"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    stack = LocalStack(stack_settings(tmp_path / "home"), Narrator(Console(file=StringIO())), "Ada")
    yield stack
    stack.kill()


SLEEPS = [sys.executable, "-c", "import time; time.sleep(300)"]
ACTS = """
import sys, time
from dashboard.lifecycle import LocalStack
from dashboard.narration import Narrator
from dashboard.settings import load_settings
stack = LocalStack(load_settings(), Narrator())
def act(*_words, **_named):
    print("acts", flush=True)
    time.sleep(60)
setattr(stack.deployment, sys.argv[1], act)
getattr(stack, sys.argv[1])()
"""


def launch(stack: LocalStack, name: str, **environment: str) -> int:
    stack.processes.launch(Service(name, name, SLEEPS, lambda: "", environment))
    process = stack.processes.find(name)
    assert process is not None
    return process.pid


@pytest.fixture
def small_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started as a supervisor does nothing."""
    monkeypatch.setattr(services, "python_module", lambda _name: SLEEPS)


def test_who_acts_is_told_to_the_second_command(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    second = LocalStack(stack.settings, stack.narrator)
    refusals: list[str] = []

    def stop(_name: str) -> str:
        with pytest.raises(StackError) as caught:
            second.apply()
        refusals.append(caught.value.message)
        return "stopped"

    monkeypatch.setattr(stack.deployment, "stop", stop)
    assert stack.stop(JOIN) == "stopped"
    assert ": `stop` by Ada since " in refusals[0]
    assert stack.deployment.audit.who == "Ada"
    assert "@" in second.deployment.audit.who


@pytest.mark.parametrize("act", ["stop", "resume"])
def test_the_supervisor_lives_on_beside_it_and_its_repair_is_waited_for(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    supervisor = launch(stack, services.SUPERVISOR)
    monkeypatch.setattr(stack.deployment, act, lambda name: f"{act} {name}")
    taken, found_taken = threading.Event(), threading.Event()

    def repair() -> None:
        with LocalStack(stack.settings, stack.narrator).lock:
            taken.set()
            found_taken.wait(30)

    def holder(_home: Path) -> str:
        found_taken.set()
        return ""

    monkeypatch.setattr(stack_lock, "holder", holder)
    repairing = threading.Thread(target=repair)
    repairing.start()
    assert taken.wait(30)
    assert getattr(stack, act)(JOIN) == f"{act} {JOIN}"
    still = stack.processes.find(services.SUPERVISOR)
    assert still is not None
    assert still.pid == supervisor
    assert found_taken.is_set()
    repairing.join()


def test_without_a_supervisor_a_lock_that_stays_taken_is_another_commands(stack: LocalStack) -> None:
    with LocalStack(stack.settings, stack.narrator).lock, pytest.raises(StackError, match="Another command"):
        stack.stop(JOIN)
    assert stack_lock.holder(stack.settings.local.home) == ""


@pytest.mark.parametrize(
    ("topic", "stopped", "started"),
    [
        (PAYMENTS_TOPIC, [], [[COPY], [DEDUPLICATION]]),
        (PAYMENTS_TOPIC, [DEDUPLICATION], [[COPY]]),
        (PAYMENTS_TOPIC, [COPY], [[], [DEDUPLICATION]]),
        (ORDERS_TOPIC, [JOIN, DEDUPLICATION], [["tableflow-shiftleft-public-orders"]]),
    ],
)
def test_going_past_a_record_starts_nothing_that_somebody_stopped(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, topic: str, stopped: list[str], started: list[list[str]]
) -> None:
    stack.settings.local.home.mkdir()
    launch(stack, "taskmanager")
    deployment = stack.deployment
    for name in stopped:
        deployment.statements.stopped.add(name)
    done: list[list[str]] = []
    waited: list[str] = []
    monkeypatch.setattr(deployment.inputs, "judged", lambda _place: BadRecord(topic, 0, 0, "bad magic byte 7"))
    monkeypatch.setattr(type(deployment.statements), "cancel", lambda _self, _name: None)
    monkeypatch.setattr(deployment, "start_all", done.append)
    monkeypatch.setattr(deployment, "wait_for_orders", lambda: waited.append("orders"))
    monkeypatch.setattr(deployment, "stuck", lambda _name: False)
    stack.skip(Place(topic, 0, 0))
    assert done == started
    assert bool(waited) == (JOIN not in stopped)


@pytest.mark.usefixtures("small_supervisor")
@pytest.mark.parametrize("act", ["apply", "destroy"])
def test_whoever_is_killed_in_the_middle_leaves_a_supervisor_that_is_missed_and_brought_back(
    stack: LocalStack, act: str
) -> None:
    launch(stack, services.SUPERVISOR)
    environment = {**os.environ, **stack.settings.as_environment()}
    with subprocess.Popen([sys.executable, "-c", ACTS, act], env=environment, stdout=subprocess.PIPE) as acting:
        assert acting.stdout is not None
        assert acting.stdout.readline() == b"acts\n"
        stack.bring_back_supervisor()
        assert stack.processes.find(services.SUPERVISOR) is None, "a command is at work"
        acting.kill()
    stack.bring_back_supervisor()
    assert stack.processes.find(services.SUPERVISOR)


@pytest.mark.usefixtures("small_supervisor")
def test_the_next_command_brings_back_the_supervisor_that_a_killed_one_had_ended(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(stack, services.SUPERVISOR)
    stack.processes.end_all([services.SUPERVISOR], 0)
    monkeypatch.setattr(stack.deployment.inputs, "judged", lambda _place: BadRecord(PAYMENTS_TOPIC, 0, 0, "no value"))
    stack.skip(Place(PAYMENTS_TOPIC, 0, 0))
    assert stack.processes.find(services.SUPERVISOR)


@pytest.mark.usefixtures("small_supervisor")
@pytest.mark.parametrize("act", ["destroy", "down"])
def test_what_ends_a_stack_leaves_no_supervisor_that_somebody_brings_back(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    monkeypatch.setattr(stack.deployment, "destroy", lambda _planned, delete: None)
    launch(stack, services.SUPERVISOR)
    getattr(stack, act)()
    stack.bring_back_supervisor()
    assert stack.processes.find(services.SUPERVISOR) is None


@pytest.mark.usefixtures("small_supervisor")
def test_who_will_not_wait_for_the_supervisor_to_end_leaves_one_that_watches(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_all = stack.processes.end_all

    def interrupted(names: list[str], within_seconds: float) -> None:
        if within_seconds:
            raise KeyboardInterrupt
        end_all(names, within_seconds)

    first = launch(stack, services.SUPERVISOR)
    launch(stack, "kafka")
    with monkeypatch.context() as waiting:
        waiting.setattr(stack.processes, "end_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stack.apply()
    again = stack.processes.find(services.SUPERVISOR)
    assert again is not None
    assert again.pid != first


@pytest.mark.usefixtures("small_supervisor")
def test_a_down_that_is_interrupted_leaves_no_supervisor_of_nothing(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_statements: StatementsOnFlink, _waits_for: object) -> None:
        raise KeyboardInterrupt

    for name in (services.SUPERVISOR, "jobmanager", "taskmanager", "kafka"):
        launch(stack, name)
    monkeypatch.setattr(StatementsOnFlink, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stack.down()
    assert [name for name in services.NAMES if stack.processes.find(name)] == []


@pytest.mark.usefixtures("small_supervisor")
def test_one_that_the_demo_brings_back_just_before_a_command_has_the_lock_is_ended_too(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = stack_lock.held

    def held_later(*words: Any) -> AbstractContextManager[None]:
        LocalStack(stack.settings, stack.narrator).bring_back_supervisor()
        assert stack.processes.find(services.SUPERVISOR)
        return held(*words)

    def apply(*_words: Any, **_named: Any) -> None:
        acted.append(stack.processes.find(services.SUPERVISOR))

    acted: list[object] = []
    launch(stack, services.SUPERVISOR)
    monkeypatch.setattr(stack_lock, "held", held_later)
    monkeypatch.setattr(stack.deployment, "apply", apply)
    stack.apply()
    assert acted == [None]
    assert stack.processes.find(services.SUPERVISOR)


@pytest.mark.usefixtures("small_supervisor")
@pytest.mark.parametrize(
    ("fails", "act", "interval"), [(False, "apply", "1s"), (True, "apply", "7s"), (False, "skip", "7s")]
)
def test_a_supervisor_that_is_started_anew_has_the_options_of_the_one_before(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, *, fails: bool, act: str, interval: str
) -> None:
    """But for what is told by the stack's record, and for the pipeline once it was made by other ones."""

    def apply(*_words: Any, **_named: Any) -> None:
        if fails:
            raise DeployError("It is refused.")

    monkeypatch.setattr(stack.deployment, "apply", apply)
    monkeypatch.setattr(stack.deployment.inputs, "judged", lambda _place: BadRecord(PAYMENTS_TOPIC, 0, 0, "no value"))
    stack.settings.local.home.mkdir()
    record_kind(stack.settings.local.home, StackKind(timedelta(minutes=1)))
    options = {
        "SALES_SHOP__RATE": "300",
        "SALES_ALERTS__WEBHOOK_SECRET": "sesame",
        "SALES_PIPELINE__CHECKPOINT_INTERVAL": "7s",
        "SALES_PIPELINE__WINDOW_SIZE": "5s",
    }
    first = launch(stack, services.SUPERVISOR, **options)
    launch(stack, "kafka")
    with suppress(DeployError):
        stack.skip(Place(PAYMENTS_TOPIC, 0, 0)) if act == "skip" else stack.apply()
    again = stack.processes.find(services.SUPERVISOR)
    assert again is not None
    assert again.pid != first
    found = stack.processes.settings_of(services.SUPERVISOR)
    assert found is not None
    assert {name: found[name] for name in options} == {
        **options,
        "SALES_PIPELINE__CHECKPOINT_INTERVAL": interval,
        "SALES_PIPELINE__WINDOW_SIZE": "1m",
    }

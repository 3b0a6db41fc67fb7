"""How commands work on one stack beside each other and beside its supervisor, with made-up statements.

That a real stack starts, stops and goes on is proven in tests/stack.
"""

import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dashboard.deploy.bad_records import BadRecord
from dashboard.deploy.skipped import Place
from dashboard.deploy.statements import DEDUPLICATION, JOIN
from dashboard.errors import StackError
from dashboard.lifecycle import LocalStack
from dashboard.local import services, stack_lock
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


def launch(stack: LocalStack, name: str) -> int:
    command = [sys.executable, "-c", "import time; time.sleep(300)"]
    stack.processes.launch(Service(name, name, command, lambda: ""))
    process = stack.processes.find(name)
    assert process is not None
    return process.pid


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

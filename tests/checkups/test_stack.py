"""What doctor says of the parts of a stack; that it finds no fault on a real one is proven in tests/stack."""

import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from confluent_kafka import Producer
from rich.console import Console

from dashboard.checkups.stack import examine_stack
from dashboard.lifecycle import LocalStack
from dashboard.local import services
from dashboard.local.doctor import Finding
from dashboard.local.processes import Service
from dashboard.narration import Narrator
from tests.conftest import eventually, stack_settings

Launch = Callable[[str, str], None]


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[LocalStack]:
    stack = LocalStack(stack_settings(tmp_path / "home"), Narrator(Console(file=StringIO())))
    yield stack
    stack.kill()


@pytest.fixture
def launch(idle: LocalStack) -> Launch:
    """Starts a small program in the place of one of the stack's."""

    def launch(name: str, program: str) -> None:
        idle.processes.launch(Service(name, name, [sys.executable, "-c", program], lambda: ""))

    return launch


def found(stack: LocalStack) -> dict[str, Finding]:
    findings = examine_stack(stack)
    assert all(bool(one.remedy) != one.ok for one in findings), "a fault, and only a fault, comes with what to do"
    return {one.name: one for one in findings}


def test_a_stack_that_does_not_run_is_one_line_without_a_fault(idle: LocalStack) -> None:
    (finding,) = examine_stack(idle)
    assert finding.ok
    assert "nothing runs" in finding.detail
    assert "sales-trends up" in finding.detail
    assert not idle.settings.local.home.exists(), "doctor changes nothing"


def test_a_stack_of_another_version_is_a_fault(idle: LocalStack) -> None:
    idle.settings.local.home.mkdir()
    (idle.settings.local.home / "stack.json").write_text('{"format": 7}')
    finding = found(idle)["Stack on disk"]
    assert not finding.ok
    assert "format 7" in finding.detail


def test_a_program_that_ended_by_itself_is_a_fault_with_its_reason(idle: LocalStack, launch: Launch) -> None:
    launch("order-feed", "import sys; sys.exit('ERROR no orders left')")
    eventually(lambda: idle.processes.died("order-feed"), 30, every_seconds=0.1)
    finding = found(idle)["Program order-feed"]
    assert not finding.ok
    assert "ended by itself: ERROR no orders left" in finding.detail
    assert "sales-trends logs order-feed" in finding.remedy


def test_of_a_stack_in_part_what_is_optional_is_no_fault(idle: LocalStack, launch: Launch) -> None:
    launch("registry", "import time; time.sleep(300)")
    findings = found(idle)
    faults = {name for name in services.NAMES if not findings[f"Program {name}"].ok}
    assert faults == {"kafka", "jobmanager", "taskmanager", "gateway", "supervisor"}
    assert findings["Program dashboard"].detail == "was not started"


def test_programs_that_run_and_do_not_answer_are_faults(idle: LocalStack, launch: Launch) -> None:
    for name in ("kafka", "registry", "jobmanager", "gateway", "dashboard"):
        launch(name, "import time; time.sleep(300)")
    findings = found(idle)
    parts = ("Kafka", "Topics", "Registry", "Catalog", "Flink", "SQL gateway", "Dashboard", "Statements")
    assert {name for name in parts if findings[name].ok} == set()
    assert all(findings[f"Program {name}"].ok for name in ("kafka", "registry", "jobmanager", "gateway", "dashboard"))


def test_a_foreign_broker_on_our_port_is_a_fault_that_names_its_cluster(tmp_path: Path) -> None:
    foreign = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    answer = foreign.list_topics(timeout=10)
    (broker,) = answer.brokers.values()
    settings = stack_settings(tmp_path / "home")
    local = settings.local.model_copy(update={"kafka_port": broker.port})
    stack = LocalStack(settings.model_copy(update={"local": local}), Narrator(Console(file=StringIO())))
    # our own broker runs as well, on the port that it was started with
    stack.processes.launch(
        Service("kafka", "kafka", [sys.executable, "-c", "import time; time.sleep(300)"], lambda: "")
    )
    try:
        findings = found(stack)
    finally:
        stack.kill()
    assert not findings["Kafka"].ok
    assert f"answered by the Kafka cluster {answer.cluster_id}" in findings["Kafka"].detail
    assert "SALES_LOCAL__KAFKA_PORT" in findings["Kafka"].remedy
    assert "payments" in findings["Topics"].detail, "that broker has none of our topics"

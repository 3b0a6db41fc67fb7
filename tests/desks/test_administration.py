"""The functions behind the Deploy page, called as somebody would who does not use the page."""

import inspect
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.access import Caller, Role
from dashboard.deploy.audit import AuditLog
from dashboard.deploy.checks import CheckResult
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.deploy.raw_records import RawRecord
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Id, Wanted
from dashboard.deployments import Deployed
from dashboard.desks.administration import Administration, Choices
from dashboard.errors import AccessError, DeployError, SettingsError, UnreachableError
from dashboard.narration import Narrator
from dashboard.runs import Progress
from dashboard.settings import Settings
from tests.conftest import eventually
from tests.fakes.kafka import FakeKafka

ADA = Caller("ada@example.com", Role.ADMIN)
REVENUE = Id("statement", "revenue")
EMPTY = Plan("local", (), "d1")
LOSING = Plan("local", (Step(REVENUE, Action.REPLACE_LOSING_STATE, "changed", "table revenue", "revenue"),), "d2")


class Made:
    """A deployment that remembers what it was told, and by whom."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []
        self.kafka = FakeKafka()
        self.audit = AuditLog(self.kafka, "local")
        self.audit.holder = lambda: "bob@host:1"  # type: ignore[method-assign]  # a cluster in memory has no members
        self.settings: Settings | None = None
        self.who = ""
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.fault: Exception | None = None
        self.checks: Mapping[str, str] = {"duplicates": "SELECT 1"}
        self.restart_command = "sales-trends restart-app"

    def __call__(self, settings: Settings, narrator: Narrator, who: str) -> Deployed:
        self.settings, self.who = settings, who
        return self

    def _do(self, *what: Any) -> None:
        assert self.may_go_on.wait(10)
        if self.fault:
            raise self.fault
        self.did.append(what)

    def plan(self, *, adopt: Collection[str] = (), prune: Collection[str] = ()) -> Plan:
        self._do("plan", tuple(adopt), tuple(prune))
        return EMPTY

    def apply(self, planned: str | None = None, **choices: Collection[str]) -> Plan:
        self._do("apply", planned, {name: sorted(one) for name, one in choices.items()})
        return EMPTY

    def destroy_plan(self, *, delete: Collection[str] = ()) -> Plan:
        self._do("destroy plan", tuple(delete))
        return EMPTY

    def destroy(self, planned: str | None = None, *, delete: Collection[str] = ()) -> Plan:
        self._do("destroy", planned, tuple(delete))
        return EMPTY

    def resources(self) -> list[ResourceStatus]:
        self._do("resources")
        return [ResourceStatus("statement", "revenue", "ready", "RUNNING", "", "1", None, {}, 0)]

    def wanted(self) -> list[Wanted]:
        return [Wanted(REVENUE, "1")]

    def contracts(self) -> list[ContractView]:
        self._do("contracts")
        return []

    def contracts_plan(self) -> Plan:
        self._do("contracts plan")
        return EMPTY

    def apply_contracts(self, planned: str | None = None) -> Plan:
        self._do("apply contracts", planned)
        return EMPTY

    def newest_records(self, topic: str, count: int = 10) -> list[RawRecord]:
        self._do("newest records", topic)
        return []

    def uncover_record(self, topic: str, partition: int, offset: int) -> RawRecord:
        self._do("uncover", topic, partition, offset)
        return RawRecord(partition, offset, datetime.now(UTC), 1, {}, (), ())

    def stop(self, name: str) -> str:
        self._do("stop", name)
        return f"{name} was stopped."

    def resume(self, name: str) -> str:
        self._do("resume", name)
        return f"{name} runs again."

    def restart_app(self) -> str:
        self._do("restart app")
        return "The payment app was restarted."

    def check(self, name: str, limit: int = 100) -> CheckResult:
        self._do("check", name)
        return CheckResult(["one"], [[1]], False, "SELECT 1")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path))


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def office(made: Made) -> Administration:
    return Administration(made)


def ended(office: Administration) -> Progress:
    def look() -> Progress | None:
        run = office.newest_run(ADA, "local")
        return run if run and not run.at_work else None

    return eventually(look, 10, 0.01)


ACTS: dict[str, Callable[[Administration, Caller], object]] = {
    "targets": lambda office, who: office.targets(who),
    "kind": lambda office, who: office.kind(who, "local"),
    "window_size": lambda office, who: office.window_size(who, "local"),
    "look": lambda office, who: office.look(who, "local"),
    "plan": lambda office, who: office.plan(who, "local"),
    "apply": lambda office, who: office.apply(who, EMPTY, []),
    "destroy_plan": lambda office, who: office.destroy_plan(who, "local"),
    "destroy": lambda office, who: office.destroy(who, EMPTY, "local"),
    "contracts": lambda office, who: office.contracts(who, "local"),
    "encrypts": lambda office, who: office.encrypts(who, "local"),
    "contracts_plan": lambda office, who: office.contracts_plan(who, "local"),
    "apply_contracts": lambda office, who: office.apply_contracts(who, EMPTY),
    "newest_records": lambda office, who: office.newest_records(who, "local", "payments"),
    "uncover_record": lambda office, who: office.uncover_record(who, "local", "payments", 0, 1),
    "statement_of": lambda office, who: office.statement_of(who, "local", "tableflow", "revenue_summary"),
    "stop": lambda office, who: office.stop(who, "local", "revenue"),
    "resume": lambda office, who: office.resume(who, "local", "revenue"),
    "restart_app": lambda office, who: office.restart_app(who, "local"),
    "restart_command": lambda office, who: office.restart_command(who, "local"),
    "checks": lambda office, who: office.checks(who, "local"),
    "check": lambda office, who: office.check(who, "local", "duplicates"),
    "acts": lambda office, who: office.acts(who, "local"),
    "all_acts": lambda office, who: office.all_acts(who, "local"),
    "begun_elsewhere": lambda office, who: office.begun_elsewhere(who, "local"),
    "lake_access": lambda office, who: office.lake_access(who, "local"),
    "newest_run": lambda office, who: office.newest_run(who, "local"),
}


def test_every_act_is_in_the_table_of_acts_and_roles() -> None:
    public = {name for name, _ in inspect.getmembers(Administration, inspect.isfunction) if not name.startswith("_")}
    assert public == set(ACTS)


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.OPS])
@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_refused_to_whoever_is_no_admin_and_nothing_happens(
    office: Administration, made: Made, act: str, role: Role | None
) -> None:
    with pytest.raises(AccessError):
        ACTS[act](office, Caller("eve@example.com", role))
    assert made.did == []
    assert made.settings is None
    assert office.newest_run(ADA, "local") is None


@pytest.mark.parametrize("act", ACTS)
def test_an_admin_may_do_each_act(office: Administration, act: str) -> None:
    ACTS[act](office, ADA)
    if run := office.newest_run(ADA, "local"):
        assert run.who == "ada@example.com"
        assert ended(office).fault is None


def test_an_apply_carries_out_exactly_the_plan_that_was_seen_for_the_person_who_asked(
    office: Administration, made: Made
) -> None:
    run = office.apply(ADA, LOSING, ["revenue"], Choices(timedelta(minutes=1), ("orders",), ("old",)))
    assert (run.what, run.who, run.plan) == ("apply", "ada@example.com", LOSING)
    assert ended(office).fault is None
    assert made.did == [("apply", "d2", {"lose": ["revenue"], "adopt": ["orders"], "prune": ["old"]})]
    assert made.who.startswith("ada@example.com (dashboard on ")
    assert made.settings is not None
    assert made.settings.pipeline.window_size == timedelta(minutes=1)


@pytest.mark.parametrize("typed", [[], ["Revenue"], ["revenue "], ["orders"]])
def test_a_loss_that_nobody_typed_the_name_of_is_refused(office: Administration, made: Made, typed: list[str]) -> None:
    with pytest.raises(DeployError, match="drops the data of revenue"):
        office.apply(ADA, LOSING, typed)
    assert made.did == []


@pytest.mark.parametrize("typed", ["", "Local", "staging"])
def test_nothing_is_destroyed_unless_the_targets_name_was_typed(office: Administration, made: Made, typed: str) -> None:
    with pytest.raises(DeployError, match="is not local"):
        office.destroy(ADA, EMPTY, typed)
    assert made.did == []


def test_a_second_admin_is_told_who_is_at_work_and_sees_the_same_run(office: Administration, made: Made) -> None:
    bob = Caller("bob@example.com", Role.ADMIN)
    made.may_go_on.clear()
    office.apply(ADA, EMPTY, [])
    with pytest.raises(DeployError, match=r"apply, begun by ada@example\.com"):
        office.stop(bob, "local", "revenue")
    seen = office.newest_run(bob, "local")
    assert seen is not None
    assert (seen.at_work, seen.who) == (True, "ada@example.com")
    made.may_go_on.set()
    assert ended(office).fault is None


def test_a_failed_act_says_why_and_the_next_may_begin(office: Administration, made: Made) -> None:
    made.fault = UnreachableError("Kafka did not answer.", "Start it.")
    office.stop(ADA, "local", "revenue")
    assert str(ended(office).fault) == "Kafka did not answer. Start it."
    made.fault = None
    office.restart_app(ADA, "local")
    assert ended(office).said == ("The payment app was restarted.",)


def test_however_many_look_the_target_is_asked_once_in_a_while_and_again_after_a_change(
    office: Administration, made: Made
) -> None:
    for _ in range(5):
        office.look(ADA, "local")
    assert made.did == [("resources",)]
    office.stop(ADA, "local", "revenue")
    ended(office)
    office.look(ADA, "local")
    assert [what for what, *_ in made.did] == ["resources", "stop", "resources"]


@pytest.mark.parametrize(
    ("acts", "waits"),
    [
        (["apply begins", "apply ended", "redrive begins"], False),
        (["redrive begins"], False),
        (["apply begins", "redrive begins", "redrive ended"], True),
        (["apply begins"], True),
    ],
)
def test_a_redrive_is_no_change_that_waits_to_be_done_again_and_hides_none_that_does(
    office: Administration, made: Made, acts: list[str], waits: bool
) -> None:
    made.audit.begin()
    for act in acts:
        made.audit.write("d1", act)
    made.audit.holder = lambda: ""  # type: ignore[method-assign]
    begun = office.begun_elsewhere(ADA, "local")
    assert begun.startswith("Interrupted: apply by ") == waits
    assert bool(begun) == waits


def test_what_copies_a_topic_is_stopped_by_its_own_name_and_a_topic_is_not_stopped(office: Administration) -> None:
    assert office.statement_of(ADA, "local", "statement", "revenue") == "revenue"
    assert office.statement_of(ADA, "local", "tableflow", "revenue_summary") == "tableflow-revenue-summary"
    assert office.statement_of(ADA, "local", "topic", "revenue_summary") == ""


def test_an_unknown_target_is_one_sentence(office: Administration) -> None:
    with pytest.raises(SettingsError, match="no target 'venus'"):
        office.plan(ADA, "venus")

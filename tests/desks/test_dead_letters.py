"""What ops may see of dead letters and admins may do, called as somebody would who does not use the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.access import Caller, Role
from dashboard.dead_letters.reading import Wanted
from dashboard.dead_letters.redrive import Choices, Outcome
from dashboard.desks.dead_letters import DeadLetterDesk
from dashboard.errors import AccessError
from dashboard.runs import Progress
from tests.conftest import eventually
from tests.dead_letters.world import World, payment, queue
from tests.real_broker import RealBroker, real_broker

ADA, OTTO, VERA = Caller("ada", Role.ADMIN), Caller("otto", Role.OPS), Caller("vera", Role.VIEWER)
NOBODY = Caller("nobody", None)
CARD = "4111-1111-1111-1234"
CORRECTED = Choices({"confirmation_code": "AB12CD34"})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("desk") / "home") as broker:
        yield broker


@pytest.fixture
def world(real: RealBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    return World(real.kafka)


@pytest.fixture
def desk(world: World) -> DeadLetterDesk:
    return DeadLetterDesk(lambda _settings, who: queue(world.kafka, who))


def one_letter(desk: DeadLetterDesk, world: World, order_id: int = 3000) -> str:
    world.order(order_id)
    return world.letter(payment(order_id, confirmation_code="0"))


SEEING: dict[str, Callable[[DeadLetterDesk, Caller, str], object]] = {
    "targets": lambda desk, who, _target: desk.targets(who),
    "kind": lambda desk, who, target: desk.kind(who, target),
    "letters": lambda desk, who, target: desk.letters(who, target, Wanted()),
    "newest_run": lambda desk, who, target: desk.newest_run(who, target),
    "begun_elsewhere": lambda desk, who, target: desk.begun_elsewhere(who, target),
}
ACTING: dict[str, Callable[[DeadLetterDesk, Caller], object]] = {
    "plan": lambda desk, who: desk.plan(who, "local", ("0:0",), CORRECTED),
    "redrive": lambda desk, who: desk.redrive(who, desk.plan(ADA, "local", ("0:0",), CORRECTED)),
}


@pytest.mark.parametrize("act", SEEING)
def test_ops_and_admins_see_and_nobody_else(desk: DeadLetterDesk, act: str) -> None:
    for who in (VERA, NOBODY):
        with pytest.raises(AccessError):
            SEEING[act](desk, who, "local")
    for who in (OTTO, ADA):
        SEEING[act](desk, who, "local")


@pytest.mark.parametrize("act", ACTING)
def test_only_an_admin_sends_again(desk: DeadLetterDesk, world: World, act: str) -> None:
    one_letter(desk, world)
    for who in (NOBODY, VERA, OTTO):
        with pytest.raises(AccessError):
            ACTING[act](desk, who)
    assert world.redriven() == []


def test_every_act_is_in_one_of_the_tables() -> None:
    public = {name for name in vars(DeadLetterDesk) if not name.startswith("_")}
    assert public == SEEING.keys() | ACTING.keys()


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A target that this dashboard does not show."""
    targets = tmp_path / "targets.toml"
    targets.write_text(
        """[staging]
        kind = "open-source"
        kafka_bootstrap = "kafka:9092"
        schema_registry_url = "http://registry:8081"
        flink_endpoint = "http://jobmanager:8081"
        sql_gateway_endpoint = "http://gateway:8083"
        iceberg_catalog = "http://catalog:8181"
        iceberg_namespace = "shop"
        state = "s3://bucket/flink"
        """
    )
    monkeypatch.setenv("SALES_TARGETS_FILE", str(targets))
    return "staging"


@pytest.mark.parametrize("act", sorted(SEEING.keys() - {"targets"}))
def test_ops_see_nothing_of_another_target_whatever_they_send(desk: DeadLetterDesk, act: str, staging: str) -> None:
    for target in (staging, "no such target"):
        with pytest.raises(AccessError, match=f"Seeing the target {target} is for admins"):
            SEEING[act](desk, OTTO, target)
    SEEING[act](desk, ADA, staging)


@pytest.mark.usefixtures("staging")
def test_ops_see_the_target_of_this_dashboard_and_no_other(desk: DeadLetterDesk) -> None:
    assert desk.targets(OTTO) == ["local"]
    assert desk.targets(ADA) == ["local", "staging"]


def test_what_a_page_is_given_holds_no_card_number(desk: DeadLetterDesk, world: World) -> None:
    world.letter(payment(3000, confirmation_code=CARD))
    found = desk.letters(OTTO, "local", Wanted())
    assert CARD not in repr(found)
    assert found.rows[0].shown.clear_card


def test_a_redrive_does_what_its_dry_run_said(desk: DeadLetterDesk, world: World) -> None:
    letter = one_letter(desk, world)
    plan = desk.plan(ADA, "local", (letter,), CORRECTED)
    assert plan.counts == {Outcome.COUNTS: 1}
    assert world.redriven() == []
    desk.redrive(ADA, plan)

    def ended() -> Progress | None:
        run = desk.newest_run(OTTO, "local")
        return run if run and not run.at_work else None

    run = eventually(ended, 30, 0.05)
    assert run.fault is None
    assert run.said == (plan.summary,)
    assert len(world.redriven()) == 1
    (row,) = desk.letters(OTTO, "local", Wanted()).rows
    assert row.redriven
    assert row.redriven.by.startswith("ada (dashboard on ")
    assert desk.letters(OTTO, "local", Wanted(redriven=False)).rows == []

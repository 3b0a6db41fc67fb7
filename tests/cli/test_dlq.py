"""The commands on dead letters, on a real broker; what strangers wrote never steers the terminal."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from dashboard.cli import dlq as dlq_commands
from dashboard.cli.dlq import dlq
from dashboard.errors import ReadError, SalesTrendsError, SettingsError
from dashboard.narration import Narrator
from dashboard.settings import Settings
from tests.dead_letters.world import CLOCK, HOUR, RULE, World, headers, orders_of, payment, queue
from tests.real_broker import RealBroker, real_broker

CARD = "4111-1111-1111-1234"
ESCAPES = "\x1b[2J\x1b]0;gone\x07\r\x9b31m\u202e"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("commands") / "home") as broker:
        yield broker


@pytest.fixture
def world(real: RealBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World(real.kafka)
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))

    def on_this_broker(_settings: Settings) -> object:
        return queue(world.kafka)

    monkeypatch.setattr(dlq_commands, "DeadLetterQueue", on_this_broker)
    return world


def run(*words: str, answer: str | None = None) -> Result:
    """What the command said is in `stdout`; what it narrated in `stderr`."""
    console = Console(file=StringIO(), width=200)
    return CliRunner().invoke(dlq, words, input=answer, obj=Narrator(console))


def test_list_shows_letters_without_card_numbers_and_without_what_steers_a_terminal(world: World) -> None:
    world.letter(payment(3000, confirmation_code=ESCAPES), headers() | {"__rule.exception": f"{ESCAPES}{CARD}"})
    world.letter(b"\x1b[2J", {"__rule.name": ESCAPES})
    result = run("list")
    assert result.exit_code == 0
    first, *lines = result.stdout.splitlines()
    assert first.split()[:3] == ["letter", "when", "(UTC)"]
    assert [line.split()[0] for line in lines] == ["0:1", "0:0"]
    assert lines[1].split()[1] == "!", "it holds a card number in the clear"
    assert all(one.isprintable() for line in lines for one in line)
    assert "4111" not in result.stdout
    for told in (run("list", "--json"), run("list", "--groups"), run("show", "0:0", "--headers"), run("show", "0:1")):
        assert told.exit_code == 0
        assert all(one.isprintable() or one == "\n" for one in told.stdout)
        assert "4111" not in told.stdout
    assert run("list", "--groups", "--json").exit_code == 0


def test_show_as_json_tells_all_but_the_card_number(world: World) -> None:
    world.letter(payment(3000, amount=1.005))
    told = json.loads(run("show", "0:0", "--json", "--headers").stdout)
    assert (told["letter"], told["rule"], told["card_in_clear"], told["redriven"]) == ("0:0", RULE, True, False)
    assert told["fields"]["amount"] == 1.005
    assert told["fields"]["cc_number"] == "<card number in clear>"
    assert ["__rule.mode", "WRITE"] in told["headers"]


def test_a_dry_run_shows_each_outcome_and_sends_nothing(world: World) -> None:
    world.order(3000)
    for order in (3000, 3001):
        world.letter(payment(order, confirmation_code="0"))
    result = run("redrive", "--all", "--set", "confirmation_code=AB12CD34", "--dry-run")
    assert result.exit_code == 2
    assert "sent: counts" in result.stdout
    assert "not sent: no order" in result.stdout
    assert "1 payment, 10.01 booked now; 1 has no order and will not count." in result.stdout
    assert world.redriven() == []


def test_redrive_asks_and_then_sends(world: World) -> None:
    world.order(3000)
    world.letter(payment(3000))
    refused = run("redrive", "0:0", answer="n\n")
    assert (refused.exit_code, world.redriven()) == (1, [])
    agreed = run("redrive", "0:0", answer="y\n")
    assert agreed.exit_code == 0
    assert orders_of(world.redriven()) == [3000]
    again = run("redrive", "0:0", "--yes")
    assert again.exit_code == 2
    assert "redriven already" in again.stdout
    assert len(world.redriven()) == 1


def test_redrive_at_the_own_time_as_json(world: World) -> None:
    world.letter(payment(3000, ts=CLOCK - 25 * HOUR))
    result = run("redrive", "--rule", RULE, "--own-time", "--yes", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["letters"][0]["outcome"], told["booked"]) == ("late", "0.00")
    assert len(world.redriven()) == 1


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["redrive"], SettingsError),
        (["redrive", "0:0", "--all"], SettingsError),
        (["redrive", "0:0", "--set", "nothing"], SettingsError),
        (["redrive", "0:0", "--set", "strange=1"], SettingsError),
        (["redrive", "0:0", "--set", "ts=1"], SettingsError),
        (["redrive", "0:0", "--set", "amount=inf"], SettingsError),
        (["redrive", "0:0", "--set", "order_id=4294967296"], SettingsError),
        (["redrive", "0:9"], ReadError),
        (["show", "42"], SettingsError),
    ],
)
def test_what_cannot_be_is_refused(world: World, words: list[str], fault: type[SalesTrendsError]) -> None:
    world.letter(payment(3000))
    result = run(*words)
    assert isinstance(result.exception, fault)
    assert world.redriven() == []


def test_a_wrong_value_is_not_repeated_in_the_fault(world: World) -> None:
    world.letter(payment(3000))
    result = run("redrive", "0:0", "--set", f"order_id={CARD}")
    assert isinstance(result.exception, SettingsError)
    assert CARD not in str(result.exception)


def test_since_takes_a_time_or_a_span(world: World) -> None:
    world.letter(payment(3000), at=CLOCK)
    assert "0:0" in run("list", "--since", "2026-01-01T00:00").stdout
    assert run("list", "--since", "2090-01-01T00:00+02:00").stdout == ""
    assert run("list", "--since", "1s").exit_code == 0
    assert run("list", "--since", "soon").exit_code == 2

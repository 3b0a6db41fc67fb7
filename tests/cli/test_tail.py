"""`sales-trends tail` as a command, on a real broker."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.remotes.registry import Registry
from tests.app_pages.live_world import CARD, LETTERS, ORDER, ORDERS
from tests.readers.topics import new_topic, produce, wire
from tests.real_broker import RealBroker, real_broker
from tests.registry_server import registry_at


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("tail") / "home") as broker:
        new_topic(broker.kafka, name=LETTERS)
        yield broker


@pytest.fixture(scope="module")
def schema(broker: RealBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The id of the orders' schema, in a registry that runs where the settings say."""
    with registry_at(tmp_path_factory.mktemp("registry"), broker.settings.local.registry_port) as url:
        yield Registry(url).register(f"{ORDERS}-value", ORDER)


@pytest.fixture
def topic(broker: RealBroker) -> str:
    """A new one in each test, with ten orders."""
    return new_topic(broker.kafka, partitions=2)


class Tail:
    """The command."""

    def __init__(self, broker: RealBroker, environment: dict[str, str]) -> None:
        local = broker.settings.local
        self._environment = environment | {
            "SALES_LOCAL__KAFKA_PORT": str(local.kafka_port),
            "SALES_LOCAL__REGISTRY_PORT": str(local.registry_port),
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dashboard", "tail", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=self._environment)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dashboard", "tail", *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environment
        )


@pytest.fixture
def tail(broker: RealBroker, schema: int, environment: dict[str, str]) -> Tail:
    return Tail(broker, environment)


def orders(broker: RealBroker, schema: int, topic: str, *order_ids: int, partition: int = 0) -> None:
    values = [
        wire({"order_id": one, "amount": float(one), "confirmation_code": "AB12CD34", "ts": None}, schema, ORDER)
        for one in order_ids
    ]
    produce(broker.kafka, topic, values, partition=partition)


def ids(stdout: str) -> list[int]:
    return [json.loads(line)["value"]["order_id"] for line in stdout.splitlines()]


def test_it_follows_until_it_is_interrupted(broker: RealBroker, schema: int, topic: str, tail: Tail) -> None:
    orders(broker, schema, topic, 1)
    process = tail.begin(topic, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert "Following" in process.stderr.readline()
    for order_id in (2, 3):
        orders(broker, schema, topic, order_id)
        assert json.loads(process.stdout.readline())["value"]["order_id"] == order_id
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert out == ""
    assert "2 records read, 2 shown." in told


def test_it_begins_where_it_is_told_to(broker: RealBroker, schema: int, topic: str, tail: Tail) -> None:
    orders(broker, schema, topic, 1, 2, 3)
    orders(broker, schema, topic, 4, 5, partition=1)
    assert sorted(ids(tail(topic, "--from", "10m", "--once", "--json").stdout)) == [1, 2, 3, 4, 5]
    assert ids(tail(topic, "--from", "2030-01-01T00:00", "--once", "--json").stdout) == []
    assert ids(tail(topic, "--last", "2", "--once", "--json").stdout) == [4, 5]
    assert ids(tail(topic, "--from", "10m", "--where", "value.amount > 2.0", "-n", "2", "--json").stdout) in (
        [3, 4],
        [4, 5],
    )


def test_what_comes_while_it_looks_back_is_printed_once(
    broker: RealBroker, schema: int, topic: str, tail: Tail
) -> None:
    orders(broker, schema, topic, 1, 2, 3)
    process = tail.begin(topic, "--json", "--last", "2", "-n", "30")
    # at every moment of its start
    for order_id in range(4, 400):
        orders(broker, schema, topic, order_id)
        if process.poll() is not None:
            break
        time.sleep(0.02)
    out, _ = process.communicate(timeout=20)
    told = ids(out)
    assert len(told) == 30
    assert told == list(range(told[0], told[0] + 30))


def test_for_people_each_is_a_line(broker: RealBroker, schema: int, topic: str, tail: Tail) -> None:
    orders(broker, schema, topic, 7)
    produce(broker.kafka, topic, [b"\7", b"\0\0\0\0\x63"], headers=[("who", "a\x1b[31mda")])
    done = tail(topic, "--last", "5", "--once", "--headers")
    first, second, third = done.stdout.splitlines()
    assert '0:0  {"order_id": 7, "amount": 7.0, "confirmation_code": "AB12CD34", "ts": null}' in first
    assert "\\x07  who=a\\x1b[31mda" in second
    assert "! unknown schema id 99" in third
    assert done.returncode == 0


def test_what_a_terminal_obeys_is_escaped_in_json_too(broker: RealBroker, tail: Tail, topic: str) -> None:
    text = "a\x9b31mb\u202ec\u2028d"
    produce(broker.kafka, topic, [json.dumps({"note": text}).encode()], headers=[("who", text)])
    produce(broker.kafka, topic, [b'{"half": "\\ud800"}'])
    done = tail(topic, "--last", "5", "--once", "--json")
    assert done.stdout.replace("\n", "").isprintable()
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["headers"], second["value"]) == ([["who", text]], {"half": "?"})


def test_no_card_number_is_printed_nor_can_be_guessed(broker: RealBroker, tail: Tail) -> None:
    letter = f'{{"cc_number": "{CARD}", "note": "{CARD.replace("-", "")}"}}'
    produce(broker.kafka, LETTERS, [letter.encode()], headers=[("card", CARD)])
    for words in (["--json"], ["--headers"]):
        done = tail(LETTERS, "--last", "5", "--once", *words)
        assert "4111" not in done.stdout + done.stderr
        assert "<card number>" in done.stdout
    assert tail(LETTERS, "--last", "5", "--once", "--where", "value.cc_number.startsWith('4')").stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["no-such-topic"], 1, "There is no topic no-such-topic."),
        (["--where", "value.amount >"], 64, "its end at character 15"),
        (["--from", "yesterday"], 64, "neither a time"),
        (["--from", "-2h"], 64, "out of bounds"),
        (["--from", "2000000h"], 64, "out of bounds"),
        (["--from", "0001-01-01T00:00+14:00"], 64, "neither a time"),
        (["--from", "1h", "--last", "5"], 64, "two beginnings"),
        (["--last", "100000"], 64, "500"),
    ],
)
def test_what_is_wrong_is_one_sentence(tail: Tail, words: list[str], code: int, told: str) -> None:
    done = tail(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_condition_without_an_answer_is_told_at_the_end(
    broker: RealBroker, schema: int, topic: str, tail: Tail
) -> None:
    orders(broker, schema, topic, 1, 2)
    done = tail(topic, "--from", "10m", "--once", "--where", "value.amout > 1.0")
    assert (done.stdout, done.returncode) == ("", 0)
    assert "2 records read, 0 shown. The condition had no answer for 2: there is no amout." in done.stderr


def test_a_broker_that_is_away_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dashboard", "tail", ORDERS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 69
    assert "did not answer" in done.stderr

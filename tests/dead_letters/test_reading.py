"""Finding letters on a real broker."""

from datetime import UTC, datetime

import pytest

from dashboard.dead_letters import reading
from dashboard.dead_letters.reading import DeadLetters, Wanted, place_of
from dashboard.errors import ReadError, SettingsError, UnreachableError
from dashboard.remotes.kafka import Kafka
from tests.dead_letters.world import CLOCK, World, headers, payment, queue


def ids(world: World, wanted: Wanted | None = None, limit: int = 100) -> list[str]:
    return [one.id for one in DeadLetters(world.kafka).newest(limit, wanted).letters]


def test_the_newest_come_first_and_filters_take_what_they_name(world: World) -> None:
    world.letter(payment(3000), at=CLOCK - 60_000)
    world.letter(payment(3001), headers() | {"__rule.name": "other", "__rule.exception": "Too Odd"}, at=CLOCK - 30_000)
    world.letter(b"\xff\x00binary", {}, at=CLOCK)
    assert ids(world) == ["0:2", "0:1", "0:0"]
    assert ids(world, limit=2) == ["0:2", "0:1"]
    assert not DeadLetters(world.kafka).newest(2).complete
    assert DeadLetters(world.kafka).newest(3).complete
    assert ids(world, Wanted(rule="other")) == ["0:1"]
    assert ids(world, Wanted(reason="too odd")) == ["0:1"]
    assert ids(world, Wanted(order_id=3000)) == ["0:0"]
    since = datetime.fromtimestamp(CLOCK / 1000 - 30, UTC)
    assert ids(world, Wanted(since=since)) == ["0:2", "0:1"]
    assert ids(world, Wanted(until=since)) == ["0:0"]


def test_redriven_letters_can_be_told_from_others(world: World) -> None:
    world.order(3000)
    sent, left = world.letter(payment(3000)), world.letter(payment(3001))
    letters = queue(world.kafka)
    letters.redrive(letters.plan([sent]))
    assert ids(world, Wanted(redriven=True)) == [sent]
    assert ids(world, Wanted(redriven=False)) == [left]
    assert letters.redriven()[sent].order_id == 3000


def test_letters_are_found_across_many_blocks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK", 3)
    for order in range(3000, 3010):
        world.letter(payment(order))
    assert ids(world, limit=7) == [f"0:{offset}" for offset in range(9, 2, -1)]
    assert ids(world, Wanted(order_id=3000)) == ["0:0"]
    monkeypatch.setattr(reading, "MOST_READ", 6)
    found = DeadLetters(world.kafka).newest(10, Wanted(order_id=3000))
    assert (found.letters, found.complete) == ([], False)


def test_letters_are_given_by_their_ids_in_the_order_asked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_GAP", 1)
    for order in range(3000, 3006):
        world.letter(payment(order))
    found = DeadLetters(world.kafka).some(["0:5", "0:0", "0:5"])
    assert [one.order_id for one in found] == [3005, 3000]
    for missing in ("0:6", "7:0"):
        with pytest.raises(ReadError, match=f"no dead letter {missing}"):
            DeadLetters(world.kafka).some(["0:1", missing])


@pytest.mark.parametrize("text", ["", "42", "0:", "0:-1", "a:b", "0:42 ", "0:42\n", "0:" + "9" * 30])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        place_of(text)


def test_without_the_topic_there_are_no_letters_and_without_a_broker_it_is_said(world: World) -> None:
    world.kafka.delete_topics(["error-payments"])
    assert ids(world) == []
    with pytest.raises(ReadError):
        DeadLetters(world.kafka).some(["0:0"])
    with pytest.raises(UnreachableError):
        DeadLetters(Kafka("127.0.0.1:1")).newest(1)

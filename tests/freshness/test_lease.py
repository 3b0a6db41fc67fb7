import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from dashboard.errors import ReadError, UnreachableError
from dashboard.freshness.lease import Lease
from dashboard.remotes.kafka_membership import Membership
from tests.conftest import eventually

HOLDS = """
import sys
from pathlib import Path
from dashboard.freshness.lease import Lease
lease = Lease(Path(sys.argv[1]))
print(lease.take(), flush=True)
input()
"""


class Right:
    """Stands for membership of a Kafka group: given or not, and lost at any moment."""

    def __init__(self, held: bool, fault: UnreachableError | None = None) -> None:
        self.held = held
        self.fault = fault
        self.sought_for: list[float] = []
        self.left = 0

    @contextmanager
    def sought(self, within_seconds: float) -> Iterator["Right"]:
        self.sought_for.append(within_seconds)
        try:
            yield self
        finally:
            self.left += 1

    def holder(self) -> str:
        if self.fault is not None:
            raise self.fault
        return "another machine"

    def lease(self, file: Path) -> Lease:
        return Lease(file, lambda: cast(Membership, self), within_seconds=0.1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "not-there-yet" / "watch.lock"


def test_one_of_two_has_it_until_it_lets_go(file: Path) -> None:
    first, second = Lease(file), Lease(file)

    assert [first.take(), second.take(), first.take()] == [True, False, True]
    assert (first.held, second.held) == (True, False)
    first.release()
    assert second.take()
    assert not first.held
    second.release()


def test_a_holder_that_is_killed_frees_it(file: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        lease = Lease(file)
        assert not lease.take()
        other.kill()
        eventually(lease.take, 10, every_seconds=0.05)
    lease.release()


def test_on_a_target_of_many_machines_the_group_must_give_it_too(file: Path) -> None:
    refused, given = Right(held=False), Right(held=True)

    assert not refused.lease(file).take()
    assert refused.left == 1, "it does not wait in the group without the right"
    lease = given.lease(file)
    assert lease.take()
    assert (lease.held, given.left) == (True, 0)
    lease.release()
    assert given.left == 1


def test_who_was_cut_off_from_the_group_has_it_no_more_and_can_take_it_again(file: Path) -> None:
    right = Right(held=True)
    lease = right.lease(file)
    assert lease.take()

    right.held = False
    assert not lease.held
    assert not lease.take()
    right.held = True
    assert lease.take()
    lease.release()


def test_while_kafka_is_away_the_lock_alone_decides_so_that_somebody_tells_of_it(file: Path) -> None:
    away = UnreachableError("Kafka did not answer.")
    right = Right(held=False, fault=away)
    lease, other = right.lease(file), right.lease(file)

    assert [lease.take(), lease.held, other.take()] == [True, True, False]
    assert lease.alone is away

    right.fault = None
    assert not lease.take(), "another machine has it"
    assert not lease.held
    assert str(lease.alone) == "None"
    right.held = True
    assert lease.take()
    assert right.left == 2, "of three attempts the last one stays"
    lease.release()


def test_who_finds_the_lock_taken_does_not_ask_the_group(file: Path) -> None:
    right = Right(held=True)
    holder = Lease(file)
    assert holder.take()

    assert not right.lease(file).take()
    assert right.sought_for == []
    holder.release()


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")

    with pytest.raises(ReadError, match="cannot be used"):
        Lease(tmp_path / "taken" / "watch.lock").take()

"""Runs that go on without the page that began them."""

import threading

import pytest

from dashboard.errors import DeployError, UnreachableError
from dashboard.narration import Narrator
from dashboard.runs import Progress, Runs
from tests.conftest import eventually


def ended(runs: Runs, target: str = "mars") -> Progress:
    def look() -> Progress | None:
        progress = runs.newest(target)
        return progress if progress and not progress.at_work else None

    return eventually(look, 10, 0.01)


def test_a_run_is_seen_while_it_works_and_when_it_has_ended() -> None:
    runs, go = Runs(), threading.Event()

    def act(narrator: Narrator) -> None:
        with narrator.step("Flink statements") as step:
            step.waits_for("2 of 7 run")
            assert go.wait(10)
            step.result = "7 run"
        narrator.say("Restart the payment app.")

    runs.begin("mars", "apply", "ada", act)
    waiting = eventually(lambda: [one for one in progress_of(runs).stages if one.waits_for], 10, 0.01)
    assert [(one.title, one.state, one.waits_for) for one in waiting] == [("Flink statements", "running", "2 of 7 run")]
    assert progress_of(runs).at_work
    go.set()
    done = ended(runs)
    assert [(one.title, one.state, one.waits_for) for one in done.stages] == [("Flink statements", "done", "7 run")]
    assert done.said == ("Restart the payment app.",)
    assert (done.who, done.fault) == ("ada", None)
    assert done.ended is not None
    assert done.ended >= done.began


def progress_of(runs: Runs) -> Progress:
    progress = runs.newest("mars")
    assert progress is not None
    return progress


def test_a_second_run_on_the_same_target_is_refused_with_the_name_of_who_began_the_first() -> None:
    runs, go = Runs(), threading.Event()
    runs.begin("mars", "apply", "ada", lambda _narrator: go.wait(10))
    with pytest.raises(DeployError, match="apply, begun by ada at"):
        runs.begin("mars", "destroy", "bob", lambda _narrator: None)
    runs.begin("venus", "apply", "bob", lambda _narrator: None)
    go.set()
    ended(runs)
    runs.begin("mars", "destroy", "bob", lambda _narrator: None)
    assert ended(runs).who == "bob"


def test_only_one_of_many_who_begin_at_once_does() -> None:
    runs, go, refused = Runs(), threading.Event(), []

    def begin(who: str) -> None:
        try:
            runs.begin("mars", "apply", who, lambda _narrator: go.wait(10))
        except DeployError as error:
            refused.append(error)

    threads = [threading.Thread(target=begin, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    go.set()
    ended(runs)
    assert len(refused) == 7


def test_a_failure_is_kept_with_the_step_that_it_happened_in() -> None:
    runs = Runs()

    def act(narrator: Narrator) -> None:
        with narrator.step("Topics and contracts") as step:
            step.waits_for("make topic payments")
            raise UnreachableError("Kafka did not answer.", "Start it.")

    runs.begin("mars", "apply", "ada", act)
    failed = ended(runs)
    assert str(failed.fault) == "Kafka did not answer. Start it."
    assert [(one.state, one.waits_for) for one in failed.stages] == [("failed", "make topic payments")]


def test_a_fault_of_our_own_is_one_sentence_and_its_trace_a_file(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    runs = Runs()

    def act(_narrator: Narrator) -> None:
        raise KeyError("a secret")

    runs.begin("mars", "apply", "ada", act)
    fault = ended(runs).fault
    assert fault is not None
    assert fault.message == "It failed by a fault of our own: KeyError."
    assert "a secret" not in str(fault)

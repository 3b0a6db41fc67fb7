import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from dashboard.errors import StackError
from dashboard.local.identity import identity
from dashboard.local.stack_lock import held, holder

HOLDS = """
import sys
from pathlib import Path
from filelock import FileLock
from dashboard.local.stack_lock import held
home = Path(sys.argv[1])
with held(FileLock(home / ".lock"), home, "apply", "ada@moon:7"):
    print("held", flush=True)
    input()
"""
TAKES = HOLDS.replace('held(FileLock(home / ".lock"), home, "apply", "ada@moon:7")', 'FileLock(home / ".lock")')
"""As whoever says nothing, the supervisor for one."""
FOR_A_MOMENT = TAKES.replace("input()", "import time; time.sleep(0.5)")
"""As one who was killed and whose last thread is still ending."""


@contextmanager
def another(home: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def refused(home: Path, within_seconds: float = 0) -> str:
    with pytest.raises(StackError) as caught, held(FileLock(home / ".lock"), home, "up", "bob", within_seconds):
        pass
    return str(caught.value)


def test_who_finds_the_lock_taken_is_told_by_whom_for_what_and_since_when(tmp_path: Path) -> None:
    with another(tmp_path, HOLDS):
        told = refused(tmp_path, within_seconds=60)
    assert re.search(r": `apply` by ada@moon:7 since \d\d:\d\d:\d\d UTC\.", told)


def test_nothing_is_known_of_a_holder_who_wrote_no_note(tmp_path: Path) -> None:
    with another(tmp_path, HOLDS) as first:
        first.kill()
        first.wait()
    assert (tmp_path / "run" / "lock-holder").exists(), "what is killed leaves its note"
    with another(tmp_path, TAKES):
        assert "ada" not in refused(tmp_path)


def test_a_note_by_a_process_whose_number_is_anothers_now_is_not_believed(tmp_path: Path) -> None:
    note = tmp_path / "run" / "lock-holder"
    note.parent.mkdir()
    facts = {"what": "up", "who": "ada", "since": "2026-01-02T03:04:05+00:00", "pid": os.getpid()}
    note.write_text(json.dumps(facts | {"identity": identity(os.getpid())}))
    assert holder(tmp_path) == "`up` by ada since 03:04:05 UTC"
    note.write_text(json.dumps(facts | {"identity": identity(os.getppid())}))
    assert holder(tmp_path) == ""
    for damaged in ("", "[]", "{}", '{"pid": 1}'):
        note.write_text(damaged)
        assert holder(tmp_path) == ""


def test_the_note_goes_with_the_lock_and_one_who_waits_gets_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / ".lock")
    with held(lock, tmp_path, "up", "ada"):
        assert "`up` by ada" in holder(tmp_path)
    assert holder(tmp_path) == ""
    assert not (tmp_path / "run").exists(), "nothing is left where nothing was started"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kafka.json").touch()
    with another(tmp_path, FOR_A_MOMENT), held(lock, tmp_path, "stop", "ada", within_seconds=30):
        assert "`stop` by ada" in holder(tmp_path)


def test_a_lock_whose_holder_is_ending_is_waited_for(tmp_path: Path) -> None:
    with another(tmp_path, FOR_A_MOMENT), held(FileLock(tmp_path / ".lock"), tmp_path, "up", "ada"):
        assert "`up` by ada" in holder(tmp_path)


def test_a_note_that_cannot_be_written_keeps_nobody_from_working(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with held(FileLock(tmp_path / ".lock"), tmp_path, "up", "ada"):
        assert holder(tmp_path) == ""


def test_a_repair_that_lasts_is_told_as_the_supervisors(tmp_path: Path) -> None:
    with another(tmp_path, TAKES):
        assert "The supervisor has been repairing the stack" in refused(tmp_path, within_seconds=0.3)

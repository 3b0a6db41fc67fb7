"""What strangers wrote and a command repeats steers no terminal."""

import os
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from dashboard.cli import checks
from dashboard.local.doctor import Finding
from dashboard.narration import Narrator

TITLE = "\x1b]0;owned\x07"
"""Sets a terminal's title."""


def terminal() -> tuple[Narrator, StringIO]:
    shown = StringIO()
    return Narrator(Console(file=shown, force_terminal=True, color_system="standard", width=200)), shown


def test_a_sentence_keeps_its_own_style_and_lines_and_loses_what_steers_a_terminal() -> None:
    narrator, shown = terminal()

    narrator.say(f"a {TITLE}\n[red]b[/red]\rc\u202e", "bold")

    assert shown.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "") == (
        "a \\x1b]0;owned\\x07\n[red]b[/red]\\rc\\u202e\n"
    )
    assert "\x1b[1m" in shown.getvalue()


def test_neither_a_step_nor_what_it_waits_for_steers_a_terminal() -> None:
    narrator, shown = terminal()

    with narrator.step(f"Reading {TITLE}") as step:
        step.waits_for(TITLE)
        step.result = TITLE

    assert TITLE not in shown.getvalue()
    assert "\x1b]" not in shown.getvalue()


def test_no_finding_of_doctor_steers_a_terminal_or_makes_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path / "home"))
    found = Finding("Records", False, f"a field {TITLE}\n✓ All is right", f"skip {TITLE}")
    monkeypatch.setattr(checks, "examine", lambda _: [found])

    said = CliRunner().invoke(checks.doctor, obj=terminal()[0]).output

    assert "\x1b" not in said
    assert "\n✓ All" not in said
    assert "skip \\x1b]0;owned\\x07" in said


def test_what_is_under_way_comes_to_its_end_when_nobody_reads_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as unread:
        os.close(reader)
        monkeypatch.setattr("sys.stderr", unread)
        monkeypatch.setattr("dashboard.narration._QUIET_SECONDS", 0)
        narrator = Narrator()

        narrator.say("It begins.")
        with narrator.step("Statements stop") as step, narrator.downloads(10) as came_in:
            step.waits_for("a savepoint")
            came_in(10)
        narrator.say("It ended.")

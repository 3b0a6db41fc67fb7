"""How a test and a process of its own talk: in lines."""

import subprocess
import sys


def say(line: str) -> None:
    """To the test, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def said(process: "subprocess.Popen[str]") -> str:
    """The next line; fails where the process has ended without one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended"
    return line.strip()

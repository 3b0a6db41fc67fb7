"""What a command tells people on stderr while it works; stdout stays free for data.

On a terminal a step shows a spinner with what it waits for; elsewhere each step is a line when it begins to take
long and a line when it ends.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.status import Status

from dashboard.wording import printable

_QUIET_SECONDS = 5
"""Off a terminal, a step says what it waits for at most this often."""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells as lines whose columns stand below each other, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


class _Unbroken(Console):
    """Goes on in silence when its reader has gone: what is under way must still come to its end."""

    def on_broken_pipe(self) -> None:
        # what could not be written would be tried again at the end, and make the exit code 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class Step:
    """One step under way: `waits_for` replaces what is shown behind its title, `result` is shown at its end."""

    def __init__(self, title: str, console: Console, status: Status | None) -> None:
        self.title = title
        self.result = ""
        self._console = console
        self._status = status
        self._last_line = time.monotonic()

    def waits_for(self, text: str) -> None:
        if self._status is not None:
            self._status.update(f"{escape(printable(self.title))}  [dim]{escape(printable(text))}[/dim]")
        elif time.monotonic() - self._last_line >= _QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(printable(f"… {self.title}: {text}"), highlight=False, soft_wrap=True, markup=False)


class Narrator:
    """Prints steps, downloads and plain sentences to one console on stderr."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Unbroken(stderr=True)

    def say(self, text: str = "", style: str = "") -> None:
        # a text may hold what strangers wrote: what looks like markup, or steers a terminal
        shown = "\n".join(map(printable, text.split("\n")))
        try:
            self.console.print(shown, style=style, highlight=False, soft_wrap=True, markup=False, emoji=False)
        except OSError:
            self.go_quiet()

    def go_quiet(self) -> None:
        """Nobody reads any more, a closed terminal for one: what is under way must still come to its end."""
        self.console = Console(file=StringIO())

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        started = time.monotonic()
        status = self.console.status(escape(printable(title))) if self.console.is_terminal else None
        step = Step(title, self.console, status)
        if status is not None:
            status.start()
        try:
            yield step
        except BaseException:
            if status is not None:
                status.stop()
            self.say(f"✗ {title}", "red")
            raise
        if status is not None:
            status.stop()
        seconds = f"{time.monotonic() - started:.1f} s"
        self.say(f"✓ {title:<34} {seconds:>8}  {step.result}".rstrip())

    @contextmanager
    def downloads(self, total_bytes: int) -> Iterator[Callable[[int], None]]:
        """Yields a function that takes the number of bytes that have just come in."""
        columns = (TextColumn("↓ {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self.console, transient=self.console.is_terminal) as progress:
            task = progress.add_task("Kafka and Flink", total=total_bytes)
            yield lambda count: progress.advance(task, count)

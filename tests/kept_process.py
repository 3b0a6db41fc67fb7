"""A process of its own that fills the file of notes and views up, one view at a time, once it is told to.

`python -m tests.kept_process FILE` prints "ready", waits for a line and prints how many views it wrote.
"""

import sys
from contextlib import closing
from pathlib import Path

from dashboard.kept_file import KeptFile
from tests.lines import say

LIMIT = 20
PUT = "INSERT INTO views (owner, name, query, who, made_at) VALUES ('', ?, '', '', 0)"


def fill_up(file: Path) -> int:
    """As many as there is room for; how many it was."""
    written = 0
    for _ in range(LIMIT):
        with closing(KeptFile(file)) as kept, kept.changing():
            [(count,)] = kept.rows("SELECT count(*) FROM views")
            if count < LIMIT:
                kept.rows(PUT, str(count))
                written += 1
    return written


if __name__ == "__main__":
    say("ready")
    sys.stdin.readline()
    say(str(fill_up(Path(sys.argv[1]))))

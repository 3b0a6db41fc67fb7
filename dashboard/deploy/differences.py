"""How a text changes, line by line, as people know it from `diff -u`."""

import difflib

_CONTEXT_LINES = 3


def differences(before: str, after: str) -> list[str]:
    """Lines that go begin with `-`, lines that come with `+`, those around them with a space, places with `@@`.

    Empty when nothing changes.
    """
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=_CONTEXT_LINES)
    # the first two name files, of which there are none
    return list(lines)[2:]

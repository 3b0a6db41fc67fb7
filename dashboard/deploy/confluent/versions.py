"""Versions of one statement: one without state is replaced by a next one that goes on at the offsets of the one before.

A statement's text cannot change, and its name is taken until it is deleted, so the next version has a name of its own.
"""

from collections.abc import Iterable

from dashboard.remotes.cloud_statement import Statement

LABEL = "user.confluent.io/sales-trends"
"""Of every statement that is ours."""
NAME_LABEL = "user.confluent.io/sales-trends-name"
"""The statement's name in the files."""
CARRY_OVER = "sql.tables.initial-offset-from"
"""Names the statement whose offsets a new one begins at, once that has stopped."""
_LONGEST_NAME = 100


def by_name(live: Iterable[Statement]) -> dict[str, list[Statement]]:
    """The versions of each statement by its name in the files, the oldest first.

    One that others made stands for a name that none of ours goes by; beside ours it is left alone.
    """
    versions: dict[str, list[Statement]] = {}
    foreign = []
    for one in live:
        if LABEL in one.labels:
            versions.setdefault(one.labels.get(NAME_LABEL, one.name), []).append(one)
        else:
            foreign.append(one)
    for one in foreign:
        versions.setdefault(one.name, [one])
    for name, found in versions.items():
        found.sort(key=lambda one: _number(name, one.name))
    return versions


def next_version(name: str, newest: str) -> str:
    """The name of the version after the newest one."""
    suffix = f"-v{_number(name, newest) + 1}"
    return f"{name[: _LONGEST_NAME - len(suffix)].rstrip('-')}{suffix}"


def _number(name: str, version: str) -> int:
    """1 for the name itself, 2 for `name-v2`."""
    number = version.rpartition("-v")[2]
    return int(number) if version != name and number.isdecimal() else 1

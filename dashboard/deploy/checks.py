"""What a check of pipeline_sql/checks finds on a target, as many rows as somebody wants to see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.errors import DeployError


@dataclass(frozen=True)
class CheckResult:
    """The answer of one check."""

    columns: list[str]
    rows: list[list[Any]]
    """In no order; numbers and texts, as the target gives them."""
    more: bool
    """There are more rows than these."""
    sql: str
    """What was asked, as it stands in the file."""


def checked_sql(checks: Mapping[str, str], name: str) -> str:
    """The text of a check; raises DeployError for a name that is no file, so that nobody's SQL but ours is run."""
    if name not in checks:
        raise DeployError(
            f"There is no check called {name}.", f"These are there: {', '.join(sorted(checks)) or 'none'}."
        )
    return checks[name]


def first_rows(sql: str, limit: int) -> str:
    """Asks the same, for one row more than `limit`: whether there are more is then known without fetching them."""
    return f"SELECT * FROM (\n{sql}\n) LIMIT {int(limit) + 1:d}"  # noqa: S608  # ours, and a number


def check_result(sql: str, columns: list[str], rows: list[list[Any]], limit: int) -> CheckResult:
    return CheckResult(columns, rows[:limit], len(rows) > limit, sql)

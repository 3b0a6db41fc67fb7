"""The rows that a Flink statement on Confluent Cloud answers, page after page.

Source: docs.confluent.io/cloud/current/api.html, section "Statement Results (sql/v1)".
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from dashboard.errors import DeployError
from dashboard.remotes.cloud_api import CloudApi, next_page
from dashboard.remotes.cloud_statement import FAILED, Statement

_POLL_SECONDS = 1
_REMOVED = (1, 3)
"""The operations -U and -D; 0 and 2 are +I and +U, and none is +I."""


class Answer(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[list[str | None]]
    """What is nested stands as JSON."""


def read(api: CloudApi, path: str, statement: Callable[[], Statement | None], *, deadline: float, doing: str) -> Answer:
    """All rows, once the statement is past PENDING.

    Raises DeployError when the statement fails, and when `deadline` (of the interface's clock) passes.
    """

    def in_time() -> None:
        if api.pace.clock() > deadline:
            raise DeployError(f"Flink did not {doing} in time.", "A compute pool that is full lets statements wait.")

    def alive() -> Statement:
        asked = statement()
        if asked is None:
            raise DeployError(f"Flink did not {doing}: the statement was deleted meanwhile.")
        if asked.phase in FAILED:
            raise DeployError(f"Flink did not {doing}: {asked.detail.rstrip('.') or 'it gave no reason'}.")
        in_time()
        return asked

    while (begun := alive()).phase == "PENDING":
        api.pace.sleep(_POLL_SECONDS)
    columns = [column.name for column in begun.columns]
    rows: list[list[Any]] = []
    token: str | None = None
    while True:
        page = api.get(f"{path}/results", doing, {"page_token": token} if token else None)
        changes = (page.get("results") or {}).get("data") or []
        for change in changes:
            _apply(rows, change)
        token = next_page(page)
        if token is None:
            break
        in_time()
        if not changes:
            alive()
            api.pace.sleep(_POLL_SECONDS)
    if any(len(row) != len(columns) for row in rows):
        raise DeployError(f"Flink did not {doing}: its rows do not have the {len(columns)} columns that it announced.")
    return Answer(columns, [[_cell(value) for value in row] for row in rows])


def _apply(rows: list[list[Any]], change: dict[str, Any]) -> None:
    row = change.get("row") or []
    if (change.get("op") or 0) not in _REMOVED:
        rows.append(row)
    elif row in rows:
        rows.remove(row)


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)

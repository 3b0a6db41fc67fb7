"""Whether Tableflow can write the tables that it is to write: not those whose changelog takes rows back.

A table's mode is what the files say of it, else what the service shows of a table that stays, else what a dry run
says of the statement that makes it.
"""

import re
from collections.abc import Collection, Mapping

from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.plan import Action, Plan
from dashboard.errors import DeployError
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_statement import Table

_MODE = re.compile(r"'changelog\.mode'\s*=\s*'(?P<mode>\w+)'")
_KEY = re.compile(r"\bPRIMARY\s+KEY\b", re.IGNORECASE)
_COPIED = (Action.NONE, Action.CREATE, Action.RESUME, Action.RESTART, Action.REPLACE_LOSING_STATE, Action.DRIFTED)
_MADE = (Action.CREATE, Action.REPLACE_LOSING_STATE)


class Modes:
    """The changelog modes of the tables, `tables` being those that exist."""

    def __init__(self, pipeline: Pipeline, flink: CloudFlink, tables: Mapping[str, Table]) -> None:
        self._pipeline = pipeline
        self._flink = flink
        self._tables = tables

    def check(self, plan: Plan) -> None:
        """Raises DeployError for a table that Tableflow could not write."""
        made = {step.id.name for step in plan.acts if step.id.kind == "statement" and step.action in _MADE}
        for step in plan.steps:
            if step.id.kind == "tableflow" and step.action in _COPIED and self.of(step.id.name, made) == "retract":
                raise DeployError(
                    f"Tableflow cannot write the table {step.id.name}, whose changelog mode is retract.",
                    "Give the table a primary key, so that its mode is upsert; or set 'changelog.mode' = 'append' if "
                    "no row of it is ever taken back.",
                )

    def of(self, table: str, made: Collection[str] = ()) -> str | None:
        """The mode after these statements are made; None where that cannot be told yet."""
        makers = self._pipeline.makers([table])
        said = [*makers, *(one for one in self._pipeline.changers([table]) if _alters(one, table))]
        # the newest word counts
        for statement in reversed(said):
            if match := _MODE.search(statement.text):
                return match["mode"]
        there = self._tables.get(table)
        new = [one for one in makers if one.name in made]
        if there is not None and not new:
            return there.options.get("changelog.mode")
        return self._of_new(makers[0]) if makers else None

    def _of_new(self, maker: Statement) -> str | None:
        definition, _, query = maker.text.partition("\nAS\n")
        if _KEY.search(definition):
            return "upsert"
        if not query:
            return "append"
        table = maker.created_table
        if any(one not in self._tables for one in self._pipeline.used(maker) if one != table):
            return None
        # of a table that is made anew only the query can be tried
        answer = self._flink.dry_run(query if table in self._tables else maker.text, maker.properties)
        if answer.is_append_only is False:
            return "upsert" if answer.upsert_columns else "retract"
        return "append"


def _alters(statement: Statement, table: str) -> bool:
    return re.match(rf"ALTER TABLE `?{re.escape(table)}`?\s", statement.text) is not None

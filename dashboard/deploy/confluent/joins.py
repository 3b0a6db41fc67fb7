"""Whether a join that is meant to look back only so far would be one on Confluent Cloud.

Flink makes an interval join only where both sides compare their event time; a join on any other column keeps every row
for ever. A dry run does not tell the two apart, so the columns of the watermarks are compared.
"""

import re
from collections.abc import Mapping

from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.errors import DeployError
from dashboard.remotes.cloud_statement import Table

_COMPARED = re.compile(r"(?P<left>[\w.`$]+)\s+BETWEEN\s+(?P<right>.*\bINTERVAL\b.*)", re.DOTALL)
_WATERMARK = re.compile(r"\bWATERMARK FOR `?(?P<column>[\w$]+)`?")
_DEFAULT = "$rowtime"
"""What Confluent Cloud gives a table by itself."""


def check_interval_join(pipeline: Pipeline, statement: Statement, tables: Mapping[str, Table]) -> None:
    """Raises DeployError for a join over an interval of which a side does not compare its event time."""
    compared = _COMPARED.search(statement.text)
    if compared is None:
        return
    columns = set(re.findall(r"[\w$]+", f"{compared['left']} {compared['right']}"))
    for name in pipeline.used(statement):
        column = None if pipeline.writes(statement, name) else _event_time(pipeline, name, tables)
        if column is not None and column not in columns:
            raise DeployError(
                f"Flink would run {statement.name} as a join that keeps every row for ever, not as an interval join: "
                f"the event time of {name} is {column}, which it does not compare.",
                f"Compare {column}, or set another watermark with ALTER TABLE {name} MODIFY WATERMARK.",
            )


def _event_time(pipeline: Pipeline, name: str, tables: Mapping[str, Table]) -> str | None:
    """The column as the files make it, or else as it is; None for a table that is not there yet."""
    altered = [one.text for one in pipeline.changers([name]) if " MODIFY WATERMARK " in one.text]
    created = [one.text for one in pipeline.makers([name])]
    for text in (*altered, *created):
        if match := _WATERMARK.search(text):
            return match["column"]
    if created:
        return _DEFAULT
    return (tables[name].watermark_column or _DEFAULT) if name in tables else None

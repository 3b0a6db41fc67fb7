"""Athena's queries: what is submitted runs on DuckDB, over the Iceberg tables that were published.

Written from the published API (API_StartQueryExecution, API_GetQueryExecution, API_GetQueryResults), apart from any
client: states, reasons, statistics, pages that begin with the names of the columns, and each value as text.
"""

import threading
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from tests.fakes.athena_sql import QueryFailedError, answer

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
WORKGROUPS = ("primary", "sales")


class AthenaFault(Exception):
    """An InvalidRequestException."""


class Athena:
    """Each public method in capitals is an action of the API, its words those of the request."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.submitted: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.go = threading.Event()
        """A query runs until it is set; `hold` clears it."""
        self.go.set()
        self.fails_with: str | None = None
        """StateChangeReason of the next queries."""
        self._executions: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, pa.Table] = {}
        self._lock = threading.Lock()

    def hold(self) -> None:
        self.go.clear()

    def StartQueryExecution(self, **asked: Any) -> dict[str, Any]:
        if asked["WorkGroup"] not in WORKGROUPS:
            raise AthenaFault(f"WorkGroup {asked['WorkGroup']} is not found.")
        if "OutputLocation" not in asked.get("ResultConfiguration", {}) and asked["WorkGroup"] == "primary":
            raise AthenaFault(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        name = str(uuid.uuid4())
        with self._lock:
            self.submitted.append(asked)
            self._executions[name] = {
                "QueryExecutionId": name,
                "Query": asked["QueryString"],
                "StatementType": "DML",
                "SubstatementType": "SELECT",
                "WorkGroup": asked["WorkGroup"],
                "QueryExecutionContext": asked["QueryExecutionContext"],
                "ResultConfiguration": asked.get("ResultConfiguration", {}),
                "Status": {"State": "QUEUED", "SubmissionDateTime": 1_790_000_000.0},
                "Statistics": {"DataScannedInBytes": 0},
            }
        return {"QueryExecutionId": name}

    def GetQueryExecution(self, QueryExecutionId: str) -> dict[str, Any]:
        with self._lock:
            execution = self._executions[QueryExecutionId]
            status = execution["Status"]
            seen = {"QueryExecution": {**execution, "Status": {**status}}}
            if status["State"] == "QUEUED":
                status["State"] = "RUNNING"
                return seen
            if status["State"] == "RUNNING" and self.go.is_set():
                self._run(execution)
            return {"QueryExecution": execution}

    def StopQueryExecution(self, QueryExecutionId: str) -> dict[str, Any]:
        with self._lock:
            self.stopped.append(QueryExecutionId)
            status = self._executions[QueryExecutionId]["Status"]
            if status["State"] not in ENDED:
                status.update(State="CANCELLED", StateChangeReason="Query cancelled by user")
        return {}

    def GetQueryResults(
        self,
        QueryExecutionId: str,
        MaxResults: int = 1000,
        NextToken: str = "0",
    ) -> dict[str, Any]:
        rows = self._rows[QueryExecutionId]
        first, last = int(NextToken), int(NextToken) + MaxResults
        lines = [rows.column_names, *zip(*(map(_text, column.to_pylist()) for column in rows.columns), strict=True)]
        page: dict[str, Any] = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if value is None else {"VarCharValue": value} for value in line]}
                    for line in lines[first:last]
                ],
                "ResultSetMetadata": {"ColumnInfo": [_column(field) for field in rows.schema]},
            },
        }
        return page | ({"NextToken": str(last)} if last < len(lines) else {})

    def _run(self, execution: dict[str, Any]) -> None:
        try:
            if self.fails_with is not None:
                raise QueryFailedError(self.fails_with)
            rows, scanned = answer(execution["Query"], self.tables, execution["QueryExecutionContext"]["Database"])
        except QueryFailedError as failure:
            execution["Status"] |= {
                "State": "FAILED",
                "StateChangeReason": str(failure),
                "AthenaError": {"ErrorCategory": 2, "ErrorType": 1, "Retryable": False, "ErrorMessage": str(failure)},
            }
            return
        self._rows[execution["QueryExecutionId"]] = rows
        execution["Status"] |= {"State": "SUCCEEDED", "CompletionDateTime": 1_790_000_001.0}
        execution["Statistics"] |= {"DataScannedInBytes": scanned, "EngineExecutionTimeInMillis": 100}


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case Decimal():
            return f"{value:f}"
        case bool():
            return str(value).lower()
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        case _:
            return str(value)


def _column(field: pa.Field) -> dict[str, Any]:
    precision, scale = 0, 0
    if pa.types.is_decimal(field.type):
        kind, precision, scale = "decimal", field.type.precision, field.type.scale
    elif pa.types.is_timestamp(field.type):
        kind, precision = "timestamp", 3
    else:
        kind = {
            pa.bool_(): "boolean",
            pa.int32(): "integer",
            pa.int64(): "bigint",
            pa.date32(): "date",
            pa.string(): "varchar",
        }[field.type]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": field.name,
        "Label": field.name,
        "Type": kind,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": False,
    }

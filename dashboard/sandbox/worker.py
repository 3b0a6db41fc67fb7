"""The sandbox itself: a process with an empty DuckDB, no file, no network, no setting and no secret in it.

It is started by `process.py`, and asks that for every table and every batch of rows. It runs whatever SQL it is given,
so nothing of it is to be trusted: who may see what is decided where the rows come from.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from dashboard.readers.first_rows import first_rows
from dashboard.sandbox.admission import Refused, admitted
from dashboard.sandbox.channel import Channel
from dashboard.sandbox.limits import ANSWER_BYTES, CPU_SECONDS, DUCKDB_MEMORY, PROCESS_BYTES

CLOSED: dict[str, str | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "enable_external_access": False,
    "errors_as_json": True,
    "memory_limit": DUCKDB_MEMORY,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    "temp_directory": "",
    "threads": 1,
}
"""How its DuckDB is opened: of this machine it reaches nothing, whatever it is asked to run."""
_BATCH_ROWS = 1_000
_OF_THE_TEXT = frozenset({"Parser", "Syntax", "Binder", "Catalog", "Conversion", "Invalid Input", "Out of Range"})
"""What DuckDB calls faults of a statement; others, as of files or of itself, may name what is on this machine."""
_SCAN = "arrow_scan"
"""Begins what it says when a table could not be read, in whatever words that gave."""


class _LentTable(ds.Dataset):  # type: ignore[misc]
    """A table that DuckDB scans as often as it likes, of which only the rows and columns it wants are sent."""

    def __init__(
        self, channel: Channel, name: str, schema: pa.Schema, files: list[dict[str, Any]], unread: list[int]
    ) -> None:
        """`unread`, shared by all tables, holds the scans that nobody reads any more, until that is told."""
        self._channel = channel
        self._unread = unread
        self._name = name
        self._schema = schema
        self._files = [_guarantee(schema, bounds) for bounds in files]

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def scanner(self, columns: list[str] | None = None, filter: Any = None, **_other: Any) -> ds.Scanner:
        """Called by DuckDB for each time that a statement reads the table."""
        wanted = self._schema.names if columns is None else columns
        schema = pa.schema([self._schema.field(name) for name in wanted])
        rows = pa.RecordBatchReader.from_batches(schema, self._rows(wanted, self._needed(filter), schema))
        return ds.Scanner.from_batches(rows, filter=filter, use_threads=False)

    def _needed(self, filter_: Any) -> list[int]:
        """The files that may hold rows that pass, as Arrow tells from their bounds; none is opened."""
        if filter_ is None:
            return list(range(len(self._files)))
        form, nowhere = ds.ParquetFileFormat(), LocalFileSystem()
        told = [
            form.make_fragment(str(number), filesystem=nowhere, partition_expression=guarantee)
            for number, guarantee in enumerate(self._files)
        ]
        kept = ds.FileSystemDataset(told, self._schema, form, nowhere).get_fragments(filter_)
        return [int(one.path) for one in kept]

    def _rows(self, columns: list[str], files: list[int], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        closed = [self._unread.pop() for _ in range(len(self._unread))]
        words, _ = self._channel.ask({"scan": self._name, "columns": columns, "files": files, "closed": closed})
        number = words["scan"]
        try:
            while True:
                words, body = self._channel.ask({"more": number})
                if words.get("end"):
                    return
                yield pa.ipc.read_record_batch(pa.py_buffer(body), schema)
        finally:
            # not told here: this may be the end of a generator in the middle of another question
            self._unread.append(number)


def _guarantee(schema: pa.Schema, bounds: dict[str, list[Any]]) -> Any:
    """What is true of every row of a file."""
    whole = ds.scalar(True)
    for name, (least, most, nulls) in bounds.items():
        column, kind = ds.field(name), schema.field(name).type
        whole_numbers = pa.int32() if pa.types.is_date32(kind) else pa.int64()
        between = [ds.scalar(pa.scalar(bound, whole_numbers).cast(kind)) for bound in (least, most)]
        inside = (column >= between[0]) & (column <= between[1])
        whole = whole & (inside | column.is_null() if nulls else inside)
    return whole


def answer(channel: Channel) -> None:
    """Runs one statement, and tells what came of it."""
    job, _ = channel.hear()
    try:
        _answer(channel, job)
    except Refused as refused:
        channel.say({"fault": "refused", "message": str(refused)})
    except (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError):
        channel.say({"fault": "memory"})
    except duckdb.Error as error:
        channel.say(_told(error, job["sql"]))
    except RecursionError:
        channel.say({"fault": "refused", "message": "It is nested too deep to be read"})
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        channel.say({"fault": "refused", "message": f"It cannot be run; what runs it met a {type(error).__name__}"})


def _answer(channel: Channel, job: dict[str, Any]) -> None:
    connection = duckdb.connect(config=CLOSED)
    connection.execute("SET TimeZone = 'UTC'")
    parsed = connection.execute("SELECT json_serialize_sql($text)", {"text": job["sql"]}).fetchone()
    tree = json.loads(parsed[0]) if parsed else {}
    if tree.get("error"):
        _raise_fault(connection, job["sql"])
    channel.say({"tables": admitted(tree)})
    unread: list[int] = []
    while "table" in (words := channel.hear())[0]:
        told, body = words
        schema = pa.ipc.read_schema(pa.py_buffer(body))
        connection.register(told["table"], _LentTable(channel, told["table"], schema, told["files"], unread))
    connection.execute("SET lock_configuration = true")
    reader = connection.execute(job["sql"]).to_arrow_reader(_BATCH_ROWS)
    rows, is_cut = _first(reader, job["rows"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    channel.say({"rows": len(rows), "is_cut": is_cut}, sink.getvalue().to_pybytes())


def _first(reader: pa.RecordBatchReader, most: int) -> tuple[pa.Table, bool]:
    """No more than are wanted and than an answer may hold, and whether there were more."""
    batches: list[pa.RecordBatch] = []
    count = size = 0
    for batch in reader:
        wanted = batch.slice(0, most - count)
        fitting = first_rows(wanted, ANSWER_BYTES - size)
        if len(wanted) and not count + len(fitting):
            raise Refused(f"Its first row alone has more than the {ANSWER_BYTES // 2**20} MB that an answer may have")
        batches.append(fitting)
        count += len(fitting)
        size += fitting.nbytes
        if len(fitting) < len(batch):
            return _whole(batches, reader.schema), True
    return _whole(batches, reader.schema), False


def _whole(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    # every batch of a wide answer would be told column by column
    return pa.Table.from_batches(batches, schema).combine_chunks()


def _raise_fault(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """What the parser says of a text that it cannot read, or that is none of those that only read."""
    connection.extract_statements(text)
    raise Refused(
        "Only SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE and SHOW TABLES are run here; nothing that writes."
    )


def _told(error: duckdb.Error, text: str) -> dict[str, Any]:
    """The message in one sentence, where in the text, and whether it is about that; not where this program lies."""
    said = str(error)
    try:
        found = json.loads(said[said.index("{") :])
    except ValueError:
        found = {"exception_message": said.partition(":")[2] or said}
    message = str(found.get("exception_message", ""))
    for trace in ("\n\nAt:", " Detail: Python exception"):
        message = message.partition(trace)[0]
    is_of_the_text = found.get("exception_type") in _OF_THE_TEXT and not message.startswith(_SCAN)
    told: dict[str, Any] = {"fault": "sql" if is_of_the_text else "engine", "message": " ".join(message.split())}
    position = str(found.get("position", ""))
    if position.isdecimal():
        # DuckDB counts bytes
        before = text.encode()[: int(position)].decode(errors="ignore")
        told |= {"line": before.count("\n") + 1, "column": len(before.rpartition("\n")[2]) + 1}
    return told


def _bound() -> None:
    """This process, from now on: no file of its own, little memory, little time."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS knows the limit and does not take it
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (PROCESS_BYTES, PROCESS_BYTES))


def main() -> None:
    _bound()
    reads, writes = os.dup(0), os.dup(1)
    # whatever a library prints is none of our words
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        answer(Channel(reads, writes))
    # DuckDB may be in the middle of what nobody wants any more
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

"""The command that follows a topic in a terminal: records as they come, decoded, without card numbers."""

import json
import re
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click

from dashboard.cli.options import json_option, settings_for, since, target_option
from dashboard.clusters import kafka_and_registry
from dashboard.errors import SalesTrendsError, UnreachableError
from dashboard.narration import Narrator
from dashboard.pipeline_reading import reading_of
from dashboard.readers.condition import NAMES, Condition, Unanswerable
from dashboard.readers.readable import Readable
from dashboard.readers.seek import MOST_ROWS, Last, Seek
from dashboard.remotes.kafka_live import LiveRecords
from dashboard.remotes.registry import Registry
from dashboard.remotes.wire_format import Decoder, NotAskedFor, Undecodable
from dashboard.wording import printable

_LONGEST_LINE = 2_000
_ASK_AGAIN_SECONDS = 5.0
_UNSEEN = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON lets pass and a terminal obeys; in it such a character can stand within a text alone."""


def _condition(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Condition | None:
    return Condition(text) if text is not None else None


@click.command()
@click.argument("topic", default="completed_orders", metavar="[TOPIC]")
@target_option
@json_option
@click.option(
    "--from", "begin", callback=since, metavar="TIME", help="From then on: 2026-11-22T12:00 (UTC), or 10m ago."
)
@click.option("--last", type=click.IntRange(1, MOST_ROWS), metavar="N", help="Begin with the newest N.")
@click.option("--where", callback=_condition, metavar="CEL", help=f"Only those: CEL on {', '.join(NAMES)}.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="End after so many.")
@click.option("--once", is_flag=True, help="End where the topic ends now.")
@click.option("--headers", is_flag=True, help="Also their headers.")
@click.pass_obj
def tail(
    narrator: Narrator,
    topic: str,
    target: str,
    as_json: bool,
    begin: datetime | None,
    last: int | None,
    where: Condition | None,
    limit: int | None,
    once: bool,
    headers: bool,
) -> None:
    """Follow a topic: its records as they come, without card numbers. Ctrl-C ends it; nothing is committed.

    Such as: sales-trends tail completed_orders --from 10m --where 'value.amount > 100.0'
    """
    if begin and last:
        raise click.UsageError("--from and --last say two beginnings; give one.")
    settings = settings_for(target)
    kafka, registry = kafka_and_registry(settings)
    committed = not settings.live.read_uncommitted
    readable = reading_of(settings.pipeline, topic, _PatientDecoder(registry))
    since_ms = int(begin.timestamp() * 1000) if begin else None
    printed = _Printed(narrator, where, limit, as_json=as_json, headers=headers)
    # begun before looking back, so that nothing falls between the two
    live = LiveRecords(kafka, topic, since_ms=since_ms, committed=committed)
    try:
        live.begin()
        if last:
            progress = Seek(kafka, topic, Last(last), readable, where, committed=committed).wait()
            if progress.fault:
                raise progress.fault
            printed.take_all(reversed(progress.rows))
            printed.begin_with(progress.rows)
        if not (last and once):
            narrator.say(f"Reading {topic}." if once else f"Following {topic} on {settings.target}. Ctrl-C ends.")
            _follow(live, narrator, printed, readable, once=once)
    finally:
        live.close()
        printed.say_end()


def _follow(live: LiveRecords, narrator: Narrator, printed: "_Printed", readable: Any, *, once: bool) -> None:
    fault: SalesTrendsError | None = None
    while not printed.is_full:
        polled = live.poll()
        if polled.anew:
            narrator.say(f"{polled.anew} It is read from its beginning.", "bold")
            printed.begin_with([])
        printed.take_all(map(readable, polled.records))
        before, fault = fault, live.fault
        if fault and not before:
            narrator.say(f"{fault} It is tried again.", "bold")
        elif before and not fault:
            narrator.say("Kafka answers again.")
        if once and live.is_live:
            return


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class _PatientDecoder:
    """Asks a registry that is away again after some seconds; until then records of new schemas cannot be read."""

    def __init__(self, registry: Registry) -> None:
        self._decoder = Decoder(registry.schema)
        self._ask_at = 0.0

    def __call__(self, wire: bytes | None) -> Any:
        try:
            return self._decoder.known(wire)
        except NotAskedFor as unknown:
            if time.monotonic() < self._ask_at:
                raise
            try:
                return self._decoder(wire)
            except UnreachableError as away:
                self._ask_at = time.monotonic() + _ASK_AGAIN_SECONDS
                raise Undecodable(f"{unknown}: {away.message}") from None


class _Printed:
    """What goes to stdout, and what is told of it at the end."""

    def __init__(
        self, narrator: Narrator, where: Condition | None, limit: int | None, *, as_json: bool, headers: bool
    ) -> None:
        self._narrator = narrator
        self._where = where
        self._limit = limit
        self._as_json = as_json
        self._headers = headers
        self._known: set[str] = set()
        """Places of records that were taken while looking back, and come once more."""
        self._first: dict[int, int] = {}
        """By partition the first of them: what stands before it was not asked for, though it may come too."""
        self._read = self._shown = self._unanswered = 0
        self._why = ""

    @property
    def is_full(self) -> bool:
        return self._limit is not None and self._shown >= self._limit

    def begin_with(self, rows: Sequence[Readable]) -> None:
        """What was found while looking back, and taken."""
        self._known, self._first = {row.id for row in rows}, {}
        for row in rows:
            self._first[row.partition] = min(row.offset, self._first.get(row.partition, row.offset))

    def take(self, row: Readable) -> None:
        if row.id in self._known or row.offset < self._first.get(row.partition, 0):
            return
        self._read += 1
        if self.is_full or not self._is_wanted(row):
            return
        self._shown += 1
        if self._as_json:
            click.echo(_UNSEEN.sub(_escaped, json.dumps(row.as_json(), ensure_ascii=False)))
        else:
            click.echo(self._line(row))

    def take_all(self, rows: Iterable[Readable]) -> None:
        for row in rows:
            self.take(row)
            if self.is_full:
                return

    def say_end(self) -> None:
        told = f"{self._read:,} records read, {self._shown:,} shown."
        if self._unanswered:
            told += f" The condition had no answer for {self._unanswered:,}: {self._why}."
        self._narrator.say(told)

    def _is_wanted(self, row: Readable) -> bool:
        if self._where is None:
            return True
        try:
            return self._where.matches(row)
        except Unanswerable as error:
            self._unanswered += 1
            self._why = self._why or str(error)
            return False

    def _line(self, row: Readable) -> str:
        parts = [row.time_text, row.id, *([row.key_text] if row.key is not None else [])]
        parts.append(f"! {row.fault}" if row.fault else row.value_text)
        parts += [f"{name}={value}" for name, value in row.headers] if self._headers else []
        return printable("  ".join(parts), _LONGEST_LINE)

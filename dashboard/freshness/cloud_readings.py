"""What Confluent Cloud tells of a pipeline: its statements with what is measured of them, and Tableflow's copying.

One look costs one list of the statements and one of Tableflow's topics and, twice a minute at most, one request a
metric. Metrics are minutes old when they come, so statements are told with those that were there last.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event

from dashboard.card_numbers import without_card_numbers
from dashboard.deploy.confluent import versions as confluent_versions
from dashboard.deploy.pipeline import Pipeline
from dashboard.errors import SalesTrendsError, SettingsError
from dashboard.freshness.readings import Part, StatementReading, TableflowReading
from dashboard.freshness.seen import Seen
from dashboard.remotes import cloud_statement
from dashboard.remotes.cloud_flink import CloudFlink
from dashboard.remotes.cloud_measures import StatementMetrics
from dashboard.remotes.cloud_metrics import CloudMetrics, Metrics
from dashboard.remotes.cloud_statement import Statement
from dashboard.remotes.cloud_tableflow import CloudTableflow, TableflowTopic
from dashboard.wording import length

ABSENT = "absent"
_FIRST_SECONDS = 2.0
"""How long the first looks wait for each other: statements for what is measured of them, metrics for their names."""
_OLD = timedelta(minutes=2)
_LONGEST_LINE = 500
_NOTHING = StatementMetrics()


class CloudReadings:
    """Looks at a pipeline again and again: one look at a time at each part, the parts beside each other."""

    def __init__(
        self, pipeline: Pipeline, flink: CloudFlink, tableflow: CloudTableflow, metrics: CloudMetrics | SettingsError
    ) -> None:
        """`metrics` may also be why they cannot be asked."""
        self._names = [one.name for one in pipeline.statements if one.runs]
        self._topics = pipeline.tableflow_topics
        self._flink = flink
        self._tableflow = tableflow
        self._metrics = metrics
        self._listed: Mapping[str, Statement] = {}
        self._measured: Metrics | None = None
        self._have_listed, self._have_measured = Event(), Event()

    @property
    def looks(self) -> dict[Part, Callable[[], Seen]]:
        """Each raises SalesTrendsError when its part does not tell anything."""
        return {
            Part.FLINK: self.look_at_statements,
            Part.METRICS: self.look_at_metrics,
            Part.TABLEFLOW: self.look_at_tableflow,
        }

    def look_at_statements(self) -> Seen:
        """Those that go on running, in the order of the files; in its first look what is measured is waited for."""
        # lists go on showing for a moment what is gone
        live = (
            one
            for one in self._flink.statements()
            if one.phase != cloud_statement.DELETING and self._flink.works_here(one)
        )
        versions = confluent_versions.by_name(live)
        self._listed = {name: versions[name][-1] for name in self._names if name in versions}
        self._have_listed.set()
        self._have_measured.wait(_FIRST_SECONDS)
        self._have_measured.set()
        measured = self._measured
        return Seen(statements={name: _statement(name, self._listed.get(name), measured) for name in self._names})

    def look_at_metrics(self) -> Seen:
        """Nothing but notes: the next look at the statements tells what was measured."""
        try:
            self._measured = self._asked()
        except SalesTrendsError:
            self._measured = None
            raise
        finally:
            self._have_measured.set()
        return Seen(notes=_notes(self._measured) if self._measured else ())

    def look_at_tableflow(self) -> Seen:
        """What is in the tables the catalog tells."""
        found = {topic.name: topic for topic in self._tableflow.topics()}
        return Seen(tableflow={name: _tableflow(name, found.get(name)) for name in self._topics})

    def _asked(self) -> Metrics | None:
        if isinstance(self._metrics, SettingsError):
            raise self._metrics.with_traceback(None)
        self._have_listed.wait(_FIRST_SECONDS)
        listed = self._listed.values()
        if not listed:
            return None
        since = min((one.created_at for one in listed if one.created_at), default=datetime.now(UTC))
        return self._metrics.look([one.name for one in listed], {one.compute_pool for one in listed}, since)


def _statement(name: str, found: Statement | None, metrics: Metrics | None) -> StatementReading:
    """Of its newest version, whatever that is called on the service."""
    if found is None:
        return StatementReading(name, ABSENT)
    measured = metrics.statements.get(found.name, _NOTHING) if metrics else _NOTHING
    return StatementReading(
        name,
        found.phase,
        _line(found.detail),
        tuple(_line(f"{one.severity} {one.reason}: {one.message}") for one in found.warnings),
        is_stopped=found.stopped,
        input_watermark=measured.input_watermark,
        output_watermark=measured.output_watermark,
        records_in=measured.records_in,
        records_out=measured.records_out,
        late_records=measured.late_records,
        pending=measured.pending,
        scaling=found.scaling_state,
        measured_at=measured.measured_at,
        counted_since=metrics.counted_since if metrics else None,
    )


def _tableflow(name: str, found: TableflowTopic | None) -> TableflowReading:
    if found is None:
        return TableflowReading(name, ABSENT)
    # the topic and each of its formats say the same
    faults = "; ".join(dict.fromkeys(found.faults))
    return TableflowReading(name, found.phase, _line(faults), found.suspended)


def _notes(metrics: Metrics) -> tuple[str, ...]:
    notes = []
    if metrics.missing:
        notes.append(f"Confluent Cloud's metrics do not tell {', '.join(metrics.missing)}.")
    if metrics.age > _OLD:
        notes.append(f"Confluent Cloud's metrics are those of {length(metrics.age)} ago: it takes no more requests.")
    return tuple(notes)


def _line(text: str) -> str:
    """A service's words on one line; they may quote a record."""
    line = without_card_numbers(" ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"

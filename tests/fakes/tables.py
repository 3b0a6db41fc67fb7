"""The tables of one Kafka cluster as Flink sees them: topics, their schemas, and what was declared on top."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from dashboard.local.registry.store import Registered
from dashboard.local.registry.subjects import Candidate, Subjects
from tests.fakes.columns import ROWTIME, Column, avro_schema, columns_of, shape
from tests.fakes.sql_commands import AlterTable, CreateTable, DropTable, Path, Watermark
from tests.fakes.sql_sources import output_columns
from tests.fakes.sql_text import SqlRefused, rendered, tokens_of

CHANGELOG = "changelog.mode"
CLEANUP = "kafka.cleanup-policy"
OnTopic = Callable[[str | None, str | None], None]
"""Called with the topic that was created, or else with the one that was deleted."""

# as SHOW CREATE TABLE and TABLE_OPTIONS tell them of a table made without any
_DEFAULTS = {
    CHANGELOG: "append",
    "connector": "confluent",
    CLEANUP: "delete",
    "kafka.compaction.time": "0 ms",
    "kafka.max-message-size": "2097164 bytes",
    "kafka.retention.size": "0 bytes",
    "kafka.retention.time": "7 d",
    "scan.bounded.mode": "unbounded",
    "scan.startup.mode": "earliest-offset",
    "value.format": "avro-registry",
}
_MODES = ("append", "retract", "upsert")
_RAW = "VARBINARY(2147483647)"


@dataclass
class Place:
    """Where in Confluent Cloud the fake is."""

    organization: str
    environment: str
    environment_name: str
    cluster_id: str
    cluster_name: str
    compute_pool: str


@dataclass
class Table:
    """One table, also one that Flink infers from a topic and its subjects."""

    name: str
    columns: list[Column]
    primary_key: list[str] = field(default_factory=list)
    watermark: Watermark | None = None
    """As INFORMATION_SCHEMA tells it, columns in backticks; None: the system's own, on $rowtime."""
    options: dict[str, str] = field(default_factory=dict)
    comment: str | None = None
    bucket_keys: list[str] = field(default_factory=list)
    buckets: int = 6
    inferred: bool = False
    """From a topic and its subjects: its columns follow them."""

    @property
    def all_columns(self) -> list[Column]:
        return [*self.columns, ROWTIME]

    def set_watermark(self, watermark: Watermark) -> None:
        names = {column.name for column in self.all_columns}
        column, expression = watermark
        if column not in names:
            raise SqlRefused(f"The rowtime attribute '{column}' is not defined in the schema of table {self.name}.")
        tokens = [
            replace(token, kind="quoted", text=f"`{token.text}`")
            if token.kind == "word" and token.text in names
            else token
            for token in tokens_of(expression)
        ]
        self.watermark = (column, rendered(tokens))


class Tables:
    """All tables; `topics` names those of a broker that stands in for the cluster, each a table by inference."""

    def __init__(
        self,
        place: Place,
        subjects: Subjects,
        on_topic: OnTopic | None = None,
        topics: Callable[[], Collection[str]] | None = None,
        retention_ms: Callable[[str], str] = lambda _topic: "604800000",
    ) -> None:
        self.place = place
        self._subjects = subjects
        self._on_topic = on_topic or (lambda created, deleted: None)
        self._topics = topics
        self._retention_ms = retention_ms
        self._tables: dict[str, Table] = {}

    def all(self) -> dict[str, Table]:
        """By name, as topics and subjects are now."""
        if self._topics:
            topics = self._topics()
            self._tables = {name: table for name, table in self._tables.items() if name in topics}
            for topic in topics:
                self.infer(topic)
        for table in self._tables.values():
            if table.inferred:
                self._follow_subjects(table)
        return self._tables

    def infer(self, topic: str) -> None:
        """A topic that is there without Flink is a table too."""
        if topic not in self._tables:
            kept = {"kafka.retention.time": _shown_time(self._retention_ms(topic))}
            self._tables[topic] = Table(topic, [], options=_DEFAULTS | kept, inferred=True)

    def _follow_subjects(self, table: Table) -> None:
        """Columns as the subjects say, else raw bytes."""
        value, key = self._latest(f"{table.name}-value"), self._latest(f"{table.name}-key")
        keys = columns_of(key.contract.text, key=True) if key else [Column("key", _RAW)]
        values = columns_of(value.contract.text) if value else [Column("val", _RAW)]
        names = {column.name for column in values}
        keys = [column for column in keys if column.name not in names]
        table.columns, table.bucket_keys = [*keys, *values], [column.name for column in keys]
        table.options["key.format"] = "avro-registry" if key else "raw"
        table.options["value.format"] = "avro-registry" if value else "raw"

    def resolve(self, path: Path, properties: Mapping[str, str]) -> str:
        """The table's own name; raises SqlRefused when catalog or database are not the current ones, or not set."""
        catalog = properties.get("sql.current-catalog", "")
        database = properties.get("sql.current-database", "")
        *qualifiers, name = path
        if len(qualifiers) == 2:
            catalog = qualifiers[0]
        if qualifiers:
            database = qualifiers[-1]
        if catalog not in (self.place.environment, self.place.environment_name):
            raise SqlRefused(f"A catalog with name or ID '{catalog}' cannot be found. Set 'sql.current-catalog'.")
        if database not in (self.place.cluster_name, self.place.cluster_id):
            raise SqlRefused(f"A database with name or ID '{database}' cannot be found. Set 'sql.current-database'.")
        return name

    def find(self, path: Path, properties: Mapping[str, str]) -> Table:
        name = self.resolve(path, properties)
        table = self.all().get(name)
        if table is None:
            raise SqlRefused(f"Table '{self._shown(name)}' does not exist or you are not authorized to access it.")
        return table

    def create(self, command: CreateTable, properties: Mapping[str, str], *, dry: bool) -> None:
        name = self.resolve(command.path, properties)
        if name in self.all():
            if command.if_not_exists:
                return
            raise SqlRefused(f"Could not create table: Table '{self._shown(name)}' already exists.")
        table = self._defined(name, command, properties)
        keys = table.primary_key or table.bucket_keys
        physical = [column for column in table.columns if column.physical]
        schemas = {"value": avro_schema(name, "value", [one for one in physical if one.name not in keys])}
        if keys:
            schemas["key"] = avro_schema(name, "key", [one for one in physical if one.name in keys])
        for part, schema in schemas.items():
            self._check_subject(f"{name}-{part}", schema)
        if dry:
            return
        for part, schema in schemas.items():
            if self._latest(f"{name}-{part}") is None:
                self._subjects.register(f"{name}-{part}", Candidate(schema))
        self._tables[name] = table
        self._on_topic(name, None)

    def drop(self, command: DropTable, properties: Mapping[str, str], *, dry: bool) -> None:
        """Removes table and topic; the subjects stay."""
        if command.if_exists and self.resolve(command.path, properties) not in self.all():
            return
        name = self.find(command.path, properties).name
        if not dry:
            self._on_topic(None, name)
            self._tables.pop(name, None)

    def alter(self, command: AlterTable, properties: Mapping[str, str], *, dry: bool) -> None:
        table = self.find(command.path, properties)
        changed = replace(table, options=table.options | command.options)
        changed.options.update({key: _DEFAULTS[key] for key in command.reset if key in _DEFAULTS})
        _check_options(changed)
        if command.watermark:
            changed.set_watermark(command.watermark)
        if command.drops_watermark:
            changed.watermark = None
        if not dry:
            self._tables[table.name] = changed

    def _defined(self, name: str, command: CreateTable, properties: Mapping[str, str]) -> Table:
        definition = command.definition
        columns = list(definition.columns)
        if command.query and not columns:
            columns = output_columns(command.query, lambda path: self.find(path, properties).columns)
        keys = list(command.bucket_keys) or list(definition.primary_key)
        for key in {*keys, *definition.primary_key} - {column.name for column in columns}:
            raise SqlRefused(f"Unknown column '{key}' in the key of table '{name}'.")
        mode = {CHANGELOG: "upsert"} if definition.primary_key else {}
        key_format = {"key.format": "avro-registry"} if keys else {}
        options = _DEFAULTS | mode | key_format | command.options
        table = Table(name, columns, definition.primary_key, None, options, command.comment, keys, command.buckets)
        _check_options(table)
        if definition.watermark:
            table.set_watermark(definition.watermark)
        return table

    def _check_subject(self, subject: str, schema: str) -> None:
        """A subject that outlived its table binds the next table of this name."""
        latest = self._latest(subject)
        if latest and shape(latest.contract.text) != shape(schema):
            raise SqlRefused(
                f"The schema registry subject '{subject}' already exists and its schema doesn't match the one of the "
                "table. Delete the subject, or declare the table as the subject says."
            )

    def _latest(self, subject: str) -> Registered | None:
        live = [version for version in self._subjects.store.versions(subject) if not version.deleted]
        return live[-1] if live else None

    def _shown(self, name: str) -> str:
        return f"{self.place.environment_name}.{self.place.cluster_name}.{name}"


def _shown_time(milliseconds: str) -> str:
    """A topic's own setting as an option of its table."""
    days, rest = divmod(int(milliseconds), 86_400_000)
    return "0 ms" if milliseconds == "-1" else f"{milliseconds} ms" if rest else f"{days} d"


def _check_options(table: Table) -> None:
    mode = table.options[CHANGELOG]
    if mode not in _MODES:
        raise SqlRefused(f"Invalid value for option '{CHANGELOG}': '{mode}'. Expected one of {', '.join(_MODES)}.")
    if mode == "upsert" and not (table.primary_key or table.bucket_keys):
        raise SqlRefused(f"Table '{table.name}' has no key; '{CHANGELOG}' = 'upsert' requires a primary key.")
    if table.options["connector"] != "confluent":
        raise SqlRefused(f"Unsupported connector '{table.options['connector']}'. Only 'confluent' is available.")

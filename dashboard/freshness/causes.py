"""Why a hop is held, and what to do about it, in plain words. Pure: told from readings and what is remembered."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.freshness.frontiers import idle_partitions
from dashboard.freshness.hops import Way
from dashboard.freshness.memory import Memory
from dashboard.freshness.readings import Part, PartitionReading, Readings, StatementReading
from dashboard.wording import length, moment

_UP = "`sales-trends up` starts it."
_STATUS = "`sales-trends status` tells more of it."
_DOCTOR = "`sales-trends doctor` asks each part whether it does its work."
_OLD_CHECKPOINT = timedelta(minutes=1)
_FLINK = ("taskmanager", "jobmanager")
_PLATFORM = ("kafka", "registry", *_FLINK)
"""Programs of the local stack without which statements do not run, or do not commit."""
_REPAIRS = {"RESTARTING", "INITIALIZING", "CREATED", "FAILING", "RECONCILING", "SUSPENDED"}
"""Flink's words for a job that does not run and is not given up."""


@dataclass(frozen=True)
class Cause:
    reason: str
    hint: str = ""


def clock(at: datetime, readings: Readings) -> str:
    """`14:02:10 UTC`: a reason is one text for readers in all zones."""
    return f"{moment(at, UTC, readings.at)} UTC"


def source_name(topic: str) -> str:
    """What a topic holds, in words: `orders` of `shiftleft.public.orders`."""
    return topic.rpartition(".")[2].replace("_", " ").replace("-", " ")


def away(part: Part, readings: Readings) -> Cause | None:
    """A part that did not answer."""
    silence = readings.silence(part)
    return Cause(silence.message, silence.hint or _DOCTOR) if silence else None


def stopped_program(names: tuple[str, ...], readings: Readings) -> Cause | None:
    """A program of the local stack that was started and does not run."""
    found = next((name for name in names if name in readings.programs), None)
    return Cause(f"The {_program(found)} is not running.", _UP) if found else None


def no_input(way: Way, readings: Readings, usual: timedelta) -> Cause:
    """Why nothing comes into a source; `usual` is for how long it is often silent at this hour."""
    name = source_name(way.downstream)
    newest = readings.topics[way.downstream].newest_at
    said = f"No {name} since {clock(newest, readings)}" if newest else f"No {name} have ever come"
    if way.program in readings.programs:
        return Cause(f"{said}: the {_program(way.program)} is not running.", _UP)
    if newest is not None and usual and readings.at - newest <= usual:
        return Cause(f"{said}, as is usual at this hour.")
    return Cause(
        f"{said}: nothing writes to the topic {way.downstream}.", "See whether the shop sells, and its writer runs."
    )


def halted(way: Way, readings: Readings) -> Cause | None:
    """Why a statement does not run; None when it does, or nothing is known of it."""
    statement = readings.statements.get(way.statement)
    if statement is None:
        return stopped_program(_FLINK, readings) if way.statement else None
    if statement.is_stopped:
        return Cause(
            f"The statement {statement.name} was stopped on purpose.",
            f"`sales-trends resume {statement.name}` lets it go on.",
        )
    if program := stopped_program(_FLINK, readings):
        return program
    return None if statement.runs else _not_running(statement, readings)


def _not_running(statement: StatementReading, readings: Readings) -> Cause:
    detail = f": {statement.detail.rstrip('.')}" if statement.detail else ""
    others = [one for one in readings.statements.values() if not one.is_stopped]
    match statement.phase:
        case "absent":
            return Cause(
                f"The statement {statement.name} is not there{detail}.", "`sales-trends plan` shows what is missing."
            )
        case "FAILED":
            return Cause(f"The statement {statement.name} failed{detail}.", _STATUS)
        case "DEGRADED":
            return Cause(f"The statement {statement.name} is degraded{detail}.", _STATUS)
        case "PENDING":
            return Cause(f"The statement {statement.name} waits for compute{detail}.", "See the compute pool's limit.")
        case phase if phase in _REPAIRS and len(others) > 1 and all(one.phase in _REPAIRS for one in others):
            return Cause(f"No TaskManager carries the statements: all of them are restarting{detail}.", _DOCTOR)
        case phase:
            return Cause(f"The statement {statement.name} is {phase.lower()}{detail}.", _STATUS)


def unread(way: Way, readings: Readings) -> Cause:
    """Why a statement has not read its input, though it runs."""
    statement = readings.statements[way.statement]
    records = "Records wait" if statement.pending is None else f"{statement.pending:,} records wait"
    since = f", the oldest for {length(statement.pending_for)}" if statement.pending_for else ""
    if statement.scaling not in ("", "OK"):
        return Cause(
            f"{records} for {way.statement}{since}: scaling is {statement.scaling}.", "Give its pool more compute."
        )
    return Cause(f"{records} for {way.statement}{since}.", _STATUS)


def unpassed(way: Way, readings: Readings, memory: Memory, reached: datetime | None) -> Cause:
    """Why a statement that runs and has read its input passes nothing on."""
    if found := held_by_partition(way, readings, memory, reached):
        topic, one = found
        since = f"since {clock(one.newest_at, readings)}" if one.newest_at else "ever"
        return Cause(
            f"Partition {one.number} of {topic} has had no record {since}, and the watermark waits for it.",
            f"See why nothing is written to that partition; a record in it lets {way.statement} go on.",
        )
    statement = readings.statements.get(way.statement)
    age = statement.checkpoint_age if statement else None
    if age is not None and age > max(_OLD_CHECKPOINT, way.work * 2):
        return Cause(
            f"The last checkpoint of {way.statement} is {length(age)} old, and nothing is passed on without one.",
            _STATUS,
        )
    for part in (Part.FLINK, Part.REGISTRY):
        if cause := away(part, readings):
            return cause
    upto = f"newer than {clock(reached, readings)}" if reached else "at all"
    return Cause(f"{way.statement} runs and passes on nothing {upto}.", _STATUS)


def held_by_partition(
    way: Way, readings: Readings, memory: Memory, reached: datetime | None
) -> tuple[str, PartitionReading] | None:
    """The partition that gets nothing, and where the statement's output stands too."""
    for name in way.upstream:
        topic = readings.topics.get(name)
        if topic is None or topic.frontier is None:
            continue
        idle = idle_partitions(topic, memory.others)
        if not idle and len(topic.partitions) > 1 and memory.is_first:
            idle = [min(topic.partitions, key=lambda one: one.frontier or datetime.min.replace(tzinfo=UTC))]
        for one in idle:
            if one.frontier is None or (
                topic.frontier - one.frontier > way.normal and (reached is None or reached - one.frontier <= way.normal)
            ):
                return name, one
    return None


def uncopied(way: Way, readings: Readings) -> Cause | None:
    """Why Tableflow does not copy the topic; None when it does, is about to, or nothing is known of it."""
    topic = readings.tableflow.get(way.downstream)
    if topic is None:
        return None
    detail = f": {topic.detail.rstrip('.')}" if topic.detail else ""
    if topic.is_suspended:
        return Cause(
            f"Tableflow of {topic.name} is suspended{detail}.",
            "Settle the record or change that stopped it, then `sales-trends apply`.",
        )
    if topic.phase == "absent":
        return Cause(f"{topic.name} is no Tableflow topic.", "`sales-trends plan` shows what turns it on.")
    return Cause(f"Tableflow of {topic.name} failed{detail}.", _STATUS) if topic.phase == "FAILED" else None


def uncommitted(way: Way, readings: Readings) -> Cause:
    """Why no snapshot holds what the topic holds."""
    if program := stopped_program(_PLATFORM, readings):
        return program
    topic = readings.tableflow.get(way.downstream)
    if topic is not None and topic.phase != "RUNNING":
        return Cause(f"Tableflow of {topic.name} is {topic.phase.lower()}.", _STATUS)
    table = readings.tables.get(way.downstream)
    if table is None or table.committed_at is None:
        return Cause(f"The table {way.downstream} has no commit yet.", _STATUS)
    return Cause(
        f"No commit of {way.downstream} since {clock(table.committed_at, readings)} holds what has come.", _STATUS
    )


def _program(name: str) -> str:
    titles = {
        "taskmanager": "TaskManager",
        "jobmanager": "JobManager",
        "gateway": "SQL gateway",
        "kafka": "Kafka broker",
    }
    return titles.get(name) or ("program of registry and catalog" if name == "registry" else name.replace("-", " "))

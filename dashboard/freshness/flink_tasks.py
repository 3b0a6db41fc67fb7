"""What is asked of one task of a job on open-source Flink, and what the answers of all its tasks say together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard.remotes.flink_metrics import Measured

_MOMENTS_MS = range(1, 253_402_300_799_000)
"""A watermark before the first record is the smallest number there is, and after the last one the largest."""
_POSITION = re.compile(r"(?P<source>.+)\.KafkaSourceReader\.topic\.(?P<topic>.+)\.partition\.\d+\.currentOffset")
_SOURCE = re.compile(r"(?P<lagging>.+)\.pendingRecords|(?P<named>Source__.+)\.currentOutputWatermark")
"""By its lag, or before that has a name, by Flink's own name for one."""
_WRITER = re.compile(r"(?P<writer>.*Writer)\.numRecordsIn")
_LATE = re.compile(r".*\.numLateRecordsDropped")
_TASK_WATERMARK = "currentInputWatermark"


@dataclass(frozen=True)
class Task:
    """Names of metrics, those of each subtask alike."""

    id: str
    sources: Mapping[str, str]
    """The operators that read, each with its topic in the letters that Flink has for names; empty where it is none."""
    writers: tuple[str, ...]
    """The operators that write to a topic or table."""
    late: tuple[str, ...]
    output_watermark: tuple[str, ...]

    @property
    def metrics(self) -> list[str]:
        parts = ("currentOutputWatermark", "numRecordsIn", "pendingRecords")
        of_sources = [f"{source}.{part}" for source in self.sources for part in parts]
        return [*of_sources, *(f"{one}.numRecordsIn" for one in self.writers), *self.late, *self.output_watermark]


@dataclass(frozen=True)
class Figures:
    """Of a job as a whole; None where nothing was measured."""

    input_watermark: datetime | None = None
    output_watermark: datetime | None = None
    records_in: int | None = None
    records_out: int | None = None
    late_records: int | None = None
    pending: Mapping[str, int] | None = None
    """By the topic that is read, as in `Task.sources`."""


def task_of(id_: str, names: Iterable[str]) -> Task:
    """What to ask of a task in which all of this is measured."""
    names = set(names)
    topics = {match["source"]: match["topic"] for name in names if (match := _POSITION.fullmatch(name))}
    sources = {match["lagging"] or match["named"] for name in names if (match := _SOURCE.fullmatch(name))}
    writers = tuple(sorted(match["writer"] for name in names if (match := _WRITER.fullmatch(name))))
    # what reaches the task, not what its last operator passes on: an interval join does that with the whole interval's
    # delay, for whoever would join further, though it holds no row back
    watermark = (_TASK_WATERMARK,) if _TASK_WATERMARK in names else tuple(f"{one}.{_TASK_WATERMARK}" for one in writers)
    return Task(
        id_,
        {source: topics.get(source, "") for source in sorted(sources)},
        writers,
        tuple(sorted(name for name in names if _LATE.fullmatch(name))),
        watermark if writers else (),
    )


def are_whole(tasks: Sequence[Task]) -> bool:
    """Whether these tasks of a job read topics that are all known, and write."""
    topics = [topic for task in tasks for topic in task.sources.values()]
    return bool(topics) and all(topics) and any(task.writers for task in tasks)


def figures_of(tasks: Sequence[Task], measured: Mapping[str, Mapping[str, Measured]]) -> Figures:
    """What was measured, by task, put together."""

    def all_of(name: str, task: Task) -> list[Measured]:
        found = measured.get(task.id, {}).get(name)
        return [] if found is None else [found]

    read = [(task, source, topic) for task in tasks for source, topic in task.sources.items()]
    pending: dict[str, int] = {}
    for task, source, topic in read:
        for one in all_of(f"{source}.pendingRecords", task):
            pending[topic] = pending.get(topic, 0) + max(0, int(one.sum))
    return Figures(
        _watermark([one for task, source, _ in read for one in all_of(f"{source}.currentOutputWatermark", task)]),
        _watermark([one for task in tasks for name in task.output_watermark for one in all_of(name, task)]),
        _sum([one for task, source, _ in read for one in all_of(f"{source}.numRecordsIn", task)]),
        _sum([one for task in tasks for name in task.writers for one in all_of(f"{name}.numRecordsIn", task)]),
        _sum([one for task in tasks for name in task.late for one in all_of(name, task)]),
        pending or None,
    )


def _watermark(measured: Sequence[Measured]) -> datetime | None:
    lowest = int(min((one.min for one in measured), default=0))
    return datetime.fromtimestamp(lowest / 1000, UTC) if lowest in _MOMENTS_MS else None


def _sum(measured: Sequence[Measured]) -> int | None:
    return int(sum(one.sum for one in measured)) if measured else None

"""The ways that sales take from the shop to the chart, told from what the pipeline is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from dashboard.deploy.pipeline import Pipeline, Statement
from dashboard.deploy.tableflow import statement_name
from dashboard.freshness.verdict import Stage
from dashboard.local.services import ORDER_FEED, PAYMENT_APP
from dashboard.settings import PipelineSettings
from dashboard.targets import TargetKind
from dashboard.topic_names import ORDERS_TOPIC, PAYMENTS_TOPIC

WATERMARK = timedelta(seconds=5)
"""How far watermarks stay behind the newest event; pipeline_sql/ says so of every topic."""
PAGE = "page"
_CLOUD_CHECKPOINT = timedelta(minutes=1)
_CLOUD_COMMIT = timedelta(minutes=5)
"""Confluent Cloud chooses both itself: about once a minute, and Tableflow about every five."""
_SLACK = timedelta(seconds=2)
"""What a commit itself takes, until a reader sees it."""
_PAGE = timedelta(seconds=5)
_NONE = timedelta(0)
_WINDOWS = "TUMBLE("
"""What a statement says that sums up windows: they are passed on when they have closed."""
_PROGRAMS = {PAYMENTS_TOPIC: PAYMENT_APP, ORDERS_TOPIC: ORDER_FEED}
"""Who writes the sources on the local stack."""


@dataclass(frozen=True)
class Way:
    """One hop as the pipeline means it to be."""

    stage: Stage
    name: str
    """Unique and stable, as in `verdict.Hop`."""
    title: str
    upstream: tuple[str, ...]
    """Topics that it starts from; of a page the table. A source's own topic at `ingest`."""
    downstream: str
    """The topic or table that it leads to, or `page`."""
    work: timedelta
    """What passing on takes at most while all is well: a checkpoint, a commit."""
    lag: timedelta = timedelta(0)
    """How far the input's event time must have gone on before an event can be passed on: watermark and window."""
    grain: timedelta = timedelta(0)
    """By how much the frontier of its start leaps: a checkpoint of who fills it, a window."""
    statement: str = ""
    """Who passes it on; empty where the target does that itself, or nobody."""
    is_main: bool = True
    """The chart waits for it. What does not lead to the chart holds nothing up, and is only noted."""
    program: str = ""
    """Of the local stack: which program writes this source."""
    letters: str = ""
    """Where what breaks this source's contract goes."""

    @property
    def normal(self) -> timedelta:
        """The delay up to which all is as it should be."""
        return self.lag + self.work + self.grain


def ways_of(pipeline: Pipeline, settings: PipelineSettings, kind: TargetKind) -> tuple[Way, ...]:
    """In the order of the flow: sources, statements with what they read and fill, tables, the page.

    A statement has two: what it has not read (`queue`) and what it cannot pass on yet (`watermark`). The tables that no
    statement reads on are those that the page shows; the others are side ways.
    """
    statements = [one for one in pipeline.statements if one.filled_table is not None]
    inputs = {one.name: _inputs(pipeline, one) for one in statements}
    read = {topic for topics in inputs.values() for topic in topics}
    filled = {one.filled_table for one in statements}
    checkpoint = _CLOUD_CHECKPOINT if kind == "Confluent Cloud" else settings.checkpoint_interval
    commit = _CLOUD_COMMIT if kind == "Confluent Cloud" else settings.commit_interval
    results = [topic for topic in pipeline.tableflow_topics if topic not in read]
    copied = sorted(pipeline.tableflow_topics, key=read.__contains__)
    return (
        *_sources(pipeline, read, local=kind == "local"),
        *(
            way
            for one in statements
            for way in _of_statement(one, inputs[one.name], checkpoint, settings.window_size, filled)
        ),
        *(
            Way(
                Stage.COMMIT,
                f"commit:{topic}",
                f"Iceberg commit of {topic}",
                (topic,),
                topic,
                commit + _SLACK,
                grain=(checkpoint if topic in filled else _NONE)
                + (settings.window_size if topic in results else _NONE),
                statement="" if kind == "Confluent Cloud" else statement_name(topic),
                is_main=topic in results,
            )
            for topic in copied
        ),
        Way(
            Stage.PAGE,
            PAGE,
            "the dashboard's readers",
            tuple(results),
            PAGE,
            _PAGE,
            grain=commit + settings.window_size,
        ),
    )


def _sources(pipeline: Pipeline, read: set[str], *, local: bool) -> Iterator[Way]:
    for topic in pipeline.topics:
        if topic.name in read:
            letters = sorted(topic.contract.dead_letter_topics) if topic.contract else []
            yield Way(
                Stage.INGEST,
                f"ingest:{topic.name}",
                f"ingest of {topic.name}",
                (topic.name,),
                topic.name,
                WATERMARK,
                program=_PROGRAMS.get(topic.name, "") if local else "",
                letters=letters[0] if letters else "",
            )


def _of_statement(
    statement: Statement, inputs: tuple[str, ...], checkpoint: timedelta, window: timedelta, filled: set[str | None]
) -> tuple[Way, Way]:
    name, topic, work = statement.name, statement.filled_table or "", checkpoint + _SLACK
    lag = WATERMARK + (window if _WINDOWS in statement.text else _NONE)
    grain = checkpoint if filled.intersection(inputs) else _NONE
    return (
        Way(Stage.QUEUE, f"queue:{name}", f"queue of {name}", inputs, topic, work, grain=grain, statement=name),
        Way(Stage.WATERMARK, f"watermark:{name}", f"watermark of {name}", inputs, topic, work, lag, grain, name),
    )


def _inputs(pipeline: Pipeline, statement: Statement) -> tuple[str, ...]:
    return tuple(table for table in pipeline.used(statement) if table != statement.filled_table)

"""The pipeline as a picture: what there is, how data flows, what belongs to what, and where each part stands.

Data flows from left to right, from the topics that the outside writes to the Iceberg tables and their catalog. What
only describes a topic (a contract, its key, a statement that alters a table) hangs under it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboard.deploy.layers import lay_out
from dashboard.deploy.resource_status import ResourceStatus
from dashboard.deploy.resources import Id, Kind, Wanted

GIVEN = "given"
"""State of a topic that others make; nothing is wrong with it, and no status tells of it."""
UNKNOWN = "unknown"
"""State of what no status tells of."""
_PHASES = {"HELD": "held back", "RESTARTING": "restarting"}
"""The local stack's words for what it does with a statement; its job may run all the same."""


@dataclass(frozen=True)
class Node:
    """One part of the pipeline."""

    id: str
    """`statement revenue-summary`, as `str(Id)` writes it."""
    kind: Kind
    name: str
    state: str
    """As `ResourceStatus` has it, or `given`, or `unknown`."""
    word: str
    """The state for people, in a word or two."""
    column: int
    row: int
    slot: int = 0
    """0 for what stands by itself; 1 and more for what hangs under the node at this column and row, from the top."""


@dataclass(frozen=True)
class Edge:
    """`data` flows from the source to the sink; with `needs`, the source needs the sink or belongs to it."""

    source: str
    sink: str
    kind: Literal["data", "needs"]
    lane: tuple[int, ...] = ()
    """The rows of the columns that it passes over, where there are any: no node is in its way there."""


@dataclass(frozen=True)
class Picture:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def picture_of(wanted: Sequence[Wanted], statuses: Iterable[ResourceStatus]) -> Picture:
    """Everything that is wanted, the topics that others give, and orphans, which stand in rows of their own at the end.

    The same things in the same order always stand at the same places, whatever their states.
    """
    known = {Id(one.kind, one.name): one for one in statuses}
    pipeline = _Pipeline(wanted)
    data = pipeline.data()
    hosts = pipeline.hosts()
    needs = pipeline.needs(hosts)
    ids = [id_ for id_ in (*pipeline.given, *pipeline.wanted) if id_ not in hosts]
    catalogs = [id_ for id_ in ids if id_.kind == "catalog"]
    beside = {str(sink): str(hosts.get(source, source)) for source, sink in needs}
    layout = lay_out(
        [str(id_) for id_ in ids if id_ not in catalogs], [(str(source), str(sink)) for source, sink in data], beside
    )
    width = max((column for column, _ in layout.places.values()), default=-1) + 1
    places = {id_: (*layout.places[str(id_)], 0) for id_ in ids if id_ not in catalogs}
    level = min((row for column, row in layout.places.values() if column == width - 1), default=0)
    places |= {id_: (width, level + at, 0) for at, id_ in enumerate(catalogs)}
    for tag, host in hosts.items():
        column, row, _ = places[host]
        places[tag] = (column, row, 1 + max(slot for *at, slot in places.values() if at == [column, row]))
    width, below = max(width + bool(catalogs), 1), max(layout.rows, level + len(catalogs))
    orphans = [id_ for id_, one in known.items() if one.state == "orphan" and id_ not in places]
    places |= {id_: (at % width, below + at // width, 0) for at, id_ in enumerate(orphans)}
    return Picture(
        tuple(_node(id_, known.get(id_), place, given=id_ in pipeline.given) for id_, place in places.items()),
        (
            *(Edge(str(a), str(b), "data", layout.lanes.get((str(a), str(b)), ())) for a, b in data),
            *(Edge(str(a), str(b), "needs") for a, b in needs),
        ),
    )


def _node(id_: Id, status: ResourceStatus | None, place: tuple[int, int, int], *, given: bool) -> Node:
    if status is None:
        state = word = GIVEN if given else UNKNOWN
    else:
        state, word = status.state, _PHASES.get(status.phase, status.state)
        if word != status.state and state in ("ready", "stopped", "missing"):
            state = "changing"  # Flink's word alone would look settled
    return Node(str(id_), id_.kind, id_.name, state, word, *place)


class _Pipeline:
    """What hangs together, told from what is wanted alone."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.wanted: Mapping[Id, Wanted] = {one.id: one for one in wanted}
        # on Confluent Cloud a statement that makes a table stands for the table and its topic
        self._makers = {one.data_name: one.id for one in wanted if one.id.kind == "statement" and one.holds}
        readers = [one for one in wanted if one.id.kind == "tableflow" or _runs(one)]
        named = [id_ for one in readers for id_ in sorted(one.needs | one.comes_from) if id_.kind == "topic"]
        self.given = tuple(dict.fromkeys(id_ for id_ in named if self._standing(id_) is None))
        """Topics that are read and that nothing here makes."""

    def _standing(self, id_: Id) -> Id | None:
        """The thing itself, or the statement that stands for a topic."""
        if id_ in self.wanted:
            return id_
        return self._makers.get(id_.name) if id_.kind == "topic" else None

    def _topics(self, ids: Iterable[Id]) -> list[Id]:
        """What stands for the topics among these, given ones included."""
        topics = (id_ for id_ in sorted(ids) if id_.kind == "topic")
        found = (id_ if id_ in self.given else self._standing(id_) for id_ in topics)
        return list(dict.fromkeys(id_ for id_ in found if id_ is not None))

    def data(self) -> list[tuple[Id, Id]]:
        """From source to sink, each once."""
        links: dict[tuple[Id, Id], None] = {}
        for one in self.wanted.values():
            if _runs(one):
                links |= dict.fromkeys(self._moved(one))
            elif one.id.kind == "tableflow":
                sources = self._topics(one.needs | one.comes_from) or sorted(one.comes_from & self.wanted.keys())
                links |= dict.fromkeys((source, one.id) for source in sources)
            elif one.holds:  # a topic, or a table that is made empty
                links |= dict.fromkeys((source, one.id) for source in sorted(one.comes_from & self.wanted.keys()))
        return list(links)

    def _moved(self, statement: Wanted) -> Iterable[tuple[Id, Id]]:
        """What a running statement reads and writes.

        That it comes from another statement without reading what that one fills is only an order, and no flow.
        """
        for topic in self._topics(statement.needs | statement.comes_from):
            there = self.wanted.get(topic)
            if topic == statement.id or (there is not None and statement.id in there.comes_from):
                continue  # its own
            is_read = there is None or topic in statement.comes_from or topic.kind == "statement"
            yield (topic, statement.id) if is_read else (statement.id, topic)

    def hosts(self) -> dict[Id, Id]:
        """Of each thing that hangs under another: that other."""
        hosts: dict[Id, Id] = {}
        for one in self.wanted.values():
            if one.id.kind == "contract":
                found = self._topics([Id("topic", one.data or one.id.name.rpartition("-")[0])])
            elif one.id.kind == "statement" and not _runs(one) and not one.holds:
                makers = sorted(one.comes_from & self.wanted.keys())
                found = [*makers, *self._topics(one.needs)]
            else:
                continue
            if found:
                hosts[one.id] = found[0]
        keys = ((need, id_) for id_ in tuple(hosts) for need in sorted(self.wanted[id_].needs) if need.kind == "key")
        for key, contract in keys:
            if key in self.wanted:
                hosts.setdefault(key, hosts[contract])
        return hosts

    def needs(self, hosts: Mapping[Id, Id]) -> list[tuple[Id, Id]]:
        """What belongs to what, and what a contract and a catalog need; the flow of data is not told again."""
        links: dict[tuple[Id, Id], None] = {}
        for id_, one in self.wanted.items():
            if id_ in hosts and id_.kind != "key":
                links[id_, hosts[id_]] = None
            if id_.kind in ("contract", "catalog"):
                found = (self._standing(need) for need in sorted(one.needs))
                links |= dict.fromkeys((id_, need) for need in found if need is not None)
        return list(links)


def _runs(wanted: Wanted) -> bool:
    """A statement that moves data for as long as it is there."""
    return wanted.id.kind == "statement" and (wanted.keeps_state or bool(wanted.flow))

"""How each thing of a pipeline is on its target, as operators look at it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from dashboard.deploy.apply import Target
from dashboard.deploy.plan import in_order
from dashboard.deploy.resources import Found, Id, Kind
from dashboard.remotes.kafka import Kafka

Offsets = Mapping[str, Mapping[int, int]]
"""Topic, partition, offset of the next record."""


@dataclass(frozen=True)
class ResourceStatus:
    """One thing of the pipeline."""

    kind: Kind
    name: str
    state: str
    """`ready`, `stopped`, `failed`, `changing`, `missing`, `orphan`, or `changed` when it is not as described."""
    phase: str
    """The service's own word."""
    detail: str
    """Why it is not ready, or how it differs from what is described."""
    version: str
    """Short hash of what it was made of; empty where nothing tells."""
    since: datetime | None
    """UTC; when it was made or submitted, where the target tells."""
    offsets: Offsets
    """What it has read of its topics."""
    behind: int | None
    """Records it has not read; None for what reads no topic. By offsets: the mark at a transaction's end is one too."""
    text: str = ""
    """What it was made of; empty where nothing tells."""

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"since": self.since.isoformat() if self.since else None}


def resource_statuses(target: Target, kafka: Kafka) -> list[ResourceStatus]:
    """All that is wanted in the order in which it is made, then all that is ours beyond that."""
    wanted = {one.id: one for one in target.wanted()}
    found = target.found()
    read = {id_: target.offsets(id_) for id_ in wanted if id_ in found}
    ends = {topic: kafka.end_offsets(topic) for topic in {topic for offsets in read.values() for topic in offsets}}
    rows = []
    for id_ in in_order(wanted):
        there = found.get(id_)
        state, detail = _judged(there, wanted[id_].digest)
        rows.append(_row(id_, there, state, detail, read.get(id_, {}), ends))
    orphans = sorted(id_ for id_, one in found.items() if one.ours and id_ not in wanted)
    rows += [_row(id_, found[id_], "orphan", "no file describes it", {}, {}) for id_ in orphans]
    return rows


def _judged(found: Found | None, digest: str) -> tuple[str, str]:
    if found is None:
        return "missing", ""
    facts = ", ".join(f"{key}: {value}" for key, value in (found.facts or {}).items())
    if not found.ours:
        return "foreign", "nothing says that we made it"
    if found.digest not in (None, digest):
        return "changed", facts or "it was made of something else than what the files say now"
    return found.state, "; ".join(text for text in (found.trouble, facts) if text)


def _row(
    id_: Id, found: Found | None, state: str, detail: str, read: Offsets, ends: Mapping[str, Mapping[int, int]]
) -> ResourceStatus:
    behind = sum(
        max(end - read[topic].get(partition, 0), 0) for topic in read for partition, end in ends[topic].items()
    )
    return ResourceStatus(
        kind=id_.kind,
        name=id_.name,
        state=state,
        phase=found.phase if found else "",
        detail=detail,
        version=(found.digest or "")[:8] if found else "",
        since=found.since if found else None,
        offsets={topic: dict(offsets) for topic, offsets in read.items()},
        behind=behind if read else None,
        text=found.text if found else "",
    )

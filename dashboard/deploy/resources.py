"""What a deployment consists of, as it is wanted and as it is found on a target."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

Kind = Literal["topic", "key", "contract", "statement", "tableflow", "catalog"]
"""A key encrypts fields; a catalog shows Tableflow's tables to outside engines."""


class Id(NamedTuple):
    """One thing on a target."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Wanted:
    """One thing as the files describe it."""

    id: Id
    digest: str
    """Of all that makes it what it is. Another digest is another thing."""
    needs: frozenset[Id] = frozenset()
    """What must be ready before it is made, and is removed after it."""
    comes_from: frozenset[Id] = frozenset()
    """What its data is made of: a statement's input topics, a topic's statement. Replaced when one of them is."""
    reads: frozenset[Id] = frozenset()
    """Topics that the outside writes and that it is filled from; they may not reach back for ever."""
    holds: str = ""
    """The data that goes when it is removed or replaced, in words; empty for none of its own."""
    data: str = ""
    """The name by which somebody agrees to lose that data; its own name unless said otherwise."""
    text: str = ""
    """What it is made of, for people: a statement's script, a contract's schema and rules, a topic's shape."""
    keeps_state: bool = False
    """Windows, joins, deduplication: what it knows cannot be told from offsets alone."""
    flow: str = ""
    """From where to where a stateless statement takes records: offsets are all it knows. Empty for what keeps state."""

    @property
    def data_name(self) -> str:
        return self.data or self.id.name


State = Literal["ready", "stopped", "failed", "changing"]


@dataclass(frozen=True)
class Found:
    """One thing as it is on the target."""

    id: Id
    ours: bool
    """A label or the ledger says that we made it."""
    digest: str | None
    """With which it was made; None where nothing tells."""
    state: State
    phase: str = ""
    """The service's own word for its state, also one that we do not know."""
    trouble: str = ""
    """Why it is not ready, as the service says it."""
    resumes: bool = True
    """It can go on with what it knew; otherwise it is only made anew."""
    flow: str = ""
    """As it was when it was made: only the same flow can go on at the same offsets."""
    holds_data: bool = True
    """Something is in it that a change upstream makes wrong."""
    keeps_for: str = ""
    """Since when or for how long what it holds or writes is kept, and where; empty: for ever, or nothing tells."""
    facts: Mapping[str, str] | None = None
    """What the target itself shows of it and that differs from what is wanted, for the reader of the plan."""
    since: datetime | None = None
    """UTC; when it was made or submitted, where the target tells."""
    text: str = ""
    """What it was made of, as `Wanted.text`; empty where nothing tells."""


def digest_of(facts: Any) -> str:
    """Of anything that JSON can write; short enough for a label."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def readable(facts: Any) -> str:
    """Anything that JSON can write, one fact a line, so that two of them can be compared line by line."""
    return json.dumps(facts, indent=2, ensure_ascii=False, sort_keys=True)

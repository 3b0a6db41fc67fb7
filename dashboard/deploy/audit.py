"""Who changed what on a cluster and when: an append-only topic on that cluster, and who may write now.

The right to change a target is membership: whoever holds the audit topic's one partition in the consumer group
`sales-trends-deploy`. A process that dies leaves the group after its session's time, so no lock stays behind.
"""

import getpass
import json
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from dashboard.deploy.plan import Plan, Step
from dashboard.errors import DeployError, SalesTrendsError
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.remotes.kafka_membership import SESSION_SECONDS, Membership

AUDIT_TOPIC = "sales-trends-audit"
KEPT_ACTS = 20_000
"""As many as a page can be asked to filter; the topic itself keeps all."""
_GROUP = "sales-trends-deploy"
_TOPIC = Topic(AUDIT_TOPIC, 1, {"cleanup.policy": "delete", "retention.ms": "-1"})


@dataclass(frozen=True)
class Act:
    """One line of the audit log."""

    at: str
    """UTC, ISO 8601."""
    who: str
    target: str
    plan: str
    """The plan's digest."""
    what: str
    """`apply begins`, `remove`, `make`, `ready`, `apply ended`, …"""
    thing: str
    """The step's resource; empty for an act about the whole."""
    result: str
    """`ok`, or the error's sentence."""


class AuditLog:
    """The acts on one target."""

    def __init__(self, kafka: Kafka, target: str, who: str | None = None) -> None:
        self.kafka = kafka
        self._target = target
        self.who = who or this_process()
        """Who acts: a page names the person that it acts for."""

    def begin(self) -> None:
        """Makes the topic where nothing was ever written, for acts that need no right to change the target."""
        self.kafka.create_topics([_TOPIC])

    def write(self, plan: str, what: str, thing: str = "", result: str = "ok") -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        act = Act(now, self.who, self._target, plan, what, thing, result)
        self.kafka.append(AUDIT_TOPIC, [(None, json.dumps(asdict(act)))])

    def acts(self) -> list[Act]:
        """All acts, the oldest first; none where nothing was ever deployed."""
        return self.between(0, self.end())

    def end(self) -> int:
        """The offset after the newest act; 0 where nothing was ever deployed."""
        return self.kafka.end_offsets(AUDIT_TOPIC)[0] if AUDIT_TOPIC in self.kafka.topic_names() else 0

    def between(self, start: int, end: int) -> list[Act]:
        """The acts at the offsets from `start` (inclusive) to `end` (exclusive), the oldest first."""
        with closing(self.kafka.records(AUDIT_TOPIC, {0: start}, {0: end})) as records:
            try:
                return [_parsed(one.value) for one in records if one.value is not None]
            except (ValueError, TypeError) as error:
                raise DeployError(
                    f"The topic {AUDIT_TOPIC} holds a record that is not ours.", "See who else writes to that topic."
                ) from error

    def holder(self) -> str:
        """Who has the right to change the target now; empty when nobody has."""
        return Membership(self.kafka.access, _GROUP, AUDIT_TOPIC, "").holder()

    @contextmanager
    def only_writer(self, within_seconds: float = SESSION_SECONDS + 5) -> Iterator["Writer"]:
        """Holds the right to change the target; raises DeployError naming who has it when that is somebody else.

        Waits longer than a process that was killed is still taken for a member.
        """
        self.kafka.create_topics([_TOPIC])
        membership = Membership(self.kafka.access, _GROUP, AUDIT_TOPIC, self.who)
        with membership.sought(within_seconds):
            if not membership.held:
                raise DeployError(
                    f"The target {self._target} is being changed by {membership.holder() or 'somebody else'}.",
                    "Wait for that to end, then try again.",
                )
            yield Writer(self._target, membership)


def _parsed(record: bytes) -> Act:
    """Raises ValueError or TypeError for what no act is."""
    act = Act(**json.loads(record))
    if not all(isinstance(told, str) for told in asdict(act).values()) or datetime.fromisoformat(act.at).tzinfo is None:
        raise ValueError("no act")
    return act


class AuditReader:
    """The newest acts of one log, asked for again and again: each time only what is new is read. For any thread."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._acts: deque[Act] = deque(maxlen=KEPT_ACTS)
        self._next = 0

    def reads(self, log: AuditLog) -> bool:
        """Whether this log is on the same cluster, reached the same way."""
        return self._log.kafka.access == log.kafka.access

    def acts(self) -> list[Act]:
        """The oldest first, `KEPT_ACTS` at most."""
        with self._lock:
            end = self._log.end()
            if end < self._next:
                # another topic of that name by now
                self._acts.clear()
                self._next = 0
            if end > self._next:
                self._acts += self._log.between(max(self._next, end - KEPT_ACTS), end)
                self._next = end
            return list(self._acts)


@dataclass(frozen=True)
class Writer:
    """The right to change a target, as long as `check` says nothing."""

    target: str
    membership: Membership

    def check(self) -> None:
        """Raises DeployError when the right was lost: this process was away for too long, and another may have it."""
        if not self.membership.held:
            raise DeployError(
                f"The right to change {self.target} was lost: this process was cut off for over {SESSION_SECONDS} s.",
                "Nothing more was changed. Plan and apply again.",
            )


class AuditedReport:
    """Writes each act to the audit log, and lets none begin when the right to change the target is gone."""

    def __init__(self, log: AuditLog, writer: Writer, plan: Plan) -> None:
        self._log = log
        self._writer = writer
        self._plan = plan
        self.tell: Callable[[str], None] = lambda _text: None
        """Tells people what the deployment is at."""

    def begins(self, what: str, step: Step) -> None:
        self._writer.check()
        self.tell(f"{what} {step.id}")

    def waits_for(self, text: str) -> None:
        self.tell(text)

    def ended(self, what: str, step: Step, error: SalesTrendsError | None) -> None:
        # told as what has happened: whoever reads the log sees how far it is
        told = "ready" if what == "wait for" and error is None else what
        self._log.write(self._plan.digest, told, str(step.id), error.message if error else "ok")


def this_process() -> str:
    """Who acts as long as nobody else is named: `user@host:pid`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # a container's user may have a number alone
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}"

"""Sends what a plan says: in transactions that hold each payment together with the marker that it was sent.

Whatever kills this in between, a letter has both or none of them, and a second run goes on with what is left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC, REDRIVEN_BY, REDRIVEN_FROM, REDRIVEN_TS, milliseconds
from dashboard.dead_letters.markers import REDRIVEN, REDRIVEN_TOPIC, Marker
from dashboard.dead_letters.redrive import Contract, Outcome, Planned, RedrivePlan, chunks
from dashboard.dead_letters.stream import Known, Stream
from dashboard.enforcement.outcomes import Refused
from dashboard.errors import DeployError, SalesTrendsError, UnreachableError
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.kafka_transactions import ToWrite, TransactionalWriter
from dashboard.topic_names import PAYMENTS_TOPIC

TRANSACTIONAL_ID = "redrive-payments"
"""On every cluster: two who call a cluster differently are to end each other's redrives too."""
MOST_AT_ONCE = 500
"""Letters in one transaction."""
LONGEST_MS = 2_000
"""The stream may go on by this between a payment's stamp and its commit; watermarks are 5 seconds behind."""
_TRIES = 8


@dataclass(frozen=True)
class Sent:
    """What was sent, letter by letter, in order."""

    markers: list[Marker]


class Sender:
    """Sends plans to one cluster."""

    def __init__(self, kafka: Kafka, stream: Stream, contract: Contract, who: str) -> None:
        self._kafka = kafka
        self._stream = stream
        self._contract = contract
        self._who = who

    def send(
        self,
        plan: RedrivePlan,
        plan_anew: Callable[[], RedrivePlan],
        progress: Callable[[int], None] = lambda _count: None,
        before_commit: Callable[[], None] = lambda: None,
    ) -> Sent:
        """Does what the plan says; `progress` hears how many are sent, `before_commit` of each commit to come.

        Raises DeployError when something else would happen by now, or when somebody else redrives on this cluster, and
        UnreachableError when Kafka or the registry do not answer.
        """
        done: list[Marker] = []
        self._kafka.create_topics([REDRIVEN])
        with TransactionalWriter(self._kafka.access, TRANSACTIONAL_ID) as writer:
            # only now: whoever was at work before can commit nothing more, and all that they did is to be seen
            now = plan_anew()
            if now.digest != plan.digest:
                raise DeployError(
                    "By now something else would happen than what was agreed to, so nothing was sent.",
                    "Look at the plan again: letters were redriven, or orders and payments came.",
                )
            # before any clock is looked at, which would go on meanwhile
            known = self._stream.known(
                {one.value["order_id"] for one in now.sent if one.value is not None}, self._stream.clock_ms()
            )
            for chunk in chunks(now.sent, MOST_AT_ONCE):
                try:
                    done += self._sent(writer, chunk, known, plan.choices.when, before_commit)
                except SalesTrendsError as error:
                    raise _with_count(error, len(done), len(now.sent)) from error
                progress(len(done))
        return Sent(done)

    def _sent(
        self,
        writer: TransactionalWriter,
        chunk: Sequence[Planned],
        known: Known,
        when: str,
        before_commit: Callable[[], None],
    ) -> list[Marker]:
        for _ in range(_TRIES):
            clock_ms = self._stream.clock_ms()
            self._check(chunk, known, clock_ms)
            stamped = [self._stamped(one, clock_ms, when) for one in chunk]
            records = [record for payment, marker in stamped for record in (payment, _marker_record(marker))]

            def may_commit(clock_ms: int = clock_ms) -> bool:
                before_commit()
                return self._stream.clock_ms() - clock_ms <= LONGEST_MS

            if writer.write(records, may_commit):
                return [marker for _, marker in stamped]
        raise UnreachableError(
            f"The stream of payments went on by more than {LONGEST_MS / 1000:.0f} s before each of {_TRIES} attempts "
            "was written, so nothing of them was sent.",
            "Send fewer letters at once, or try again when Kafka answers faster.",
        )

    def _check(self, chunk: Sequence[Planned], known: Known, clock_ms: int) -> None:
        """Raises DeployError when a letter of the chunk would fare differently by now."""
        for one in chunk:
            if one.value is None:
                continue
            order_id = one.value["order_id"]
            counts = known.completes(order_id, clock_ms)
            if order_id in known.paid or (
                one.outcome is not Outcome.LATE and counts != (one.outcome is Outcome.COUNTS)
            ):
                raise _otherwise(one)

    def _stamped(self, one: Planned, clock_ms: int, when: str) -> tuple[ToWrite, Marker]:
        """The payment at the stream's clock, and its marker; raises DeployError when a rule refuses it by now."""
        value: dict[str, Any] = dict(one.value or {})
        own = one.letter.paid_at
        ts_ms = _own_ms(one) if when == "own" else clock_ms
        headers = {REDRIVEN_FROM: f"{DEAD_LETTERS_TOPIC}:{one.letter.id}", REDRIVEN_BY: self._who}
        if when == "now" and own is not None:
            headers[REDRIVEN_TS] = own.isoformat(timespec="milliseconds")
        order_id, amount = int(value["order_id"]), repr(float(value["amount"]))
        try:
            content = self._contract.write({**value, "ts": ts_ms})
        except Refused as refused:
            # the contract was changed since the plan was agreed to
            raise _otherwise(one, f": {refused.rule} refuses it") from refused
        payment = ToWrite(PAYMENTS_TOPIC, str(order_id).encode(), content, clock_ms, headers)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return payment, Marker(one.letter.id, order_id, ts_ms, clock_ms, amount, when, self._who, at)


def _otherwise(one: Planned, why: str = "") -> DeployError:
    return DeployError(
        f"By now something else would happen to the letter {one.letter.id} than what was agreed to{why}.",
        "Look at the plan again.",
    )


def _own_ms(one: Planned) -> int:
    return milliseconds(one.letter.paid_at) if one.letter.paid_at else 0


def _marker_record(marker: Marker) -> ToWrite:
    return ToWrite(REDRIVEN_TOPIC, marker.letter.encode(), marker.as_json())


def _with_count(error: SalesTrendsError, done: int, total: int) -> SalesTrendsError:
    """The error, with what was sent before it."""
    return type(error)(
        f"{error.message} {done:,} of {total:,} payments are known to have been sent.",
        f"{error.hint} A new redrive of the same letters goes on with what is left.".strip(),
    )

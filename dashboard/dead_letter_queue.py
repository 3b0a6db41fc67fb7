"""The dead letters of one target, for commands and pages: what there is, what a redrive would do, and the redrive.

Who may do what is asked by whoever calls.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from dashboard.clusters import kafka_and_registry
from dashboard.dead_letters.fields import Fields, fields_of
from dashboard.dead_letters.letters import DEAD_LETTERS_TOPIC, Letter
from dashboard.dead_letters.markers import Marker, markers
from dashboard.dead_letters.reading import DeadLetters, FoundLetters, Group, Wanted, groups
from dashboard.dead_letters.redrive import Choices, Contract, RedrivePlan, check_choices, made_plan
from dashboard.dead_letters.sending import Sender, Sent
from dashboard.dead_letters.stream import Stream
from dashboard.deploy.audit import AuditLog
from dashboard.enforcement.outcomes import Ciphertext
from dashboard.errors import ContractError, DeployError, SalesTrendsError
from dashboard.local.kms import local_kms_secret
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.registry import Registry
from dashboard.settings import Settings
from dashboard.targets import LOCAL
from dashboard.topic_names import PAYMENTS_TOPIC

if TYPE_CHECKING:
    from dashboard.enforcement.enforcement import Enforcement

MOST_AT_ONCE = 10_000
"""Letters in one plan."""
_SUBJECT = "payments-value"
_CONTRACT_SECONDS = 5.0
"""A plan goes by a contract that is at most this old."""

ContractOf = Callable[[Settings, Registry, Fields], Contract]
"""Makes what writes payments by their contract: rules, encryption and all."""


def contract_of(settings: Settings, registry: Registry, fields: Fields) -> Contract:
    """The contract of payments on a target, as its registry has it; raises ContractError where it cannot be enforced.

    Without a self-check: who redrives need not be able to use the key, for what is encrypted stays as it is.
    """
    secret = local_kms_secret(settings.local.home) if settings.target == LOCAL else None
    return Contract(fields, _enforcement(registry, secret), Ciphertext)


@lru_cache(maxsize=8)
def _enforcement(registry: Registry, kms_secret: SecretStr | None) -> "Enforcement":
    """One for a registry: each keeps connections, and the keys that it has asked for."""
    # with the engines of rules and encryption, for half a second that other commands need not wait
    from dashboard.enforcement.enforcement import Enforcement

    return Enforcement(registry, PAYMENTS_TOPIC, kms_secret=kms_secret, cache_seconds=_CONTRACT_SECONDS)


class DeadLetterQueue:
    """The dead letters of the target that the settings name.

    Every call raises UnreachableError when Kafka or the registry do not answer, SettingsError when they refuse a key.
    """

    def __init__(
        self,
        settings: Settings,
        who: str | None = None,
        *,
        contract: ContractOf | None = None,
        clusters: tuple[Kafka, Registry] | None = None,
    ) -> None:
        """`who` is told in the audit log and in the payments; by default this process by its user."""
        self._settings = settings
        self._kafka, self._registry = clusters or kafka_and_registry(settings)
        self._letters = DeadLetters(self._kafka)
        self._stream = Stream(self._kafka, self._registry)
        self._contract_of = contract or contract_of
        self.audit = AuditLog(self._kafka, settings.target, who)

    def letters(self, limit: int, wanted: Wanted | None = None) -> FoundLetters:
        """The newest letters that are wanted, the newest first."""
        return self._letters.newest(limit, wanted)

    def letter(self, id_: str) -> Letter:
        """The letter at `partition:offset`; raises ReadError when there is none, SettingsError for what is no id."""
        [letter] = self._letters.some([id_])
        return letter

    def groups(self, wanted: Wanted | None = None) -> list[Group]:
        """The newest 10,000 letters by rule and reason, the largest group first."""
        return groups(self._letters.newest(MOST_AT_ONCE, wanted).letters)

    def redriven(self) -> Mapping[str, Marker]:
        """What was sent again so far, by letter."""
        return markers(self._kafka)

    def plan(self, chosen: Iterable[str] | Wanted, choices: Choices | None = None) -> RedrivePlan:
        """What would happen to the letters with these ids, or to those that are wanted, if they were redriven now.

        Changes nothing. Raises SettingsError for choices that cannot be, ReadError for an id that is not there.
        """
        choices = choices or Choices()
        complete = True
        if isinstance(chosen, Wanted):
            found = self._letters.newest(MOST_AT_ONCE, chosen)
            # in the order in which they came: of two letters of an order the first is sent
            letters, complete = found.letters[::-1], found.complete
        else:
            letters = self._letters.some(chosen)
        if len(letters) > MOST_AT_ONCE:
            raise DeployError(f"{len(letters):,} letters are too many for one redrive.", f"Choose {MOST_AT_ONCE:,}.")
        check_choices(choices, (letter.id for letter in letters))
        return replace(self._planned(letters, choices, self._contract()), complete=complete)

    def redrive(
        self,
        plan: RedrivePlan,
        progress: Callable[[int], None] = lambda _count: None,
        before_commit: Callable[[], None] = lambda: None,
    ) -> Sent:
        """Sends what the plan says; `progress` hears how many payments are sent, every few hundred.

        Raises DeployError when something else would happen by now than what the plan says, or when somebody else
        redrives here. What was sent before an error stays sent, which its message tells; a new plan goes on.
        """
        contract = self._contract()
        letters = [one.letter for one in plan.letters]
        sender = Sender(self._kafka, self._stream, contract, self.audit.who)
        self.audit.begin()
        self.audit.write(plan.digest, "redrive begins", DEAD_LETTERS_TOPIC, _counts(plan))
        sent = 0

        def went_on(count: int) -> None:
            nonlocal sent
            sent = count
            progress(count)

        try:
            done = sender.send(plan, lambda: self._planned(letters, plan.choices, contract), went_on, before_commit)
        except SalesTrendsError as error:
            self._tell_end(plan, f"{sent} sent, then: {error.message}")
            raise
        except BaseException as error:
            self._tell_end(plan, f"{sent} sent, then: {type(error).__name__}")
            raise
        self._tell_end(plan, f"{len(done.markers)} sent")
        return done

    def _planned(self, letters: Sequence[Letter], choices: Choices, contract: Contract) -> RedrivePlan:
        redriven = markers(self._kafka)
        clock_ms = self._stream.clock_ms()
        return made_plan(
            self._settings.target,
            letters,
            choices,
            contract,
            clock_ms=clock_ms,
            window=self._settings.pipeline.window_size,
            redriven=redriven,
            known=lambda orders: self._stream.known(orders, clock_ms),
        )

    def _contract(self) -> Contract:
        schema: dict[str, Any] | None = self._registry.latest(_SUBJECT)
        if schema is None:
            raise ContractError(f"The registry has no schema of {_SUBJECT}.", "`sales-trends apply` registers it.")
        return self._contract_of(self._settings, self._registry, fields_of(schema))

    def _tell_end(self, plan: RedrivePlan, result: str) -> None:
        try:
            self.audit.write(plan.digest, "redrive ended", DEAD_LETTERS_TOPIC, result)
        except SalesTrendsError:
            # the first error says more, and what was sent is in the topic of markers
            if result.endswith(" sent"):
                raise


def _counts(plan: RedrivePlan) -> str:
    """How many letters come to which end; no amount, which of one letter would be what stands in it."""
    told = ", ".join(f"{count} {outcome}" for outcome, count in plan.counts.items())
    return f"{len(plan.sent)} of {len(plan.letters)} to send ({told})"

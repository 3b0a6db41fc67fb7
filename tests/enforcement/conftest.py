"""A contract in a real registry, and what writes by it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from dashboard.deploy.contract import Declaration, load_declarations
from dashboard.enforcement.enforcement import Enforcement
from dashboard.enforcement.self_check import ScratchRegistry
from dashboard.local.shop.sales import payment_value
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry, Contract
from dashboard.remotes.registry import Registry
from dashboard.sql_files import ROOT
from tests.local.registry.encrypting import SECRET
from tests.registry_server import registry_at

KMS_SECRET = SecretStr(SECRET)
"""One for the whole process: the client keeps the first that it is given."""
NOBODY = SecretStr("")
GOOD = payment_value(3000, 1_790_000_000_000, number=1, seed=1)
BAD = payment_value(3000, 1_790_000_000_000, number=6, seed=1)
"""Of the same order, with a confirmation code that is none."""

DECLARED = load_declarations(ROOT / "pipeline_sql" / "contracts")["payments-value"]


@dataclass
class Topic:
    """A topic with a contract and a key of its own in a real registry."""

    address: str
    registry: CloudRegistry
    closes: ExitStack
    name: str = field(default_factory=lambda: f"payments-{uuid4().hex[:8]}")

    @property
    def subject(self) -> str:
        return f"{self.name}-value"

    @property
    def key(self) -> str:
        return f"key_{self.name.replace('-', '_')}"

    def promise(self, declared: Declaration = DECLARED, **rule_changes: dict[str, Any]) -> None:
        """Registers a contract as the next version; `rule_changes` are by a rule's name, None takes it out."""
        rules = []
        for rule in declared.rules:
            changes = rule_changes.get(str(rule["name"]), {})
            params = {
                **(rule.get("params") or {}),
                **({"encrypt.kek.name": self.key} if rule["type"] == "ENCRYPT" else {}),
            }
            if changes is not None:
                rules.append({**rule, "params": params, **changes})
        contract = declared.registered()
        latest = self.registry.latest(self.subject)
        metadata = {"properties": {"confluent:version": str(latest.version + 1)}} if latest else {}
        self.registry.register(self.subject, Contract(contract.schema, metadata, {"domainRules": rules}))

    def make_key(self, kms_type: str = "local-kms", key_id: str = "mine") -> None:
        self.registry.create_kek(self.key, kms_type, key_id)

    def writer(self, **changes: Any) -> Enforcement:
        """As the payment app has it, but for `changes`."""
        parts: dict[str, Any] = {
            "kms_secret": KMS_SECRET,
            "scratch": ScratchRegistry(self.registry, self.name),
            "sample": GOOD,
            **changes,
        }
        return self.closes.enter_context(Enforcement(Registry(self.address), self.name, **parts))


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry_at(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def topic_at() -> Iterator[Callable[[str], Topic]]:
    with ExitStack() as closes:

        def make(address: str) -> Topic:
            registry = CloudRegistry(address, NOBODY, NOBODY, key_setting="", pace=Pace(repeat_seconds=0))
            return Topic(address, registry, closes)

        yield make


@pytest.fixture
def topic(address: str, topic_at: Callable[[str], Topic]) -> Topic:
    topic = topic_at(address)
    topic.make_key()
    return topic


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path

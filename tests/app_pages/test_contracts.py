"""The Contracts page over a deployment that remembers what it was told; its walk-through is in tests/stack."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import admin_token, cached
from dashboard.card_numbers import HIDDEN
from dashboard.deploy.contracts import ContractView
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.deploy.raw_records import RawRecord
from dashboard.deploy.resources import Id
from dashboard.deployments import Deployed
from dashboard.desks.administration import Administration
from dashboard.errors import UnreachableError
from dashboard.local.home import StackKind, record_kind
from dashboard.narration import Narrator
from dashboard.settings import Settings
from dashboard.sql_files import ROOT
from tests.conftest import eventually
from tests.desks.test_administration import Made

CARD = "4111-1111-1111-1111"
CLEAR = ContractView(
    subject="payments-value",
    version=1,
    fields=[{"name": "cc_number", "type": "string", "tags": []}, {"name": "amount", "type": "double", "tags": []}],
    rules=[
        {
            "name": "validateConfirmationCode",
            "kind": "CONDITION",
            "mode": "WRITE",
            "type": "CEL",
            "expr": "message.confirmation_code.matches('^[A-Z0-9]{8}$')",
            "onFailure": "DLQ",
            "params": {"dlq.topic": "error-payments"},
        }
    ],
    compatibility="FULL_TRANSITIVE",
    key="",
    secret=["cc_number"],
    differences={},
)
ENCRYPTS = replace(
    CLEAR,
    version=2,
    key="CSFLE_Key (local-kms, sales-trends-local)",
    rules=[
        *CLEAR.rules,
        {
            "name": "Encrypt_PII",
            "type": "ENCRYPT",
            "mode": "WRITEREAD",
            "tags": ["PII"],
            "params": {"encrypt.kek.name": "CSFLE_Key"},
        },
    ],
)
TURN_ON = Plan(
    "local",
    (
        Step(Id("key", "CSFLE_Key"), Action.CREATE, "it does not exist"),
        Step(
            Id("contract", "payments-value"),
            Action.CHANGE_CONTRACT,
            "tags of cc_number: PII instead of none; rule Encrypt_PII: added",
            before='{\n  "rules": []\n}',
            after='{\n  "rules": ["Encrypt_PII"]\n}',
        ),
    ),
    "d3",
)
RECORD = RawRecord(4, 17, datetime(2026, 11, 22, 12, tzinfo=UTC), 3, {"cc_number": HIDDEN}, ("cc_number",), ())


class Contracted(Made):
    """With a contract in the clear, until encryption is applied."""

    held: list[ContractView]
    fault_of_registry: UnreachableError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.held = [CLEAR]

    def __call__(self, settings: Settings, narrator: Narrator, who: str) -> Deployed:
        super().__call__(settings, narrator, who)
        self.encrypts = settings.pipeline.encrypt_fields
        return self

    def contracts(self) -> list[ContractView]:
        if self.fault_of_registry:
            raise self.fault_of_registry
        return self.held

    def contracts_plan(self) -> Plan:
        self._do("contracts plan", self.encrypts)
        return TURN_ON if self.encrypts and not self.held[0].encrypts else Plan("local", (), "d4")

    def apply_contracts(self, planned: str | None = None) -> Plan:
        self._do("apply contracts", planned, self.encrypts)
        self.held = [ENCRYPTS]
        return TURN_ON

    def newest_records(self, topic: str, count: int = 10) -> list[RawRecord]:
        return [RECORD] if topic == "payments" else []


@pytest.fixture
def made(own_server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contracted:
    (tmp_path / "home").mkdir()
    record_kind(tmp_path / "home", StackKind(timedelta(seconds=5), encrypts=False))
    made = Contracted()
    office = Administration(made)
    monkeypatch.setattr(cached, "administration", lambda: office)
    return made


def opened(home: Path, **state: Any) -> AppTest:
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    page.session_state["given_admin_token"] = admin_token.current(home / "home")
    for name, value in state.items():
        page.session_state[name] = value
    page.switch_page("app_pages/contracts.py").run()
    assert not page.exception
    return page


def text_of(page: AppTest) -> str:
    parts = [*page.markdown, *page.caption, *page.warning, *page.info, *page.error, *page.success, *page.subheader]
    return "\n".join(str(one.value).replace("\\", "") for one in parts)


def test_a_contract_in_the_clear_says_so_and_what_its_rule_does(tmp_path: Path, made: Contracted) -> None:
    said = text_of(opened(tmp_path))
    assert "`cc_number` is written in the clear" in said
    assert "other clients write it there in the clear" in said
    assert "what breaks it goes to error-payments" in said
    assert "FULL_TRANSITIVE" in said
    assert made.did == []


def test_encryption_is_shown_as_a_difference_and_applied_only_then(tmp_path: Path, made: Contracted) -> None:
    page = opened(tmp_path)
    page.button(key="contracts_plan_True").click().run()
    assert not page.exception
    assert "rule Encrypt_PII: added" in text_of(page)
    assert any(one.value.count("Encrypt_PII") == 1 and "\n+" in one.value for one in page.code)
    assert made.did == [("contracts plan", True)]
    page.button(key="contracts_apply_d3").click().run()
    assert not page.exception
    eventually(lambda: ("apply contracts", "d3", True) in made.did, 10, 0.01)


def test_a_discarded_plan_changes_nothing(tmp_path: Path, made: Contracted) -> None:
    page = opened(tmp_path)
    page.button(key="contracts_plan_True").click().run()
    page.button(key="contracts_discard").click().run()
    assert made.did == [("contracts plan", True)]
    assert not [one for one in page.button if one.label == "Apply"]


def test_what_is_in_the_clear_is_hidden_on_the_page(tmp_path: Path, made: Contracted) -> None:
    page = opened(tmp_path)
    (table,) = [one.value for one in page.dataframe if "record" in one.value.columns]
    assert list(table["cc_number"]) == ["🔓 in the clear, hidden"]
    assert CARD not in str(page.main)


def test_where_it_encrypts_the_key_is_named_and_nothing_is_warned_of(tmp_path: Path, made: Contracted) -> None:
    made.held = [ENCRYPTS]
    said = text_of(opened(tmp_path))
    assert "CSFLE_Key (local-kms, sales-trends-local)" in said
    assert "Fields with the tag PII are encrypted by the key CSFLE_Key" in said
    assert "is written in the clear" not in said


def test_what_the_registry_holds_otherwise_is_named(tmp_path: Path, made: Contracted) -> None:
    made.held = [replace(ENCRYPTS, differences={"rule Encrypt_PII": "changed (disabled)"})]
    assert "rule Encrypt_PII: changed (disabled)" in text_of(opened(tmp_path))


def test_a_registry_that_is_away_is_said_and_a_registry_without_the_contract_too(
    tmp_path: Path, made: Contracted
) -> None:
    made.fault_of_registry = UnreachableError("The registry did not answer.", "Start it.")
    assert "The registry did not answer. Start it." in text_of(opened(tmp_path))
    made.fault_of_registry = None
    made.held = [replace(CLEAR, version=None, fields=[], rules=[])]
    assert "The registry has no such contract yet" in text_of(opened(tmp_path))

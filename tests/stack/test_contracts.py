"""The walk-through of contracts on a real stack and in a real browser: from card numbers in the clear to ciphertext."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from dashboard import admin_token
from dashboard.deploy.raw_records import RawRecord
from dashboard.lifecycle import LocalStack
from dashboard.local.home import recorded_kind
from dashboard.remotes.kafka import Record
from tests.browser import on_this_machine_alone
from tests.conftest import eventually, running_stack, stack_settings
from tests.stack.waiting import verified_until

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.long]

CARD = re.compile(rb"\d{4}-\d{4}-\d{4}-\d{4}")
"""As the shop writes them."""


@dataclass
class Visit:
    """An admin's tab, and all that the server has sent to it."""

    page: Page
    stack: LocalStack
    received: list[bytes] = field(default_factory=list)

    def again(self) -> None:
        """Leaves the page and comes back, which keeps the tab's token."""
        self.page.get_by_role("link", name="Revenue").click()
        expect(self.page.get_by_role("heading", name="Revenue", exact=True)).to_be_visible()
        self.page.get_by_role("link", name="Contracts").click()
        self.opened()

    def opened(self) -> None:
        expect(self.page.get_by_role("heading", name="payments-value", exact=True)).to_be_visible()

    def choose_newest(self) -> None:
        records, newest = self.page.get_by_role("combobox", name="Record"), self.page.get_by_role("option").first

        def chosen() -> bool:
            """A list that is opened while the page is still being drawn closes again."""
            try:
                records.press("ArrowDown", timeout=5_000)
                newest.click(timeout=5_000)
            except TimeoutError:
                return False
            return True

        eventually(chosen, 60)

    def became_visible(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def cards(self) -> int:
        return sum(len(CARD.findall(message)) for message in self.received)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = stack_settings(tmp_path_factory.mktemp("contracts") / "home", encrypt_fields=False)
    with running_stack(settings, page=True) as stack:
        eventually(lambda: not stack.history_waits_for(), 120)
        yield stack


@pytest.fixture
def visit(browser: Browser, stack: LocalStack) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    on_this_machine_alone(context)
    visit = Visit(context.new_page(), stack)
    visit.page.set_default_timeout(60_000)
    visit.page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda sent: visit.received.append(sent if isinstance(sent, bytes) else sent.encode())
        ),
    )
    visit.page.goto(f"{stack.settings.web.url}/contracts")
    visit.page.get_by_label("Admin token").fill(admin_token.current(stack.settings.local.home))
    visit.page.get_by_role("button", name="Become admin").click()
    visit.opened()
    yield visit
    context.close()


def command(stack: LocalStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = stack.settings.as_environment()
    # as somebody's shell, who leaves to the stack what it was made as
    shell = {name: value for name, value in own.items() if not name.startswith("SALES_PIPELINE__")}
    return subprocess.run(
        [sys.executable, "-m", "dashboard", *arguments],
        env={**os.environ, **shell},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def records(stack: LocalStack, topic: str) -> list[Record]:
    ends = stack.kafka.end_offsets(topic)
    with closing(stack.kafka.records(topic, dict.fromkeys(ends, 0), ends)) as found:
        return list(found)


def newest(stack: LocalStack) -> list[RawRecord]:
    return stack.deployment.newest_records("payments")


def test_it_starts_with_the_quality_rule_alone_and_a_card_number_is_seen_when_somebody_asks(
    visit: Visit, stack: LocalStack
) -> None:
    visit.became_visible("validateConfirmationCode")
    visit.became_visible("is written in the clear")
    visit.became_visible("On the wire: payments")
    assert not visit.cards()
    visit.choose_newest()
    uncover = visit.page.get_by_role("button", name="Uncover cc_number")
    expect(uncover).to_be_visible()
    assert not visit.cards()
    uncover.click()
    visit.became_visible(re.compile(r"cc_number: \d{4}-\d{4}-\d{4}-\d{4}"))
    assert [act.thing for act in stack.deployment.audit.acts() if act.what == "uncover"]


def test_encryption_is_turned_on_after_its_difference_was_seen_and_is_on_the_wire_after_a_restart(
    visit: Visit, stack: LocalStack
) -> None:
    assert not newest(stack)[0].encrypted
    visit.page.get_by_role("button", name="Turn encryption on").click()
    visit.became_visible("rule Encrypt_PII: added")
    assert command(stack, "contracts", "plan").returncode == 0
    visit.page.get_by_role("button", name="Apply", exact=True).click()
    visit.became_visible(re.compile("Done in .*: change the contracts on local"))
    kind = recorded_kind(stack.settings.local.home)
    assert kind is not None
    assert kind.encrypts
    visit.again()
    visit.became_visible("version 2")
    visit.became_visible(re.compile("Fields with the tag PII are encrypted"))

    visit.page.get_by_text("Payment app", exact=True).click()
    visit.page.get_by_role("button", name="Restart the payment app").click()
    visit.became_visible(re.compile("Done in .*: restart the payment app on local"))
    before = stack.kafka.end_offsets("payments")
    eventually(lambda: all(end > before[one] for one, end in stack.kafka.end_offsets("payments").items()), 60)
    ends = stack.kafka.end_offsets("payments")
    with closing(stack.kafka.records("payments", before, ends)) as found:
        written = list(found)
    assert written
    assert not [one for one in written if CARD.search(one.value or b"")]
    assert all(one.encrypted == ("cc_number",) for one in newest(stack))
    before_look = visit.page.get_by_text("The newest records as of").inner_text()
    visit.page.get_by_role("button", name="Look again").click()
    expect(visit.page.get_by_text("The newest records as of")).not_to_have_text(before_look)
    visit.choose_newest()
    visit.became_visible("cc_number is ciphertext")


def test_revenue_is_the_same_across_it(stack: LocalStack) -> None:
    assert verified_until(stack, datetime.now(UTC)).ok


def test_every_dead_letter_explains_itself_and_holds_no_card_number(stack: LocalStack) -> None:
    letters = records(stack, "error-payments")
    assert letters
    assert not [one for one in letters if CARD.search(one.value or b"")]
    told = [json.loads(one.value or b"") for one in letters]
    assert {frozenset(one) for one in told} == {frozenset(told[0])}
    assert {one["cc_number"] == "<REDACTED>" for one in told} == {True, False}


def test_what_a_dry_run_says_is_what_a_redrive_does_and_every_window_is_right_with_it(stack: LocalStack) -> None:
    listed = command(stack, "dlq", "list", "--json", "--limit", "12")
    assert listed.returncode == 0
    assert not CARD.search(listed.stdout.encode())
    ids = [one["letter"] for one in json.loads(listed.stdout)]
    mended = ["dlq", "redrive", *ids, "--set", "confirmation_code=AB12CD34"]
    assert {one["outcome"] for one in planned(stack, *ids)["letters"]} == {"still refused"}

    said = planned(stack, *mended[2:])
    counting = {one["letter"]: one for one in said["letters"] if one["outcome"] == "counts"}
    assert counting
    before = len(records(stack, "payments"))
    done = command(stack, *mended, "--yes", "--json")
    assert done.returncode in (0, 2), done.stderr
    assert json.loads(done.stdout)["summary"] == said["summary"]
    markers = [json.loads(one.value or b"") for one in records(stack, "redriven-payments")]
    assert {one["letter"] for one in markers} == counting.keys()
    assert sum(Decimal(one["amount"]) for one in counting.values()) == Decimal(said["booked"])
    redriven = [one for one in records(stack, "payments")[before:] if dict(one.headers).get("redriven.from")]
    assert not [one for one in redriven if CARD.search(one.value or b"")]
    assert verified_until(stack, datetime.now(UTC)).ok
    again = planned(stack, *mended[2:])
    assert {one["outcome"] for one in again["letters"] if one["letter"] in counting} == {"redriven already"}


def planned(stack: LocalStack, *words: str) -> dict[str, Any]:
    """A dry run."""
    found = command(stack, "dlq", "redrive", *words, "--dry-run", "--json")
    assert found.returncode in (0, 2), found.stderr
    told: dict[str, Any] = json.loads(found.stdout)
    return told


def test_the_shell_shows_the_same_and_up_does_not_turn_it_off_again(stack: LocalStack) -> None:
    shown = command(stack, "contracts", "show")
    assert shown.returncode == 0
    assert "rule Encrypt_PII: Fields with the tag PII are encrypted" in shown.stdout
    assert command(stack, "contracts", "plan").returncode == 0
    assert command(stack, "contracts", "plan", "--unencrypted").returncode == 2
    refused = command(stack, "up", "--unencrypted")
    assert refused.returncode == 64
    assert "contracts apply --unencrypted" in refused.stderr

"""The page of dead letters on a real broker: seen, filtered, and sent again after a dry run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import admin_token, cached
from dashboard.desks.dead_letters import DeadLetterDesk
from dashboard.sql_files import ROOT
from tests.conftest import eventually
from tests.dead_letters.world import World, headers, payment, queue
from tests.real_broker import RealBroker, real_broker

CARD = "4111-1111-1111-1234"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("letters") / "home") as broker:
        yield broker


@pytest.fixture
def world(real: RealBroker, own_server: None, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(real.kafka)
    desk = DeadLetterDesk(lambda _settings, who: queue(world.kafka, who))
    monkeypatch.setattr(cached, "dead_letter_desk", lambda: desk)
    return world


def opened(home: Path, *, admin: bool = True) -> AppTest:
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    if admin:
        page.session_state["given_admin_token"] = admin_token.current(home / "home")
    page.switch_page("app_pages/dead_letters.py").run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    parts = [*page.markdown, *page.caption, *page.warning, *page.info, *page.error, *page.success, *page.code]
    return "\n".join(str(one.value).replace("\\", "") for one in parts)


def table(page: AppTest, column: str) -> list[object]:
    (found,) = [one.value for one in page.dataframe if column in one.value.columns and "letter" in one.value.columns]
    return list(found[column])


def test_without_letters_it_says_what_would_appear(world: World, tmp_path: Path) -> None:
    assert "A payment that breaks a rule of its contract appears here" in said(opened(tmp_path))


def test_letters_are_listed_with_their_reason_and_no_card_number(world: World, tmp_path: Path) -> None:
    world.letter(payment(3000, confirmation_code="0"))
    world.letter(b"not json")
    page = opened(tmp_path)
    assert table(page, "letter") == ["0:1", "0:0"]
    assert table(page, "reason") == ["not JSON in UTF-8", "Rule expr failed"]
    assert "1 of them holds a card number in the clear" in said(page)
    page.selectbox(key="letters_one").select("0:0").run()
    assert "order_id: 3000" in said(page)
    assert "__rule.mode: WRITE" in said(page)
    assert "cc_number: <card number in clear>" in said(page)
    assert CARD not in str(page.main) + said(page)


def test_letters_are_filtered(world: World, tmp_path: Path) -> None:
    world.letter(payment(3000))
    world.letter(payment(3001), headers() | {"__rule.exception": "another reason"})
    page = opened(tmp_path)
    page.text_input(key="letters_order").input("3001").run()
    assert table(page, "order") == ["3001"]
    page.text_input(key="letters_order").input("").run()
    page.text_input(key="letters_reason").input("EXPR").run()
    assert table(page, "order") == ["3000"]
    page.text_input(key="letters_order").input("x").run()
    assert "An order is a number" in said(page)


def test_what_strangers_wrote_is_text_and_no_link(world: World, tmp_path: Path) -> None:
    world.letter(payment(3000), headers() | {"__rule.exception": "[click](https://example.com) ![](https://x.y/z)"})
    page = opened(tmp_path)
    page.selectbox(key="letters_one").select("0:0").run()
    shown = [one.value for one in page.markdown if "click" in one.value]
    assert shown
    assert not [one for one in shown if "](http" in one]


def test_a_dry_run_says_what_becomes_of_each_and_sends_nothing_until_somebody_agrees(
    world: World, tmp_path: Path
) -> None:
    world.order(3000)
    world.letter(payment(3000, confirmation_code="0"))
    world.letter(payment(3001, confirmation_code="0"))
    page = opened(tmp_path)
    page.button(key="redrive_plan").click().run()
    assert table(page, "outcome") == ["✗ not sent: still refused"] * 2
    page.multiselect(key="redrive_fields").select("confirmation_code").run()
    page.text_input(key="redrive_value_confirmation_code").input("AB12CD34").run()
    page.button(key="redrive_plan").click().run()
    assert not page.exception
    assert "1 payment, 10.01 booked now; 1 has no order and will not count" in said(page)
    assert sorted(map(str, table(page, "outcome"))) == ["✓ sent: counts", "✗ not sent: no order"]
    assert world.redriven() == []
    (send,) = [one for one in page.button if one.label == "Send 1 payment"]
    send.click().run()
    assert not page.exception
    eventually(lambda: len(world.redriven()) == 1, 30, 0.05)


def test_ops_see_letters_and_cannot_send_them(world: World, tmp_path: Path) -> None:
    world.letter(payment(3000))
    page = opened(tmp_path, admin=False)
    assert table(page, "letter") == ["0:0"]
    assert "An admin corrects payments and sends them again" in said(page)
    assert not [one for one in page.button if one.key == "redrive_plan"]

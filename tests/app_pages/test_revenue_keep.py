"""What people take along from the page and leave on it: files, links, views by name, notes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import background_look, cached, visitor
from dashboard.access import Caller, Role
from dashboard.app_pages import faults
from dashboard.app_pages.revenue_views import second_click
from dashboard.desks import pins
from dashboard.desks.annotations import AnnotationDesk
from dashboard.desks.saved_views import SavedViews
from dashboard.errors import KeepError, UnreachableError
from dashboard.readers.mirror.slot import Slot
from dashboard.revenue.downloads import FORMATS
from dashboard.revenue.manifest import Manifest
from dashboard.settings import load_settings
from dashboard.sql_files import ROOT
from tests.app_pages.revenue_world import MINUTE, WINDOW, Catalogs, control, metrics, now, run, texts
from tests.conftest import eventually
from tests.iceberg_tables import append, revenue_table

Make = Callable[[pa.Table, Manifest], bytes]


@pytest.fixture
def who(monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], Caller]:
    """Whoever looks from now on."""

    def become(role: Role) -> Caller:
        caller = Caller("vera", role)
        monkeypatch.setattr(visitor, "caller", lambda: caller)
        return caller

    return become


@pytest.fixture
def sold(page: AppTest, catalogs: Catalogs) -> AppTest:
    """The page with something to see."""
    append(revenue_table(catalogs.catalog), [(now() - 10 * MINUTE, "1.00"), (now() - WINDOW, "2.00")])
    return run(page)


def opened(page: AppTest, name: str) -> AppTest:
    page.session_state[f"revenue_{name}"] = True
    return run(page)


@pytest.fixture
def double_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each click is two: the second is told before the page is drawn anew, or with the fields as they were before."""
    button = st.button
    monkeypatch.setattr(second_click, "SECONDS", 600.0)

    def clicked_twice(label: str, *, on_click: Callable[..., None] | None = None, **more: Any) -> bool:
        def twice(*given: Any, **named: Any) -> None:
            assert on_click is not None
            for _ in range(2):
                on_click(*given, **named)

        return button(label, on_click=on_click and twice, **more)

    monkeypatch.setattr(st, "button", clicked_twice)


def refuse(monkeypatch: pytest.MonkeyPatch, owner: type, act: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise KeepError("The disk is full.", "Make room there.")

    monkeypatch.setattr(owner, act, refused)


def errors(page: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in page.error]


# views by name


def saved(caller: Caller) -> dict[str, dict[str, str]]:
    return {one.name: one.parameters for one in SavedViews(load_settings()).seen(caller)}


def save(page: AppTest, name: str) -> None:
    page.text_input(key="revenue_view_name").set_value(name)
    run(page).button(key="revenue_view_save").click()
    run(page)


def test_a_view_is_saved_as_it_is_and_under_the_name_that_stands_there_when_save_is_clicked(
    sold: AppTest, who: Callable[[Role], Caller]
) -> None:
    vera = who(Role.VIEWER)
    opened(sold, "views")
    save(sold, "Monthly")
    sold.text_input(key="revenue_view_name").set_value("Monthly")
    run(sold)

    # all before the page is drawn anew, as by somebody who is quick
    control(sold, "range").set_value("7 d")
    sold.text_input(key="revenue_view_name").set_value("Weekly")
    sold.button(key="revenue_view_save").click()
    run(sold)

    assert saved(vera) == {"Monthly": {}, "Weekly": {"revenue_range": "7 d"}}


def test_a_view_is_replaced_when_one_says_so_and_not_before(sold: AppTest, who: Callable[[Role], Caller]) -> None:
    vera = who(Role.VIEWER)
    opened(sold, "views")
    save(sold, "Monthly")
    control(sold, "range").set_value("30 d")
    run(sold)

    save(sold, "Monthly")

    assert saved(vera) == {"Monthly": {}}
    assert "There is a view Monthly already." in texts(sold).replace("\\", "")

    sold.button(key="revenue_view_replace").click()
    run(sold)

    assert saved(vera) == {"Monthly": {"revenue_range": "30 d"}}
    assert not [one for one in sold.button if one.key == "revenue_view_replace"]
    assert not sold.error


def test_a_view_that_was_forgotten_can_be_taken_back(sold: AppTest, who: Callable[[Role], Caller]) -> None:
    vera = who(Role.VIEWER)
    control(sold, "range").set_value("30 d")
    opened(sold, "views")
    save(sold, "Monthly")

    sold.button(key="revenue_forget_False_Monthly").click()
    run(sold)
    assert saved(vera) == {}

    sold.button(key="revenue_view_undo").click()
    run(sold)

    assert saved(vera) == {"Monthly": {"revenue_range": "30 d"}}
    assert "Forgotten" not in texts(sold)


def test_a_views_name_stands_on_its_button_as_it_was_written(sold: AppTest, who: Callable[[Role], Caller]) -> None:
    who(Role.ADMIN)
    opened(sold, "views")
    sold.checkbox(key="revenue_view_shared").check()

    save(sold, "![x](http://example.com/a.png) **now**")

    [label] = [one.label for one in sold.button if str(one.key).startswith("revenue_view_True_")]
    assert label.startswith("\\!\\[x\\]\\(`http://example.com/a.png)`")
    assert "\\*\\*now\\*\\*" in label


def test_a_double_click_forgets_saves_and_takes_back_once_and_says_nothing_of_it(
    sold: AppTest, who: Callable[[Role], Caller], double_clicks: None
) -> None:
    vera = who(Role.VIEWER)
    opened(sold, "views")
    for name in ("Monthly", "Weekly"):
        save(sold, name)
        assert not sold.error
    assert [*saved(vera)] == ["Monthly", "Weekly"]

    sold.button(key="revenue_forget_False_Monthly").click()
    run(sold)
    assert not sold.error
    assert [*saved(vera)] == ["Weekly"]

    sold.button(key="revenue_view_undo").click()
    run(sold)
    assert not sold.error
    assert [*saved(vera)] == ["Monthly", "Weekly"]


def test_a_view_that_somebody_else_took_away_is_said_and_undo_stays_what_it_was(
    sold: AppTest, who: Callable[[Role], Caller]
) -> None:
    vera = who(Role.VIEWER)
    opened(sold, "views")
    for name in ("Monthly", "Weekly"):
        save(sold, name)
    sold.button(key="revenue_forget_False_Monthly").click()
    run(sold)
    SavedViews(load_settings()).delete(vera, "Weekly")

    sold.button(key="revenue_forget_False_Weekly").click()
    run(sold)

    assert errors(sold) == ["Somebody has taken this view away already. The list shows what there is now."]
    assert "Forgotten: Monthly" in texts(sold)


def test_an_empty_name_is_refused_also_after_another_was_saved(
    sold: AppTest, who: Callable[[Role], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_click, "SECONDS", 0.0)
    who(Role.VIEWER)
    opened(sold, "views")
    save(sold, "Monthly")
    sold.text_input(key="revenue_view_name").set_value("Weekly")
    run(sold)

    sold.text_input(key="revenue_view_name").set_value("")
    sold.button(key="revenue_view_save").click()

    assert errors(run(sold)) == ["A name of 0 characters cannot be kept. Wanted 1 to 60 characters."]


def test_what_could_not_be_kept_is_said_for_a_while_and_until_something_is(
    sold: AppTest, who: Callable[[Role], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    who(Role.OPS)
    opened(sold, "views")
    with monkeypatch.context() as patch:
        refuse(patch, SavedViews, "save")
        save(sold, "Monthly")
    for _ in range(3):
        assert errors(sold) == ["The disk is full. Make room there."]
        run(sold)

    sold.button(key="revenue_view_save").click()
    assert not run(sold).error

    opened(sold, "notes")
    with monkeypatch.context() as patch:
        refuse(patch, AnnotationDesk, "add")
        note(sold, "Prices raised")
    assert errors(run(sold)) == ["The disk is full. Make room there."]
    monkeypatch.setattr(faults, "SHOWN_SECONDS", 0.0)
    assert not run(sold).error


# notes


def note(page: AppTest, text: str) -> None:
    page.text_input(key="revenue_note_text").set_value(text)
    run(page).button(key="revenue_note_add").click()
    run(page)


def test_a_note_has_the_text_that_stands_there_when_add_is_clicked(sold: AppTest) -> None:
    opened(sold, "notes")
    sold.text_input(key="revenue_note_text").set_value("Prices")
    run(sold)

    sold.text_input(key="revenue_note_text").set_value("Prices raised")
    sold.button(key="revenue_note_add").click()

    assert "· Prices raised" in texts(run(sold))


def test_a_double_click_adds_deletes_and_takes_back_a_note_once_and_says_nothing_of_it(
    sold: AppTest, double_clicks: None
) -> None:
    opened(sold, "notes")
    note(sold, "Prices raised")
    assert texts(sold).count("· Prices raised") == 1
    assert not sold.error
    [bin_] = [one for one in sold.button if str(one.key).startswith("revenue_note_delete_")]

    bin_.click()
    run(sold)
    assert not sold.error
    assert "Deleted: Prices raised" in texts(sold)

    sold.button(key="revenue_note_undo").click()
    run(sold)
    assert not sold.error
    assert texts(sold).count("· Prices raised") == 1
    assert "Deleted" not in texts(sold)


def test_notes_that_are_not_listed_are_counted(sold: AppTest) -> None:
    opened(sold, "notes")
    for number in range(22):
        cached.annotation_desk().add(Caller("otto", Role.OPS), f"note {number}", now() - (30 - number) * MINUTE)

    told = texts(run(sold))

    assert "And 2 earlier; choose a shorter range to see them." in told
    assert [f"· note {number}\n" in f"{told}\n" for number in (1, 2, 21)] == [False, True, True]


def test_a_note_of_a_day_whose_first_window_is_still_open_is_seen_there(page: AppTest, catalogs: Catalogs) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=3), "2.00")])
    page.context = {"timezone": zone_at_one_o_clock()}
    page.query_params["revenue_range"] = "Today"
    run(page)
    opened(page, "notes")

    note(page, "Prices raised")

    assert "Prices raised" in texts(page)
    assert "Nothing is noted" not in texts(page)


def zone_at_one_o_clock() -> str:
    """Where it is past one at night."""
    hour = datetime.now(UTC).hour
    offset = 1 - hour if hour <= 13 else 25 - hour
    return f"Etc/GMT{-offset:+d}"


# links


def link(page: AppTest) -> dict[str, str]:
    """The parameters of the link that the page gives."""
    opened(page, "link")
    [address] = [one.value for one in page.code if "pin_snapshot" in one.value]
    return dict(parse_qsl(address.partition("?")[2]))


def pinned(page: AppTest) -> dict[str, str]:
    return {name: text for name, text in link(page).items() if name.startswith("pin_")}


def told(page: AppTest) -> str:
    return "\n".join(one.value.replace("\\", "") for one in (*page.success, *page.warning, *page.info, *page.error))


def chart_told(page: AppTest) -> str:
    """From when to when its bars are, and what they come to."""
    [told] = [one.value for one in page.caption if one.value.startswith("One bar is ")]
    return str(told).partition("  \n")[0].removesuffix(" The hatched bar is still filling.")


@pytest.mark.parametrize("own", ["Europe/Berlin", "Etc/GMT-3"])
def test_who_opens_a_link_later_and_elsewhere_sees_what_its_maker_saw_until_they_leave_it(
    page: AppTest, catalogs: Catalogs, own: str
) -> None:
    revenue = revenue_table(catalogs.catalog)
    append(revenue, [(now() - 10 * MINUTE, "1.00"), (now() - WINDOW, "2.00")])
    page.context = {"timezone": own}
    address, seen = link(run(page)), chart_told(page)
    append(revenue, [(now() + timedelta(hours=3), "50.00")])
    other = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    other.context = {"timezone": "America/New_York"}
    other.query_params |= address

    assert chart_told(run(other)) == seen
    assert not other.warning
    other.session_state["revenue_control_more"] = True
    assert control(run(other), "zone").value == own
    eventually(lambda: "3.00, as in the link: from " in told(run(other)), 30)

    other.button(key="revenue_leave_link").click()

    assert metrics(run(other))["Revenue"] == "50.00"
    assert {"revenue_range", "revenue_zone", "pin_total"}.isdisjoint(other.query_params)


def test_the_page_is_there_while_a_link_is_compared_with_the_table(
    sold: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, may_end = pins.check_pin, Event()

    def slow(*asked: Any) -> Any:
        assert may_end.wait(30)
        return check(*asked)

    monkeypatch.setattr(pins, "check_pin", slow)
    sold.query_params |= pinned(sold)

    assert metrics(run(sold))["Revenue"] == "3.00"
    assert "What the link says is being compared with the table." in told(sold)
    may_end.set()
    assert eventually(lambda: "3.00, as in the link" in told(run(sold)), 30)


def test_a_link_is_read_with_the_mirror_that_the_page_has(sold: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    monkeypatch.setattr(Slot, "__init__", lambda *slot: taken.append(slot))
    sold.query_params |= pinned(sold)

    eventually(lambda: "3.00, as in the link" in told(run(sold)), 30)

    assert taken == []


def test_what_a_link_says_is_not_asked_for_again_at_each_refresh_while_nothing_answers(
    sold: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def away(*words: object) -> None:
        asked.append(words)
        raise UnreachableError("The catalog at http://catalog.internal:8181 cannot be reached.", "Start it.")

    monkeypatch.setattr(pins, "check_pin", away)
    sold.query_params |= pinned(sold)
    eventually(lambda: "cannot be reached" in told(run(sold)), 30)
    for _ in range(5):
        run(sold)
    assert len(asked) == 1

    monkeypatch.setattr(background_look, "AGAIN_SECONDS", 0.0)
    eventually(lambda: run(sold) and len(asked) > 1, 30)
    sold.button(key="revenue_leave_link").click()
    assert "cannot be reached" not in told(run(sold))


# files


def test_files_are_made_once_for_each_view_however_many_look(
    catalogs: Catalogs, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(revenue_table(catalogs.catalog), [(now() - timedelta(hours=2), "1.00"), (now() - WINDOW, "2.00")])
    made: list[str] = []
    for form, (make, *rest) in FORMATS.items():

        def counted(rows: pa.Table, manifest: Manifest, form: str = form, make: Make = make) -> bytes:
            made.append(form)
            return make(rows, manifest)

        monkeypatch.setitem(FORMATS, form, (counted, *rest))
    pages = []
    for name in ("1 h", "6 h", "24 h", "7 d"):
        other = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
        other.query_params["revenue_range"] = name
        other.session_state["revenue_rows"] = True
        pages.append(other)

    for _ in range(3):
        for other in pages:
            run(other)

    assert sorted(made) == sorted(["csv", "xlsx", "parquet"] * len(pages))

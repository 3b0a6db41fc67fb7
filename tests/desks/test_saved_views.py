"""Views by name: each sees their own and what is shared, and no limit and no name is got around."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from dashboard.access import Caller, Role
from dashboard.desks.saved_views import LONGEST_NAME, LONGEST_QUERY, SavedViews
from dashboard.errors import AccessError, SettingsError
from dashboard.settings import load_settings

ADA, OTTO, VERA = Caller("ada", Role.ADMIN), Caller("otto", Role.OPS), Caller("vera", Role.VIEWER)
NOBODY, EMPTY_NAMED = Caller("nobody", None), Caller("", Role.VIEWER)
WEEK = {"range": "7 d", "tz": "Europe/Berlin", "compare": "previous,year"}


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SavedViews:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path))
    return SavedViews(load_settings())


def names(views: SavedViews, caller: Caller) -> list[tuple[str, bool]]:
    return [(one.name, one.is_shared) for one in views.seen(caller)]


def test_each_sees_their_own_views_and_the_shared_ones_and_no_others(views: SavedViews) -> None:
    views.save(VERA, "mine", WEEK)
    views.save(OTTO, "his", WEEK)
    views.save(ADA, "The board's", WEEK, shared=True)

    assert names(views, VERA) == [("mine", False), ("The board's", True)]
    assert names(views, OTTO) == [("his", False), ("The board's", True)]
    assert names(views, ADA) == [("The board's", True)]


def test_a_view_opens_what_was_saved(views: SavedViews) -> None:
    views.save(VERA, "mine", WEEK)

    [view] = views.seen(VERA)

    assert view.parameters == WEEK
    assert dict(parse_qsl(view.query)) == WEEK


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True), st.text(max_size=20), max_size=5))
@runs(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parameters_of_any_text_come_back_as_they_were(views: SavedViews, parameters: dict[str, str]) -> None:
    assert views.save(VERA, "any", parameters, instead=True).parameters == parameters


def test_only_admins_share_and_only_who_may_see_the_page_saves(views: SavedViews) -> None:
    for caller in (OTTO, VERA, NOBODY):
        with pytest.raises(AccessError, match="a shared view"):
            views.save(caller, "x", WEEK, shared=True)
        with pytest.raises(AccessError, match="a shared view"):
            views.delete(caller, "x", shared=True)
    with pytest.raises(AccessError):
        views.seen(NOBODY)
    with pytest.raises(AccessError):
        views.save(NOBODY, "x", WEEK)
    with pytest.raises(AccessError):
        views.delete(NOBODY, "x")


def test_nobody_takes_away_or_replaces_what_is_somebody_elses(views: SavedViews) -> None:
    views.save(VERA, "mine", WEEK)
    views.save(OTTO, "mine", {"range": "1 h"})

    assert views.delete(ADA, "mine") is None
    assert views.delete(OTTO, "mine") is not None
    assert [one.parameters for one in views.seen(VERA)] == [WEEK]


def test_who_has_no_name_reaches_no_shared_view(views: SavedViews) -> None:
    views.save(ADA, "The board's", WEEK, shared=True)

    with pytest.raises(AccessError):
        views.save(EMPTY_NAMED, "The board's", {}, instead=True)
    with pytest.raises(AccessError):
        views.delete(EMPTY_NAMED, "The board's")
    assert [one.parameters for one in views.seen(VERA)] == [WEEK]


def test_a_deletion_gives_back_what_it_takes_to_undo_it(views: SavedViews) -> None:
    views.save(VERA, "mine", WEEK)

    gone = views.delete(VERA, "mine")

    assert views.seen(VERA) == []
    assert gone is not None
    views.save(VERA, gone.name, gone.parameters)
    assert [one.parameters for one in views.seen(VERA)] == [WEEK]


def test_a_name_is_taken_until_somebody_says_that_it_shall_be_replaced(views: SavedViews) -> None:
    views.save(VERA, "Café", WEEK)

    with pytest.raises(SettingsError, match="There is a view Café already"):
        views.save(VERA, " Cafe\u0301 ", {"range": "1 h"})
    views.save(VERA, "Cafe\u0301", {"range": "1 h"}, instead=True)

    assert [(one.name, one.parameters) for one in views.seen(VERA)] == [("Café", {"range": "1 h"})]


def test_there_is_an_end_to_views_and_replacing_one_is_no_more(
    views: SavedViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.desks.saved_views.MOST_OWN", 2)
    monkeypatch.setattr("dashboard.desks.saved_views.MOST_SHARED", 1)
    views.save(VERA, "1", WEEK)
    views.save(VERA, "2", WEEK)
    views.save(ADA, "shared", WEEK, shared=True)

    with pytest.raises(SettingsError, match="2 views are as many"):
        views.save(VERA, "3", WEEK)
    with pytest.raises(SettingsError, match="1 views are as many"):
        views.save(ADA, "another", WEEK, shared=True)
    views.save(VERA, "2", {}, instead=True)
    views.save(OTTO, "3", WEEK)


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("", WEEK, "A name of 0 characters"),
        ("x" * (LONGEST_NAME + 1), WEEK, "A name of 61 characters"),
        ("a\u202eb", WEEK, "signs that cannot be shown"),
        ("x", {"q": "ä" * LONGEST_QUERY}, "characters of the address"),
        ("x", {"Q'; DROP": "1"}, "is no parameter of the page"),
        ("x", {"q": "\ud800"}, "half a character"),
        ("x", {"": "1"}, "is no parameter of the page"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_was_seen(
    views: SavedViews, name: str, parameters: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        views.save(VERA, name, parameters)

    assert views.seen(VERA) == []


def test_targets_have_views_of_their_own(views: SavedViews) -> None:
    views.save(VERA, "mine", WEEK)

    staging = SavedViews(load_settings().model_copy(update={"target": "staging"}))

    assert staging.seen(VERA) == []

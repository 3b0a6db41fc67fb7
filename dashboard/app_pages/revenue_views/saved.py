"""Views by name: opened, saved, replaced when one says so, and forgotten until one takes that back."""

import streamlit as st

from dashboard import visitor
from dashboard.access import Role
from dashboard.app_pages.faults import faults_kept
from dashboard.app_pages.revenue_views.address import current_view, go_to
from dashboard.app_pages.revenue_views.second_click import KEPT, is_second_click, worked
from dashboard.desks.saved_views import LONGEST_NAME, NameTakenError, SavedViews, View
from dashboard.errors import KeepError
from dashboard.revenue.view import address_of
from dashboard.settings import Settings
from dashboard.wording import as_markdown

_NAME, _SHARED = "revenue_view_name", "revenue_view_shared"
_TAKEN, _FORGOTTEN = "revenue_view_taken", "revenue_view_forgotten"


def saved_view(settings: Settings) -> None:
    who = visitor.caller()
    found = SavedViews(settings).seen(who)
    for one in found:
        _row(settings, one, may_forget=not one.is_shared or who.may(Role.ADMIN))
    if not found:
        st.caption("No view is saved yet. One keeps range, grain, comparison and zone under a name.")
    forgotten: View | None = st.session_state.get(_FORGOTTEN)
    if forgotten is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Forgotten: {as_markdown(forgotten.name)}")
            st.button(
                "Undo",
                key="revenue_view_undo",
                icon=":material/undo:",
                on_click=_restore,
                args=(settings, forgotten),
            )
    name = st.text_input("Save this view as", max_chars=LONGEST_NAME, key=_NAME)
    if who.may(Role.ADMIN):
        st.checkbox("For everybody", key=_SHARED)
    st.button("Save", key="revenue_view_save", disabled=not name, on_click=_save, args=(settings,))
    if st.session_state.get(_TAKEN) == _wanted():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"There is a view {as_markdown(name)} already.")
            st.button(
                "Replace it", key="revenue_view_replace", on_click=_save, args=(settings,), kwargs={"instead": True}
            )


def _row(settings: Settings, one: View, *, may_forget: bool) -> None:
    name = as_markdown(one.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"{name} · shared" if one.is_shared else name,
            key=f"revenue_view_{one.is_shared}_{one.name}",
            on_click=go_to,
            args=(one.parameters,),
            type="tertiary",
        )
        if may_forget:
            st.button(
                "",
                key=f"revenue_forget_{one.is_shared}_{one.name}",
                help=f"Forget {name}",
                icon=":material/delete:",
                on_click=_forget,
                args=(settings, one),
            )


def _wanted() -> tuple[str, bool]:
    """Name and whether for everybody, as they stand there: what a run drew may be older than a click."""
    return st.session_state.get(_NAME, ""), st.session_state.get(_SHARED, False)


def _save(settings: Settings, *, instead: bool = False) -> None:
    name, shared = _wanted()
    with faults_kept(KEPT):
        view = address_of(current_view())
        if is_second_click(_NAME, (name, shared, view)):
            st.session_state[_NAME] = ""
            return
        try:
            SavedViews(settings).save(visitor.caller(), name, view, shared=shared, instead=instead)
        except NameTakenError:
            st.session_state[_TAKEN] = (name, shared)
        else:
            st.session_state[_TAKEN] = None
            worked(_NAME, (name, shared, view))


def _forget(settings: Settings, one: View) -> None:
    with faults_kept(KEPT):
        gone = SavedViews(settings).delete(visitor.caller(), one.name, shared=one.is_shared)
        held: View | None = st.session_state.get(_FORGOTTEN)
        if gone is not None:
            st.session_state[_FORGOTTEN] = gone
        elif held is None or (held.name, held.is_shared) != (one.name, one.is_shared):
            # else it is a second click
            raise KeepError("Somebody has taken this view away already.", "The list shows what there is now.")


def _restore(settings: Settings, one: View) -> None:
    with faults_kept(KEPT):
        if st.session_state.get(_FORGOTTEN) is None:
            # a second click
            return
        SavedViews(settings).save(visitor.caller(), one.name, one.parameters, shared=one.is_shared)
        st.session_state[_FORGOTTEN] = None

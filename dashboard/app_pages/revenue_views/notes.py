"""What happened in the range, and notes on it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Role
from dashboard.annotations import LONGEST_TEXT, Annotation
from dashboard.app_pages.faults import faults_kept, told
from dashboard.app_pages.revenue_views.second_click import KEPT, is_second_click, worked
from dashboard.errors import KeepError
from dashboard.revenue.marks import SIGNS
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Trend
from dashboard.wording import as_markdown, moment

_LISTED = 20
_TEXT, _DELETED = "revenue_note_text", "revenue_note_deleted"


def notes_view(trend: Trend, zone: ZoneInfo) -> None:
    """The newest, and for ops a new one."""
    who, desk = visitor.caller(), cached.annotation_desk()
    start, end, window = trend.stretch.start, trend.stretch.until, trend.extent.window
    newest = max(start, end - window)
    # a note on the newest window is in it also before the first one of a day has closed
    happened = desk.within(who, start, max(end, start + window))
    for one in happened.found[-_LISTED:]:
        _row(one, moment(one.start, zone, end), may_delete=who.may(Role.OPS))
    if (earlier := len(happened.found) - _LISTED) > 0:
        st.caption(f"And {earlier:,} earlier; choose a shorter range to see them.")
    deleted: Annotation | None = st.session_state.get(_DELETED)
    if deleted is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Deleted: {as_markdown(deleted.text)}")
            st.button("Undo", key="revenue_note_undo", icon=":material/undo:", on_click=_restore, args=(deleted,))
    if not happened.found:
        st.caption("Nothing is noted in this range. Deployments and redrives note themselves.")
    if happened.is_looking:
        st.caption(":material/hourglass_top: Deployments and redrives are being looked up.")
    if happened.fault is not None:
        st.caption(f":material/cloud_off: {told(happened.fault)}")
    if who.may(Role.OPS):
        if isinstance(trend.asked.range, Between):
            noted, label = (start, end), f"Note on {moment(start, zone, end)} to {moment(end, zone, end)}"
        else:
            noted, label = (newest, newest), f"Note at {moment(newest, zone, end)}"
        text = st.text_input(
            label,
            max_chars=LONGEST_TEXT,
            key=_TEXT,
            help="On the newest window; on own dates, or a part that is drawn on the chart, on all of it.",
        )
        st.button("Add", key="revenue_note_add", disabled=not text, on_click=_add, args=noted)


def _row(one: Annotation, when: str, *, may_delete: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{SIGNS[one.kind]} {when} · {as_markdown(one.text)}")
        if one.id is not None and may_delete:
            st.button(
                "",
                key=f"revenue_note_delete_{one.id}",
                help=f"Delete this note of {as_markdown(one.who)}",
                icon=":material/delete:",
                type="tertiary",
                on_click=_delete,
                args=(one,),
            )


def _add(start: datetime, end: datetime) -> None:
    with faults_kept(KEPT):
        # as it stands there: what a run drew may be older than a click
        text = st.session_state.get(_TEXT, "")
        if is_second_click(_TEXT, text):
            st.session_state[_TEXT] = ""
            return
        cached.annotation_desk().add(visitor.caller(), text, start, end)
        worked(_TEXT, text)


def _delete(note: Annotation) -> None:
    with faults_kept(KEPT):
        held: Annotation | None = st.session_state.get(_DELETED)
        if cached.annotation_desk().delete(visitor.caller(), note.id or 0):
            st.session_state[_DELETED] = note
        elif held is None or held.id != note.id:
            # else it is a second click
            raise _changed()


def _restore(note: Annotation) -> None:
    with faults_kept(KEPT):
        if st.session_state.get(_DELETED) is None:
            # a second click
            return
        is_done = cached.annotation_desk().restore(visitor.caller(), note.id or 0)
        st.session_state[_DELETED] = None
        if not is_done:
            raise _changed()


def _changed() -> KeepError:
    return KeepError("Somebody else has changed this note meanwhile.", "The list shows what there is now.")

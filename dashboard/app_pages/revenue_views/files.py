"""What can be taken along from the page: files, a link to these very numbers, views by name, notes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import cached, visitor
from dashboard.access import Caller, Role
from dashboard.annotations import LONGEST_TEXT, Annotation
from dashboard.app_pages.revenue_views.address import current_view, go_to
from dashboard.downloads import FORMATS, Download, download, rows_of, why_not
from dashboard.errors import KeepError, SalesTrendsError
from dashboard.manifest import manifest_of
from dashboard.pins import NAMES, check_pin, pin_of, read_pin
from dashboard.revenue_marks import SIGNS
from dashboard.revenue_view import address_of
from dashboard.saved_views import LONGEST_NAME, SavedViews
from dashboard.settings import Settings
from dashboard.trends.ranges import Between
from dashboard.trends.trend import Trend
from dashboard.wording import amount, as_markdown, moment

_LABELS = {"csv": "CSV", "xlsx": "Excel", "parquet": "Parquet"}
_CHECKED, _FAULT, _DELETED = "revenue_pin_checked", "revenue_keep_fault", "revenue_note_deleted"


def downloads_view(trend: Trend, settings: Settings) -> None:
    """A button for each kind of file; what it gives equals the chart, and says what it stands on."""
    with st.container(horizontal=True):
        for form in FORMATS:
            if why := why_not(form, len(trend.buckets)):
                st.button(_LABELS[form], key=f"revenue_file_{form}", disabled=True, help=why)
                continue
            # made here and not when clicked: a refresh would cancel the download of what it makes
            file = _file(form, trend, settings.lake.engine, settings.target, settings.view.currency)
            st.download_button(
                _LABELS[form],
                data=file.content,
                file_name=file.name,
                mime=file.mime,
                key=f"revenue_file_{form}",
                on_click="ignore",
                icon=":material/download:",
            )


def keep_view(trend: Trend, settings: Settings, zone: ZoneInfo) -> None:
    """A link, views by name and notes, each behind its button."""
    if fault := st.session_state.pop(_FAULT, ""):
        st.error(fault, icon=":material/error:")
    with st.container(horizontal=True):
        link = st.popover("Link", key="revenue_link", on_change="rerun", icon=":material/link:")
        views = st.popover("Views", key="revenue_views", on_change="rerun", icon=":material/bookmark:")
        notes = st.popover("Notes", key="revenue_notes", on_change="rerun", icon=":material/sticky_note_2:")
    if link.open:
        with link, _said():
            _link(trend)
    if views.open:
        with views, _said():
            _views(settings)
    if notes.open:
        with notes, _said():
            _notes(trend, zone)


def pinned_view(settings: Settings) -> None:
    """Of an address with a pin: what its sum comes to now, told once it was looked up."""
    given = {name: st.query_params[name] for name in NAMES if name in st.query_params}
    if not given:
        return
    with _said():
        pin = read_pin(given)
        if pin is None:
            return
        if st.session_state.get(_CHECKED, (None,))[0] != given:
            result = check_pin(cached.lake_desk(settings), visitor.caller(), pin, settings.lake.engine)
            st.session_state[_CHECKED] = (given, result.told, result.difference == 0)
        _, told, is_same = st.session_state[_CHECKED]
        show = st.success if is_same else st.warning
        show(as_markdown(told), icon=":material/link:")
    st.button("Leave the link", key="revenue_leave_link", on_click=_leave_link)


@lru_cache(maxsize=8)
def _file(form: str, trend: Trend, engine: str, target: str, currency: str) -> Download:
    """One of each kind while nothing changes; the answer is the same object as long."""
    manifest = manifest_of(trend, engine=engine, target=target, currency=currency, made_at=datetime.now(UTC))
    return download(form, rows_of(trend), manifest)


def _link(trend: Trend) -> None:
    pin = pin_of(trend)
    if pin is None:
        st.caption("Nothing of this range is saved in the table yet, so there is nothing that a link could hold on to.")
        return
    address = urlencode({**address_of(current_view()), **pin.query})
    base = (st.context.url or "").partition("?")[0]
    st.markdown(f"Whoever opens it sees whether it still is **{amount(pin.total)}**, and if not, by how much.")
    st.code(f"{base}?{address}", language=None, wrap_lines=True)
    if trend.total.streamed:
        st.caption(f"Without {amount(trend.total.streamed)} that is streamed and not saved yet.")


def _views(settings: Settings) -> None:
    who, kept = visitor.caller(), SavedViews(settings)
    found = kept.seen(who)
    for one in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                f"{one.name} · shared" if one.is_shared else one.name,
                key=f"revenue_view_{one.is_shared}_{one.name}",
                on_click=go_to,
                args=(one.parameters,),
                type="tertiary",
            )
            if not one.is_shared or who.may(Role.ADMIN):
                st.button(
                    "",
                    key=f"revenue_forget_{one.is_shared}_{one.name}",
                    help=f"Forget {as_markdown(one.name)}",
                    icon=":material/delete:",
                    on_click=_forget,
                    args=(settings, one.name, one.is_shared),
                )
    if not found:
        st.caption("No view is saved yet. One keeps range, grain, comparison and zone under a name.")
    name = st.text_input("Save this view as", max_chars=LONGEST_NAME, key="revenue_view_name")
    shared = who.may(Role.ADMIN) and st.checkbox("For everybody", key="revenue_view_shared")
    st.button("Save", key="revenue_view_save", disabled=not name, on_click=_save, args=(settings, name, shared))


def _notes(trend: Trend, zone: ZoneInfo) -> None:
    who, desk = visitor.caller(), cached.annotation_desk()
    start, end = trend.stretch.start, trend.stretch.until
    told = desk.within(who, start, end)
    for one in told.found[-20:]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{SIGNS[one.kind]} {moment(one.start, zone, end)} · {as_markdown(one.text)}")
            if one.id is not None and who.may(Role.OPS):
                st.button(
                    "",
                    key=f"revenue_note_delete_{one.id}",
                    help=f"Delete this note of {as_markdown(one.who)}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=_delete_note,
                    args=(one,),
                )
    deleted: Annotation | None = st.session_state.get(_DELETED)
    if deleted is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Deleted: {as_markdown(deleted.text)}")
            st.button("Undo", key="revenue_note_undo", icon=":material/undo:", on_click=_restore_note, args=(deleted,))
    if not told.found:
        st.caption("Nothing is noted in this range. Deployments and redrives note themselves.")
    if told.fault is not None:
        st.caption(f":material/cloud_off: {as_markdown(told.fault.message)}")
    if who.may(Role.OPS):
        if isinstance(trend.asked.range, Between):
            noted, label = (start, end), f"Note on {moment(start, zone, end)} to {moment(end, zone, end)}"
        else:
            newest = end - trend.extent.window
            noted, label = (newest, newest), f"Note at {moment(newest, zone, end)}"
        text = st.text_input(
            label,
            max_chars=LONGEST_TEXT,
            key="revenue_note_text",
            help="On the newest window; on own dates, or a part that is drawn on the chart, on all of it.",
        )
        st.button("Add", key="revenue_note_add", disabled=not text, on_click=_add_note, args=(text, *noted))


def _save(settings: Settings, name: str, shared: bool) -> None:
    with _kept_for_the_next_run():
        SavedViews(settings).save(visitor.caller(), name, address_of(current_view()), shared=shared, instead=True)


def _forget(settings: Settings, name: str, shared: bool) -> None:
    with _kept_for_the_next_run():
        SavedViews(settings).delete(visitor.caller(), name, shared=shared)


def _add_note(text: str, start: datetime, end: datetime) -> None:
    with _kept_for_the_next_run():
        cached.annotation_desk().add(visitor.caller(), text, start, end)
        st.session_state["revenue_note_text"] = ""


def _delete_note(note: Annotation) -> None:
    _change_note(note, cached.annotation_desk().delete, deleted=note)


def _restore_note(note: Annotation) -> None:
    _change_note(note, cached.annotation_desk().restore, deleted=None)


def _change_note(note: Annotation, act: Callable[[Caller, int], bool], *, deleted: Annotation | None) -> None:
    with _kept_for_the_next_run():
        is_done = act(visitor.caller(), note.id or 0)
        st.session_state[_DELETED] = deleted if is_done else None
        if not is_done:
            raise KeepError("Somebody else has changed this note meanwhile.", "The list shows what there is now.")


def _leave_link() -> None:
    for name in NAMES:
        st.query_params.pop(name, None)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except SalesTrendsError as fault:
        st.warning(f"{as_markdown(fault.message)} {as_markdown(fault.hint)}".strip(), icon=":material/error:")


@contextmanager
def _kept_for_the_next_run() -> Iterator[None]:
    """A callback draws nothing."""
    try:
        yield
    except SalesTrendsError as fault:
        st.session_state[_FAULT] = f"{as_markdown(fault.message)} {as_markdown(fault.hint)}".strip()

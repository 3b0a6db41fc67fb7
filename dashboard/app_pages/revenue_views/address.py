"""What the reader wants to see, as the page's address has it: read when the page runs, written when a control changes.

Between two runs the session is asked: a refresh may still carry the address from before a change. It may as well carry
what the controls showed before, which looks as if somebody had chosen it: see `only_now`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.revenue.view import DEFAULT_RANGE, PREFIX, View, address_of, view_of
from dashboard.trends.ranges import Between

_VIEW, _ADDRESS, _WRONG, _BEFORE, _TURN = (
    f"{PREFIX}{name}_now" for name in ("view", "address", "wrong", "before", "turn")
)


def read_address(*, came_back: bool) -> None:
    """Takes over what the address says, if it is another one than this page wrote.

    Whoever `came_back` from another page, by a way that says nothing, finds what they left.
    """
    found = {name: text for name, text in st.query_params.items() if name.startswith(PREFIX)}
    if _VIEW in st.session_state and found == st.session_state[_ADDRESS]:
        return
    if _VIEW in st.session_state and came_back and not found:
        _turn()
        _write()
        return
    _remember_range()
    st.session_state[_VIEW], st.session_state[_WRONG] = view_of(found)
    st.session_state[_ADDRESS] = found
    _turn()
    if st.session_state[_WRONG]:
        _write()


def current_view() -> View:
    view: View = st.session_state[_VIEW]
    return view


def what_was_wrong() -> tuple[str, ...]:
    """In the address, in sentences, until a control is changed."""
    wrong: tuple[str, ...] = st.session_state[_WRONG]
    return wrong


def turn() -> int:
    """How often the view became another one by something else than its controls, which then are other ones, too."""
    return int(st.session_state.get(_TURN, 0))


def only_now(act: Callable[[], None]) -> Callable[[], None]:
    """`act`, unless the view has become another one by then."""
    made_in = turn()
    return lambda: act() if turn() == made_in else None


def change(**changes: Any) -> None:
    """Another view from now on, as one of its controls says."""
    _remember_range()
    st.session_state[_VIEW] = replace(current_view(), **changes)
    st.session_state[_WRONG] = ()
    _write()


def move_to(range_: Between) -> None:
    """Two moments, which no control says."""
    change(range=range_)
    _turn()


def back() -> None:
    """From two moments to the range that was looked at before."""
    if isinstance(current_view().range, Between):
        change(range=st.session_state.get(_BEFORE, DEFAULT_RANGE))
        _turn()


def go_to(parameters: Mapping[str, str]) -> None:
    """The view that was kept as these parameters."""
    _remember_range()
    st.session_state[_VIEW], st.session_state[_WRONG] = view_of(parameters)
    _turn()
    _write()


def _remember_range() -> None:
    """That `back` leads to, from whatever comes now."""
    view: View | None = st.session_state.get(_VIEW)
    if view is not None and not isinstance(view.range, Between):
        st.session_state[_BEFORE] = view.range


def _turn() -> None:
    st.session_state[_TURN] = turn() + 1


def _write() -> None:
    others = {name: text for name, text in st.query_params.items() if not name.startswith(PREFIX)}
    st.session_state[_ADDRESS] = address_of(current_view())
    st.query_params.from_dict(others | st.session_state[_ADDRESS])

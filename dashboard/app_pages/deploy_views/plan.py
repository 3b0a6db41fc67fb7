"""Plan and apply: what it takes to make the target as the files describe it, agreed to by typing what is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import durationpy
import streamlit as st
from pydantic import ValidationError

from dashboard import visitor
from dashboard.app_pages.deploy_views.steps import show_steps, summary
from dashboard.app_pages.faults import show_fault
from dashboard.deploy.plan import Action, Plan
from dashboard.desks.administration import Administration, Choices
from dashboard.errors import SalesTrendsError, SettingsError
from dashboard.settings import PipelineSettings
from dashboard.targets import LOCAL

_DRAFT = "deploy_draft"
_SIZES = ("5s", "10s", "30s", "1m", "5m", "15m", "1h", "1d")


@dataclass(frozen=True)
class Draft:
    """A plan that somebody looks at, with what was decided before it was made."""

    plan: Plan
    choices: Choices
    delete: tuple[str, ...] | None = None
    """Data that is to go too; None for a plan that is no removal."""


def plan_view(administration: Administration, target: str) -> None:
    asked = _asking(administration, target)
    if asked is not None:
        _draw_up(asked)
    draft: Draft | None = st.session_state.get(_DRAFT)
    if draft is None or draft.plan.target != target:
        st.info(
            "A plan compares the files with what runs, and changes nothing. It shows each step with its reason, what "
            "it costs and the lines that change. Applying it comes after that.",
            icon=":material/difference:",
        )
    elif draft.delete is None:
        _plan(administration, draft)
    else:
        _removal(administration, draft, draft.delete)


def _asking(administration: Administration, target: str) -> Callable[[], Draft] | None:
    """The buttons that ask for a plan; gives what makes it when one was pressed."""
    caller = visitor.caller()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = _window(administration, target) if target == LOCAL else None
        plan = st.button("Plan", type="primary", icon=":material/difference:", key="deploy_plan")
        destroy = st.button(
            "Plan to destroy",
            icon=":material/delete:",
            key="deploy_plan_destroy",
            help="Shows what it takes to remove the pipeline from the target; changes nothing yet.",
        )
    if plan:

        def planned() -> Draft:
            choices = Choices(_parsed(window) if window else None)
            return Draft(administration.plan(caller, target, choices), choices)

        return planned
    if destroy:
        return lambda: Draft(administration.destroy_plan(caller, target), Choices(), ())
    return None


def _window(administration: Administration, target: str) -> str | None:
    now = administration.window_size(visitor.caller(), target)
    named = {durationpy.from_str(size): size for size in _SIZES}
    sizes = [size for _, size in sorted(({now: durationpy.to_str(now)} | named).items())]
    return st.selectbox(
        "Window size",
        sizes,
        index=sorted({now, *named}).index(now),
        key=f"deploy_window_{now.total_seconds():.0f}",
        accept_new_options=True,
        width=160,
        help="Length of a revenue window. Another one drops the revenue table and fills it again; the plan names that "
        "loss.",
    )


def _parsed(window: str) -> timedelta:
    try:
        return PipelineSettings.model_validate({"window_size": window}).window_size
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{window} cannot be a window size: {said}.", "Choose another one.") from error


def _draw_up(make: Callable[[], Draft]) -> None:
    st.session_state.pop(_DRAFT, None)
    with st.spinner("Comparing the files with what runs", show_time=True):
        try:
            st.session_state[_DRAFT] = make()
        except SalesTrendsError as fault:
            show_fault(fault)


def _plan(administration: Administration, draft: Draft) -> None:
    plan = draft.plan
    if not plan.changes:
        st.success(
            f"Nothing to do: all {len(plan.steps)} parts of {plan.target} are as the files describe them.",
            icon=":material/check_circle:",
        )
        return
    size = draft.choices.window_size
    with_size = f" · windows of {durationpy.to_str(size)}" if size else ""
    st.markdown(f"**{summary(plan)}**{with_size} · plan `{plan.digest[:8]}`")
    show_steps(plan)
    _decisions(administration, draft)
    if plan.acts:
        agreed = _agreement(plan, plan.losses, "filled again from the earliest record")
        _last_word(
            "Apply",
            plan.digest,
            len(agreed) == len(plan.losses),
            lambda: administration.apply(visitor.caller(), plan, agreed, draft.choices),
        )


def _decisions(administration: Administration, draft: Draft) -> None:
    """What only a person can say: is it ours, may it go."""
    adopt = [step.id.name for step in draft.plan.steps if step.action is Action.ADOPT]
    prune = [step.id.name for step in draft.plan.steps if step.action is Action.ORPHAN]
    if not adopt and not prune:
        return
    with st.container(border=True):
        st.markdown("**Waiting for a decision**")
        ours = st.multiselect("These exist and are not known to be ours. Take over:", adopt) if adopt else []
        gone = st.multiselect("These are ours and no file describes them. Remove:", prune) if prune else []
        if st.button("Plan with that", disabled=not ours and not gone, key="deploy_decide"):
            before = draft.choices
            choices = Choices(before.window_size, (*before.adopt, *ours), (*before.prune, *gone))
            _draw_up(lambda: Draft(administration.plan(visitor.caller(), draft.plan.target, choices), choices))
            _rerun_if_drawn_up()


def _rerun_if_drawn_up() -> None:
    """Otherwise what went wrong stands on the page, and is to be read."""
    if _DRAFT in st.session_state:
        st.rerun()


def _removal(administration: Administration, draft: Draft, delete: tuple[str, ...]) -> None:
    plan, target = draft.plan, draft.plan.target
    if not plan.steps:
        st.success(f"Nothing of ours is on {target}.", icon=":material/check_circle:")
        return
    st.markdown(f"**{summary(plan)}** · plan `{plan.digest[:8]}`")
    show_steps(plan)
    held = sorted({step.data for step in plan.steps if step.data})
    chosen = st.multiselect(
        "Data that goes too",
        held,
        default=list(delete),
        key=f"deploy_delete_data_{target}",
        help="What is not chosen stays: topics, tables and keys. What is chosen is gone for good.",
    )
    if tuple(chosen) != delete:
        caller = visitor.caller()
        _draw_up(lambda: Draft(administration.destroy_plan(caller, target, chosen), Choices(), tuple(chosen)))
        _rerun_if_drawn_up()
        return
    agreed = _agreement(plan, list(delete), "gone for good")
    typed = st.text_input(f"To destroy the pipeline on {target}, type {target}", key=f"destroy_{plan.digest}")
    _last_word(
        "Destroy",
        plan.digest,
        typed == target and len(agreed) == len(delete),
        lambda: administration.destroy(visitor.caller(), plan, typed, agreed),
    )


def _agreement(plan: Plan, losses: list[str], fate: str) -> list[str]:
    """The names that were typed for this very plan; each stands for data that is lost."""
    agreed = []
    for name in losses:
        label = f"The data of {name} is dropped, and {fate}. Type {name} to agree"
        typed = st.text_input(label, key=f"lose_{name}_{plan.digest}")
        if typed == name:
            agreed.append(name)
        elif typed:
            st.caption(f":red[That is not {name}.]")
    return agreed


def _last_word(verb: str, digest: str, agreed: bool, begin: Callable[[], object]) -> None:
    """The button is of one plan alone: a click on that of an older one begins nothing."""
    with st.container(horizontal=True):
        if st.button("Discard", key="deploy_discard", help="Nothing was changed, and nothing is."):
            st.session_state.pop(_DRAFT, None)
            st.rerun()
        # what the browser says of a button that is off is not believed: the act itself checks again
        if st.button(verb, type="primary", disabled=not agreed, key=f"begin_{verb}_{digest}"):
            try:
                begin()
            except SalesTrendsError as fault:
                show_fault(fault)
                return
            st.session_state.pop(_DRAFT, None)
            st.rerun()

"""The steps of a plan as people read them: what, to what, why, what it costs, and the lines that change."""

from collections import Counter

import streamlit as st

from dashboard.deploy.differences import differences
from dashboard.deploy.plan import Action, Plan, Step
from dashboard.wording import as_markdown

_WORDS = {
    Action.CREATE: (":green[:material/add_circle:]", "create"),
    Action.RESUME: (":blue[:material/play_circle:]", "resume"),
    Action.PAUSE: (":blue[:material/pause_circle:]", "pause for a while"),
    Action.RESTART: (":blue[:material/restart_alt:]", "restart"),
    Action.REPLACE_KEEPING_OFFSETS: (":blue[:material/change_circle:]", "replace, keeping offsets"),
    Action.REPLACE_LOSING_STATE: (":red[:material/warning:]", "replace, losing state"),
    Action.CHANGE_CONTRACT: (":blue[:material/edit:]", "change the contract"),
    Action.ADOPT: (":orange[:material/help:]", "decide whether it is ours"),
    Action.ORPHAN: (":orange[:material/help:]", "decide whether it goes"),
    Action.DRIFTED: (":orange[:material/error:]", "look at: somebody changed it"),
    Action.REMOVE: (":red[:material/remove_circle:]", "remove"),
    Action.KEEP: (":gray[:material/lock:]", "keep"),
}
"""Of each action its sign and what is to be done."""


def summary(plan: Plan) -> str:
    """Such as `1 to create; 2 to replace, losing state`."""
    counts = Counter(step.action for step in plan.changes)
    return "; ".join(f"{counts[action]} to {words}" for action, (_, words) in _WORDS.items() if counts[action])


def show_steps(plan: Plan) -> None:
    for step in plan.changes:
        _show(step)
    unchanged = [step for step in plan.steps if step.action is Action.NONE]
    if unchanged:
        with st.expander(f"{len(unchanged)} unchanged", icon=":material/check:"):
            st.markdown(" · ".join(as_markdown(str(step.id)) for step in unchanged))


def _show(step: Step) -> None:
    with st.container(border=True):
        sign, words = _WORDS[step.action]
        st.markdown(f"{sign} **{words.capitalize()}** · {step.id.kind} `{step.id.name}`")
        loses = f" Dropped: {as_markdown(step.loses)}." if step.loses else ""
        st.markdown(f":gray[Why] {as_markdown(step.why)}  \n:gray[Costs] {as_markdown(step.cost)}.{loses}")
        _texts(step)


def _texts(step: Step) -> None:
    """What changes line by line; the whole of what is new, or goes, only for those who ask."""
    language = "sql" if step.id.kind in ("statement", "topic") else "json"
    if step.before and step.after:
        if lines := differences(step.before, step.after):
            st.code("\n".join(lines), language="diff")
        elif step.action is Action.REPLACE_LOSING_STATE:
            st.caption("Its own text stays as it is.")
    elif text := step.after or step.before:
        with st.expander("What it is made of" if step.after else "What it was made of"):
            st.code(text, language=language)
    if step.after and not step.before and step.action in (Action.REPLACE_LOSING_STATE, Action.REPLACE_KEEPING_OFFSETS):
        st.caption("What it was made of is not known any more, so there is nothing to compare with.")

"""How a state of freshness looks everywhere: an icon, a word and a colour, never the colour alone."""

from dashboard.freshness.quality import Outcome
from dashboard.freshness.verdict import State

ICONS = {
    State.FRESH: "check_circle",
    State.WAITING: "hourglass_empty",
    State.LATE: "schedule",
    State.STALE: "error",
    State.UNKNOWN: "help",
}
_COLOURS = {
    State.FRESH: "green",
    State.WAITING: "gray",
    State.LATE: "orange",
    State.STALE: "red",
    State.UNKNOWN: "violet",
}
OUTCOMES = {
    Outcome.PASSED: ":green-badge[:material/check_circle: passed]",
    Outcome.FAILED: ":red-badge[:material/error: failed]",
    Outcome.UNKNOWN: ":violet-badge[:material/help: not asked]",
}


def state_badge(state: State) -> str:
    """As Markdown."""
    return f":{_COLOURS[state]}-badge[:material/{ICONS[state]}: {state.value}]"

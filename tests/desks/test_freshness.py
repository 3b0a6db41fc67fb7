"""What people may see of freshness, by who they are; the watch that saw it is of another process."""

from pathlib import Path

import pytest

from dashboard.access import Caller, Role
from dashboard.desks.freshness import FreshnessDesk, watch_of
from dashboard.freshness.overview import folder_of
from dashboard.freshness.verdict import State, Verdict
from dashboard.settings import Settings, load_settings
from tests.freshness.kept import HOST, held, leave


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(local={"home": tmp_path})


def seen_by(role: Role, settings: Settings) -> Verdict:
    found = FreshnessDesk(settings, watch_of(settings, "test")).verdict(Caller("vera", role))
    assert found is not None
    return found


@pytest.mark.parametrize("state", [State.WAITING, State.LATE, State.STALE, State.UNKNOWN])
def test_viewers_get_the_hop_and_a_sentence_and_whoever_may_more_the_whole_reason(
    settings: Settings, state: State
) -> None:
    looked = held(state)
    leave(folder_of(settings), looked)

    assert seen_by(Role.ADMIN, settings) == seen_by(Role.OPS, settings) == looked.verdict
    seen = seen_by(Role.VIEWER, settings)
    assert HOST not in repr(seen)
    assert seen.headline() == looked.verdict.headline()
    assert seen.held_at is not None
    assert (seen.held_at.title, seen.held_at.state) == ("Iceberg commit of revenue_summary", state)
    assert seen.held_at.reason.endswith(".")

from pathlib import Path

import pytest

from dashboard.deploy.stopped import StopList
from dashboard.errors import DeployError


def test_names_stay_listed_until_they_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "stopped.json"
    for name in ("b", "a", "b"):
        StopList(path).add(name)
    assert StopList(path).names() == {"a", "b"}
    StopList(path).remove("a")
    StopList(path).remove("unknown")
    assert StopList(path).names() == {"b"}


def test_an_empty_list_leaves_no_file(tmp_path: Path) -> None:
    listed = StopList(tmp_path / "stopped.json")
    listed.clear()
    listed.remove("a")
    listed.add("a")
    listed.remove("a")
    assert listed.names() == set()
    assert list(tmp_path.iterdir()) == []


def test_of_a_place_that_is_not_there_nothing_is_asked(tmp_path: Path) -> None:
    listed = StopList(tmp_path / "nowhere" / "stopped.json")
    assert listed.names() == set()
    listed.clear()
    listed.remove("a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[", '"a"'])
def test_a_damaged_list_is_said_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stopped.json"
    path.write_text(text)
    with pytest.raises(DeployError, match="is damaged"):
        StopList(path).names()

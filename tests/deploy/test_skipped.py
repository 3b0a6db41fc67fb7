from pathlib import Path

import pytest

from dashboard.deploy.skipped import Place, SkipList
from dashboard.errors import DeployError


def test_a_list_that_nobody_wrote_is_empty(tmp_path: Path) -> None:
    skipped = SkipList(tmp_path / "skipped.json")
    assert skipped.places() == set()
    assert skipped.table_options("payments") == {
        "properties.interceptor.classes": "sales.GuardRecords",
        "properties.sales.largest-bytes": "1000000",
    }


def test_a_place_is_kept_once_for_every_later_start(tmp_path: Path) -> None:
    file = tmp_path / "skipped.json"
    for place in (Place("payments", 3, 7), Place("payments", 0, 1234), Place("payments", 3, 7)):
        SkipList(file).add(place)
    assert SkipList(file).places() == {Place("payments", 3, 7), Place("payments", 0, 1234)}
    assert list(tmp_path.iterdir()) == [file]


def test_a_table_is_told_the_places_of_its_own_topic_alone(tmp_path: Path) -> None:
    skipped = SkipList(tmp_path / "skipped.json")
    skipped.add(Place("payments", 3, 7))
    skipped.add(Place("shiftleft.public.orders", 0, 1))
    skipped.add(Place("payments", 0, 1234))
    assert skipped.table_options("payments")["properties.sales.skipped"] == "payments:0:1234,payments:3:7"


@pytest.mark.parametrize("text", ["", "{", "7", '[["payments", 0]]'])
def test_a_damaged_list_is_one_sentence_with_what_to_write_into_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "skipped.json"
    file.write_text(text)
    with pytest.raises(DeployError, match="is damaged") as damaged:
        SkipList(file).places()
    assert '[["payments", 0, 17]]' in damaged.value.hint

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard.errors import ReadError
from dashboard.freshness.overview import Overview, OverviewFile
from dashboard.freshness.quality import Outcome, QualityResult
from dashboard.freshness.readings import (
    Part,
    PartitionReading,
    Readings,
    Silence,
    StatementReading,
    TableReading,
    TopicReading,
)
from dashboard.freshness.verdict import Hop, Stage, State, Verdict

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def overview(name: str = "dashboard 1") -> Overview:
    hop = Hop(
        Stage.COMMIT,
        "commit:revenue_summary",
        "Iceberg commit of revenue_summary",
        42 * SECOND,
        15 * SECOND,
        State.LATE,
    )
    readings = Readings(
        NOON,
        SECOND / 3,
        {"payments": TopicReading("payments", (PartitionReading(0, 7, NOON, None),), SECOND)},
        {"join": StatementReading("join", "RUNNING", warnings=("slow",), pending=3, pending_for=2 * SECOND)},
        {"revenue_summary": TableReading("revenue_summary", 2**62 + 1, NOON, 12, NOON)},
        programs={"payment-app": "ended"},
        silences=(Silence(Part.CATALOG, "The catalog did not answer.", "Start it."),),
    )
    quality = QualityResult("late-orders", "Late", Outcome.PASSED, "None.", NOON, SECOND, 1, Decimal("0.10"))
    return Overview(Verdict(NOON, State.LATE, NOON, SECOND, (hop,), hop, ("A note.",)), readings, (quality,), name)


def test_what_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    file = OverviewFile(tmp_path / "new" / "overview.json")
    assert file.read() is None
    file.write(overview())
    assert file.read() == overview()
    assert OverviewFile(file.path).read() == overview()


def test_another_process_s_look_is_there_at_once_and_one_that_is_known_is_not_read_again(tmp_path: Path) -> None:
    reader, writer = OverviewFile(tmp_path / "overview.json"), OverviewFile(tmp_path / "overview.json")
    writer.write(overview())
    first = reader.read()
    assert reader.read() is first
    writer.write(overview("dashboard 2"))
    second = reader.read()
    assert second is not None
    assert second.watcher == "dashboard 2"


@pytest.mark.parametrize("content", ["", "{}", '{"verdict": 1}', "\0"])
def test_a_file_that_makes_no_sense_is_said(content: str, tmp_path: Path) -> None:
    path = tmp_path / "overview.json"
    path.write_text(content)
    with pytest.raises(ReadError, match="makes no sense"):
        OverviewFile(path).read()


def test_only_whole_files_are_left_behind(tmp_path: Path) -> None:
    file = OverviewFile(tmp_path / "overview.json")
    for _ in range(3):
        file.write(overview())
    assert [path.name for path in tmp_path.iterdir()] == ["overview.json"]


def test_the_headline_says_how_late_and_where(tmp_path: Path) -> None:
    assert overview().verdict.headline() == (
        "Data as of 12:00:00, 27 s late, held at: Iceberg commit of revenue_summary"
    )

"""What is exposed is OpenMetrics to the parser of its own library, and docs/metrics.md lists all of it."""

import dataclasses
import re
from datetime import timedelta

import pytest
from prometheus_client import Metric

from dashboard.freshness.exposition import PREFIX, exposition
from dashboard.freshness.readings import Part, Readings
from dashboard.freshness.verdict import Concern, Stage, State, Verdict
from dashboard.sql_files import ROOT
from tests.freshness.looks import AT, EARLIER, hop, readings, verdict
from tests.openmetrics import families


def exposed(verdict: Verdict, readings: Readings) -> dict[str, Metric]:
    """Our own metrics by name, as the parser understood them."""
    told = families(exposition((verdict, readings)).decode())
    return {name: family for name, family in told.items() if name.startswith(PREFIX)}


def value(told: dict[str, Metric], sample: str, **labels: str) -> float | None:
    found = [
        one.value for family in told.values() for one in family.samples if (one.name, one.labels) == (sample, labels)
    ]
    assert len(found) <= 1
    return found[0] if found else None


def documented() -> dict[str, tuple[str, str, set[str]]]:
    """Type, unit and labels of each metric in the table of docs/metrics.md, by its sample's name."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\w*) ?\|([^|]*)\| [^|]+ \|$",
        (ROOT / "docs" / "metrics.md").read_text(),
        re.MULTILINE,
    )
    return {name: (kind, unit, set(re.findall(r"`(\w+)`", labels))) for name, kind, unit, labels in rows}


def everything() -> dict[str, Metric]:
    return exposed(verdict(State.LATE, None, AT, Concern("quality", "A check failed.")), readings())


def test_the_page_of_metrics_lists_each_with_its_type_unit_and_labels_and_no_other() -> None:
    seen = {
        sample.name: (family.type, family.unit, set(sample.labels))
        for family in everything().values()
        for sample in family.samples
    }

    assert seen == documented()


def test_every_metric_says_what_it_is() -> None:
    assert [name for name, family in everything().items() if not family.documentation.endswith(".")] == []


def test_age_state_and_the_hop_that_holds_it_are_told_in_seconds_and_ones() -> None:
    upstream = hop("ingest:payments", State.FRESH, timedelta(seconds=1), Stage.INGEST)
    held = hop()

    told = exposed(verdict(State.LATE, held, hops=(upstream, held)), readings())

    assert value(told, "sales_trends_data_age_seconds") == 42
    assert value(told, "sales_trends_data_as_of_timestamp_seconds") == EARLIER.timestamp()
    assert value(told, "sales_trends_overdue_seconds") == 22
    assert {one.labels["sales_trends_state"]: one.value for one in told["sales_trends_state"].samples} == {
        "fresh": 0,
        "waiting": 0,
        "late": 1,
        "stale": 0,
        "unknown": 0,
    }
    assert value(told, "sales_trends_hop_delay_seconds", hop="ingest:payments", stage="ingest") == 1
    assert value(told, "sales_trends_hop_holds", hop="commit:revenue_summary", stage="commit") == 1
    assert value(told, "sales_trends_hop_holds", hop="ingest:payments", stage="ingest") == 0


def test_what_is_not_known_is_left_out_and_never_a_zero() -> None:
    unknown = dataclasses.replace(verdict(State.UNKNOWN, hop(delay=None)), as_of=None, behind=None)
    silent = dataclasses.replace(readings(Part.FLINK), statements={}, topics={}, page_age=None, clock_skew=None)

    told = exposed(unknown, silent)

    for name in (
        "data_age_seconds",
        "late_records_total",
        "dead_letters_total",
        "clock_skew_seconds",
        "page_age_seconds",
    ):
        assert value(told, f"sales_trends_{name}") is None, name
    assert told["sales_trends_hop_delay_seconds"].samples == []
    assert value(told, "sales_trends_part_silent", part="Flink") == 1
    assert value(told, "sales_trends_part_silent", part="Kafka") == 0
    assert value(told, "sales_trends_part_silent", part="Tableflow") is None, "nobody looked at it"


def test_late_records_are_summed_over_the_statements_that_tell_them() -> None:
    seen = readings()
    mute = dataclasses.replace(next(iter(seen.statements.values())), name="mute", late_records=None)

    told = exposed(verdict(), dataclasses.replace(seen, statements={**seen.statements, "mute": mute}))

    assert value(told, "sales_trends_late_records_total") == 3
    assert value(told, "sales_trends_statement_late_records_total", statement="mute") is None


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a\nb 1\n# EOF", 'a{b="c"} 7', "\u202eevil", "\x1b[31mred", "a" * 5_000, "naïve 見", ""]
)
def test_a_name_from_outside_stays_one_value_of_one_label(name: str) -> None:
    told = exposed(verdict(), readings(statement=name))

    (running,) = told["sales_trends_statement_running"].samples
    label = running.labels["statement"]
    assert len(label) <= 200
    assert label.isprintable()
    assert label[:3] == name[:3] or "\\" in label


def test_before_the_first_look_only_the_process_is_told() -> None:
    names = set(families(exposition(None).decode()))

    assert "process_resident_memory_bytes" in names
    assert [name for name in names if name.startswith(PREFIX)] == []


def test_nothing_that_a_silence_says_of_hosts_is_exposed() -> None:
    assert b"broker.internal" not in exposition((verdict(State.UNKNOWN), readings(Part.KAFKA)))

"""By names of metrics as Flink 2.1 gives them to the pipeline's own statements."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from dashboard.freshness.flink_tasks import are_whole, figures_of, task_of
from dashboard.remotes.flink_metrics import Measured

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_MS = AT.timestamp() * 1000
BEFORE_THE_FIRST, AFTER_THE_LAST = -9.223372036854776e18, 9.223372036854776e18
HOURS_96 = 345_600_000


def source(name: str, topic: str, partitions: int = 1) -> list[str]:
    consumed = [f"{name}.KafkaSourceReader.topic.{topic}.partition.{one}.currentOffset" for one in range(partitions)]
    parts = ("currentOutputWatermark", "numRecordsIn", "numRecordsInPerSecond", "pendingRecords", "watermarkLag")
    return [*consumed, *(f"{name}.{part}" for part in parts), "numRecordsOut", "mailboxLatencyMs_max"]


PAYMENTS = source("Source__payments[54]", "payments", 6)
ORDERS = source("Source__shiftleft_public_orders[35]", "shiftleft_public_orders", 6)
UNIQUE = source("Source__unique_payments[32]", "unique_payments")
JOINED = [
    "currentInputWatermark",
    "IntervalJoin[38].currentInputWatermark",
    "IntervalJoin[38].currentOutputWatermark",
    "IntervalJoin[38].numRecordsIn",
    "completed_orders[40]__Writer.currentInputWatermark",
    "completed_orders[40]__Writer.numRecordsIn",
    "completed_orders[40]__Committer.numRecordsIn",
]
COPIED = [
    *PAYMENTS,
    "lake_lkc-local_payments__Writer.currentInputWatermark",
    "lake_lkc-local_payments__Writer.numRecordsIn",
]


def of_all(values: Mapping[str, float]) -> dict[str, Measured]:
    return {name: Measured(value, value, value) for name, value in values.items()}


def asked(names: Iterable[str]) -> list[str]:
    return sorted(task_of("0", names).metrics)


def test_only_what_is_shown_is_asked_of_a_task() -> None:
    assert asked(PAYMENTS) == [
        "Source__payments[54].currentOutputWatermark",
        "Source__payments[54].numRecordsIn",
        "Source__payments[54].pendingRecords",
    ]
    assert asked(["lake_lkc-local_payments__Rewrite[0].numRecordsIn", "currentInputWatermark", "numRecordsIn"]) == []


def test_a_source_whose_lag_has_no_name_yet_is_asked_for_it_all_the_same() -> None:
    begun = [name for name in PAYMENTS if "pendingRecords" not in name]
    assert asked(begun) == asked(PAYMENTS)
    assert not are_whole([task_of("a", ["Source__payments[54].currentOutputWatermark"]), task_of("b", JOINED)])
    assert are_whole([task_of("a", begun), task_of("b", JOINED)])


def test_a_join_is_behind_its_slower_input_and_what_waits_is_told_by_topic() -> None:
    tasks = [task_of("a", UNIQUE), task_of("b", ORDERS), task_of("c", JOINED)]
    figures = figures_of(
        tasks,
        {
            "a": of_all(
                {
                    "Source__unique_payments[32].currentOutputWatermark": AT_MS,
                    "Source__unique_payments[32].numRecordsIn": 10,
                    "Source__unique_payments[32].pendingRecords": 3,
                }
            ),
            "b": of_all(
                {
                    "Source__shiftleft_public_orders[35].currentOutputWatermark": AT_MS + 9_000,
                    "Source__shiftleft_public_orders[35].numRecordsIn": 20,
                    "Source__shiftleft_public_orders[35].pendingRecords": 0,
                }
            ),
            "c": of_all({"currentInputWatermark": AT_MS, "completed_orders[40]__Writer.numRecordsIn": 8}),
        },
    )
    assert figures.input_watermark == AT
    assert (figures.records_in, figures.records_out) == (30, 8)
    assert figures.pending == {"unique_payments": 3, "shiftleft_public_orders": 0}
    assert figures.late_records is None


def test_the_four_days_that_an_interval_join_passes_on_late_are_no_delay() -> None:
    task = task_of("c", JOINED)
    told = {"currentInputWatermark": AT_MS, "completed_orders[40]__Writer.currentInputWatermark": AT_MS - HOURS_96}
    assert (
        figures_of([task], {"c": of_all({name: told[name] for name in task.metrics if name in told})}).output_watermark
        == AT
    )


def test_where_reading_and_writing_are_one_task_the_writer_tells_how_far_it_is() -> None:
    task = task_of("a", COPIED)
    told = {"lake_lkc-local_payments__Writer.currentInputWatermark": AT_MS}
    assert figures_of([task], {"a": of_all(told)}).output_watermark == AT


def test_before_the_first_record_and_after_the_last_there_is_no_watermark() -> None:
    task = task_of("a", PAYMENTS)
    for value in (BEFORE_THE_FIRST, AFTER_THE_LAST, 0.0):
        told = of_all({"Source__payments[54].currentOutputWatermark": value})
        assert figures_of([task], {"a": told}).input_watermark is None


def test_one_subtask_without_a_record_holds_the_watermark_of_all() -> None:
    told = {"Source__payments[54].currentOutputWatermark": Measured(BEFORE_THE_FIRST, AT_MS, 0.0)}
    assert figures_of([task_of("a", PAYMENTS)], {"a": told}).input_watermark is None


def test_late_records_of_all_operators_are_added_up() -> None:
    task = task_of("a", ["Deduplicate[57].numLateRecordsDropped", "GlobalWindowAggregate[48].numLateRecordsDropped"])
    told = {name: Measured(0, 4, 7) for name in task.metrics}
    assert figures_of([task], {"a": told}).late_records == 14


def test_nothing_measured_is_nothing_known() -> None:
    figures = figures_of([task_of("a", COPIED)], {})
    assert (figures.records_in, figures.records_out, figures.pending, figures.output_watermark) == (None,) * 4

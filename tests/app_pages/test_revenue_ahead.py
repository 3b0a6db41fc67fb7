"""The page with what is ahead of the commit, on a real broker and real Iceberg tables."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyiceberg.table import Table
from streamlit.testing.v1 import AppTest

from dashboard import clusters
from dashboard.errors import SettingsError
from dashboard.remotes.kafka import Kafka
from dashboard.revenue import drawn as drawing
from tests.app_pages.revenue_world import WINDOW, Catalogs, metrics, now, run, texts
from tests.conftest import eventually
from tests.iceberg_tables import append, revenue_table
from tests.readers.test_streamed import LOCAL, of_orders, of_windows
from tests.readers.topics import Texts, new_topic, produce, wire
from tests.real_broker import RealBroker, real_broker

TOPICS = ("revenue_summary", "completed_orders")
SCHEMAS = {1: of_windows(LOCAL), 3: of_orders(LOCAL)}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("ahead") / "home") as broker:
        yield broker


class Registry:
    """Knows the schemas of both topics."""

    schema = Texts(**{f"_{id_}": schema for id_, schema in SCHEMAS.items()})


@pytest.fixture
def kafka(broker: RealBroker, catalogs: Catalogs, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """With both topics, empty, where the page looks for them."""
    broker.kafka.delete_topics({*TOPICS} & broker.kafka.topic_names())
    for topic in TOPICS:
        new_topic(broker.kafka, name=topic)
    monkeypatch.setattr(clusters, "kafka_and_registry", lambda _settings: (broker.kafka, Registry()))
    # open windows are seen at once
    monkeypatch.setattr(drawing, "OPEN_SECONDS", 0.0)
    return broker.kafka


@pytest.fixture
def end() -> datetime:
    return now().replace(second=30) - timedelta(minutes=1)


def send_windows(kafka: Kafka, *windows: tuple[datetime, Decimal]) -> None:
    values: list[bytes | None] = [
        wire({"window_start": start, "window_end": start + WINDOW, "total_revenue": revenue}, 1, SCHEMAS[1])
        for start, revenue in windows
    ]
    produce(kafka, "revenue_summary", values)


def send_order(kafka: Kafka, paid: datetime, amount: float) -> None:
    value = {"order_id": 1, "amount": amount, "confirmation_code": "A", "ts": paid}
    produce(kafka, "completed_orders", [wire(value, 3, SCHEMAS[3])])


def shown(page: AppTest, words: str) -> AppTest:
    """The page as soon as it says that."""
    return eventually(lambda: page if words in everything(run(page)) else None, 30, every_seconds=0.1)


def everything(page: AppTest) -> str:
    return "\n".join([texts(page), *(element.value for element in [*page.warning, *page.info, *page.error])])


def committed(catalogs: Catalogs, *windows: tuple[datetime, str], table: Table | None = None) -> Table:
    table = table or revenue_table(catalogs.catalog)
    append(table, list(windows))
    return table


def test_a_window_is_open_then_streamed_then_committed_and_the_total_does_not_jump(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    table = committed(catalogs, (end - WINDOW, "1.00"))
    send_windows(kafka, (end - WINDOW, Decimal("1.00")))
    send_order(kafka, end, 2.5)

    shown(page, "▨ hatched: 2.50 in open windows so far, not final and not in any total")
    assert metrics(page)["Revenue"] == "1.00"
    assert "Together exactly 1.00." in texts(page)

    send_windows(kafka, (end, Decimal("2.50")))
    shown(page, "▒ faint: 2.50 streamed, final and saved with the next commit")
    assert "hatched" not in texts(page)
    before = metrics(page)
    assert (before["Revenue"], before["Best 15 s"]) == ("3.50", "2.50")
    assert "Together exactly 3.50." in texts(page)

    committed(catalogs, (end, "2.50"), table=table)
    shown(page, "▉ solid: 3.50 saved in Iceberg")
    assert "faint" not in texts(page)
    assert metrics(page) == before
    assert not page.error
    assert not page.warning


def test_before_the_first_commit_the_page_fills_from_kafka(page: AppTest, kafka: Kafka, end: datetime) -> None:
    send_windows(kafka, (end - WINDOW, Decimal("1.00")), (end, Decimal("2.00")))

    shown(page, "▉ solid: 0.00 saved in Iceberg · ▒ faint: 3.00 streamed")

    assert "nothing saved yet" in texts(page)
    assert metrics(page) | {"Best 15 s": ""} == {
        "Revenue": "3.00",
        "Orders": "–",
        "Average order": "–",
        "Best 15 s": "",
    }
    assert "Not known yet: all of this is streamed" in texts(page)
    assert "there was no order" not in texts(page)
    assert not page.info


def test_the_table_view_and_the_chart_in_words_tell_the_parts(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    send_windows(kafka, (end, Decimal("2.00")))
    page.query_params["revenue_range"] = "15 min"
    page.session_state["revenue_rows"] = True

    shown(page, "faint: 2.00")

    rows = page.dataframe[0].value
    assert [f"{row.revenue} {row.streamed} {row.open} {row.windows}" for row in rows.itertuples()] == [
        "2.00 2.00 0.00 1",
        "1.00 0.00 0.00 1",
    ]
    assert "2.00 of all is streamed and not saved yet" in page.get("plotly_chart")[0].proto.alt


def test_nothing_is_drawn_anew_while_nothing_changes(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    send_windows(kafka, (end, Decimal("2.00")))
    send_order(kafka, end + WINDOW, 2.5)
    shown(page, "hatched: 2.50")

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(drawing, "revenue_bars", fail)

    assert metrics(run(page))["Revenue"] == "3.00"


def test_a_window_that_came_twice_is_told_and_counted_once(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    send_windows(kafka, (end, Decimal("2.00")), (end, Decimal("2.00")))

    shown(page, "faint: 2.00")

    [notice] = page.warning
    assert notice.value.startswith("1 window came to Kafka more than once or beside another of the same time, the ")
    assert metrics(page)["Revenue"] == "3.00"


def test_records_that_cannot_be_read_are_told_and_what_is_committed_stays(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    produce(kafka, "revenue_summary", [b"no schema", b"none either"])

    shown(page, "2 records of revenue_summary or completed_orders cannot be read")

    assert metrics(page)["Revenue"] == "1.00"


def test_a_topic_that_is_missing_is_one_line_and_what_is_committed_stays(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    kafka.delete_topics({"completed_orders"})

    shown(page, "Shown is what is saved in Iceberg; what is streamed is not known.")

    assert "There is no topic completed" in texts(page)
    assert metrics(page)["Revenue"] == "1.00"
    assert not page.error


def test_what_was_streamed_stays_while_nothing_more_can_be_read(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))
    send_windows(kafka, (end, Decimal("2.00")))
    shown(page, "faint: 2.00")
    monkeypatch.setattr(Registry.schema, "away", True)
    # of a schema that was not asked for before
    produce(kafka, "revenue_summary", [b"\0\0\0\0\7later"])

    shown(page, "What is streamed is shown as it was read last. The schema registry did not answer")

    assert metrics(page)["Revenue"] == "3.00"
    assert not page.error


def test_without_a_key_for_kafka_the_page_is_what_iceberg_holds_and_one_line(
    page: AppTest, catalogs: Catalogs, end: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(catalogs, (end - WINDOW, "1.00"))

    def refuse(_settings: Any) -> Any:
        raise SettingsError("SALES_TARGETS__X__KAFKA_KEY is not set.", "Set it.")

    monkeypatch.setattr(clusters, "kafka_and_registry", refuse)

    run(page)

    assert "what is streamed is not known. SALES\\_TARGETS" in texts(page)
    assert metrics(page)["Revenue"] == "1.00"
    assert "Together exactly 1.00." in texts(page)


def test_where_the_catalog_never_answered_nothing_of_kafka_is_taken_for_new(
    page: AppTest, catalogs: Catalogs, kafka: Kafka, end: datetime
) -> None:
    send_windows(kafka, (end, Decimal("2.00")))
    catalogs.reachable = False

    run(page)

    assert not page.metric

import pytest

from dashboard.deploy import open_source, tableflow
from dashboard.deploy.open_source import Addresses, flink_duration
from dashboard.deploy.pipeline import InputTopic, Pipeline, Statement, load_pipeline
from dashboard.errors import DeployError
from dashboard.settings import PipelineSettings

ADDRESSES = Addresses("127.0.0.1:9", "http://127.0.0.1:1", "http://127.0.0.1:1/iceberg", "lkc-1", "file:///state")


@pytest.fixture
def pipeline() -> Pipeline:
    return load_pipeline(PipelineSettings())


def statement(pipeline: Pipeline, name: str) -> Statement:
    return next(one for one in pipeline.statements if one.name == name)


def test_create_table_as_becomes_an_insert_with_the_same_query(pipeline: Pipeline) -> None:
    deduplication = statement(pipeline, "unique-payments-maintenance")
    rendered = open_source.running_statement(deduplication)
    query = deduplication.text.partition("\nAS\n")[2]
    assert rendered == "INSERT INTO unique_payments\n" + query.replace("$rowtime", "`$rowtime`")


def test_an_insert_is_rendered_as_it_stands(pipeline: Pipeline) -> None:
    join = statement(pipeline, "completed-orders-materializer")
    assert open_source.running_statement(join) == join.text


def test_instants_are_timestamps_on_the_wire_but_the_record_time_stays_an_instant(pipeline: Pipeline) -> None:
    columns = open_source.created_columns(statement(pipeline, "completed-orders"))
    table = open_source.kafka_table(columns, "completed_orders", "reader", ADDRESSES, bounded=False)
    assert "ts TIMESTAMP(3)," in table
    assert "`$rowtime` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL" in table
    assert table.count("WATERMARK FOR") == 1


def test_an_input_topic_gets_the_columns_of_its_schema_and_a_watermark_on_the_record_time(pipeline: Pipeline) -> None:
    orders = next(topic for topic in pipeline.topics if topic.name == "shiftleft.public.orders")
    table = open_source.kafka_table(
        open_source.input_columns(orders), orders.name, "completed-orders-materializer", ADDRESSES, bounded=False
    )
    assert table.startswith("CREATE TABLE `shiftleft.public.orders` (\n    `orderid` INT NOT NULL,")
    assert "`orderdate` TIMESTAMP(3),\n" in table, "a nullable field makes a nullable column"
    assert "WATERMARK FOR `$rowtime`" in table
    assert "'properties.group.id' = 'completed-orders-materializer'" in table
    assert "'properties.isolation.level' = 'read_committed'" in table
    assert "'sink.delivery-guarantee' = 'exactly-once'" in table


def test_only_the_alteration_that_open_source_flink_knows_is_rendered(pipeline: Pipeline) -> None:
    assert open_source.altering_statement(statement(pipeline, "orders-watermark")) is not None
    assert open_source.altering_statement(statement(pipeline, "unique-payments-append")) is None


def test_a_quote_in_an_option_cannot_end_it() -> None:
    assert open_source.options({"topic": "o'; DROP TABLE x --"}) == "    'topic' = 'o''; DROP TABLE x --'"


def test_a_table_takes_further_options_of_its_connector() -> None:
    table = open_source.kafka_table(
        "CREATE TABLE t (\n    x INT",
        "t",
        "reader",
        ADDRESSES,
        bounded=False,
        more={"properties.sales.skipped": "t:0:1"},
    )
    assert table.endswith("    'properties.sales.skipped' = 't:0:1'\n)")


def test_a_topic_without_a_schema_cannot_be_read_by_a_statement() -> None:
    with pytest.raises(DeployError, match="error-payments has no Avro schema"):
        open_source.input_columns(InputTopic("error-payments", 1, None, None))


def test_a_session_is_pinned_to_utc_and_keeps_the_statements_name_and_ttl() -> None:
    properties = open_source.session_properties("a-statement", {"sql.state-ttl": "1 hour"}, ADDRESSES)
    assert properties["table.local-time-zone"] == "UTC"
    assert properties["pipeline.name"] == "a-statement"
    assert properties["table.exec.state.ttl"] == "1 hour"
    assert properties["execution.checkpointing.dir"] == "file:///state/a-statement"
    assert "sql.state-ttl" not in properties


def test_the_copy_to_iceberg_keeps_instants_as_instants_and_adds_partition_and_offset() -> None:
    columns = [("order_id", "INT NOT NULL"), ("ts", "TIMESTAMP_LTZ(3)"), ("window_end", "TIMESTAMP(3)")]
    assert tableflow.copying_statement("completed_orders", columns, ADDRESSES) == (
        "INSERT INTO lake.`lkc-1`.`completed_orders`\nSELECT\n    `$$partition`,\n    `$$offset`,\n    `order_id`,\n"
        "    CAST(`ts` AS TIMESTAMP_LTZ(6)),\n    CAST(`window_end` AS TIMESTAMP(6))\nFROM `completed_orders`"
    )


def test_a_tableflow_statement_has_a_name_that_confluent_cloud_would_take() -> None:
    assert tableflow.statement_name("shiftleft.public.orders") == "tableflow-shiftleft-public-orders"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1 h", 3600), ("1 hour", 3600), ("3600 s", 3600), ("1 DAYS", 86_400), ("90min", 5_400), ("500", 0.5)],
)
def test_a_duration_reads_as_flink_reads_it(text: str, seconds: float) -> None:
    assert flink_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "h", "1 fortnight", "-1 h", "1.5 h"])
def test_what_flink_would_not_read_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="not a duration of Flink"):
        flink_duration(text)

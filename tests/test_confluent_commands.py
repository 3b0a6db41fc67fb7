"""The commands on a target on Confluent Cloud: the fake of its interfaces, and a real Kafka that asks for a key."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from dashboard import deployments
from dashboard.cli.command import commands
from dashboard.cloud_deployment import CloudDeployment
from dashboard.deployments import deployed
from dashboard.errors import DeployError, SettingsError
from dashboard.freshness.gatherer import Gatherer
from dashboard.narration import Narrator
from dashboard.remotes import ecs
from dashboard.remotes.kafka import Kafka, Topic
from dashboard.settings import PREFIX, Settings, load_settings
from dashboard.target_settings import settings_of
from dashboard.watched import WatchedTarget
from tests.deploy.cloud import HASTE, KMS_KEY, flink_of, registry_of, with_orders
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.guarded_broker import RIGHT, USER, Guarded, guarded_broker
from tests.iceberg_tables import append, revenue_table

pytestmark = pytest.mark.stack

JOIN, DEDUPLICATION = "completed-orders-materializer", "unique-payments-maintenance"
DATA = (
    "payments",
    "error-payments",
    "unique_payments",
    "completed_orders",
    "revenue_summary",
    "shiftleft.public.orders",
)

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_broker(tmp_path_factory.mktemp("guarded") / "home") as guarded:
        yield guarded


@pytest.fixture
def cloud(guarded: Guarded) -> Iterator[FakeConfluentCloud]:
    kafka = Kafka(guarded.plain)

    def mirror(created: str | None, deleted: str | None) -> None:
        if created:
            kafka.create_topics([Topic(created, 1)])
        if deleted:
            kafka.delete_topics([deleted])

    def topics() -> list[str]:
        return [name for name in kafka.topic_names() if not name.startswith(("__", "sales-trends-"))]

    with FakeConfluentCloud(on_topic=mirror, topics=topics) as cloud:
        with_orders(cloud, kafka)
        yield cloud
        kafka.delete_topics(name for name in kafka.topic_names() if not name.startswith("__"))


@pytest.fixture
def variables(cloud: FakeConfluentCloud, guarded: Guarded) -> dict[str, str]:
    """What a user would set, without any file."""
    fields = {
        "ORGANIZATION": cloud.organization,
        "ENVIRONMENT": cloud.environment,
        "COMPUTE_POOL": cloud.compute_pool,
        "KAFKA_CLUSTER": cloud.cluster_id,
        "KAFKA_CLUSTER_NAME": cloud.cluster_name,
        "KAFKA_BOOTSTRAP": guarded.bootstrap,
        "FLINK_ENDPOINT": cloud.flink_url,
        "SCHEMA_REGISTRY_URL": cloud.registry_url,
        "CONTROL_PLANE_ENDPOINT": cloud.control_plane_url,
        "METRICS_ENDPOINT": cloud.metrics_url,
        "API_KEY": cloud.cloud_key[0],
        "API_SECRET": cloud.cloud_key[1],
        "KMS_KEY_ID": KMS_KEY.id,
        "REGION": "us-east-1",
        "KAFKA_API_KEY": USER,
        "KAFKA_API_SECRET": RIGHT,
    }
    for service, key in (
        ("FLINK", cloud.flink_key),
        ("SCHEMA_REGISTRY", cloud.registry_key),
        ("TABLEFLOW", cloud.tableflow_key),
    ):
        fields |= {f"{service}_API_KEY": key[0], f"{service}_API_SECRET": key[1]}
    return {f"SALES_CONFLUENT__{name}": value for name, value in fields.items()}


@pytest.fixture
def command(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cloud: FakeConfluentCloud
) -> Command:
    """Runs the command in this process, fifty times faster than on the service; no secret is in what it prints."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    # the option --window sets it in this process, and it must be gone after the test
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", "5s")
    monkeypatch.delenv("SALES_PIPELINE__WINDOW_SIZE")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setattr(deployments, "CloudDeployment", partial(CloudDeployment, pace=HASTE, poll_seconds=0.05))
    secrets = [RIGHT, cloud.cloud_key[1], cloud.flink_key[1], cloud.registry_key[1], cloud.tableflow_key[1]]

    def run(*words: str, **more: str) -> Result:
        for name, value in (variables | {f"SALES_{key}": value for key, value in more.items()}).items():
            monkeypatch.setenv(name, value)
        narration = StringIO()
        narrator = Narrator(Console(file=narration, width=200))
        result = CliRunner().invoke(commands, [*words, "--target", "confluent"], obj=narrator)
        told = result.output + narration.getvalue() + str(result.exception)
        assert not [secret for secret in secrets if secret in told]
        return result

    return run


def test_the_pipeline_is_planned_applied_looked_at_drifts_and_is_destroyed(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    planned = command("plan", "--json")
    assert planned.exit_code == 2, planned.output
    assert {step["action"] for step in json.loads(planned.stdout)["steps"]} == {"create"}
    applied = command("apply", "--yes")
    assert applied.exit_code == 0, applied.output + str(applied.exception)
    assert command("plan").exit_code == 0

    status = command("status", "--json")
    assert status.exit_code == 0, status.output
    rows = {(one["kind"], one["name"]): one for one in json.loads(status.stdout)["resources"]}
    assert rows["statement", "revenue-summary-materializer"]["phase"] == "RUNNING"
    assert rows["key", "CSFLE_Key"]["state"] == "ready"
    assert rows["contract", "payments-value"]["state"] == "ready"

    cloud.stop_as("revenue-summary-materializer", "u-999")
    drift = command("drift")
    assert drift.exit_code == 2
    assert "revenue-summary-materializer" in drift.stdout
    assert command("status").exit_code == 1
    assert command("apply", "--yes").exit_code == 0
    assert command("drift").exit_code == 0

    audit = command("audit", "--json")
    acts = json.loads(audit.stdout)
    assert {act["target"] for act in acts} == {"confluent"}
    assert acts[-1]["what"] == "apply ended"

    names = [word for name in (*DATA, "CSFLE_Key") for word in ("--delete-data", name)]
    destroyed = command("destroy", "--yes", *names)
    assert destroyed.exit_code == 0, destroyed.output + str(destroyed.exception)
    assert not [name for name, one in cloud.statements.items() if one.phase != "DELETING"]
    assert not cloud.tableflow_topics


def test_a_statement_is_stopped_and_resumed_by_hand_and_the_audit_log_tells(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    name = "revenue-summary-materializer"
    assert command("apply", "--yes").exit_code == 0
    stopped = command("stop", name)
    assert stopped.exit_code == 0, str(stopped.exception)
    assert cloud.statements[name].phase == "STOPPED"
    assert phases(cloud) == {"RUNNING"}, "the others are left alone"
    rows = {one["name"]: one for one in json.loads(command("status", "--json").stdout)["resources"]}
    assert (rows[name]["state"], rows[name]["phase"]) == ("stopped", "STOPPED")
    assert "nothing to stop" in str(command("stop", name).exception)
    resumed = command("resume", name)
    assert resumed.exit_code == 0, str(resumed.exception)
    assert command("drift").exit_code == 0
    assert "only makes or alters a table" in str(command("stop", "completed-orders").exception)
    acts = [act for act in json.loads(command("audit", "--json").stdout) if act["thing"] == f"statement {name}"]
    assert [act["what"] for act in acts if "stop" in act["what"] or "resume" in act["what"]] == [
        "stop begins",
        "stop ended",
        "stop begins",
        "stop failed",
        "resume begins",
        "resume ended",
    ]


def test_doctor_finds_no_fault_where_all_is_deployed_and_the_tables_have_come(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    assert command("apply", "--yes").exit_code == 0
    rows = revenue_table(cloud.iceberg_catalog, namespace=cloud.cluster_id)
    append(rows, [(datetime(2026, 3, 1, tzinfo=UTC), "1.10")])
    cloud.iceberg_catalog.create_table((cloud.cluster_id, "completed_orders"), rows.schema())

    found = command("doctor", "--json", CONFLUENT__TABLEFLOW_CATALOG=cloud.tableflow_catalog_url)

    findings = {one["name"]: one for one in json.loads(found.stdout)}
    assert [one for one in findings.values() if not one["ok"]] == []
    assert found.exit_code == 0
    assert {"Kafka", "Topics", "Registry", "Tableflow revenue_summary", "Files of revenue_summary"} <= set(findings)
    assert findings["Metrics"]["detail"] == cloud.metrics_url


def test_doctor_tries_every_system_of_a_target_and_names_what_is_wrong_with_each(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    assert command("apply", "--yes").exit_code == 0
    cloud.suspend_tableflow("revenue_summary", "a record at partition 0 offset 7 has a null value")

    found = command(
        "doctor",
        "--json",
        CONFLUENT__TABLEFLOW_CATALOG=f"{cloud.tableflow_catalog_url}x",
        CONFLUENT__KAFKA_API_SECRET="wrong",  # noqa: S106
        CONFLUENT__SCHEMA_REGISTRY_API_SECRET="wrong",  # noqa: S106
        CONFLUENT__API_SECRET="wrong",  # noqa: S106
    )

    assert found.exit_code == 1
    faults = {one["name"]: one for one in json.loads(found.stdout) if not one["ok"]}
    assert list(faults) == ["Kafka", "Registry", "Tableflow revenue_summary", "Metrics", "Lake address"]
    assert "SALES_CONFLUENT__KAFKA_API_KEY" in str(faults["Kafka"])
    assert "SALES_CONFLUENT__API_KEY" in faults["Metrics"]["remedy"]
    assert "suspended: a record at partition 0 offset 7" in faults["Tableflow revenue_summary"]["detail"]
    assert "is not an Iceberg catalog" in faults["Lake address"]["detail"]
    assert all(one["remedy"] for one in faults.values())


def test_one_look_at_the_target_tells_every_part_of_it(
    command: Command, cloud: FakeConfluentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_CONFLUENT__TABLEFLOW_CATALOG", cloud.tableflow_catalog_url)
    assert command("apply", "--yes").exit_code == 0
    window = datetime(2026, 3, 1, tzinfo=UTC)
    append(revenue_table(cloud.iceberg_catalog, namespace=cloud.cluster_id), [(window, "1.10")])
    summing = "revenue-summary-materializer"
    cloud.measure(summing, minutes_ago=5, pending_records=17)
    watched = WatchedTarget(settings_of("confluent"), None)
    minute = timedelta(minutes=1)
    readings = Gatherer(watched.looks, patience=minute, first_patience=minute).look()
    watched.close()

    assert (readings.silences, readings.notes) == ((), ())
    assert set(DATA) == readings.topics.keys()
    assert {one.phase for one in readings.statements.values()} == {"RUNNING"}
    assert readings.statements[summing].pending == 17
    assert readings.tables["revenue_summary"].frontier == window + timedelta(seconds=5)
    assert {topic: one.phase for topic, one in readings.tableflow.items()} == dict.fromkeys(
        (*DATA[:1], *DATA[2:]), "RUNNING"
    )


def test_the_payment_app_is_restarted_where_its_place_is_known(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(ecs, "restart", lambda *words: asked.append(words))
    unknown = command("restart-app")
    assert unknown.exit_code == 1
    assert isinstance(unknown.exception, DeployError)
    assert "SALES_CONFLUENT__ECS_CLUSTER" in unknown.exception.hint
    assert deployed(load_settings(target="confluent"), Narrator()).restart_command == ""
    known = command("restart-app", CONFLUENT__ECS_CLUSTER="shop")
    assert known.exit_code == 0, str(known.exception)
    assert asked == [("shop", "payment-app-service", "us-east-1")]
    by_hand = deployed(load_settings(target="confluent"), Narrator()).restart_command
    assert by_hand == ecs.command(*asked[0])
    (act,) = [act for act in json.loads(command("audit", "--json").stdout) if act["what"] == "restart ended"]
    assert act["thing"] == "payment-app-service"


def test_why_an_apply_failed_is_told_also_when_the_payment_app_cannot_be_restarted_after_it(
    command: Command, cloud: FakeConfluentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_words: str) -> None:
        raise DeployError("ECS is away.", "Restart it by hand.")

    summing, said = "revenue-summary-materializer", list[str]()
    assert command("apply", "--yes").exit_code == 0
    registry_of(cloud).set_compatibility("payments-value", "NONE")
    flink = flink_of(cloud)
    flink.delete(summing)
    flink.wait_deleted(summing, 60)
    cloud.fail_statement(summing, "out of memory")
    monkeypatch.setattr(ecs, "restart", refused)
    monkeypatch.setattr(Narrator, "say", lambda _narrator, *words: said.append(words[0]))
    failed = command("apply", "--yes", "--lose", "revenue_summary", CONFLUENT__ECS_CLUSTER="shop")
    assert "out of memory" in str(failed.exception)
    assert "The payment app was not restarted: ECS is away. Restart it by hand." in said


def changed(cloud: FakeConfluentCloud, since: int) -> list[str]:
    """The statements that were stopped or resumed, in this order; a change that was tried again counts once."""
    names = [one.path.rpartition("/")[2] for one in cloud.requests[since:] if one.method == "PUT"]
    return [name for name, before in zip(names, ["", *names], strict=False) if name != before]


def phases(cloud: FakeConfluentCloud) -> set[str]:
    return {cloud.statements[name].phase for name in (JOIN, DEDUPLICATION)}


def test_the_join_is_stopped_after_what_feeds_it_and_goes_on_before_it_whoever_asks(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    assert command("apply", "--yes").exit_code == 0
    for named in (JOIN, DEDUPLICATION):
        since = len(cloud.requests)
        assert command("stop", JOIN).exit_code == 0
        assert (changed(cloud, since), phases(cloud)) == ([DEDUPLICATION, JOIN], {"STOPPED"})
        since = len(cloud.requests)
        assert command("resume", named).exit_code == 0
        assert (changed(cloud, since), phases(cloud)) == ([JOIN, DEDUPLICATION], {"RUNNING"})
    for stopped, first in (((JOIN,), [DEDUPLICATION]), ((JOIN, DEDUPLICATION), [])):
        for name in stopped:
            cloud.stop_as(name, "u-999")
        told = [line for line in command("drift").stdout.splitlines() if DEDUPLICATION in line]
        assert len(told) == (DEDUPLICATION in stopped)
        assert (f"pause: statement {DEDUPLICATION}" in command("plan").stdout) == (DEDUPLICATION not in stopped)
        since = len(cloud.requests)
        assert command("apply", "--yes").exit_code == 0
        assert (changed(cloud, since), phases(cloud)) == ([*first, JOIN, DEDUPLICATION], {"RUNNING"})
    assert command("plan").exit_code == 0


def test_what_an_apply_held_back_for_a_join_that_failed_goes_on_with_the_next_apply(
    command: Command, cloud: FakeConfluentCloud
) -> None:
    assert command("apply", "--yes").exit_code == 0
    flink = flink_of(cloud)
    flink.delete(JOIN)
    flink.wait_deleted(JOIN, 60)
    cloud.fail_statement(JOIN, "out of memory")
    lost = ("--lose", "completed_orders", "--lose", "revenue_summary")
    assert "out of memory" in str(command("apply", "--yes", *lost).exception)
    assert cloud.statements[DEDUPLICATION].phase == "STOPPED"
    assert command("apply", "--yes", *lost).exit_code == 0
    assert phases(cloud) == {"RUNNING"}
    assert command("plan").exit_code == 0


def test_a_check_is_a_query_that_ends_and_of_no_other_text(command: Command, cloud: FakeConfluentCloud) -> None:
    assert command("apply", "--yes").exit_code == 0
    deployment = deployed(load_settings(target="confluent"), Narrator())
    # what is not read as of now goes on for ever, here too
    assert deployment.check("duplicates-in-payments").rows == []
    cloud.script_rows("FROM payments GROUP BY .* LIMIT 3", ["order_id", "times"], [[1, 2], [2, 2], [3, 4]])
    found = deployment.check("duplicates-in-payments", limit=2)
    assert (found.columns, found.rows, found.more) == (["order_id", "times"], [["1", "2"], ["2", "2"]], True)
    assert found.sql == deployment.checks["duplicates-in-payments"]
    asked = len(cloud.requests)
    with pytest.raises(DeployError, match="There is no check called DROP TABLE payments"):
        deployment.check("DROP TABLE payments")
    assert len(cloud.requests) == asked


def test_another_window_size_is_refused_without_the_flag_and_a_saved_plan_is_applied_with_it(
    command: Command, cloud: FakeConfluentCloud, tmp_path: Path
) -> None:
    assert command("apply", "--yes").exit_code == 0
    saved = tmp_path / "plan.json"
    assert command("plan", "--window", "1m", "--out", str(saved)).exit_code == 2
    refused = command("apply", "--window", "1m", str(saved))
    assert "--lose revenue_summary" in str(refused.exception)
    applied = command("apply", "--window", "1m", "--lose", "revenue_summary", str(saved))
    assert applied.exit_code == 0, applied.output + str(applied.exception)
    assert "INTERVAL '1' MINUTE" in cloud.statements["revenue-summary-materializer"].text
    again = command("apply", "--window", "1m", "--lose", "revenue_summary", str(saved))
    assert "not as it was when that plan was made" in str(again.exception)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CONFLUENT__FLINK_API_SECRET", "wrong", "SALES_CONFLUENT__FLINK_API_KEY"),
        ("CONFLUENT__SCHEMA_REGISTRY_API_SECRET", "wrong", "SALES_CONFLUENT__SCHEMA_REGISTRY_API_KEY"),
        ("CONFLUENT__TABLEFLOW_API_SECRET", "wrong", "SALES_CONFLUENT__TABLEFLOW_API_KEY"),
        ("CONFLUENT__KAFKA_API_SECRET", "wrong", "SALES_CONFLUENT__KAFKA_API_KEY"),
        ("CONFLUENT__COMPUTE_POOL", "", "COMPUTE_POOL"),
        ("CONFLUENT__KMS_KEY_ID", "", "kms_key_id"),
    ],
)
def test_a_wrong_key_or_a_missing_part_is_said_with_its_setting(
    command: Command, variable: str, value: str, said: str
) -> None:
    result = command("plan", **{variable: value})
    assert result.exit_code != 0
    assert said in str(result.exception)
    assert isinstance(result.exception, Exception)


def test_the_access_to_the_tables_is_of_this_environment(command: Command, cloud: FakeConfluentCloud) -> None:
    printed = command("tableflow", "--engine", "pyiceberg")
    assert printed.exit_code == 0, str(printed.exception)
    assert "https://tableflow.us-east-1.aws.confluent.cloud/iceberg/catalog/organizations/" in printed.stdout
    assert cloud.cluster_id in printed.stdout


def test_commands_of_the_local_stack_are_refused_for_it(command: Command) -> None:
    result = command("up")
    assert isinstance(result.exception, SettingsError)

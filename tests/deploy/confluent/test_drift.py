"""What somebody changed on Confluent Cloud behind our back, as far as it changes data: shown, not undone."""

import pytest

from dashboard.deploy.apply import plan_for
from dashboard.deploy.plan import Action, Step
from dashboard.remotes.cloud_tableflow import DAY_MS, ErrorHandling, own_bucket
from tests.deploy.cloud import applied, flink_of, tableflow_of, target_on
from tests.deploy.test_contracts import integration
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

REVENUE = "revenue-summary-materializer"


def only_change(cloud: FakeConfluentCloud, kafka: FakeKafka) -> Step:
    (step,) = plan_for(target_on(cloud, kafka)).changes
    return step


def test_a_table_that_skips_bad_records_or_forgets_its_snapshots_sooner_is_shown(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka))
    tableflow_of(cloud).update("payments", retention_ms=DAY_MS, error_handling=ErrorHandling("SKIP"))
    step = only_change(cloud, kafka)
    assert (step.id.name, step.action) == ("payments", Action.DRIFTED)
    assert step.why == "on a bad record: SKIP instead of SUSPEND, snapshots kept for: 1 d instead of 7 d"


def test_a_table_that_somebody_made_anew_in_another_place_is_shown(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka))
    tableflow, provider = tableflow_of(cloud), integration(cloud, "theirs")
    tableflow.delete("payments")
    tableflow.create("payments", own_bucket("their-bucket", provider))
    step = only_change(cloud, kafka)
    assert step.action is Action.DRIFTED
    assert step.why == f"storage: ByobAws their-bucket {provider} instead of Managed"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_statement_that_runs_another_text_under_our_label_is_shown_with_that_text(
    cloud: FakeConfluentCloud, kafka: FakeKafka, *, stopped: bool
) -> None:
    applied(target_on(cloud, kafka))
    there, flink = cloud.statements[REVENUE], flink_of(cloud)
    flink.delete(REVENUE)
    flink.wait_deleted(REVENUE, 60)
    flink.create(REVENUE, there.text.replace("SUM(", "MAX("), {}, there.labels)
    if stopped:
        cloud.stop_as(REVENUE, "u-999")
    step = only_change(cloud, kafka)
    assert (step.id.name, step.action) == (REVENUE, Action.DRIFTED)
    assert step.why.startswith("text: not the one that it was made of")
    assert ("MAX(" in step.before, "SUM(" in step.after) == (True, True)

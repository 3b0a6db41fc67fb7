"""Contracts, keys and Glue on the fake of Confluent Cloud: deployed, compared, changed and taken away."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dashboard.deploy.apply import ApplyError, destroy_plan_for, plan_for
from dashboard.deploy.confluent.wanted import GLUE_NAME, NOTHING_BESIDE, CloudPlace, Glue, PaymentApp
from dashboard.deploy.contracts import KmsKey
from dashboard.deploy.pipeline import Pipeline, load_pipeline
from dashboard.deploy.plan import Action, Step
from dashboard.deploy.resources import Id
from dashboard.errors import ContractError, DeployError, SettingsError
from dashboard.remotes import ecs
from dashboard.remotes.cloud_registry import Contract
from dashboard.remotes.cloud_tableflow import own_bucket
from dashboard.settings import PipelineSettings
from tests.deploy.cloud import KMS_KEY, WITH_KEY, applied, carried_out, destroyed, registry_of, target_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka

CONTRACT, KEY, CATALOG = Id("contract", "payments-value"), Id("key", "CSFLE_Key"), Id("catalog", GLUE_NAME)


def topics_alone(**changes: Any) -> Pipeline:
    """Without statements; `changes` are of the contract of payments."""
    whole = load_pipeline(PipelineSettings())
    topics = [
        replace(one, contract=replace(one.contract, **changes)) if one.contract and changes else one
        for one in whole.topics
    ]
    return replace(whole, topics=topics, statements=[], tableflow_topics=["payments"])


def why(plan_steps: list[Step], id_: Id) -> tuple[Action, str]:
    (step,) = [step for step in plan_steps if step.id == id_]
    return step.action, step.why


def test_a_contract_is_deployed_whole_and_after_its_key(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    plan = applied(target_on(cloud, kafka, topics_alone()))
    order = [step.id for step in plan.steps]
    assert order.index(KEY) < order.index(CONTRACT) > order.index(Id("topic", "error-payments"))
    registry = registry_of(cloud)
    held = registry.latest("payments-value")
    assert held is not None
    assert [rule["name"] for rule in held.rule_set["domainRules"]] == ["validateConfirmationCode", "Encrypt_PII"]
    assert '"confluent:tags":["PII"]' in held.schema.replace(" ", "")
    assert registry.compatibility("payments-value") == "FULL_TRANSITIVE"
    kek = registry.kek("CSFLE_Key")
    assert kek is not None
    assert (kek.kms_type, kek.kms_key_id, kek.shared) == ("aws-kms", KMS_KEY.id, False)
    assert plan_for(target_on(cloud, kafka, topics_alone())).changes == []


def test_without_a_key_of_a_key_management_nothing_is_deployed(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    with pytest.raises(SettingsError, match="kms_key_id") as refused:
        applied(target_on(cloud, kafka, topics_alone(), NOTHING_BESIDE))
    assert "payments-value encrypts fields with CSFLE_Key" in refused.value.message
    assert registry_of(cloud).latest("payments-value") is None
    assert "payments" not in kafka.topics


def test_rules_that_somebody_took_away_come_back(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    target = target_on(cloud, kafka, topics_alone())
    applied(target)
    registry = registry_of(cloud)
    held = registry.latest("payments-value")
    assert held is not None
    registry.register("payments-value", Contract(held.schema))
    registry.set_compatibility("payments-value", "NONE")
    plan = plan_for(target)
    assert why(plan.changes, CONTRACT) == (
        Action.CHANGE_CONTRACT,
        "rule Encrypt_PII: added, rule validateConfirmationCode: added, compatibility: FULL_TRANSITIVE instead of NONE",
    )
    carried_out(target, plan)
    assert plan_for(target).changes == []


def test_a_rule_that_is_no_longer_declared_goes(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    applied(target_on(cloud, kafka, topics_alone()))
    plain = topics_alone(rules=(), tags={}, key="")
    plan = plan_for(target_on(cloud, kafka, plain))
    action, said = why(plan.changes, CONTRACT)
    assert action is Action.CHANGE_CONTRACT
    assert "rule Encrypt_PII: removed" in said
    assert "tags of cc_number: none instead of PII" in said
    # the key stays: it reads what was written
    assert why(plan.changes, KEY)[0] is Action.ORPHAN
    carried_out(target_on(cloud, kafka, plain), plan)
    held = registry_of(cloud).latest("payments-value")
    assert held is not None
    assert held.rule_set["domainRules"] == []


def test_a_schema_that_an_old_version_forbids_is_refused_while_planning(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    """The latest version alone would let it pass; the level looks at all."""
    schema = next(dict(one.value) for one in topics_alone().topics if one.value and one.name == "payments")
    optional = {"name": "note", "type": ["null", "string"], "default": None}
    for fields in ([], [{**optional}]):
        changed = topics_alone(schema={**schema, "fields": [*schema["fields"], *fields]})
        applied(target_on(cloud, kafka, changed))
    before = registry_of(cloud).latest("payments-value")
    # without a default: what was written without it could not be read
    required = topics_alone(
        schema={**schema, "fields": [*schema["fields"], {"name": "note", "type": ["null", "string"]}]}
    )
    with pytest.raises(ContractError, match="would refuse the contract payments-value"):
        applied(target_on(cloud, kafka, required))
    assert registry_of(cloud).latest("payments-value") == before


def test_another_key_of_the_key_management_is_shown_and_replaces_nothing(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    applied(target_on(cloud, kafka, topics_alone()))
    plan = plan_for(target_on(cloud, kafka, topics_alone(), CloudPlace(kms_key=KmsKey("arn:other"))))
    assert why(plan.changes, KEY) == (Action.DRIFTED, f"kms_key_id: {KMS_KEY.id} instead of arn:other")
    assert plan.acts == []


def test_a_key_goes_only_when_it_is_named_and_with_all_that_it_encrypts(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    target = target_on(cloud, kafka, topics_alone())
    applied(target)
    with httpx.Client(base_url=cloud.registry_url, auth=cloud.registry_key, trust_env=False) as http:
        for algorithm in ("AES256_GCM", "AES256_SIV"):
            dek = {"subject": "payments-value", "algorithm": algorithm, "encryptedKeyMaterial": "bXk="}
            made = http.post("/dek-registry/v1/keks/CSFLE_Key/deks", content=json.dumps(dek))
            assert made.status_code == 200
        kept = destroy_plan_for(target)
        (step,) = [step for step in kept.steps if step.id == KEY]
        assert (step.action, step.data) == (Action.KEEP, "CSFLE_Key")
        assert "can never be read" in step.why
        destroyed(target, "CSFLE_Key")
        assert http.get("/dek-registry/v1/keks?deleted=true").json() == []


def test_a_changed_contract_wants_the_app_restarted(
    cloud: FakeConfluentCloud, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted: list[tuple[str, ...]] = []
    monkeypatch.setattr(ecs, "restart", lambda *where: restarted.append(where))
    with_app = replace(WITH_KEY, app=PaymentApp("shop", "payments", "us-east-1"))
    target = target_on(cloud, kafka, topics_alone(), with_app)
    assert target.restart_app(carried_out(target, plan_for(target)).done) == ""
    registry_of(cloud).set_compatibility("payments-value", "NONE")
    outcome = carried_out(target, plan_for(target))
    assert "payments is being restarted" in target.restart_app(outcome.done)
    assert restarted == [("shop", "payments", "us-east-1")]
    without = target_on(cloud, kafka, topics_alone())
    assert without.restart_app(outcome.done).startswith("Restart the payment app")


def integration(cloud: FakeConfluentCloud, name: str) -> str:
    """A provider integration that may write to a bucket and to Glue."""
    body = {
        "display_name": name,
        "provider": "AWS",
        "config": {"kind": "AwsIntegrationConfig", "customer_iam_role_arn": "arn:aws:iam::0:role/r"},
        "environment": {"id": cloud.environment},
    }
    with httpx.Client(base_url=cloud.control_plane_url, auth=cloud.cloud_key, trust_env=False) as http:
        return str(http.post("/pim/v1/integrations", json=body).json()["id"])


def with_glue(cloud: FakeConfluentCloud, name: str = "one") -> CloudPlace:
    provider = integration(cloud, name)
    return replace(WITH_KEY, storage=own_bucket("bucket", provider), glue=Glue(provider))


def test_glue_shows_the_tables_and_goes_without_them(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    place = with_glue(cloud)
    target = target_on(cloud, kafka, topics_alone(), place)
    plan = applied(target)
    assert plan.steps[-1].id == CATALOG
    assert plan_for(target).changes == []
    # a place without Glue leaves an orphan
    orphaned = plan_for(target_on(cloud, kafka, topics_alone(), replace(place, glue=None)))
    assert why(orphaned.changes, CATALOG)[0] is Action.ORPHAN
    destroyed(target)
    assert "payments" in cloud.tableflow_topics
    assert why(plan_for(target).changes, CATALOG)[0] is Action.CREATE


def test_glue_and_confluents_own_storage_exclude_each_other(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    place = replace(WITH_KEY, glue=Glue("cspi-1"))
    with pytest.raises(SettingsError, match="Glue cannot show tables that are kept in Confluent's own storage"):
        applied(target_on(cloud, kafka, topics_alone(), place))


def test_glue_that_fails_says_why_and_is_made_anew(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    place = with_glue(cloud)
    cloud.fail_catalog_integration(GLUE_NAME, "The role may not create a database.")
    with pytest.raises(ApplyError, match="Glue does not show the tables: The role may not create a database"):
        applied(target_on(cloud, kafka, topics_alone(), place))
    plan = plan_for(target_on(cloud, kafka, topics_alone(), place))
    assert why(plan.changes, CATALOG) == (Action.RESTART, "it is FAILED: The role may not create a database.")
    cloud.fail_catalog_integration(GLUE_NAME, "")
    carried_out(target_on(cloud, kafka, topics_alone(), place), plan)
    assert plan_for(target_on(cloud, kafka, topics_alone(), place)).changes == []


def test_another_provider_integration_is_shown(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    place = with_glue(cloud)
    applied(target_on(cloud, kafka, topics_alone(), place))
    assert place.glue is not None
    other = replace(place, glue=Glue("cspi-other"))
    plan = plan_for(target_on(cloud, kafka, topics_alone(), other))
    said = f"provider integration: {place.glue.provider_integration} instead of cspi-other"
    assert why(plan.changes, CATALOG) == (Action.DRIFTED, said)


def test_what_is_not_ours_is_asked_about(cloud: FakeConfluentCloud, kafka: FakeKafka) -> None:
    registry_of(cloud).create_kek("CSFLE_Key", KMS_KEY.type, KMS_KEY.id)
    with pytest.raises(DeployError, match="Not known to be ours: key CSFLE_Key"):
        applied(target_on(cloud, kafka, topics_alone()))


def test_people_are_shown_what_the_registry_holds_and_where_the_files_differ(
    cloud: FakeConfluentCloud, kafka: FakeKafka
) -> None:
    target = target_on(cloud, kafka, topics_alone())
    (before,) = target.contracts()
    assert (before.version, before.fields, before.secret) == (None, [], ["cc_number"])
    applied(target)
    (view,) = target.contracts()
    assert (view.version, view.encrypts, view.dead_letter_topics) == (1, True, ["error-payments"])
    assert view.key == f"CSFLE_Key (aws-kms, {KMS_KEY.id})"
    assert view.differences == {}
    (other,) = target_on(cloud, kafka, topics_alone(rules=(), tags={}, key="")).contracts()
    assert set(other.differences) == {
        "rule Encrypt_PII",
        "rule validateConfirmationCode",
        "tags of cc_number",
    }

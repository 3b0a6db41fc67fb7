"""Enforcement is proven before the first record, and its proof leaves nothing behind; on the real registry."""

import httpx
import pytest

from dashboard.enforcement.encryption import Encryption
from dashboard.errors import ContractError
from tests.enforcement.conftest import Topic


def test_the_self_check_leaves_nothing_behind(topic: Topic) -> None:
    topic.promise()
    topic.writer().begin()
    everything = {"deleted": "true"}
    subjects = httpx.get(f"{topic.address}/subjects", params=everything).json()
    assert not [one for one in subjects if "self-check" in one]
    deks = httpx.get(f"{topic.address}/dek-registry/v1/keks/{topic.key}/deks", params=everything).json()
    assert deks == [topic.subject]


def test_what_a_check_that_was_killed_has_left_is_no_hindrance(topic: Topic) -> None:
    topic.promise()
    subject = f"sales-trends-self-check-{topic.name}-value"
    left = {"schema": '{"type": "record", "name": "Other", "fields": []}'}
    httpx.post(f"{topic.address}/subjects/{subject}/versions", json=left).raise_for_status()
    topic.writer().begin()
    assert subject not in httpx.get(f"{topic.address}/subjects", params={"deleted": "true"}).json()


@pytest.mark.parametrize("broken", ["conditions", "encryption"])
def test_a_client_that_runs_no_rules_is_found_out_before_the_first_record(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    topic.promise()
    if broken == "conditions":
        monkeypatch.setattr("dashboard.enforcement.conditions.Conditions.transform", lambda *_: True)
    else:
        monkeypatch.setattr(Encryption, "transform", lambda _self, _ctx, message: message)
    with pytest.raises(ContractError, match="not enforced here"):
        topic.writer().begin()

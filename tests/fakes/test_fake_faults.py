"""What a test can let go wrong between a client and the fake, and what it can see of it."""

import socket
import threading
import time

import httpx
import pytest

from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.conftest import Flink, client


def test_requests_are_kept_in_order_as_they_came(flink: Flink, registry: httpx.Client) -> None:
    flink.http.get("/statements", params={"page_size": "5"})
    registry.delete("/subjects/a%2Fb-value")

    first, second = flink.cloud.requests
    assert (first.method, first.query) == ("GET", "page_size=5")
    assert second == ("DELETE", "/subjects/a%2Fb-value", "")


def test_an_answer_of_a_fault_comes_as_often_as_asked_and_nothing_is_done(flink: Flink) -> None:
    flink.cloud.faults.answer("POST", "/statements$", status=429, headers={"Retry-After": "1"}, times=2)
    answers = [flink.post("one", "SHOW TABLES") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].json()["errors"][0]["status"] == "429"


def test_a_cut_after_handling_has_carried_the_request_out(flink: Flink) -> None:
    flink.cloud.faults.cut("POST", "/statements$")
    with pytest.raises(httpx.TransportError):
        flink.post("one", "SHOW TABLES")

    assert list(flink.cloud.statements) == ["one"]
    assert flink.post("one", "SHOW TABLES").status_code == 409


def test_a_cut_before_handling_has_done_nothing(flink: Flink) -> None:
    flink.cloud.faults.cut("*", "", after_handling=False)
    with pytest.raises(httpx.TransportError):
        flink.post("one", "SHOW TABLES")

    assert flink.cloud.statements == {}


def test_faults_meet_every_service(registry: httpx.Client, cloud: FakeConfluentCloud) -> None:
    cloud.faults.not_json("GET", "^/subjects", status=502)
    broken = registry.get("/subjects")

    assert (broken.status_code, broken.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert registry.get("/subjects").json() == []


def test_too_many_requests_within_a_second_are_429_only_when_asked_for(flink: Flink) -> None:
    assert {flink.http.get("/statements").status_code for _ in range(60)} == {200}
    flink.cloud.rate_limit = True
    limited = flink.http.get("/statements")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")

    flink.clock.advance(1)
    assert flink.http.get("/statements").status_code == 200


def test_every_answer_has_a_request_id(flink: Flink) -> None:
    assert flink.http.get("/statements").headers["x-request-id"]


def test_time_passes_by_itself_without_a_clock_of_the_test() -> None:
    with FakeConfluentCloud() as cloud:
        base = f"{cloud.flink_url}/sql/v1/organizations/{cloud.organization}/environments/{cloud.environment}"
        body = {"name": "one", "spec": {"statement": "SHOW TABLES"}}
        with client(base, cloud.flink_key) as http:
            http.post("/statements", json=body).raise_for_status()
            deadline = time.monotonic() + 10
            while http.get("/statements/one").json()["status"]["phase"] == "PENDING":
                assert time.monotonic() < deadline
        assert cloud.statements["one"].phase == "COMPLETED"


def test_nothing_is_left_when_it_is_over() -> None:
    before = set(threading.enumerate())
    with FakeConfluentCloud() as cloud:
        url = httpx.URL(cloud.flink_url)
        with client(cloud.registry_url, cloud.registry_key) as http:
            http.get("/subjects").raise_for_status()

    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError), socket.create_connection((url.host, url.port or 0)):
        pass

"""Machines are told the last look, whoever asks from beyond this machine needs the token, and what runs beside ends."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.endpoints import Background, Newest, endpoints, lifespan
from dashboard.errors import SettingsError
from dashboard.freshness.readings import Part
from dashboard.freshness.verdict import State
from tests.freshness.looks import readings, verdict
from tests.openmetrics import families

EVERYWHERE = "0.0.0.0"  # noqa: S104  # nothing listens there
TOKEN = "t0ken-of-the-test"  # noqa: S105


def asking(newest: Newest = lambda: None, listens_on: str | None = "127.0.0.1", token: str = "") -> TestClient:
    routes = endpoints(newest, listens_on=lambda: listens_on, token=lambda: SecretStr(token))
    return TestClient(Starlette(routes=routes))


def test_health_is_the_process_alone() -> None:
    assert asking().get("/healthz").status_code == 200


def test_nobody_is_ready_before_the_first_look() -> None:
    answer = asking().get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": "not looked yet"})


@pytest.mark.parametrize("state", [State.FRESH, State.WAITING, State.LATE, State.STALE])
def test_late_data_keeps_no_dashboard_from_being_ready(state: State) -> None:
    answer = asking(lambda: (verdict(state), readings())).get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["state"] == state.value
    assert set(answer.json()["dependencies"].values()) == {"ok"}


def test_only_what_was_looked_at_is_ok_and_what_was_needed_is_silent() -> None:
    seen = replace(readings(Part.REGISTRY), looked_at=(Part.CATALOG, Part.KAFKA))
    answer = asking(lambda: (verdict(), seen)).get("/readyz")

    assert answer.json()["dependencies"] == {"Kafka": "ok", "schema registry": "silent", "catalog": "ok"}
    assert answer.status_code == 503


def test_a_silent_system_is_named_and_what_it_said_of_hosts_is_not() -> None:
    answer = asking(lambda: (verdict(State.UNKNOWN), readings(Part.KAFKA, Part.CATALOG))).get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reason"] == "no answer from Kafka, catalog"
    assert answer.json()["dependencies"]["Kafka"] == "silent"
    assert answer.json()["dependencies"]["Flink"] == "ok"
    assert "broker.internal" not in answer.text


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_metrics_are_open_where_only_this_machine_can_ask(address: str) -> None:
    answer = asking(lambda: (verdict(), readings()), address).get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "sales_trends_state" in set(families(answer.text))


@pytest.mark.parametrize("address", [EVERYWHERE, "192.0.2.7", "dashboard.example.com", "", None])
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Host"])
def test_beyond_this_machine_metrics_without_a_token_are_refused_whatever_a_request_says(
    address: str | None, header: str
) -> None:
    answer = asking(lambda: (verdict(), readings()), address).get("/metrics", headers={header: "127.0.0.1"})

    assert answer.status_code == 403
    assert "SALES_WEB__METRICS_TOKEN" in answer.text
    assert "sales_trends" not in answer.text


@pytest.mark.parametrize("address", [EVERYWHERE, "127.0.0.1"])
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer tökén"],
)
def test_a_token_that_is_set_must_be_given(address: str, authorization: str) -> None:
    headers = [(b"Authorization", authorization.encode())] if authorization else []
    answer = asking(listens_on=address, token=TOKEN).get("/metrics", headers=headers)

    assert answer.status_code == 403
    assert TOKEN not in answer.text


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer  {TOKEN} "])
def test_the_right_token_opens_metrics(authorization: str) -> None:
    answer = asking(listens_on=EVERYWHERE, token=TOKEN).get("/metrics", headers={"Authorization": authorization})

    assert answer.status_code == 200


def test_settings_that_are_wrong_refuse_metrics_and_tell_a_stranger_nothing_of_them() -> None:
    def token() -> SecretStr:
        raise SettingsError("/srv/sales/.env: SALES_X is unknown.", "Correct it.")

    routes = endpoints(lambda: None, listens_on=lambda: "127.0.0.1", token=token)
    answer = TestClient(Starlette(routes=routes)).get("/metrics")

    assert answer.status_code == 403
    assert "settings are wrong" in answer.text
    assert "SALES_X" not in answer.text
    assert "/srv/sales" not in answer.text


def test_no_answer_may_be_kept_by_a_cache() -> None:
    client = asking()

    assert {client.get(path).headers["cache-control"] for path in ("/metrics", "/readyz", "/healthz")} == {"no-store"}


def background(name: str, story: list[str], *, fails: bool = False) -> Background:
    @contextmanager
    def run() -> Iterator[None]:
        assert threading.current_thread() is not threading.main_thread()
        story.append(f"{name} begins")
        try:
            yield
        finally:
            story.append(f"{name} ends")
        if fails:
            raise RuntimeError(f"{name} could not end")

    return run


def test_what_runs_beside_begins_before_the_first_request_and_ends_in_the_opposite_order() -> None:
    story: list[str] = []
    span = lifespan(background("gatherer", story), background("alerts", story))
    routes = endpoints(lambda: None, listens_on=lambda: "127.0.0.1", token=lambda: SecretStr(""))

    with TestClient(Starlette(routes=routes, lifespan=span)) as client:
        client.get("/healthz")
        story.append("asked")

    assert story == ["gatherer begins", "alerts begins", "asked", "alerts ends", "gatherer ends"]


def test_one_that_cannot_end_keeps_no_other_from_ending() -> None:
    story: list[str] = []
    span = lifespan(background("gatherer", story), background("alerts", story, fails=True))

    with pytest.raises(RuntimeError, match="alerts could not end"), TestClient(Starlette(lifespan=span)):
        pass

    assert story[-1] == "gatherer ends"


def test_one_that_cannot_begin_ends_those_before_it() -> None:
    story: list[str] = []

    def cannot() -> AbstractContextManager[object]:
        raise RuntimeError("no room")

    span = lifespan(background("gatherer", story), cannot)

    with pytest.raises(RuntimeError, match="no room"), TestClient(Starlette(lifespan=span)):
        pass

    assert story == ["gatherer begins", "gatherer ends"]


def test_the_age_that_is_told_is_that_of_the_look() -> None:
    seen = verdict()
    told = asking(lambda: (seen, readings())).get("/metrics").text

    assert seen.behind == timedelta(seconds=42)
    assert "sales_trends_data_age_seconds 42.0" in told

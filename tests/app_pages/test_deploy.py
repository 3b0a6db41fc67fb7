"""The Deploy page where its target cannot be worked on; on a real stack it is in tests/stack/test_deploy_page.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import admin_token, cached
from dashboard.sql_files import ROOT
from tests.deploy.cloud import cloud_on
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.fakes.kafka import FakeKafka


@pytest.fixture(autouse=True)
def _fresh_administration(own_server: None) -> Iterator[None]:
    cached._administration.cache_clear()
    yield
    cached._administration.cache_clear()


@pytest.fixture
def cloud() -> Iterator[FakeConfluentCloud]:
    with cloud_on(FakeKafka()) as cloud:
        yield cloud


def deploy(home: Path, view: str, target: str = "local") -> AppTest:
    """The page as an admin of this machine opens it."""
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    page.session_state["given_admin_token"] = admin_token.current(home / "home")
    page.query_params["deploy_view"] = view
    page.query_params["deploy_target"] = target
    page.switch_page("app_pages/deploy.py").run()
    assert not page.exception
    return page


def errors(page: AppTest) -> str:
    return "\n".join(one.value.replace("\\", "") for one in page.error)


def confluent(monkeypatch: pytest.MonkeyPatch, cloud: FakeConfluentCloud, **changed: str) -> None:
    """The target `confluent`, whole but for what is changed; an empty text leaves it out."""
    fields = {
        "ORGANIZATION": cloud.organization,
        "ENVIRONMENT": cloud.environment,
        "COMPUTE_POOL": cloud.compute_pool,
        "KAFKA_CLUSTER": cloud.cluster_id,
        "KAFKA_CLUSTER_NAME": cloud.cluster_name,
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "FLINK_ENDPOINT": cloud.flink_url,
        "SCHEMA_REGISTRY_URL": cloud.registry_url,
        "CONTROL_PLANE_ENDPOINT": cloud.control_plane_url,
        "API_KEY": cloud.flink_key[0],
        "API_SECRET": cloud.flink_key[1],
        **changed,
    }
    for name, value in fields.items():
        if value:
            monkeypatch.setenv(f"SALES_CONFLUENT__{name}", value)


@pytest.mark.parametrize("view", ["What runs", "Checks", "Audit"])
def test_a_stack_that_does_not_run_is_said_with_what_starts_it(tmp_path: Path, view: str) -> None:
    page = deploy(tmp_path, view)
    assert "The local stack does not run" in errors(page)
    assert "`sales-trends up` starts it" in errors(page)


def test_a_plan_of_a_stack_that_does_not_run_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    page = deploy(tmp_path, "Plan and apply")
    assert errors(page) == ""
    page.button(key="deploy_plan").click().run()
    assert not page.exception
    assert "The local stack does not run" in errors(page)
    assert not [button for button in page.button if button.label == "Apply"]


@pytest.mark.parametrize("missing", ["COMPUTE_POOL", "SCHEMA_REGISTRY_URL", "API_SECRET"])
def test_a_confluent_cloud_that_is_half_set_up_names_the_setting_and_the_rest_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: FakeConfluentCloud, missing: str
) -> None:
    confluent(monkeypatch, cloud, **{missing: ""})
    page = deploy(tmp_path, "What runs", "confluent")
    assert f"SALES_CONFLUENT__{missing}" in errors(page)
    assert cloud.flink_key[1] not in errors(page)
    page.switch_page("app_pages/revenue.py").run()
    assert not page.exception
    assert [title.value for title in page.title] == ["Revenue"]


def test_a_target_that_is_out_of_reach_is_said_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: FakeConfluentCloud
) -> None:
    confluent(monkeypatch, cloud)
    page = deploy(tmp_path, "What runs", "confluent")
    assert "127.0.0.1:1" in errors(page)


def test_a_setting_that_is_wrong_is_named_and_no_other_view_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(tmp_path / "nowhere.toml"))
    page = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    page.run()
    assert not page.exception
    assert "SALES_TARGETS_FILE" in errors(page)


def test_what_other_engines_need_is_shown_without_a_running_stack(tmp_path: Path) -> None:
    page = deploy(tmp_path, "Read the tables")
    assert errors(page) == ""
    assert any("revenue_summary" in one.value for one in page.code)

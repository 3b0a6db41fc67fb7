"""What a statement says about itself, as the service really writes it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.errors import DeployError
from dashboard.remotes.cloud_statement import Column, ServiceWarning, checked_name, parsed

WHOLE: dict[str, Any] = {
    "api_version": "sql/v1",
    "kind": "Statement",
    "name": "revenue-summary",
    "organization_id": "org",
    "environment_id": "env-1",
    "metadata": {
        "self": "https://flink.example",
        "uid": "u-1",
        "resource_version": "a23av",
        "created_at": "2026-11-22T08:00:00.123456789Z",
        "labels": {"user.confluent.io/sales-trends": "true"},
    },
    "spec": {
        "statement": "INSERT INTO revenue_summary …",
        "properties": {"sql.current-catalog": "env-1"},
        "compute_pool_id": "lfcp-1",
        "principal": "sa-1",
        "stopped": False,
        "something_new": {},
    },
    "status": {
        "phase": "DEGRADED",
        "detail": "",
        "network_kind": "PUBLIC",
        "warnings": [{"severity": "MODERATE", "created_at": "x", "reason": "IDLE", "message": "No data.", "new": 1}],
        "scaling_status": {"scaling_state": "POOL_EXHAUSTED", "last_updated": "x"},
        "latest_offsets": {"payments": "partition:0,offset:9223372036854775808"},
        "latest_offsets_timestamp": "0001-01-01T00:00:00Z",
        "traits": {
            "sql_kind": "INSERT_INTO",
            "is_bounded": True,
            "is_append_only": False,
            "upsert_columns": [0],
            "schema": {
                "columns": [
                    {"name": "day", "type": {"type": "DATE", "nullable": False}},
                    {"name": "total", "type": {"type": "DECIMAL", "nullable": True, "precision": 10, "scale": 2}},
                    {"name": "text", "type": {"type": "VARCHAR", "length": 2147483647}},
                ]
            },
        },
    },
}


def test_a_statement_tells_all_about_itself() -> None:
    found = parsed(WHOLE)
    assert (found.name, found.text, found.uid, found.resource_version) == (
        "revenue-summary",
        "INSERT INTO revenue_summary …",
        "u-1",
        "a23av",
    )
    assert (found.phase, found.stopped, found.sql_kind, found.is_append_only) == (
        "DEGRADED",
        False,
        "INSERT_INTO",
        False,
    )
    assert (found.principal, found.compute_pool, found.scaling_state) == ("sa-1", "lfcp-1", "POOL_EXHAUSTED")
    assert found.labels == {"user.confluent.io/sales-trends": "true"}
    assert found.columns == (
        Column("day", "DATE", False),
        Column("total", "DECIMAL(10, 2)", True),
        Column("text", "VARCHAR(2147483647)", True),
    )
    assert found.warnings == (ServiceWarning("MODERATE", "IDLE", "No data."),)
    assert found.created_at == datetime(2026, 11, 22, 8, 0, 0, 123456, UTC)


def test_offsets_stay_the_text_that_they_are() -> None:
    assert parsed(WHOLE).latest_offsets == {"payments": "partition:0,offset:9223372036854775808"}


@pytest.mark.parametrize(
    "traits", ["absent", None, {}, {"schema": None}, {"schema": {}}, {"schema": {"columns": None}}]
)
@pytest.mark.parametrize("phase", ["PENDING", "FAILED", "FAILING", "HIBERNATING"])
def test_traits_may_be_missing_in_every_phase_even_an_unknown_one(phase: str, traits: Any) -> None:
    status = {"phase": phase} if traits == "absent" else {"phase": phase, "traits": traits}
    found = parsed({"name": "x", "status": status})
    assert (found.phase, found.sql_kind, found.is_append_only, found.columns) == (phase, "", None, ())


@pytest.mark.parametrize("empty", [None, {}])
def test_parts_may_be_null_or_missing(empty: Any) -> None:
    found = parsed({"name": "x", "spec": empty, "metadata": empty, "status": empty})
    assert (found.phase, found.latest_offsets, found.warnings, found.created_at) == ("", {}, (), None)
    assert parsed({"status": {"latest_offsets": empty, "warnings": None, "scaling_status": empty}}).scaling_state == ""


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "", "yesterday"])
def test_a_time_that_is_none_is_none(text: str) -> None:
    assert parsed({"metadata": {"created_at": text}}).created_at is None


@pytest.mark.parametrize("name", ["a", "0", "unique-payments-maintenance", "a" * 100])
def test_a_name_of_letters_digits_and_hyphens_is_fine(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a b", "a/b", "a" * 101, "a\n", "ä"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(DeployError, match="cannot be a statement's name"):
        checked_name(name)

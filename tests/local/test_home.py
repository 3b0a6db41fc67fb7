"""What a stack was made as, and stays."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.errors import SettingsError
from dashboard.local.home import RECORD, StackKind, check_kind, record_kind, recorded_kind
from dashboard.target_settings import settings_of

FIVE = timedelta(seconds=5)


@pytest.mark.parametrize("encrypts", [True, False])
def test_a_stack_is_what_it_was_recorded_as(tmp_path: Path, encrypts: bool) -> None:
    assert recorded_kind(tmp_path) is None
    assert check_kind(tmp_path, StackKind(FIVE, encrypts))
    record_kind(tmp_path, StackKind(FIVE, encrypts))
    assert recorded_kind(tmp_path) == StackKind(FIVE, encrypts)
    assert not check_kind(tmp_path, StackKind(FIVE, encrypts))


def test_a_stack_from_before_contracts_had_rules_is_recorded_anew_and_encrypts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / RECORD).write_text(json.dumps({"format": 1, "window_seconds": 5.0}))
    assert recorded_kind(tmp_path) == StackKind(FIVE, None)
    assert check_kind(tmp_path, StackKind(FIVE))
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path))
    assert settings_of("local").pipeline.encrypt_fields


def test_what_encrypts_is_not_started_without(tmp_path: Path) -> None:
    record_kind(tmp_path, StackKind(FIVE))
    with pytest.raises(SettingsError, match="encrypt already") as refused:
        check_kind(tmp_path, StackKind(FIVE, encrypts=False))
    assert "contracts apply --unencrypted" in refused.value.hint


def test_a_line_in_a_file_does_not_turn_encryption_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_LOCAL__HOME", str(tmp_path))
    monkeypatch.setenv("SALES_PIPELINE__ENCRYPT_FIELDS", "false")
    assert not settings_of("local").pipeline.encrypt_fields, "for the first start it counts"
    record_kind(tmp_path, StackKind(FIVE))
    assert settings_of("local").pipeline.encrypt_fields
    assert not settings_of("local", encrypt_fields=False).pipeline.encrypt_fields, "unless somebody asks for it now"


def test_elsewhere_contracts_always_encrypt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = tmp_path / "targets.toml"
    fields = {
        "kafka_bootstrap": "127.0.0.1:1",
        "schema_registry_url": "http://127.0.0.1:1",
        "flink_endpoint": "http://127.0.0.1:1",
        "sql_gateway_endpoint": "http://127.0.0.1:1",
        "iceberg_catalog": "http://127.0.0.1:1",
        "iceberg_namespace": "x",
        "state": "file:///tmp/x",
    }
    lines = [f'{name} = "{value}"' for name, value in fields.items()]
    targets.write_text("\n".join(['[staging]\nkind = "open-source"', *lines, ""]))
    monkeypatch.setenv("SALES_TARGETS_FILE", str(targets))
    assert settings_of("staging").pipeline.encrypt_fields
    with pytest.raises(SettingsError, match="always encrypt"):
        settings_of("staging", encrypt_fields=False)
    monkeypatch.setenv("SALES_PIPELINE__ENCRYPT_FIELDS", "false")
    with pytest.raises(SettingsError, match="always encrypt"):
        settings_of("staging")

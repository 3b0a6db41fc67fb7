"""Targets come from a file, the environment and .env; what is wrong with one is one sentence without any value."""

import os
import traceback
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from dashboard.cli.command import commands
from dashboard.cli.options import settings_for, target_option, window_option
from dashboard.errors import ExitCode, SettingsError
from dashboard.narration import Narrator
from dashboard.settings import PREFIX, Settings, load_settings
from dashboard.target_fields import ConfluentTargetSettings, OpenSourceTargetSettings
from dashboard.targets import TargetSettings, load_target, target_names

EXAMPLE = Path(__file__).parents[1] / "docs" / "targets.example.toml"
HUSHED = "hush-hush-hush"
CONFLUENT = {
    "kind": "confluent",
    "organization": "org-1",
    "environment": "env-1",
    "compute_pool": "lfcp-1",
    "kafka_cluster": "lkc-1",
    "kafka_cluster_name": "sales",
    "kafka_bootstrap": "pkc-1.example.com:9092",
    "flink_endpoint": "https://flink.example.com",
    "schema_registry_url": "https://registry.example.com",
}
OPEN_SOURCE = {
    "kind": "open-source",
    "kafka_bootstrap": "kafka:9092",
    "schema_registry_url": "http://registry:8081",
    "flink_endpoint": "http://jobmanager:8081",
    "sql_gateway_endpoint": "http://gateway:8083",
    "iceberg_catalog": "http://catalog:8181",
    "iceberg_namespace": "sales",
    "state": "s3://bucket/flink",
}

Written = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Written:
    """Writes the file of targets, a table each, with fields left out where they are None."""

    def write(**tables: dict[str, str | None]) -> Path:
        lines = []
        for name, table in tables.items():
            lines.append(f"[{name.replace('_', '-')}]")
            lines += [f"{field} = {value!r}" for field, value in table.items() if value is not None]
        file = tmp_path / "targets.toml"
        file.write_text("\n".join(lines) + "\n")
        monkeypatch.setenv("SALES_TARGETS_FILE", str(file))
        return file

    return write


def loaded(name: str) -> TargetSettings:
    return load_target(name, load_settings())


def refused(name: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        loaded(name)
    assert HUSHED not in "".join(traceback.format_exception(caught.value))
    assert caught.value.hint
    return caught.value


def confluent(name: str = "staging") -> ConfluentTargetSettings:
    target = loaded(name)
    assert isinstance(target, ConfluentTargetSettings)
    return target


# secrets


@pytest.mark.parametrize("service", ["", "FLINK_", "KAFKA_", "SCHEMA_REGISTRY_", "TABLEFLOW_"])
@pytest.mark.parametrize(("there", "missing"), [("KEY", "SECRET"), ("SECRET", "KEY")])
def test_half_a_pair_is_refused_by_the_name_of_the_other_half(
    written: Written, monkeypatch: pytest.MonkeyPatch, service: str, there: str, missing: str
) -> None:
    written(staging=CONFLUENT)
    monkeypatch.setenv(f"SALES_STAGING__{service}API_{there}", HUSHED)

    assert f"SALES_STAGING__{service}API_{missing} is missing" in refused("staging").message


@pytest.mark.parametrize("field", ["api_secret", "flink_api_key", "kafka_api_secret"])
def test_a_secret_in_the_file_is_refused_with_where_it_belongs(written: Written, field: str) -> None:
    written(staging={**CONFLUENT, field: HUSHED})

    said = refused("staging")

    assert said.message == f"{load_settings().targets_file} holds secrets of the target staging: {field}."
    assert f"SALES_STAGING__{field.upper()}" in said.hint


def test_no_secret_is_in_what_a_target_shows(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    written(staging=CONFLUENT)
    monkeypatch.setenv("SALES_STAGING__API_KEY", HUSHED)
    monkeypatch.setenv("SALES_STAGING__API_SECRET", HUSHED)

    target = confluent()

    assert HUSHED not in repr(target) + str(target) + target.model_dump_json()
    assert HUSHED not in str(load_settings().as_environment())


def test_a_secret_in_the_wrong_place_is_not_shown_either(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    written(staging=CONFLUENT)
    for field in ("FLINK_ENDPOINT", "KAFKA_BOOTSTRAP", "ENVIRONMENT", "CLOUD_PROVIDER", "KMS_KEY_ID", "PIPELINE"):
        monkeypatch.setenv(f"SALES_STAGING__{field}", f"https://user:{HUSHED}@host")
        refused("staging")
        monkeypatch.delenv(f"SALES_STAGING__{field}")


def test_a_file_that_is_not_toml_does_not_show_what_it_holds(written: Written) -> None:
    written(staging=CONFLUENT).write_text(f"api_secret = {HUSHED}")

    assert "is not TOML" in refused("staging").message


def test_a_service_is_given_its_own_key_else_the_global_one(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    written(staging=CONFLUENT)
    for field in ("API_KEY", "API_SECRET", "FLINK_API_KEY", "FLINK_API_SECRET"):
        monkeypatch.setenv(f"SALES_STAGING__{field}", field)
    target = confluent()

    assert [one.get_secret_value() for one in target.key_for("flink")] == ["FLINK_API_KEY", "FLINK_API_SECRET"]
    assert [one.get_secret_value() for one in target.key_for("kafka")] == ["API_KEY", "API_SECRET"]
    assert [one.get_secret_value() for one in target.key_for("cloud")] == ["API_KEY", "API_SECRET"]
    assert target.key_setting("flink") == "SALES_STAGING__FLINK_API_KEY"
    assert target.key_setting("kafka") == "SALES_STAGING__API_KEY"


def test_a_service_without_a_key_names_the_variables_that_would_hold_it(written: Written) -> None:
    written(my_cloud=CONFLUENT)

    with pytest.raises(SettingsError, match="SALES_MY_CLOUD__SCHEMA_REGISTRY_API_KEY, or SALES_MY_CLOUD__API_KEY"):
        confluent("my-cloud").key_for("schema_registry")
    with pytest.raises(SettingsError, match="control plane and the metrics: SALES_MY_CLOUD__API_KEY"):
        confluent("my-cloud").key_for("cloud")


# addresses


@pytest.mark.parametrize(
    "address",
    [
        "http://flink.example.com",
        "http://10.0.0.1:8090",
        "http://127.0.0.1.example.com",
        "ftp://flink.example.com",
        "flink.example.com",
        "https://",
        "https://host:99999",
        "https://host:0",
        "https://user@host",
        "https://host?key=1",
        "https://ho st",
        "https://[::1",
        "",
    ],
)
@pytest.mark.parametrize("field", ["flink_endpoint", "control_plane_endpoint", "metrics_endpoint"])
def test_an_address_that_must_not_get_a_key_is_refused_by_its_field(written: Written, field: str, address: str) -> None:
    written(staging={**CONFLUENT, field: address})

    said = refused("staging").message

    assert f"SALES_STAGING__{field.upper()}: " in said
    assert address in ("", "https://") or address not in said


@pytest.mark.parametrize("address", ["http://127.0.0.1:8090", "http://localhost:1", "http://[::1]:8090", "https://x/y"])
def test_an_address_of_this_machine_may_be_plain_http(written: Written, address: str) -> None:
    written(staging={**CONFLUENT, "flink_endpoint": f"{address}/"})

    assert confluent().flink_endpoint == address


def test_own_clusters_may_be_plain_http_until_they_are_sent_a_password(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(own=OPEN_SOURCE)
    assert loaded("own").schema_registry_url == "http://registry:8081"

    monkeypatch.setenv("SALES_OWN__SCHEMA_REGISTRY_USERNAME", "me")
    monkeypatch.setenv("SALES_OWN__SCHEMA_REGISTRY_PASSWORD", HUSHED)
    assert "schema_registry_url is plain http" in refused("own").message


@pytest.mark.parametrize("secrets", [("ICEBERG_CLIENT_ID", "ICEBERG_CLIENT_SECRET"), ("ICEBERG_TOKEN",)])
def test_an_own_catalog_gets_no_secret_by_plain_http(
    written: Written, monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, ...]
) -> None:
    for field in secrets:
        monkeypatch.setenv(f"SALES_OWN__{field}", HUSHED)
    written(own={**OPEN_SOURCE, "iceberg_catalog": "https://catalog", "iceberg_token_uri": "http://tokens"})
    assert "iceberg_token_uri is plain http" in refused("own").message
    written(own=OPEN_SOURCE)
    assert "iceberg_catalog is plain http" in refused("own").message

    written(own={**OPEN_SOURCE, "iceberg_catalog": "http://127.0.0.1:8181"})
    loaded("own")


def test_an_own_catalog_has_one_way_in(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    written(own={**OPEN_SOURCE, "iceberg_catalog": "https://catalog"})
    monkeypatch.setenv("SALES_OWN__ICEBERG_CLIENT_ID", HUSHED)
    assert "SALES_OWN__ICEBERG_CLIENT_SECRET is missing" in refused("own").message

    monkeypatch.setenv("SALES_OWN__ICEBERG_CLIENT_SECRET", HUSHED)
    monkeypatch.setenv("SALES_OWN__ICEBERG_TOKEN", HUSHED)
    assert "two ways in" in refused("own").message


@pytest.mark.parametrize("bootstrap", ["kafka", "kafka:", "https://kafka:9092", "kafka:9092,", "me@kafka:1", "k:70000"])
def test_bootstrap_servers_that_are_not_host_and_port_are_refused(written: Written, bootstrap: str) -> None:
    written(own={**OPEN_SOURCE, "kafka_bootstrap": bootstrap})

    assert "SALES_OWN__KAFKA_BOOTSTRAP: is not host:port" in refused("own").message


@pytest.mark.parametrize(
    ("protocol", "bootstrap", "user", "said"),
    [
        ("SASL_SSL", "kafka:9092", "", "SASL_SSL needs SALES_OWN__KAFKA_USERNAME"),
        ("PLAINTEXT", "kafka:9092", HUSHED, "kafka_security_protocol is not SASL_SSL"),
        ("SASL_PLAINTEXT", "127.0.0.1:1,kafka:9092", HUSHED, "unencrypted"),
        ("TLS", "kafka:9092", "", "SALES_OWN__KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_kafkas_protocol_and_its_user_must_fit(
    written: Written, monkeypatch: pytest.MonkeyPatch, protocol: str, bootstrap: str, user: str, said: str
) -> None:
    written(own={**OPEN_SOURCE, "kafka_security_protocol": protocol, "kafka_bootstrap": bootstrap})
    monkeypatch.setenv("SALES_OWN__KAFKA_USERNAME", user)
    monkeypatch.setenv("SALES_OWN__KAFKA_PASSWORD", user)

    assert said in refused("own").message


# fields


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bucket": "b"}, "belong together"),
        ({"provider_integration": "cspi-1"}, "belong together"),
        ({"glue_provider_integration": "cspi-2"}, "own bucket"),
        ({"bucket": "b", "provider_integration": "cspi-1", "glue_database": "d"}, "needs glue_provider_integration"),
        ({"kms_key_id": "alias/key"}, "must be an ARN"),
        ({"catalog": "glue", "region": "us-east-1"}, "catalog = glue needs glue_provider_integration"),
        ({"catalog": "hive"}, "SALES_STAGING__CATALOG: "),
        ({"athena_workgroup": "primary", "region": "us-east-1"}, "athena_workgroup needs glue_provider_integration"),
        ({"athena_output": "s3://bucket/answers"}, "athena_workgroup alone"),
        ({"athena_output": "bucket/answers"}, "SALES_STAGING__ATHENA_OUTPUT"),
        ({"catalog_interval": "50ms"}, "SALES_STAGING__CATALOG_INTERVAL"),
        ({"environment": "staging"}, "SALES_STAGING__ENVIRONMENT"),
        ({"kafka_cluster": None}, "SALES_STAGING__KAFKA_CLUSTER: Field required"),
        ({"kind": "moon"}, "'confluent' or 'open-source'"),
        ({"kind": None}, "'confluent' or 'open-source'"),
        ({"flink_endpont": "x", "nam": "y", "name": "z"}, "flink_endpont, nam, name"),
    ],
)
def test_fields_that_are_wrong_or_do_not_fit_are_refused(
    written: Written, changed: dict[str, str | None], said: str
) -> None:
    written(staging={**CONFLUENT, **changed})

    assert said in refused("staging").message


def test_all_faults_are_said_at_once(written: Written) -> None:
    written(staging={**CONFLUENT, "environment": "x", "flink_endpoint": "x", "organization": None})

    said = refused("staging").message

    assert all(f"SALES_STAGING__{field}" in said for field in ("ENVIRONMENT", "FLINK_ENDPOINT", "ORGANIZATION"))


def test_the_environment_wins_over_env_and_env_over_the_file(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(staging={**CONFLUENT, "region": "file", "environment_name": "file", "ecs_region": "file"})
    (tmp_path / ".env").write_text(
        "SALES_STAGING__REGION=env\nSALES_STAGING__ECS_REGION=env\nSALES_SHOP__SEED=1\n"
        f"SALES_STAGING__API_KEY=key\nSALES_STAGING__API_SECRET={HUSHED}\n"
    )
    monkeypatch.setenv("SALES_STAGING__REGION", "variable")

    target = confluent()

    assert (target.region, target.ecs_region, target.environment_name) == ("variable", "env", "file")
    assert target.key_for("flink")[1].get_secret_value() == HUSHED


def test_the_target_confluent_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert target_names(load_settings()) == ["local"]
    for field, value in CONFLUENT.items():
        if field != "kind":
            monkeypatch.setenv(f"SALES_CONFLUENT__{field.upper()}", value)

    assert target_names(load_settings()) == ["local", "confluent"]
    assert confluent("confluent").flink_endpoint == "https://flink.example.com"


def test_the_target_confluent_may_stand_in_the_file_env_alone(tmp_path: Path) -> None:
    lines = [f"SALES_CONFLUENT__{field.upper()}={value}" for field, value in CONFLUENT.items() if field != "kind"]
    (tmp_path / ".env").write_text("\n".join(lines))

    assert confluent("confluent").kafka_cluster == "lkc-1"


@pytest.mark.parametrize("field", ["FLINK_ENDPONT", "NAME", "KIND", "PIPELINE__WINDOW", "KAFKA_USERNAME"])
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_an_unknown_variable_of_a_target_is_refused(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, place: str
) -> None:
    written(staging=CONFLUENT)
    if place == ".env":
        (tmp_path / ".env").write_text(f"SALES_STAGING__{field}={HUSHED}\n")
    else:
        monkeypatch.setenv(f"SALES_STAGING__{field}", HUSHED)

    assert f"SALES_STAGING__{field}" in refused("staging").message


def test_settings_take_variables_of_known_targets_and_refuse_those_of_others(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(staging=CONFLUENT)
    monkeypatch.setenv("SALES_STAGING__REGION", "here")
    (tmp_path / ".env").write_text("SALES_STAGING__API_KEY=1\n")
    load_settings()

    monkeypatch.setenv("SALES_STAGIN__REGION", "here")
    (tmp_path / ".env").write_text("SALES_PRODUCTION__API_KEY=1\n")
    with pytest.raises(SettingsError, match="SALES_PRODUCTION__API_KEY, SALES_STAGIN__REGION"):
        load_settings()


# names and the file


@pytest.mark.parametrize("name", ["local", "shop", "web", "pipeline", "target", "targets-file"])
def test_a_name_of_the_programs_own_cannot_be_a_target(written: Written, name: str) -> None:
    written(**{name: CONFLUENT})

    with pytest.raises(SettingsError, match=f"target {name}, which is a name of the program's own"):
        load_settings()


@pytest.mark.parametrize("text", ["[Staging]", "[1st]", "[a--b]", "[a-]", "[a_b]", "['a b']", "staging = 1", "[[a]]"])
def test_what_is_not_a_table_with_a_targets_name_is_refused(written: Written, text: str) -> None:
    written().write_text(text)

    with pytest.raises(SettingsError, match="not a table of a target"):
        load_settings()


def test_a_named_file_that_is_missing_is_an_error_but_the_default_one_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert target_names(load_settings()) == ["local"]
    monkeypatch.setenv("SALES_TARGETS_FILE", str(tmp_path / "none.toml"))

    with pytest.raises(SettingsError, match=r"SALES_TARGETS_FILE: .*none\.toml does not exist"):
        load_settings()


def test_a_name_that_is_no_target_is_refused_with_the_known_ones(written: Written) -> None:
    written(staging=CONFLUENT, own=OPEN_SOURCE)

    assert "no target 'moon'; known are local, own, staging" in refused("moon").message
    assert "built in" in refused("local").message


def test_the_example_file_holds_a_target_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))

    assert target_names(load_settings()) == ["local", "own-clusters", "staging"]
    assert confluent().pipeline.window_size == timedelta(minutes=1)
    assert isinstance(loaded("own-clusters"), OpenSourceTargetSettings)


# the command


def test_a_targets_own_pipeline_comes_before_the_general_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", "1h")
    monkeypatch.setenv("SALES_PIPELINE__COMMIT_INTERVAL", "7s")

    settings = settings_for("staging")

    assert settings.target == "staging"
    assert settings.pipeline.window_size == timedelta(minutes=1)
    assert settings.pipeline.commit_interval == timedelta(seconds=7)
    assert settings_for("own-clusters").pipeline.window_size == timedelta(hours=1)

    monkeypatch.setenv("SALES_STAGING__PIPELINE__WINDOW_SIZE", "15m")
    assert settings_for("staging").pipeline.window_size == timedelta(minutes=15)


def test_an_option_comes_before_a_targets_own_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))
    monkeypatch.setenv("SALES_PIPELINE__WINDOW_SIZE", "2s")  # the option sets it; this has it taken back afterwards

    @click.command()
    @target_option
    @window_option
    def shown(target: str) -> None:
        click.echo(settings_for(target).pipeline.window_size)

    assert CliRunner().invoke(shown, ["--target", "staging"]).output == "0:01:00\n"
    assert CliRunner().invoke(shown, ["--target", "staging", "--window", "1h"]).output == "1:00:00\n"


def test_a_wrong_pipeline_of_a_target_is_refused_by_its_variable(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(staging=CONFLUENT)
    monkeypatch.setenv("SALES_STAGING__PIPELINE__WINDOW_SIZE", "7s")

    assert "SALES_STAGING__PIPELINE: window_size is 0:00:07" in refused("staging").message


def test_the_command_names_the_known_targets_when_it_is_given_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))

    ended = CliRunner().invoke(commands, ["status", "--target", "moon"])

    assert ended.exit_code in (2, ExitCode.USAGE)
    assert "'moon' is not one of local, own-clusters, staging" in ended.output


@pytest.mark.parametrize("command", [["up"], ["down"], ["verify"], ["logs", "kafka"]])
def test_a_known_target_never_reaches_the_local_stack(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))

    ended = CliRunner().invoke(commands, [*command, "--target", "staging"], obj=Narrator(Console(file=StringIO())))

    assert ended.exit_code != 0
    assert "local stack alone" in ended.output + repr(ended.exception)


def test_without_the_option_the_target_is_the_settings_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_TARGETS_FILE", str(EXAMPLE))
    monkeypatch.setenv("SALES_TARGET", "staging")

    ended = CliRunner().invoke(commands, ["plan"], obj=Narrator(Console(file=StringIO())))

    assert "SALES_STAGING__KAFKA_API_KEY" in repr(ended.exception)

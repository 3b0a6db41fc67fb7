"""Every setting, its default and what it means; read once at the edges (command, page, tests) and passed down.

Source of a value, first wins: environment variable `SALES_…` (nested by `__`), the file `.env`, the default here.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import durationpy
from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableValue

from dashboard.addresses import on_this_machine
from dashboard.errors import SettingsError
from dashboard.setting_kinds import CatalogInterval, Duration, Folder, Listed, Part, Port, WebHook, listening_address

PREFIX = "SALES_"


PROJECT = Path(__file__).parents[1]


DEFAULT_TARGETS_FILE = PROJECT / "targets.toml"
"""The only one that may be missing."""
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # only compared with
_TARGET_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _in_project(path: Path) -> Path:
    return PROJECT / path.expanduser()


class PipelineSettings(Part):
    """How the statements run; a change of the window size replaces the statement and rebuilds its table."""

    window_size: Duration = Field(
        timedelta(seconds=5), description="Length of a revenue window; whole seconds that divide a day"
    )
    checkpoint_interval: Duration = Field(
        timedelta(seconds=1), description="How often each statement commits to Kafka; adds up to this much delay"
    )
    commit_interval: Duration = Field(
        timedelta(seconds=10), description="How often each topic is committed to its Iceberg table"
    )
    encrypt_fields: bool = Field(
        True, description="Contracts encrypt the fields that they tag; false only for a local stack's first start"
    )

    @model_validator(mode="after")
    def _window_divides_a_day(self) -> Self:
        seconds = self.window_size.total_seconds()
        if seconds < 1 or seconds % 1 or 86_400 % seconds:
            raise ValueError(f"window_size is {self.window_size}; wanted whole seconds that divide a day, such as 5s")
        if self.checkpoint_interval < timedelta(milliseconds=100) or self.commit_interval < timedelta(seconds=1):
            raise ValueError("checkpoint_interval must be at least 100ms and commit_interval at least 1s")
        return self


class ShopSettings(Part):
    """The made-up shop that feeds the pipeline on the local stack."""

    rate: float = Field(2.0, gt=0, le=20_000, description="Payments per second once the shop is live")
    history: Duration = Field(timedelta(days=14), description="How much past is written before going live; 0s for none")
    history_payments: int = Field(200_000, ge=0, description="About how many payments that past holds")
    seed: int = Field(3000, ge=0, description="Same seed, same shop")
    payment_delay: Duration = Field(timedelta(seconds=60), description="Shortest time between an order and its payment")


class LakeSettings(Part):
    """How the Iceberg tables are read."""

    engine: Literal["mirror", "duckdb", "pyiceberg", "athena"] = Field(
        "mirror", description="What answers questions: mirror, duckdb, pyiceberg or athena"
    )
    mirror: Folder = Field(
        default_factory=lambda: user_cache_path("sales-trends") / "mirror",
        description="Where mirrors of the tables are kept, a folder for each catalog and namespace",
    )


class LocalSettings(Part):
    """Where the local stack keeps its data and listens; always on the loopback address."""

    home: Folder = Field(
        default_factory=lambda: user_data_path("sales-trends") / "local",
        description="Data of the local stack: topics, tables, checkpoints, journals, logs",
    )
    cache: Folder = Field(
        default_factory=lambda: user_cache_path("sales-trends"),
        description="Downloaded jars and our compiled classes, shared by all stacks",
    )
    kafka_port: Port = 19092
    kafka_controller_port: Port = 19093
    registry_port: Port = Field(18081, description="Schema registry and Iceberg REST catalog, one process")
    flink_port: Port = Field(18082, description="Flink's REST interface and web page")
    flink_rpc_port: Port = 16123
    gateway_port: Port = Field(18083, description="Flink's SQL gateway")
    catalog_interval: CatalogInterval = Field(
        timedelta(milliseconds=500), description="How often its catalog is asked for a new snapshot"
    )


class WebSettings(Part):
    """Where the dashboard listens."""

    address: Annotated[str, AfterValidator(listening_address)] = Field(
        "127.0.0.1", description="Where the dashboard listens: an IPv4 address or a host name"
    )
    port: Port = 8501
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="What /metrics asks for; it must be set where the dashboard listens beyond this machine",
    )

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        host = "127.0.0.1" if self.address == _EVERY_ADDRESS else self.address
        return f"http://{host}:{self.port}"


class LiveSettings(Part):
    """How topics are read while records come in."""

    read_uncommitted: bool = Field(
        False,
        description="Live orders and `tail` also show records that are not committed yet, some of which never are",
    )


class ViewSettings(Part):
    """How revenue is shown to everybody who looks, unless they choose otherwise."""

    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="Currency of all amounts, as its code of ISO 4217")
    week_start: Literal["monday", "saturday", "sunday"] = Field(
        "monday", description="The day that a week begins with: monday, saturday or sunday"
    )
    fiscal_year_start: int = Field(
        1, ge=1, le=12, description="The month that a fiscal year begins with, 1 to 12; quarters are counted from it"
    )


class AccessSettings(Part):
    """Who may do what, where people log in; a person is a verified e-mail address, or a subject, which has no @."""

    admins: Listed = Field((), description="People who may also deploy, change contracts and uncover masked fields")
    ops: Listed = Field((), description="People who may also see freshness and dead letters")
    viewers: Listed = Field((), description="People who may see the sales")
    role_claim: str = Field(
        "", description="Claim of the id token that holds roles or groups: a text or a list of texts; empty for none"
    )
    admin_values: Listed = Field(("admin",), description="Its values that make an admin")
    ops_values: Listed = Field(("ops",), description="Its values that make ops")
    viewer_values: Listed = Field(("viewer",), description="Its values that make a viewer")
    everyone: Literal["none", "viewer"] = Field(
        "none", description="What somebody who is logged in without a role is: none or viewer"
    )


class AlertsSettings(Part):
    """Who is told when the pipeline is late, and after how long."""

    hold: Duration = Field(
        timedelta(minutes=1), ge=timedelta(0), description="How long it must be late before an alert is raised"
    )
    clear: Duration = Field(
        timedelta(minutes=2), ge=timedelta(0), description="How long it must be fresh before an alert is resolved"
    )
    remind: Duration = Field(
        timedelta(hours=4), ge=timedelta(minutes=1), description="How often an alert that goes on is told again"
    )
    webhook_url: WebHook = Field(SecretStr(""), description="Address that alerts are posted to as JSON; empty for none")
    webhook_secret: SecretStr = Field(SecretStr(""), description="Sent with them as a bearer token")
    mail_to: Listed = Field((), description="People who get alerts by e-mail; empty for nobody")
    mail_from: str = Field("", description="Who such an e-mail is from")
    smtp_host: str = Field("", description="Mail server that takes them")
    smtp_port: Port = Field(587, description="Its port; 465 goes with tls, 587 with starttls")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the way there is encrypted: starttls, tls, or none on this machine alone"
    )
    smtp_user: str = Field("", description="User at the mail server; empty for no login")
    smtp_password: SecretStr = Field(SecretStr(""), description="Its password")

    @model_validator(mode="after")
    def _mail_can_be_sent(self) -> Self:
        if self.mail_to and not (self.mail_from and self.smtp_host):
            raise ValueError("mail_to needs mail_from and smtp_host")
        if any(
            one.count("@") != 1 or not one.isprintable() or " " in one for one in (*self.mail_to, self.mail_from) if one
        ):
            raise ValueError("mail_to and mail_from are plain addresses such as ops@example.com")
        if self.smtp_host and self.smtp_security == "none" and not on_this_machine(self.smtp_host):
            raise ValueError("smtp_security none would send alerts unencrypted; it is for this machine alone")
        if bool(self.smtp_user) != bool(self.smtp_password.get_secret_value()):
            raise ValueError("smtp_user and smtp_password go together")
        return self


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=PROJECT / ".env",
        dotenv_filtering="only_existing",  # load_settings names what is unknown: only it knows the targets
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    target: str = Field("local", description="Which system the commands and the page work on")
    targets_file: Annotated[Path, AfterValidator(_in_project)] = Field(
        DEFAULT_TARGETS_FILE, description="File of the targets beside local; from the project's folder unless absolute"
    )
    pipeline: PipelineSettings = PipelineSettings()
    shop: ShopSettings = ShopSettings()
    lake: LakeSettings = Field(default_factory=LakeSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)
    web: WebSettings = WebSettings()
    live: LiveSettings = LiveSettings()
    view: ViewSettings = ViewSettings()
    access: AccessSettings = AccessSettings()
    alerts: AlertsSettings = AlertsSettings()

    def with_pipeline(self, **changed: object) -> Self:
        """These settings, but for fields of `pipeline` that are otherwise."""
        return self.model_copy(update={"pipeline": self.pipeline.model_copy(update=changed)})

    def as_environment(self) -> dict[str, str]:
        """These settings as SALES_ variables, for the processes that the stack starts.

        Secrets are left out: who needs one has it from the same environment and the same `.env`.
        """

        def flatten(part: BaseModel, prefix: str) -> dict[str, str]:
            variables: dict[str, str] = {}
            for name in type(part).model_fields:
                value, variable = getattr(part, name), f"{prefix}{name}".upper()
                if isinstance(value, BaseModel):
                    variables |= flatten(value, f"{variable}__")
                elif isinstance(value, SecretStr):
                    continue
                elif isinstance(value, tuple):
                    variables[variable] = ",".join(value)
                else:
                    variables[variable] = durationpy.to_str(value) if isinstance(value, timedelta) else str(value)
            return variables

        return flatten(self, PREFIX)


def _known_variables(model: type[BaseModel], prefix: str) -> set[str]:
    names = set()
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        names.add(variable)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= _known_variables(field.annotation, f"{variable}__")
    return names


def target_variables_prefix(name: str) -> str:
    """What the variables of a target begin with: `SALES_STAGING__`."""
    return f"{PREFIX}{name.upper().replace('-', '_')}__"


def env_file_names() -> list[str]:
    """The names in the file `.env`, in capitals; none without one."""
    return [name.upper() for name in DotEnvSettingsSource(Settings).env_vars]


def targets_in_file(file: Path) -> dict[str, dict[str, Any]]:
    """The table of each target by its name; raises SettingsError when the file or a name cannot be used."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if file == DEFAULT_TARGETS_FILE:
            return {}
        raise SettingsError(
            f"{PREFIX}TARGETS_FILE: {file} does not exist.", "Name another file, or unset it."
        ) from error
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}.", "Make it readable, or name another."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # without the cause, which may show what stands there
        raise SettingsError(f"{file.name} is not TOML.", "docs/targets.example.toml shows how it is written.") from None
    taken = {field.replace("_", "-") for field in Settings.model_fields}
    for name, table in tables.items():
        if name in taken:
            raise SettingsError(
                f"{file.name} has a target {name}, which is a name of the program's own.", "Call it something else."
            )
        if not _TARGET_NAME.fullmatch(name) or not isinstance(table, dict):
            raise SettingsError(
                f"{file.name} has {name!r}, which is not a table of a target.",
                "A target is a table; its name is made of a-z, 0-9 and - between them, such as [staging].",
            )
    return tables


def load_settings(environment: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
    """The settings from the environment and `.env`; raises SettingsError naming each wrong or unknown one."""
    known = _known_variables(Settings, PREFIX)
    ours = {name for name in environment if name.upper().startswith(PREFIX)}
    strange = {name for name in ours | set(env_file_names()) if name.upper() not in known}
    unknown = sorted(name for name in strange if not _may_be_of_a_target(name))
    if not unknown:
        settings = _built(overrides)
        of_targets = tuple(map(target_variables_prefix, ["confluent", *targets_in_file(settings.targets_file)]))
        unknown = sorted(name for name in strange if not name.upper().startswith(of_targets))
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}.", "The README lists every setting; correct or unset it."
        )
    return settings


def _may_be_of_a_target(name: str) -> bool:
    """Whether only the file of targets can tell if a variable is known."""
    group, nested, _field = name.upper().removeprefix(PREFIX).partition("__")
    return bool(nested) and name.upper().startswith(PREFIX) and group.lower() not in Settings.model_fields


def _built(overrides: Mapping[str, object]) -> Settings:
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values itself
    except UnreadableValue as error:
        raise SettingsError(f"Settings are wrong: {error}.", "Correct them in the environment or in .env.") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'__'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Settings are wrong: {faults}.", "Correct them in the environment or in .env.") from error

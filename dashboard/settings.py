"""Every setting, its default and what it means; read once at the edges (command, page, tests) and passed down.

Source of a value, first wins: environment variable `SALES_…` (nested by `__`), the file `.env`, the default here.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

import durationpy
from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashboard.errors import SettingsError

PREFIX = "SALES_"


def parse_duration(text: object) -> object:
    """`14d`, `1h`, `90s` or a timedelta to a timedelta; anything else is left for pydantic to judge."""
    if not isinstance(text, str):
        return text
    try:
        return durationpy.from_str(text)
    except durationpy.DurationError as error:
        raise ValueError(f"{text!r} is not a duration such as 14d, 1h or 90s") from error


PROJECT = Path(__file__).parents[1]


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


_IP_VERSION = 4
"""All programs of the stack talk over it."""


def _loopback(address: str) -> str:
    if address != "localhost" and not (ip_address(address).version == _IP_VERSION and ip_address(address).is_loopback):
        raise ValueError(
            f"{address} is not a loopback address of IPv4; the page has no login yet, so it stays on this machine"
        )
    return address


Folder = Annotated[Path, AfterValidator(_absolute)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PipelineSettings(_Part):
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

    @model_validator(mode="after")
    def _window_divides_a_day(self) -> Self:
        seconds = self.window_size.total_seconds()
        if seconds < 1 or seconds % 1 or 86_400 % seconds:
            raise ValueError(f"window_size is {self.window_size}; wanted whole seconds that divide a day, such as 5s")
        if self.checkpoint_interval < timedelta(milliseconds=100) or self.commit_interval < timedelta(seconds=1):
            raise ValueError("checkpoint_interval must be at least 100ms and commit_interval at least 1s")
        return self


class ShopSettings(_Part):
    """The made-up shop that feeds the pipeline on the local stack."""

    rate: float = Field(2.0, gt=0, le=20_000, description="Payments per second once the shop is live")
    history: Duration = Field(timedelta(days=14), description="How much past is written before going live; 0s for none")
    history_payments: int = Field(200_000, ge=0, description="About how many payments that past holds")
    seed: int = Field(3000, ge=0, description="Same seed, same shop")
    payment_delay: Duration = Field(timedelta(seconds=60), description="Shortest time between an order and its payment")


class LocalSettings(_Part):
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


class WebSettings(_Part):
    """Where the dashboard listens."""

    address: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    port: Port = 8501


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_file=PROJECT / ".env", extra="forbid", frozen=True
    )

    target: Literal["local"] = Field("local", description="Which system the commands and the page work on")
    pipeline: PipelineSettings = PipelineSettings()
    shop: ShopSettings = ShopSettings()
    local: LocalSettings = Field(default_factory=LocalSettings)
    web: WebSettings = WebSettings()

    def as_environment(self) -> dict[str, str]:
        """These settings as SALES_ variables, for the processes that the stack starts."""

        def flatten(part: BaseModel, prefix: str) -> dict[str, str]:
            variables: dict[str, str] = {}
            for name in type(part).model_fields:
                value, variable = getattr(part, name), f"{prefix}{name}".upper()
                if isinstance(value, BaseModel):
                    variables |= flatten(value, f"{variable}__")
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


def load_settings(environment: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
    """The settings from the environment and `.env`; raises SettingsError naming each wrong or unknown one."""
    known = _known_variables(Settings, PREFIX)
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}.", "The README lists every setting; correct or unset it."
        )
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values itself
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'__'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Settings are wrong: {faults}.", "Correct them in the environment or in .env.") from error

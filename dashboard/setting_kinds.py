"""What the values of settings are made of: lengths of time, lists, folders, ports and addresses, checked."""

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import durationpy
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from dashboard.addresses import webhook_fault

_IP_VERSION = 4
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)


def parse_duration(text: object) -> object:
    """`14d`, `1h`, `90s` or a timedelta to a timedelta; anything else is left for pydantic to judge."""
    if not isinstance(text, str):
        return text
    try:
        return durationpy.from_str(text)
    except durationpy.DurationError as error:
        raise ValueError(f"{text!r} is not a duration such as 14d, 1h or 90s") from error


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def listening_address(address: str) -> str:
    try:
        if ip_address(address).version == _IP_VERSION:
            return address
    except ValueError:
        # a wrong IPv4 address looks like a name too
        if _HOST_NAME.fullmatch(address) and not address.rpartition(".")[2].isdecimal():
            return address
    raise ValueError(f"{address!r} is not an address of IPv4 or a host name")


def _listed(value: object) -> object:
    """`a, b` to its parts; anything else is left for pydantic to judge."""
    return tuple(part for part in map(str.strip, value.split(",")) if part) if isinstance(value, str) else value


def _without_commas(value: tuple[str, ...]) -> tuple[str, ...]:
    if any("," in part or part != part.strip() or not part for part in value):
        raise ValueError("a part of a list is empty or has a comma or spaces around it")
    return value


def _webhook(address: SecretStr) -> SecretStr:
    if address.get_secret_value() and (fault := webhook_fault(address.get_secret_value())):
        raise ValueError(f"it {fault}")
    return address


Folder = Annotated[Path, AfterValidator(_absolute)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]
CatalogInterval = Annotated[Duration, Field(ge=timedelta(milliseconds=100))]
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), AfterValidator(_without_commas)]
"""With commas between in a variable."""
WebHook = Annotated[SecretStr, AfterValidator(_webhook)]
"""A secret because whoever knows it may post there."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

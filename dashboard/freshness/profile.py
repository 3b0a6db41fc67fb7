"""What is usual on each weekday and hour, in a file that people may read and edit: `freshness.toml`.

Two halves: what stands under `own` is people's and never touched; what stands under `learned` is written anew from the
history. Own lines win. Times are UTC.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import durationpy
import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tomlkit.items import Table

from dashboard.errors import SettingsError
from dashboard.setting_kinds import Duration

Hours = Mapping[tuple[int, int], timedelta]
"""By weekday (Monday is 0) and hour, UTC; hours that nothing is known of are left out."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOUR = re.compile(r"[01]\d|2[0-3]")
_PARTIAL = ".tmp"
_BEGINNING = """\
# When this pipeline is late. All lengths are beyond what is normal for the hop; weekdays and hours are UTC.
#
# Write under [own] what you want to be otherwise, such as
#
#   [own]
#   rejected_share = 0.5        # so much of what comes may break its contract
#
#   [own.hops."commit:revenue_summary"]
#   late = "30s"                # late from then on, at every hour
#   stale = "5m"
#
# What stands under [learned] is written anew from the history every day; lines of your own win over it.
"""


@dataclass(frozen=True)
class Written:
    """What somebody wrote about a hop; None leaves it to the program."""

    late: timedelta | None = None
    stale: timedelta | None = None


@dataclass(frozen=True)
class Profile:
    """Everything the file says."""

    written: Mapping[str, Written] = field(default_factory=lambda: MappingProxyType({}))
    usual: Mapping[str, Hours] = field(default_factory=lambda: MappingProxyType({}))
    """By the name of the hop: how far beyond normal it often is at that hour."""
    silences: Mapping[str, Hours] = field(default_factory=lambda: MappingProxyType({}))
    """By topic: for how long it is often silent at that hour."""
    rejected_share: float = 0.5


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Hop(_Strict):
    late: Duration | None = Field(None, gt=timedelta(0))
    stale: Duration | None = Field(None, gt=timedelta(0))


class _Own(_Strict):
    rejected_share: float = Field(0.5, gt=0, le=1)
    hops: dict[str, _Hop] = {}


class _Learned(_Strict):
    usual: dict[str, dict[str, dict[str, Duration]]] = {}
    silences: dict[str, dict[str, dict[str, Duration]]] = {}


class _File(_Strict):
    own: _Own = _Own()
    learned: _Learned = _Learned()


def load_profile(file: Path, hops: Iterable[str]) -> Profile:
    """What the file says; nothing where there is none.

    Raises SettingsError for a file that cannot be read, and for one that names a hop there is not: a threshold must
    not be ignored.
    """
    found = _File.model_validate({})
    if (text := _text(file)) is not None:
        try:
            found = _File.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise _wrong(file, f"is not TOML: {error}") from error
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
            raise _wrong(file, f"is wrong: {'; '.join(faults)}") from error
    if strange := sorted(found.own.hops.keys() - set(hops)):
        raise _wrong(file, f"names the hop {strange[0]}; there are {', '.join(hops)}")
    return Profile(
        {name: Written(hop.late, hop.stale) for name, hop in found.own.hops.items()},
        {name: _hours(file, days) for name, days in found.learned.usual.items()},
        {name: _hours(file, days) for name, days in found.learned.silences.items()},
        found.own.rejected_share,
    )


def save_learned(file: Path, usual: Mapping[str, Hours], silences: Mapping[str, Hours]) -> None:
    """Writes the learned half anew; the other half stays as it is, with its comments. Makes the file where it is not.

    Raises SettingsError when the file is no TOML, or cannot be written.
    """
    text = _text(file)
    try:
        document = tomlkit.parse(_BEGINNING if text is None else text)
    except tomlkit.exceptions.ParseError as error:
        raise _wrong(file, f"is not TOML: {error}") from error
    document.pop("learned", None)
    learned = tomlkit.table(is_super_table=True)
    for title, known in (("usual", usual), ("silences", silences)):
        part = tomlkit.table(is_super_table=True)
        for name, hours in sorted(known.items()):
            if hours:
                part.append(name, _days(hours))
        if part:
            learned.append(title, part)
    if learned:
        document.append("learned", learned)
    partial = file.with_name(file.name + _PARTIAL)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(tomlkit.dumps(document), encoding="utf-8")
        os.replace(partial, file)
    except OSError as error:
        raise _wrong(file, f"cannot be written: {error.strerror or error}") from error


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _wrong(file, "is not UTF-8") from error


def _days(hours: Hours) -> Table:
    table = tomlkit.table(is_super_table=True)
    for day, name in enumerate(_DAYS):
        known = {hour: length for (of, hour), length in sorted(hours.items()) if of == day}
        if known:
            line = tomlkit.table()
            for hour, length in known.items():
                line.append(f"{hour:02}", durationpy.to_str(length))
            table.append(name, line)
    return table


def _hours(file: Path, days: Mapping[str, Mapping[str, Any]]) -> dict[tuple[int, int], timedelta]:
    strange = [day for day in days if day not in _DAYS]
    strange += [hour for hours in days.values() for hour in hours if not _HOUR.fullmatch(hour)]
    if strange:
        raise _wrong(file, f"has {strange[0]!r}, which is no weekday such as monday and no hour such as 09")
    return {(_DAYS.index(day), int(hour)): length for day, hours in days.items() for hour, length in hours.items()}


def _wrong(file: Path, what: str) -> SettingsError:
    return SettingsError(f"{file.name} {what}.", f"Correct {file}, or move it away: then all goes by its defaults.")

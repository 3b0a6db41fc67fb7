"""The systems that `--target NAME` can name, each with its addresses, ids and keys.

`local` is built in; the others stand in a TOML file, a table each. Source of a value, first wins: environment variable
`SALES_<NAME>__<FIELD>`, the file `.env`, the file of targets, the default here. Keys never stand in the file.
"""

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError as UnreadableValue

from dashboard.errors import SettingsError
from dashboard.settings import (
    PROJECT,
    PipelineSettings,
    Settings,
    env_file_names,
    target_variables_prefix,
    targets_in_file,
)
from dashboard.target_fields import ConfluentTargetSettings, OpenSourceTargetSettings

TargetKind = Literal["local", "Confluent Cloud", "own clusters"]
"""What a target is made of."""
LOCAL = "local"
CONFLUENT = "confluent"
"""Also there without a file, once a variable names it."""

TargetSettings = ConfluentTargetSettings | OpenSourceTargetSettings
KINDS: dict[str, type[ConfluentTargetSettings] | type[OpenSourceTargetSettings]] = {
    "confluent": ConfluentTargetSettings,
    "open-source": OpenSourceTargetSettings,
}
_NOT_SET_FROM_OUTSIDE = ("name", "kind")


def target_names(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Every name that a target may be called by: `local`, then the others by name."""
    names = set(targets_in_file(settings.targets_file))
    prefix = target_variables_prefix(CONFLUENT)
    if any(name.upper().startswith(prefix) for name in [*environment, *env_file_names()]):
        names.add(CONFLUENT)
    return [LOCAL, *sorted(names)]


def check_target(name: str, settings: Settings) -> None:
    """Raises SettingsError with the known names when there is no target of this name."""
    known = target_names(settings)
    if name not in known:
        raise SettingsError(
            f"There is no target {name!r}; known are {', '.join(known)}.",
            f"Describe it in {_shown(settings)}; docs/targets.example.toml shows how.",
        )


def load_target(name: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> TargetSettings:
    """What a target other than `local` is; raises SettingsError naming everything that is wrong, and no value.

    `environment` is where unknown variables are looked for; the values come from the process's own.
    """
    check_target(name, settings)
    if name == LOCAL:
        raise SettingsError("The target local is built in.", "Its settings are SALES_LOCAL__… and SALES_PIPELINE__….")
    table = targets_in_file(settings.targets_file).get(name, {"kind": CONFLUENT})
    kind = KINDS.get(str(table.get("kind", CONFLUENT if name == CONFLUENT else "")))
    if kind is None:
        raise SettingsError(
            f"The target {name} has no kind that is known; wanted kind = {' or '.join(map(repr, KINDS))}.",
            f"Correct it in {_shown(settings)}.",
        )
    _check_table(name, table, kind, settings)
    prefix = target_variables_prefix(name)
    _check_variables(prefix, kind, [*environment, *env_file_names()])
    given = {field: value for field, value in table.items() if field != "kind"}
    try:
        return kind(_env_prefix=prefix, _env_file=Settings.model_config["env_file"], name=name, **given)
    except ValidationError as error:
        faults = "; ".join(_fault(prefix, fault) for fault in error.errors(include_input=False, include_url=False))
        # without the cause: the library's own text may show values
        raise SettingsError(f"The target {name} is wrong: {faults}.", _remedy(settings)) from None
    except UnreadableValue:
        raise SettingsError(
            f"The target {name} is wrong: {prefix}PIPELINE is no table.",
            f"Set its parts one by one, such as {prefix}PIPELINE__WINDOW_SIZE.",
        ) from None


def with_target(settings: Settings) -> Settings:
    """The settings with what their target says about the pipeline; of `local`, as they are."""
    check_target(settings.target, settings)
    if settings.target == LOCAL:
        return settings
    own = load_target(settings.target, settings).pipeline
    changed = {field: getattr(own, field) for field in own.model_fields_set}
    return settings.with_pipeline(**changed)


def variables_of(kind: type[ConfluentTargetSettings] | type[OpenSourceTargetSettings], prefix: str) -> set[str]:
    """The variables that a target of a kind takes."""
    fields = kind.model_fields
    names = {f"{prefix}{field}".upper() for field in fields if field not in (*_NOT_SET_FROM_OUTSIDE, "pipeline")}
    return names | {f"{prefix}PIPELINE__{field}".upper() for field in PipelineSettings.model_fields}


def _check_table(
    name: str,
    table: Mapping[str, Any],
    kind: type[ConfluentTargetSettings] | type[OpenSourceTargetSettings],
    settings: Settings,
) -> None:
    secrets = sorted(field for field in table if field in kind.model_fields and _is_secret(kind, field))
    if secrets:
        variables = ", ".join(f"{target_variables_prefix(name)}{field}".upper() for field in secrets)
        raise SettingsError(
            f"{_shown(settings)} holds secrets of the target {name}: {', '.join(secrets)}.",
            f"Take them out, replace the keys if others could read the file, and set {variables} instead.",
        )
    unknown = sorted(field for field in table if field == "name" or field not in kind.model_fields)
    if unknown:
        raise SettingsError(
            f"{_shown(settings)} has unknown fields of the target {name}: {', '.join(unknown)}.",
            "The README lists every field of its kind; correct them or take them out.",
        )


def _check_variables(
    prefix: str, kind: type[ConfluentTargetSettings] | type[OpenSourceTargetSettings], names: list[str]
) -> None:
    known = variables_of(kind, prefix)
    unknown = sorted({name.upper() for name in names if name.upper().startswith(prefix)} - known)
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}.", "The README lists every field of a target; correct or unset it."
        )


def _is_secret(kind: type[ConfluentTargetSettings] | type[OpenSourceTargetSettings], field: str) -> bool:
    return kind.model_fields[field].annotation is SecretStr


def _fault(prefix: str, fault: Mapping[str, Any]) -> str:
    path = "__".join(str(part) for part in fault["loc"]).upper()
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{prefix}{path}: {said}" if path else said


def _shown(settings: Settings) -> str:
    file = settings.targets_file
    return file.name if file.parent == PROJECT else str(file)


def _remedy(settings: Settings) -> str:
    return f"Correct it in {_shown(settings)}, in the environment or in .env."

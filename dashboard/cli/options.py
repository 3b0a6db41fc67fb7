"""What several commands share: options, and the settings they make."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from dashboard.readers.zones import EARLIEST
from dashboard.setting_kinds import parse_duration
from dashboard.settings import Settings, load_settings
from dashboard.target_settings import settings_of
from dashboard.targets import LOCAL, target_names

_ASKED_FOR = "dashboard.cli.options.asked_for"
"""Where a command keeps which settings were given as options."""
_WINDOW, _ENCRYPTION = "SALES_PIPELINE__WINDOW_SIZE", "SALES_PIPELINE__ENCRYPT_FIELDS"


def _known_target(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if name != LOCAL:
        known = target_names(load_settings())
        if name not in known:
            raise click.BadParameter(
                f"{name!r} is not one of {', '.join(known)}; docs/targets.example.toml shows how to describe one."
            )
    return name


target_option = click.option(
    "--target",
    metavar="NAME",
    default=lambda: load_settings().target,
    show_default="SALES_TARGET, else local",
    callback=_known_target,
    help="The system to work on.",
)


def _zone(_context: click.Context, _parameter: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r} is no time zone such as Europe/Berlin.") from error


zone_option = click.option(
    "--zone", default="UTC", show_default=True, callback=_zone, help="Of days, buckets and times you give."
)
lose_option = click.option("--lose", multiple=True, metavar="NAME", help="Data that may be dropped; `plan` names it.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON on stdout.")


def setting_option(name: str, variable: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that sets a setting for this one run."""

    def apply(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[variable] = value
            context.meta.setdefault(_ASKED_FOR, set()).add(variable)

    return click.option(name, expose_value=False, callback=apply, metavar="VALUE", help=text)


window_option = setting_option("--window", _WINDOW, "Length of a revenue window, such as 5s or 1h.")


def _encryption(context: click.Context, _parameter: click.Parameter, encrypts: bool | None) -> None:
    if encrypts is not None:
        os.environ[_ENCRYPTION] = str(encrypts).lower()
        context.meta.setdefault(_ASKED_FOR, set()).add(_ENCRYPTION)


unencrypted_option = click.option(
    "--unencrypted",
    flag_value=False,
    type=bool,
    default=None,
    expose_value=False,
    callback=_encryption,
    help="Start with card numbers in the clear: contracts without tags, key and encryption rule.",
)
encryption_option = click.option(
    "--encrypted/--unencrypted",
    default=None,
    expose_value=False,
    callback=_encryption,
    help="Turn encryption on or off, on the local stack alone.",
)


def settings_for(target: str) -> Settings:
    """The settings of a target: its own pipeline where it has one, but options of the command come first.

    Locally the window size is the stack's own unless somebody asks for one, in whatever way. Whether it encrypts is
    too, unless an option of this run says otherwise: a line in a file must not turn it off again.
    """
    general = load_settings(target=target)
    asked = "window_size" in general.pipeline.model_fields_set if target == LOCAL else _asked_for(_WINDOW)
    return settings_of(
        target,
        general.pipeline.window_size if asked else None,
        general.pipeline.encrypt_fields if _asked_for(_ENCRYPTION) else None,
    )


def _asked_for(variable: str) -> bool:
    """By an option of this run, which comes before what a target says; the environment does not."""
    context = click.get_current_context(silent=True)
    return context is not None and variable in context.meta.get(_ASKED_FOR, set())


def since(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """The callback of an option that takes a time, or a length of time before now."""
    if text is None:
        return None
    now = datetime.now(UTC)
    try:
        span = parse_duration(text)
    except ValueError:
        span = None
    if isinstance(span, timedelta):
        if not timedelta(0) <= span <= now - EARLIEST:
            raise click.BadParameter(f"{text!r} back is out of bounds; wanted a time from {EARLIEST.year} to now.")
        return now - span
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is neither a time such as 2026-11-22T12:00 nor a span such as 2h."
        ) from error
    if at < EARLIEST:
        raise click.BadParameter(f"{text!r} is out of bounds; wanted a time from {EARLIEST.year} on.")
    return at

"""What several commands share: options, and the settings they make."""

import os
from collections.abc import Callable
from typing import Any

import click

from dashboard.local.home import recorded_window
from dashboard.settings import Settings, load_settings
from dashboard.targets import LOCAL, target_names, with_target

_ASKED_FOR = "dashboard.cli_options.asked_for"
"""Where a command keeps which settings were given as options."""


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
lose_option = click.option("--lose", multiple=True, metavar="NAME", help="Data that may be dropped; `plan` names it.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON on stdout.")


def setting_option(name: str, variable: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that sets a setting for this one run."""

    def apply(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[variable] = value
            context.meta.setdefault(_ASKED_FOR, set()).add(variable)

    return click.option(name, expose_value=False, callback=apply, metavar="VALUE", help=text)


window_option = setting_option(
    "--window", "SALES_PIPELINE__WINDOW_SIZE", "Length of a revenue window, such as 5s or 1h."
)


def settings_for(target: str) -> Settings:
    """The settings of a target: its own pipeline where it has one, but options of the command come first.

    Locally the window size is the stack's own unless somebody asks for one.
    """
    settings = load_settings(target=target)
    if target != LOCAL:
        return _options_first(settings, with_target(settings))
    window = recorded_window(settings.local.home)
    if window is None or "window_size" in settings.pipeline.model_fields_set:
        return settings
    return settings.model_copy(update={"pipeline": settings.pipeline.model_copy(update={"window_size": window})})


def _options_first(general: Settings, of_target: Settings) -> Settings:
    """What was asked for with an option of this run, instead of what the target says."""
    context = click.get_current_context(silent=True)
    asked_for = context.meta.get(_ASKED_FOR, set()) if context else set()
    if "SALES_PIPELINE__WINDOW_SIZE" not in asked_for:
        return of_target
    asked = {"window_size": general.pipeline.window_size}
    return of_target.model_copy(update={"pipeline": of_target.pipeline.model_copy(update=asked)})

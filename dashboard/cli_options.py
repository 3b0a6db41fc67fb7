"""What several commands share: options, and the settings they make."""

import os
from collections.abc import Callable
from typing import Any

import click

from dashboard.local.home import recorded_window
from dashboard.settings import Settings, load_settings

target_option = click.option(
    "--target", type=click.Choice(["local"]), default="local", show_default=True, help="The system to work on."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON on stdout.")


def setting_option(name: str, variable: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that sets a setting for this one run."""

    def apply(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[variable] = value

    return click.option(name, expose_value=False, callback=apply, metavar="VALUE", help=text)


window_option = setting_option(
    "--window", "SALES_PIPELINE__WINDOW_SIZE", "Length of a revenue window, such as 5s or 1h."
)


def settings_for(target: str) -> Settings:
    """The settings; the window size is the stack's own unless somebody asks for one."""
    settings = load_settings(target=target)
    window = recorded_window(settings.local.home)
    if window is None or "window_size" in settings.pipeline.model_fields_set:
        return settings
    return settings.model_copy(update={"pipeline": settings.pipeline.model_copy(update={"window_size": window})})

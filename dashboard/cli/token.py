"""The command that prints what makes an admin of whoever sits at this machine."""

import click

from dashboard import admin_token
from dashboard.cli.options import settings_for, target_option
from dashboard.errors import AccessError, SettingsError
from dashboard.login_provider import admin_fault
from dashboard.targets import LOCAL


@click.command()
@target_option
def token(target: str) -> None:
    """Print the admin token of the dashboard; each start of the dashboard makes a new one.

    There is none where people log in, nor where others than this machine reach the dashboard.
    """
    if target != LOCAL:
        raise SettingsError(
            f"The admin token is about the local stack alone, not about the target {target}.",
            "Leave --target and SALES_TARGET out.",
        )
    settings = settings_for(target)
    if fault := admin_fault(settings):
        raise AccessError(fault)
    click.echo(admin_token.current(settings.local.home))

"""What commands say of the dashboard: where it is, and how to become an admin there."""

import click

from dashboard.admin_token import admin_token, renew_admin_token
from dashboard.errors import AccessError
from dashboard.login_provider import people_log_in
from dashboard.narration import Narrator
from dashboard.settings import Settings, load_settings


@click.command()
def token() -> None:
    """Print the token that makes you an admin on this machine's dashboard."""
    settings = load_settings()
    if why := _no_token(settings):
        raise AccessError(why)
    click.echo(admin_token(settings.local.home))


def tell_of_page(settings: Settings, narrator: Narrator, *, just_started: bool) -> None:
    """Says where the dashboard is; a new one has a new token, which is shown on a terminal and written to no log."""
    narrator.say(f"Dashboard: {settings.web.url}", "bold")
    if why := _no_token(settings):
        narrator.say(why)
        return
    token = renew_admin_token(settings.local.home) if just_started else admin_token(settings.local.home)
    if narrator.console.is_terminal:
        narrator.say(f"Admin token for its Deploy page: {token}")
    else:
        narrator.say("`sales-trends token` prints the admin token for its Deploy page.")


def _no_token(settings: Settings) -> str:
    """Why there is none; empty where there is one."""
    if people_log_in():
        return "People log in to this dashboard, so there is no admin token: roles say who is an admin."
    if not settings.web.is_loopback:
        return (
            f"The dashboard listens on {settings.web.address} and nobody logs in, so admin is off there: see Roles in "
            "the README."
        )
    return ""

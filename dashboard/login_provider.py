"""Whether people log in here, and what is wrong with how that is configured: Streamlit's secrets, read without it.

The app and the command judge by the same files in the same way. Streamlit itself takes a file that it cannot read for
none, and so would let everybody in.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.addresses import address_fault, on_this_machine
from dashboard.settings import PROJECT, Settings

_VARIABLE = "STREAMLIT_SECRETS_FILES"
_OF_THE_APP = ("redirect_uri", "cookie_secret")
_OF_THE_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
_SHORTEST_COOKIE_SECRET = 32
_CALLBACK = "/oauth2callback"


@dataclass(frozen=True)
class LoginProvider:
    configured: bool
    """Whether there is an [auth] section, right or wrong."""
    fault: str = ""
    """One sentence that shows no value; with it nobody may do anything."""


def secrets_files(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Where the dashboard of a stack looks for secrets; later files win, and none of them has to be there."""
    if named := environment.get(_VARIABLE):
        return [PROJECT / name for name in named.split()]
    return [folder / ".streamlit" / "secrets.toml" for folder in (Path.home(), PROJECT)]


def login_provider(files: Iterable[Path]) -> LoginProvider:
    """What these files say of the provider that people log in with."""
    auth: object = None
    for file in files:
        if file.suffix != ".toml":
            return LoginProvider(True, f"{file} is not a .toml file, so nobody can tell whether people log in here.")
        try:
            auth = tomllib.loads(file.read_text(encoding="utf-8")).get("auth", auth)
        except FileNotFoundError:
            continue
        except OSError as error:
            return LoginProvider(True, f"{file} cannot be read: {error.strerror}.")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            # without the cause, which may show what stands there
            return LoginProvider(True, f"{file} is not TOML.")
    if auth is None:
        return LoginProvider(False)
    return LoginProvider(True, _fault(auth) if isinstance(auth, dict) else "[auth] is not a table.")


def admin_fault(settings: Settings) -> str:
    """Why nobody becomes admin of the local dashboard by token; empty when somebody can."""
    provider = login_provider(secrets_files())
    if provider.fault:
        return f"{provider.fault} Until that is corrected, the dashboard shows nothing."
    if provider.configured:
        return "There is no admin token: people log in, and their roles say what they may do."
    if not on_this_machine(settings.web.address):
        return (
            f"Admin is off: the dashboard listens on {settings.web.address}, and nobody has to log in. "
            "The README's section Roles says how people log in."
        )
    return ""


def _fault(auth: dict[str, object]) -> str:
    own = auth.get("default", auth)
    provider = own if isinstance(own, dict) else {}
    found = {name: auth.get(name) for name in _OF_THE_APP} | {name: provider.get(name) for name in _OF_THE_PROVIDER}
    texts = {name: value for name, value in found.items() if isinstance(value, str) and value.strip()}
    if missing := [name for name in found if name not in texts]:
        return f"The section [auth] of secrets.toml lacks {', '.join(missing)}."
    if len(texts["cookie_secret"]) < _SHORTEST_COOKIE_SECRET:
        return f"The cookie_secret of [auth] is shorter than {_SHORTEST_COOKIE_SECRET} characters."
    redirect = texts["redirect_uri"].replace("{port}", "1")
    if wrong := address_fault(redirect, gets_key=True):
        return f"The redirect_uri of [auth] {wrong}."
    if not redirect.endswith(_CALLBACK):
        return f"The redirect_uri of [auth] does not end with {_CALLBACK}."
    if wrong := address_fault(texts["server_metadata_url"], gets_key=True):
        return f"The server_metadata_url of [auth] {wrong}."
    return ""

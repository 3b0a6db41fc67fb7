"""Whether people log in, and at which provider: the table [auth] of Streamlit's secrets, checked before it counts."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dashboard.addresses import on_this_machine
from dashboard.errors import SettingsError
from dashboard.settings import PROJECT

SECRETS_FILES = (Path.home() / ".streamlit" / "secrets.toml", PROJECT / ".streamlit" / "secrets.toml")
"""Where Streamlit looks unless it is told otherwise; a later one comes first."""
_NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_SHORTEST_SECRET = 32
_EXAMPLE = "See .streamlit/secrets.example.toml."


def people_log_in(files: Sequence[str | Path] = SECRETS_FILES) -> bool:
    """Whether a provider is set up; False where there is no table [auth].

    Raises SettingsError for one that is half set up, which must never count as none: everybody would be let in.
    """
    auth: Any = None
    for file in map(Path, files):
        auth = _secrets(file).get("auth", auth)
    if auth is None:
        return False
    if not isinstance(auth, dict):
        raise SettingsError("The login's settings: auth is no table.", _EXAMPLE)
    if missing := [name for name in _NEEDED if not isinstance(auth.get(name), str) or not auth[name]]:
        raise SettingsError(
            f"The login is half set up: [auth] in secrets.toml lacks {', '.join(missing)}.",
            f"Nobody is let in until it is whole. {_EXAMPLE}",
        )
    if len(auth["cookie_secret"]) < _SHORTEST_SECRET:
        raise SettingsError(
            f"The login's cookie_secret is shorter than {_SHORTEST_SECRET} characters, so logins could be forged.",
            "Make one: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
        )
    _check_redirect(auth["redirect_uri"])
    return True


def _check_redirect(address: str) -> None:
    try:
        parts = urlsplit(address)
        host, scheme = parts.hostname or "", parts.scheme
    except ValueError:
        host, scheme = "", ""
    if not address.endswith("/oauth2callback") or scheme not in ("http", "https") or not host:
        raise SettingsError(
            "The login's redirect_uri is not the dashboard's address with /oauth2callback at its end.",
            "Such as https://sales.example.com/oauth2callback; the provider must know the same.",
        )
    if scheme == "http" and not on_this_machine(host):
        raise SettingsError(
            f"The login's redirect_uri goes to {host} by http, where a login could be read on its way.",
            "Use https; http is for this machine alone.",
        )


def _secrets(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{file.name} cannot be read: {error.strerror}.", "Make it readable.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # without the cause, which may show what stands there
        raise SettingsError(f"{file.name} is not TOML.", _EXAMPLE) from None

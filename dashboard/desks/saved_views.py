"""Views of the sales page by name: the functions behind saving one, opening it and taking it away.

Each takes who calls and checks that before anything else. Whoever may see the page keeps views of their own, which
nobody else sees; what admins share, everybody sees. A view is what the page's address carries, and opens nothing that
the address itself would not.
"""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from dashboard.access import Caller, Role
from dashboard.errors import AccessError, SettingsError
from dashboard.kept_file import KeptFile, kept_file, microseconds, moment_of
from dashboard.settings import Settings

MOST_OWN = 50
"""Of one person."""
MOST_SHARED = 200
LONGEST_NAME = 60
LONGEST_QUERY = 2_000
"""Characters, as the address has it: what every browser and proxy takes."""
_EVERYBODY = ""
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,29}")
_SEEN = "SELECT owner, name, query, who, made_at FROM views WHERE owner = ?"
_PUT = "INSERT OR REPLACE INTO views (owner, name, query, who, made_at) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class View:
    name: str
    query: str
    """As behind the `?` of the page's address."""
    is_shared: bool
    who: str
    """Who saved it last."""
    made_at: datetime

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


class NameTakenError(SettingsError):
    """Saving again `instead` replaces the one of that name."""


class SavedViews:
    """Of one target; any thread may call. Every call raises KeepError where the file cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._file = kept_file(settings)

    def seen(self, caller: Caller) -> list[View]:
        """Their own, then the shared ones, each by name."""
        caller.require(Role.VIEWER, "Seeing saved views")
        with closing(KeptFile(self._file)) as kept:
            found = [_view(*row) for owner in (caller.name, _EVERYBODY) for row in kept.rows(_SEEN, owner)]
        return sorted(found, key=lambda one: (one.is_shared, one.name.casefold(), one.name))

    def save(
        self, caller: Caller, name: str, parameters: Mapping[str, str], *, shared: bool = False, instead: bool = False
    ) -> View:
        """A new view, or `instead` of the one of that name.

        Raises SettingsError for what cannot be kept, and NameTakenError for a name that there is when it is not
        `instead`.
        """
        owner = _owner(caller, shared, "Saving")
        name, query = _checked_name(name), _checked_query(parameters)
        row = (owner, name, query, caller.name, microseconds(datetime.now(UTC)))
        with closing(KeptFile(self._file)) as kept, kept.changing():
            names = {one for _, one, *_ in kept.rows(_SEEN, owner)}
            if name in names and not instead:
                raise NameTakenError(f"There is a view {name} already.", "Choose another name, or replace that one.")
            most = MOST_SHARED if shared else MOST_OWN
            if name not in names and len(names) >= most:
                raise SettingsError(f"{most} views are as many as are kept.", "Take away some that nobody needs.")
            kept.rows(_PUT, *row)
        return _view(*row)

    def delete(self, caller: Caller, name: str, *, shared: bool = False) -> View | None:
        """Takes it away and gives it back, so that saving it again undoes that; None where there is none."""
        owner = _owner(caller, shared, "Deleting")
        gone = "DELETE FROM views WHERE owner = ? AND name = ? RETURNING owner, name, query, who, made_at"
        with closing(KeptFile(self._file)) as kept:
            rows = kept.rows(gone, owner, unicodedata.normalize("NFC", name))
        return _view(*rows[0]) if rows else None


def _owner(caller: Caller, shared: bool, act: str) -> str:
    caller.require(Role.ADMIN if shared else Role.VIEWER, f"{act} a shared view" if shared else f"{act} a view")
    if not shared and not caller.name:
        raise AccessError(f"{act} a view is for people with a name.", "Log in with one.")
    return _EVERYBODY if shared else caller.name


def _checked_name(name: str) -> str:
    """On one line, and the same however somebody's keyboard makes an umlaut. Raises SettingsError."""
    line = unicodedata.normalize("NFC", " ".join(name.split()))
    if not line or len(line) > LONGEST_NAME or not line.isprintable():
        seen = f"{len(line)} characters" if line.isprintable() else "signs that cannot be shown"
        raise SettingsError(f"A name of {seen} cannot be kept.", f"Wanted 1 to {LONGEST_NAME} characters.")
    return line


def _checked_query(parameters: Mapping[str, str]) -> str:
    if unknown := [name for name in parameters if not _PARAMETER.fullmatch(name)]:
        raise SettingsError(
            f"{unknown[0][:LONGEST_NAME]!r} is no parameter of the page.", "Save the view from the page."
        )
    try:
        query = urlencode(sorted(parameters.items()))
    except UnicodeEncodeError as error:
        raise SettingsError("The view holds half a character.", "Type that filter again.") from error
    if len(query) > LONGEST_QUERY:
        raise SettingsError(
            f"The view takes {len(query):,} characters of the address, and {LONGEST_QUERY:,} are kept.",
            "Choose fewer filters.",
        )
    return query


def _view(owner: str, name: str, query: str, who: str, made_at: int) -> View:
    return View(name, query, owner == _EVERYBODY, who, moment_of(made_at))

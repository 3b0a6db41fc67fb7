"""Names of namespaces and tables: which are allowed, and how SqlCatalog stores them.

SqlCatalog joins the levels of a namespace with dots and splits them again: `a.b` in one level would come back as two.
A dot inside a level is therefore stored as `%2E`, which no allowed name contains. Table names keep their dots.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.local.catalog.refusals import CatalogRefusal

LEVEL_SEPARATOR = "\x1f"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)

Levels = tuple[str, ...]


@dataclass(frozen=True)
class TableName:
    """A table and the levels of its namespace."""

    namespace: Levels
    name: str

    @property
    def stored(self) -> tuple[str, ...]:
        return (*stored_levels(self.namespace), self.name)

    def __str__(self) -> str:
        return f"{shown(self.namespace)}.{self.name}"


def is_allowed(name: str) -> bool:
    """Whether a name could be a Kafka topic's or cluster's: tables are named after them, folders after tables."""
    return bool(_ALLOWED.fullmatch(name)) and name not in (".", "..")


def check_names(names: Sequence[str]) -> None:
    """Raises CatalogRefusal naming the first name that is not allowed."""
    if not names:
        raise CatalogRefusal("A namespace has at least one level.")
    for name in names:
        if not is_allowed(name):
            raise CatalogRefusal(f"The name {name!r} is not allowed; use letters, digits, '.', '_' and '-'.")


def stored_levels(levels: Sequence[str]) -> Levels:
    return tuple(level.replace(".", "%2E") for level in levels)


def stored_text(levels: Sequence[str]) -> str:
    """The column `table_namespace` of SqlCatalog."""
    return ".".join(stored_levels(levels))


def original_levels(stored: Sequence[str]) -> Levels:
    return tuple(level.replace("%2E", ".") for level in stored)


def shown(levels: Sequence[str]) -> str:
    return ".".join(levels)

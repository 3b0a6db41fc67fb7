"""What a user pastes into an engine to read the Iceberg tables: settings of PyIceberg, DuckDB, Spark, Trino and Athena.

Each engine has a template under lake_access/: a line `engine: title`, lines of the note, `---`, and the text. The
addresses of the documentation that it was checked against (November 2026) end each note.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from dashboard.errors import DeployError

_TEMPLATES = Path(__file__).with_suffix("")
_ENGINES = ("pyiceberg", "duckdb", "spark", "trino", "athena-session", "athena-cell")
_GLUE = "athena-sql"
_REGION_UNKNOWN = "<AWS_REGION>"
# what stands in the quotes of any engine, a shell's included, as it is
_ADDRESS = re.compile(r"https?://[\w.~:/@%+,=\[\]-]+", re.ASCII)
_NAME = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class LakeAddress:
    """Where the tables are, without any secret."""

    catalog_uri: str
    token_uri: str | None
    """Where key and secret become a token; None leaves it to the engine, which appends /v1/oauth/tokens."""
    namespace: str
    """Of Tableflow the id of the Kafka cluster, such as lkc-abc123."""
    topics: Sequence[str]
    """Each is a table."""
    region: str | None
    """Of the bucket; None without needs_credentials means that the tables are files of this machine."""
    managed_storage: bool
    """The catalog gives access to the files, as Confluent's own storage does; otherwise the engine needs its own."""
    needs_credentials: bool
    """It is a Tableflow catalog; otherwise one of one's own that asks for none."""


@dataclass(frozen=True)
class Snippet:
    """Text to paste into an engine; secrets in it are placeholders or names of environment variables."""

    engine: str
    title: str
    """Where the text belongs."""
    text: str
    note: str
    """Known limits, what else is needed, and the engine's documentation."""


def access(details: LakeAddress) -> list[Snippet]:
    """The snippets of all engines that can read these tables, each whole.

    Raises DeployError on an address or a name that could not be pasted safely.
    """
    values = _values(details)
    engines = list(_ENGINES)
    # Glue has no tables of managed storage
    if details.needs_credentials and not details.managed_storage:
        engines.append(_GLUE)
    return [_snippet(engine, values, details.topics) for engine in engines]


def _values(details: LakeAddress) -> dict[str, str | None]:
    """What the templates name; None leaves out the lines that name it, and an `if_…` is otherwise empty."""
    for what, uri in (("catalog", details.catalog_uri), ("token endpoint", details.token_uri)):
        if uri is not None and not _is_plain(uri):
            # not shown, for it may hold a password
            raise DeployError(
                f"The address of the {what} is not plain scheme, host and path, and so is not written anywhere.",
                "Give it as https://host/path, without user, password or query.",
            )
    names = (details.namespace, *details.topics)
    for name in names if details.region is None else (*names, details.region):
        if not _NAME.fullmatch(name):
            raise DeployError(
                f"The name {name!r} cannot be pasted safely.",
                "Names of topics, namespaces and regions have letters, digits, dots, underscores and hyphens only.",
            )
    in_s3 = details.needs_credentials or details.region is not None
    conditions = {
        "if_credentials": details.needs_credentials,
        "if_no_credentials": not details.needs_credentials,
        "if_tableflow": details.needs_credentials,
        "if_managed": details.managed_storage,
        "if_not_managed": not details.managed_storage,
        "if_own_bucket": in_s3 and not details.managed_storage,
        "if_s3": in_s3,
        "if_files": not in_s3,
        "if_capitals": any(name != name.lower() for name in names),
        "if_dots": any("." in name for name in names),
    }
    return {
        "catalog_uri": details.catalog_uri.rstrip("/"),
        "token_uri": details.token_uri if details.needs_credentials else None,
        "namespace": details.namespace,
        "region": details.region or (_REGION_UNKNOWN if in_s3 else None),
        **{name: "" if holds else None for name, holds in conditions.items()},
    }


def _is_plain(uri: str) -> bool:
    return _ADDRESS.fullmatch(uri) is not None and "@" not in urlsplit(uri).netloc


def _snippet(name: str, values: Mapping[str, str | None], topics: Sequence[str]) -> Snippet:
    head, text = (_TEMPLATES / f"{name}.template").read_text(encoding="utf-8").split("\n---\n")
    first, *note = _filled(head, values, topics)
    engine, title = first.split(": ", 1)
    return Snippet(engine, title, "\n".join(_filled(text, values, topics)), " ".join(note))


def _filled(text: str, values: Mapping[str, str | None], topics: Sequence[str]) -> list[str]:
    """The lines of a template: one that names a topic comes once for each, one that names what is not is left out."""
    lines = []
    for line in map(Template, text.splitlines()):
        names = line.get_identifiers()
        if all(values.get(name, "") is not None for name in names):
            every = topics if "topic" in names else [""]
            lines += [line.substitute(values, topic=topic) for topic in every]
    return lines

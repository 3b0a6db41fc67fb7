"""The text of one SQL file, found by folder and name; the folders stand next to this package."""

from pathlib import Path

from dashboard.errors import ReadError

ROOT = Path(__file__).resolve().parent.parent
"""Holds queries/ and pipeline_sql/, in the repository and in an installed wheel alike."""


def read_sql(folder: str, name: str) -> str:
    """The file `<folder>/<name>.sql` as it stands, header and all.

    `folder` is relative to the repository and may be nested, such as `queries` or `pipeline_sql/statements`.

    Raises ReadError naming the files that are there.
    """
    path = ROOT / folder / f"{name}.sql"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        there = ", ".join(sorted(file.stem for file in path.parent.glob("*.sql"))) or "no SQL file"
        raise ReadError(
            f"There is no file {folder}/{name}.sql; {folder} holds {there}.",
            "Correct the name, or install again if files went missing.",
        ) from error

"""The engine of a name that answers questions about a target's tables. Only the chosen one is imported."""

from datetime import timedelta

from dashboard.errors import SettingsError
from dashboard.lake_connections import athena_access_of, catalog_interval_of, lake_of, mirror_folder_of
from dashboard.readers.engine import Engine
from dashboard.settings import Settings

ENGINES = ("mirror", "duckdb", "pyiceberg", "athena")
"""By the names that people give."""


def engine_of(settings: Settings, name: str, patience: timedelta | None = None) -> Engine:
    """A new one; whoever asks for it closes it. `patience` is how long a mirror is waited for until it is the newest.

    Raises SettingsError for a name that is none and for what the target lacks, and what `lake_of` raises.
    """
    window = settings.pipeline.window_size
    # each brings a library of its own, of which one process seldom needs more than one
    if name == "mirror":
        from dashboard.readers.mirror.engine import PATIENCE, MirrorEngine

        lake = lake_of(settings)
        folder = mirror_folder_of(settings, lake.access)
        return MirrorEngine(lake, folder, catalog_interval_of(settings), patience or PATIENCE)
    if name == "duckdb":
        from dashboard.readers.duckdb_engine import DuckdbEngine

        return DuckdbEngine(lake_of(settings), window)
    if name == "pyiceberg":
        from dashboard.readers.pyiceberg_engine import PyicebergEngine

        return PyicebergEngine(lake_of(settings), window)
    if name == "athena":
        from dashboard.readers.athena.engine import AthenaEngine

        return AthenaEngine(athena_access_of(settings), window)
    raise SettingsError(f"There is no engine {name!r}.", f"Wanted {', '.join(ENGINES)}.")

"""The engine of a name that answers questions about a target's tables. Only the chosen one is imported."""

from dashboard.errors import SettingsError
from dashboard.lake_connections import catalog_interval_of, lake_of, mirror_folder_of
from dashboard.readers.engine import Engine
from dashboard.settings import Settings
from dashboard.target_fields import ConfluentTargetSettings
from dashboard.targets import LOCAL, load_target

ENGINES = ("mirror", "duckdb", "pyiceberg", "athena")
"""By the names that people give."""


def engine_of(settings: Settings, name: str) -> Engine:
    """A new one; whoever asks for it closes it.

    Raises SettingsError for a name that is none and for what the target lacks, and what `lake_of` raises.
    """
    window = settings.pipeline.window_size
    # each brings a library of its own, of which one process seldom needs more than one
    if name == "mirror":
        from dashboard.readers.mirror import MirrorEngine

        lake = lake_of(settings)
        return MirrorEngine(lake, mirror_folder_of(settings, lake.access), catalog_interval_of(settings))
    if name == "duckdb":
        from dashboard.readers.duckdb_engine import DuckdbEngine

        return DuckdbEngine(lake_of(settings), window)
    if name == "pyiceberg":
        from dashboard.readers.pyiceberg_engine import PyicebergEngine

        return PyicebergEngine(lake_of(settings), window)
    if name == "athena":
        return _athena(settings)
    raise SettingsError(f"There is no engine {name!r}.", f"Wanted {', '.join(ENGINES)}.")


def _athena(settings: Settings) -> Engine:
    target = None if settings.target == LOCAL else load_target(settings.target, settings)
    if not isinstance(target, ConfluentTargetSettings) or not target.athena_workgroup:
        raise SettingsError(
            f"The target {settings.target} names no workgroup of Athena.",
            "Set its athena_workgroup, or choose another engine; only tables on Confluent Cloud have Athena.",
        )
    from dashboard.readers.athena_engine import AthenaAccess, AthenaEngine

    access = AthenaAccess(
        target.athena_region or target.region,
        target.athena_database or target.glue_database or target.kafka_cluster,
        target.athena_workgroup,
        target.athena_output or None,
    )
    engine: Engine = AthenaEngine(access, settings.pipeline.window_size)
    return engine

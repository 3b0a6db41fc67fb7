"""Which version of its program each service of the stack runs."""

import importlib.metadata

from dashboard import __version__
from dashboard.local.jars import locked_jars
from dashboard.local.services import DASHBOARD, NAMES

_KAFKA = "org.apache.kafka:kafka-server:"
_FLINK = "org.apache.flink:flink-sql-gateway:"


def service_versions() -> dict[str, str]:
    """Versions by service name; what we wrote ourselves has ours."""
    versions = dict.fromkeys(NAMES, __version__)
    versions["kafka"] = _locked(_KAFKA)
    versions |= dict.fromkeys(("jobmanager", "taskmanager", "gateway"), _locked(_FLINK))
    versions[DASHBOARD] = importlib.metadata.version("streamlit")
    return versions


def _locked(coordinate: str) -> str:
    return next((jar.maven.removeprefix(coordinate) for jar in locked_jars() if jar.maven.startswith(coordinate)), "")

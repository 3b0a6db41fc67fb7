"""Which of a pipeline's statements can be stopped and resumed: those that go on running."""

from collections.abc import Mapping
from types import MappingProxyType

from dashboard.deploy.pipeline import Pipeline
from dashboard.deploy.resources import Id
from dashboard.errors import DeployError

_NONE: Mapping[str, str] = MappingProxyType({})


def stoppable(pipeline: Pipeline, name: str, copies: Mapping[str, str] = _NONE) -> Id:
    """What the name of a running statement stands for; `copies` are the topics of those that copy one to Iceberg.

    Raises DeployError for another name.
    """
    if name in copies:
        return Id("tableflow", copies[name])
    running = [one.name for one in pipeline.statements if one.runs]
    if name in running:
        return Id("statement", name)
    if any(one.name == name for one in pipeline.statements):
        raise DeployError(
            f"The statement {name} only makes or alters a table, so it does not run.", _choices(running, copies)
        )
    raise DeployError(f"There is no statement called {name}.", _choices(running, copies))


def told(id_: Id) -> str:
    """How people are told of it at the beginning of a sentence."""
    return f"The copy of {id_.name}" if id_.kind == "tableflow" else f"The statement {id_.name}"


def _choices(running: list[str], copies: Mapping[str, str]) -> str:
    return f"These run: {', '.join([*running, *copies])}."

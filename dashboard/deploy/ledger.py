"""What we made on a cluster, kept on that cluster: a compacted topic that outlives every process of ours.

One record a thing, the newest counts. Nothing in it is secret.
"""

import json
from collections.abc import Mapping

from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from dashboard.remotes.kafka import Kafka, Topic

BEING_REMOVED = "being removed"
"""Stands for the digest of what is no longer whole."""
LEDGER_TOPIC = "sales-trends-ledger"
_TOPIC = Topic(LEDGER_TOPIC, 1, {"cleanup.policy": "compact", "retention.ms": "-1"})


class Ledger:
    """The digests with which our things were made."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def entries(self) -> dict[Id, str]:
        """The digest of each thing that is ours; empty where nothing was ever deployed."""
        if LEDGER_TOPIC not in self._kafka.topic_names():
            return {}
        entries: dict[Id, str] = {}
        for value in self._kafka.values(LEDGER_TOPIC):
            try:
                fact = json.loads(value)
                id_ = Id(fact["kind"], fact["name"])
                digest = fact["digest"]
            except (ValueError, KeyError, TypeError) as error:
                raise DeployError(
                    f"The topic {LEDGER_TOPIC} holds a record that is not ours.",
                    "Nothing was changed. See who writes to that topic; only deployments may.",
                ) from error
            if digest is None:
                entries.pop(id_, None)
            else:
                entries[id_] = digest
        return entries

    @property
    def exists(self) -> bool:
        """Something was deployed here, and not all of it was forgotten."""
        return LEDGER_TOPIC in self._kafka.topic_names()

    def drop(self) -> None:
        """Forgets everything; for a cluster on which nothing of ours is left."""
        self._kafka.delete_topics([LEDGER_TOPIC])

    def note(self, changes: Mapping[Id, str | None]) -> None:
        """Says with which digest things were made; None for what is gone."""
        self._kafka.create_topics([_TOPIC])
        self._kafka.append(
            LEDGER_TOPIC,
            [
                (str(id_), json.dumps({"kind": id_.kind, "name": id_.name, "digest": digest}))
                for id_, digest in changes.items()
            ],
        )

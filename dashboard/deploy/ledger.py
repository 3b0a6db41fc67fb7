"""What we made on a cluster, kept on that cluster: a compacted topic that outlives every process of ours.

One record a thing, the newest counts. Nothing in it is secret. Beside the digest stands the text that a thing was made
of, because a running statement of open-source Flink does not tell it: a plan shows by it what changes.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from dashboard.deploy.resources import Id
from dashboard.errors import DeployError
from dashboard.remotes.kafka import Kafka, Topic

BEING_REMOVED = "being removed"
"""Stands for the digest of what is no longer whole."""
LEDGER_TOPIC = "sales-trends-ledger"
NO_TEXTS: Mapping[Id, str] = MappingProxyType({})
_SECRET = re.compile(r"(SET 'sql\.secrets\.(?:[^']|'')*' = )'(?:[^']|'')*'")
"""As older versions noted texts, in the clear."""
_TOPIC = Topic(LEDGER_TOPIC, 1, {"cleanup.policy": "compact", "retention.ms": "-1"})


class Ledger:
    """The digests with which our things were made."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.texts: dict[Id, str] = {}
        """What each thing was made of, as of the last `entries`; nothing for what was made before texts were kept."""
        self._uids: dict[Id, tuple[str, ...]] = {}
        self._digests: dict[Id, str] = {}

    def entries(self) -> dict[Id, str]:
        """The digest of each thing that is ours; empty where nothing was ever deployed."""
        self.texts, self._uids, self._digests = {}, {}, {}
        if LEDGER_TOPIC not in self._kafka.topic_names():
            return {}
        entries: dict[Id, str] = {}
        for value in self._kafka.values(LEDGER_TOPIC):
            try:
                fact = json.loads(value)
                id_ = Id(fact["kind"], fact["name"])
                digest = fact["digest"]
                uids = tuple(fact.get("uids", ()))
                text = _SECRET.sub(r"\1'***'", fact.get("text", ""))
            except (ValueError, KeyError, TypeError) as error:
                raise DeployError(
                    f"The topic {LEDGER_TOPIC} holds a record that is not ours.",
                    "Nothing was changed. See who writes to that topic; only deployments may.",
                ) from error
            if digest is None:
                entries.pop(id_, None)
                self.texts.pop(id_, None)
                self._uids.pop(id_, None)
            else:
                entries[id_] = digest
                self.texts[id_] = text
                self._uids[id_] = uids
        self._digests = dict(entries)
        return entries

    @property
    def uids(self) -> frozenset[str]:
        """By which the service knows our statements, as of the last `entries`, whatever the cluster is called now."""
        return frozenset(uid for found in self._uids.values() for uid in found)

    @property
    def exists(self) -> bool:
        """Something was deployed here, and not all of it was forgotten."""
        return LEDGER_TOPIC in self._kafka.topic_names()

    def drop(self) -> None:
        """Forgets everything; for a cluster on which nothing of ours is left."""
        self._kafka.delete_topics([LEDGER_TOPIC])

    def note(self, changes: Mapping[Id, str | None], texts: Mapping[Id, str] = NO_TEXTS) -> None:
        """Says with which digest, and of which text, things were made; None for what is gone.

        Without a text the one that is known stays: what is half removed was still made of it.
        """
        self.texts |= {id_: texts[id_] for id_ in changes if id_ in texts}
        self._digests |= {id_: digest for id_, digest in changes.items() if digest is not None}
        for id_ in (id_ for id_, digest in changes.items() if digest is None):
            self._digests.pop(id_, None)
            self._uids.pop(id_, None)
        self._kafka.create_topics([_TOPIC])
        self._kafka.append(LEDGER_TOPIC, [(str(id_), self._record(id_, digest)) for id_, digest in changes.items()])

    def note_uids(self, uids: Mapping[Id, tuple[str, ...]]) -> None:
        """Says which statements of the service are ours, as far as they are noted and that is news."""
        news = {id_: self._digests[id_] for id_ in uids.keys() & self._digests if self._uids.get(id_) != uids[id_]}
        if news:
            self._uids |= {id_: uids[id_] for id_ in news}
            self.note(news)

    def _record(self, id_: Id, digest: str | None) -> str:
        text = "" if digest is None else self.texts.get(id_, "")
        uids = {"uids": found} if (found := self._uids.get(id_)) else {}
        return json.dumps({"kind": id_.kind, "name": id_.name, "digest": digest, "text": text} | uids)

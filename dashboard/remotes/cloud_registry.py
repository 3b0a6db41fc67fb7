"""Schema Registry on Confluent Cloud: schemas with the rules and tags of their contract, and the keys that encrypt.

Source: docs.confluent.io/platform/current/schema-registry/develop/api.html, and for keys the OpenAPI description of
the DEK registry in github.com/confluentinc/schema-registry (dek-registry/generated/swagger-ui).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from dashboard.errors import ContractError, DeployError
from dashboard.remotes.cloud_api import REAL_TIME, CloudApi, Pace
from dashboard.remotes.cloud_errors import ApiKey, Conflict, NotFound, Refused

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_KEKS = "/dek-registry/v1/keks"
_SCHEMAS_A_PAGE = 500
_ALGORITHMS = ("AES256_GCM", "AES128_GCM", "AES256_SIV")
"""Of the keys of fields; each of a subject's is deleted by itself."""
_NO_SUBJECT, _NO_VERSION, _SUBJECT_IN_BIN, _NO_LEVEL, _NO_KEY = 40401, 40402, 40404, 40408, 40470
_BAD_CONTRACT = frozenset({40901, 42201, 42210})
"""Incompatible, not a schema, not a rule set."""


@dataclass(frozen=True)
class Contract:
    """What a subject is to promise; parts that are empty are registered as empty, or the version before would count."""

    schema: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """tags, properties, sensitive."""
    rule_set: Mapping[str, Any] = field(default_factory=dict)
    """domainRules, migrationRules."""
    references: Sequence[Mapping[str, Any]] = ()
    schema_type: str = "AVRO"

    def body(self) -> dict[str, Any]:
        return {
            "schemaType": self.schema_type,
            "references": [dict(reference) for reference in self.references],
            "schema": self.schema,
            "metadata": {"tags": {}, "properties": {}, "sensitive": []} | dict(self.metadata),
            "ruleSet": {"migrationRules": [], "domainRules": []} | dict(self.rule_set),
        }


@dataclass(frozen=True)
class Subject:
    """The latest version of a subject."""

    schema: str
    id: int
    version: int
    metadata: Mapping[str, Any]
    rule_set: Mapping[str, Any]
    references: tuple[Mapping[str, Any], ...]
    schema_type: str


@dataclass(frozen=True)
class Kek:
    """A key in a cloud's key management that encrypts the keys of fields."""

    name: str
    kms_type: str
    """Such as aws-kms."""
    kms_key_id: str
    kms_props: Mapping[str, str]
    shared: bool
    """The registry itself may use the key; otherwise each client needs access to it."""
    doc: str


class CloudRegistry:
    """One registry, with the key registry at the same address."""

    def __init__(
        self,
        address: str,
        key: SecretStr,
        secret: SecretStr,
        *,
        key_setting: str,
        transport: httpx.BaseTransport | None = None,
        pace: Pace = REAL_TIME,
    ) -> None:
        api_key = ApiKey("the Schema Registry API key", key_setting, key, secret)
        self.address = address
        self._api = CloudApi(address, api_key, content_type=_CONTENT_TYPE, transport=transport, pace=pace)

    def subjects(self) -> list[str]:
        return self._api.names("/subjects", "list the subjects")

    def latest(self, subject: str) -> Subject | None:
        try:
            answer = self._api.get(f"{_path(subject)}/versions/latest", f"show the schema of {subject}")
        except NotFound as error:
            _only(error, _NO_SUBJECT, _NO_VERSION, _SUBJECT_IN_BIN)
            return None
        return _subject(answer)

    def all_latest(self, prefix: str = "") -> dict[str, Subject]:
        """The latest version of every subject whose name begins with `prefix`, page after page.

        Source: SchemasResource.java of github.com/confluentinc/schema-registry @794611bd; the registry itself gives
        1,000 at most.
        """
        found: dict[str, Subject] = {}
        while True:
            params = {"subjectPrefix": prefix, "latestOnly": "true"}
            params |= {"offset": str(len(found)), "limit": str(_SCHEMAS_A_PAGE)}
            page = self._api.objects("/schemas", "list the schemas", params)
            found |= {str(one.get("subject") or ""): _subject(one) for one in page}
            if len(page) < _SCHEMAS_A_PAGE:
                return found

    def register(self, subject: str, contract: Contract) -> int:
        """Makes this the latest version, and returns the schema's id; the same contract again gives the same id.

        Raises ContractError when the registry does not take it. Asked once: after an UnreachableError `latest` tells
        whether it was carried out.
        """
        try:
            answer = self._api.post(
                f"{_path(subject)}/versions", f"register the contract of {subject}", contract.body()
            )
        except Refused as error:
            if error.code not in _BAD_CONTRACT:
                raise
            raise ContractError(
                error.message, "A change must let old records be read; give a new field a default."
            ) from error
        if type(answer.get("id")) is not int:
            raise DeployError(f"The registry took the contract of {subject} and gave no id for it.")
        return int(answer["id"])

    def compatible(self, subject: str, contract: Contract) -> list[str]:
        """Why the contract could not follow, in the registry's words; empty when it can.

        It is compared with every version that the subject's level looks at: all of them where that is transitive.
        """
        path = f"/compatibility{_path(subject)}/versions"
        try:
            answer = self._api.ask(path, f"compare the contract of {subject}", contract.body(), {"verbose": "true"})
        except NotFound as error:
            _only(error, _NO_SUBJECT, _NO_VERSION, _SUBJECT_IN_BIN)
            return []
        if answer.get("is_compatible"):
            return []
        return [str(message) for message in answer.get("messages") or []] or ["The registry gives no reason."]

    def compatibility(self, subject: str) -> str | None:
        """The level of the subject's own; None where that of the whole registry counts."""
        try:
            answer = self._api.get(f"/config/{quote(subject, safe='')}", f"show the compatibility of {subject}")
        except NotFound as error:
            _only(error, _NO_SUBJECT, _NO_LEVEL)
            return None
        return str(answer.get("compatibilityLevel") or "") or None

    def set_compatibility(self, subject: str, level: str) -> None:
        """Such as FULL_TRANSITIVE."""
        path = f"/config/{quote(subject, safe='')}"
        self._api.put(path, f"set the compatibility of {subject}", {"compatibility": level})

    def delete(self, subject: str) -> None:
        """Deletes every version of a subject for good, if there is one."""
        doing = f"delete the subject {subject}"
        self._delete(_path(subject), doing, _NO_SUBJECT, _SUBJECT_IN_BIN)

    def keks(self) -> list[str]:
        return self._api.names(_KEKS, "list the encryption keys")

    def kek(self, name: str) -> Kek | None:
        raw = self._raw_kek(name)
        return _kek(raw) if raw else None

    def create_kek(
        self,
        name: str,
        kms_type: str,
        kms_key_id: str,
        *,
        kms_props: Mapping[str, str] | None = None,
        doc: str = "",
        shared: bool = False,
    ) -> Kek:
        """Makes a key known. Raises Conflict when the name is taken."""
        body = {"name": name, "kmsType": kms_type, "kmsKeyId": kms_key_id}

        def ours() -> dict[str, Any] | None:
            found = self._raw_kek(name)
            if found is not None and any(found.get(key) != value for key, value in body.items()):
                raise Conflict(f"There is an encryption key {name} that is another one.", status=409)
            return found

        whole = {**body, "kmsProps": dict(kms_props or {}), "doc": doc, "shared": shared}
        return _kek(self._api.create(_KEKS, f"create the encryption key {name}", whole, ours))

    def delete_kek(self, name: str) -> None:
        """Deletes a key for good, if there is one; the registry refuses while keys of fields depend on it."""
        self._delete(f"{_KEKS}/{quote(name, safe='')}", f"delete the encryption key {name}", _NO_KEY)

    def delete_deks(self, name: str, subject: str | None = None) -> None:
        """Deletes for good the keys of fields that this key encrypts: what they encrypted is never read again.

        Of every subject, or of one.
        """
        doing = f"delete the keys of fields under {name}"
        path = f"{_KEKS}/{quote(name, safe='')}/deks"
        try:
            # also those in the bin: they too keep the key from being deleted for good
            subjects = self._api.names(path, doing, {"deleted": "true"})
        except NotFound as error:
            _only(error, _NO_KEY)
            return
        for one in subjects if subject is None else {subject} & set(subjects):
            for algorithm in _ALGORITHMS:
                self._delete(f"{path}/{quote(one, safe='')}", doing, _NO_KEY, algorithm=algorithm)

    def _delete(self, path: str, doing: str, *gone: int, **which: str) -> None:
        """Into the bin first, since nothing is deleted for good from outside of it."""
        for params in (which, which | {"permanent": "true"}):
            try:
                self._api.delete(path, doing, params)
            except NotFound as error:
                _only(error, *gone)

    def _raw_kek(self, name: str) -> dict[str, Any] | None:
        try:
            return self._api.get(f"{_KEKS}/{quote(name, safe='')}", f"show the encryption key {name}")
        except NotFound as error:
            _only(error, _NO_KEY)
            return None


def _subject(answer: Mapping[str, Any]) -> Subject:
    return Subject(
        schema=answer.get("schema") or "",
        id=int(answer.get("id") or 0),
        version=int(answer.get("version") or 0),
        metadata=answer.get("metadata") or {},
        rule_set=answer.get("ruleSet") or {},
        references=tuple(answer.get("references") or []),
        # the registry leaves out what is the default
        schema_type=answer.get("schemaType") or "AVRO",
    )


def _path(subject: str) -> str:
    return f"/subjects/{quote(subject, safe='')}"


def _only(error: NotFound, *codes: int) -> None:
    """Lets pass what is not there, but not a path that the registry does not know."""
    if error.code not in codes:
        raise error


def _kek(answer: Mapping[str, Any]) -> Kek:
    return Kek(
        name=answer.get("name") or "",
        kms_type=answer.get("kmsType") or "",
        kms_key_id=answer.get("kmsKeyId") or "",
        kms_props=answer.get("kmsProps") or {},
        shared=bool(answer.get("shared")),
        doc=answer.get("doc") or "",
    )

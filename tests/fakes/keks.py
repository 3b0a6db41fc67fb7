"""The DEK registry: keys that encrypt keys, and the keys they encrypt, with their soft and their permanent deletes.

Source: DekRegistryResource, AbstractDekRegistry and DekRegistryErrors of Confluent Schema Registry @794611bd.
"""

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from os import urandom
from typing import Any

from starlette.responses import Response

from dashboard.local.registry.answers import answered
from tests.fakes.calls import Call, Work

_NAME = re.compile(r"[^\W\d][\w-]{0,255}")
_MOST_KEYS = 1000
_KEKS = "/dek-registry/v1/keks"
_KEK = f"{_KEKS}/{{name}}"
_DEKS = f"{_KEK}/deks"
_DEK = f"{_DEKS}/{{subject}}"
_VERSION = f"{_DEK}/versions/{{version}}"
_FIELDS = {"kmsKeyId", "kmsProps", "doc", "shared"}
_NO_CONTENT = 204


class KeyRefusal(Exception):
    """Answered in the registry's error form; the code begins with the status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Kek:
    content: dict[str, Any]
    deleted: bool = False
    deks: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    """By subject, algorithm and version."""

    def shown(self) -> dict[str, Any]:
        return self.content | ({"deleted": True} if self.deleted else {})


class DekRegistry:
    """The routes, over keys in memory."""

    def __init__(self) -> None:
        self.keks: dict[str, Kek] = {}

    def table(self) -> list[tuple[str, str, Work]]:
        works: list[tuple[str, str, Callable[[Call], Any]]] = [
            ("GET", _KEKS, self.list_keks),
            ("POST", _KEKS, self.create_kek),
            ("GET", _KEK, lambda call: self._kek(call, deleted=call.flag("deleted")).shown()),
            ("PUT", _KEK, self.update_kek),
            ("DELETE", _KEK, self.delete_kek),
            ("POST", f"{_KEK}/undelete", self.undelete_kek),
            ("GET", _DEKS, self.list_deks),
            ("POST", _DEKS, self.create_dek),
            ("POST", _DEK, self.create_dek),
            ("GET", _DEK, self.read_dek),
            ("GET", f"{_DEK}/versions", self.list_versions),
            ("GET", _VERSION, self.read_dek),
            ("DELETE", _DEK, self.delete_deks),
            ("DELETE", _VERSION, self.delete_deks),
            ("POST", f"{_DEK}/undelete", self.undelete_deks),
            ("POST", f"{_VERSION}/undelete", self.undelete_deks),
        ]
        return [(method, path, _answering(work)) for method, path, work in works]

    def list_keks(self, call: Call) -> Any:
        """Names, not objects."""
        return _page(call, sorted(name for name, kek in self.keks.items() if call.flag("deleted") or not kek.deleted))

    def create_kek(self, call: Call) -> Any:
        body = json.loads(call.body)
        name = _checked_name(body.get("name"))
        for needed in ("kmsKeyId", "kmsType"):
            if not body.get(needed):
                raise _invalid(needed)
        if len(self.keks) >= _MOST_KEYS:
            raise KeyRefusal(40972, f"A maximum of {_MOST_KEYS} keys already exist")
        fields = {"kmsProps": {}, "shared": False} | {key: body[key] for key in body.keys() & _FIELDS}
        content = {"name": name} | fields | {"kmsType": _normal(body["kmsType"]), "ts": _now_ms()}
        known = self.keks.get(name)
        # a create also undeletes, if it is of the same key
        if known and (not known.deleted or _differs(known.content, content)):
            raise KeyRefusal(40971, f"Key '{name}' already exists; use a different value")
        self.keks[name] = Kek(content, deks=known.deks if known else {})
        return content

    def update_kek(self, call: Call) -> Any:
        kek = self._kek(call)
        body = json.loads(call.body)
        changed = kek.content | {key: body[key] for key in body.keys() & {"kmsProps", "doc", "shared"}}
        kek.content = {key: part for key, part in changed.items() if part is not None} | {"ts": _now_ms()}
        return kek.shown()

    def delete_kek(self, call: Call) -> Any:
        kek, permanent = self._kek(call, deleted=True), call.flag("permanent")
        if any(permanent or not dek.get("deleted") for dek in kek.deks.values()):
            raise KeyRefusal(42272, f"One or more references exist to the key '{call.part('name')}'")
        if permanent and not kek.deleted:
            message = f"Key '{call.part('name')}' was not deleted first before being permanently deleted"
            raise KeyRefusal(40471, message)
        if permanent:
            del self.keks[call.part("name")]
        kek.deleted = True
        return None

    def undelete_kek(self, call: Call) -> Any:
        self._kek(call, deleted=True).deleted = False
        return None

    def list_deks(self, call: Call) -> Any:
        deleted = call.flag("deleted")
        deks = self._kek(call, deleted=deleted).deks
        return _page(call, sorted({key[0] for key, dek in deks.items() if deleted or not dek.get("deleted")}))

    def create_dek(self, call: Call) -> Any:
        kek = self._kek(call)
        body = json.loads(call.body)
        subject = call.part("subject") if call.has("subject") else str(body.get("subject", ""))
        if not subject:
            raise _invalid("subject")
        algorithm, version = body.get("algorithm") or "AES256_GCM", int(body.get("version") or 1)
        material = body.get("encryptedKeyMaterial")
        known = kek.deks.get((subject, algorithm, version))
        if known and not (known.get("deleted") and material == known["encryptedKeyMaterial"]):
            raise KeyRefusal(40971, f"Key '{subject}' already exists; use a different value")
        if not material and not kek.content["shared"]:
            raise _invalid("encryptedKeyMaterial")
        dek = {"kekName": call.part("name"), "subject": subject, "version": version, "algorithm": algorithm}
        dek |= {"encryptedKeyMaterial": material or _random(), "ts": _now_ms()}
        # a shared key is one the registry may use itself: it then tells what it decrypts to
        dek |= {"keyMaterial": _random()} if kek.content["shared"] else {}
        kek.deks[subject, algorithm, version] = dek
        return dek

    def read_dek(self, call: Call) -> Any:
        """Without a version the first one, not the latest."""
        deleted = call.flag("deleted")
        self._kek(call, deleted=deleted)
        found = self._deks(call, deleted=deleted, version="1")
        if not found:
            raise _no_key(call.part("subject"))
        return found[-1]

    def list_versions(self, call: Call) -> Any:
        deleted = call.flag("deleted")
        self._kek(call, deleted=deleted)
        return _page(call, [dek["version"] for dek in self._deks(call, deleted=deleted)])

    def delete_deks(self, call: Call) -> Any:
        deks = self._deks_in_bin_or_not(call)
        if call.flag("permanent") and not all(dek.get("deleted") for dek in deks):
            message = f"Key '{call.part('subject')}' was not deleted first before being permanently deleted"
            raise KeyRefusal(40471, message)
        for dek in deks:
            if call.flag("permanent"):
                del self._kek(call, deleted=True).deks[dek["subject"], dek["algorithm"], dek["version"]]
            else:
                dek["deleted"] = True
        return None

    def undelete_deks(self, call: Call) -> Any:
        deks = self._deks_in_bin_or_not(call)
        if self._kek(call, deleted=True).deleted:
            raise KeyRefusal(40472, f"Key '{call.part('name')}' must be undeleted first")
        for dek in deks:
            dek.pop("deleted", None)
        return None

    def _kek(self, call: Call, *, deleted: bool = False) -> Kek:
        kek = self.keks.get(call.part("name"))
        if kek is None or (kek.deleted and not deleted):
            raise _no_key(call.part("name"))
        return kek

    def _deks_in_bin_or_not(self, call: Call) -> list[dict[str, Any]]:
        found = self._deks(call, deleted=True)
        if not found:
            raise _no_key(call.part("subject"))
        return found

    def _deks(self, call: Call, *, deleted: bool, version: str = "latest") -> list[dict[str, Any]]:
        """Of one subject and algorithm, oldest first; one version alone if the path names it."""
        subject, algorithm = call.part("subject"), call.query.get("algorithm") or "AES256_GCM"
        wanted = call.part("version") if call.has("version") else version
        return [
            dek
            for (one, kind, number), dek in sorted(self._kek(call, deleted=True).deks.items())
            if (one, kind) == (subject, algorithm)
            and (deleted or not dek.get("deleted"))
            and wanted in ("latest", "-1", str(number))
        ]


def refuse(refusal: KeyRefusal) -> Response:
    return answered({"error_code": refusal.code, "message": str(refusal)}, refusal.code // 100)


def _answering(work: Callable[[Call], Any]) -> Work:
    def answer(call: Call) -> Response:
        try:
            result = work(call)
        except KeyRefusal as refusal:
            return refuse(refusal)
        except ValueError as error:
            return answered({"error_code": 400, "message": f"The body is not JSON: {error}"}, 400)
        return Response(status_code=_NO_CONTENT) if result is None else answered(result)

    return answer


def _no_key(name: str) -> KeyRefusal:
    return KeyRefusal(40470, f"Key '{name}' not found")


def _page(call: Call, items: list[Any]) -> list[Any]:
    first, limit = int(call.query.get("offset", "0")), int(call.query.get("limit", "-1"))
    return items[first:][: limit if limit > 0 else None]


def _invalid(field: str) -> KeyRefusal:
    return KeyRefusal(42271, f"Invalid or missing value for field '{field}' of key")


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _invalid("name")
    return name


def _normal(kms_type: str) -> str:
    """The registry itself writes AWS_KMS and the like as `aws-kms`."""
    known = next((kind for kind in ("aws", "azure", "gcp") if kms_type.lower().startswith(kind)), "")
    return f"{known}-kms" if known else kms_type


def _differs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(one.get(key) != other.get(key) for key in ("kmsType", "kmsKeyId", "kmsProps", "doc", "shared"))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _random() -> str:
    return b64encode(urandom(32)).decode()

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
        ]
        return [(method, path, _answering(work)) for method, path, work in works]

    def list_keks(self, call: Call) -> Any:
        """Names, not objects."""
        return sorted(name for name, kek in self.keks.items() if call.flag("deleted") or not kek.deleted)

    def create_kek(self, call: Call) -> Any:
        body = json.loads(call.body)
        name = _checked_name(body.get("name"))
        for needed in ("kmsKeyId", "kmsType"):
            if not body.get(needed):
                raise KeyRefusal(42271, f"Invalid or missing key info: {needed}")
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
        kek.content |= {key: body[key] for key in body.keys() & {"kmsProps", "doc", "shared"}} | {"ts": _now_ms()}
        return kek.shown()

    def delete_kek(self, call: Call) -> Any:
        kek, permanent = self._kek(call, deleted=True), call.flag("permanent")
        if any(permanent or not dek.get("deleted") for dek in kek.deks.values()):
            raise KeyRefusal(42272, f"References to key '{call.part('name')}' still exist")
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
        kek = self._kek(call, deleted=True)
        return sorted({key[0] for key, dek in kek.deks.items() if call.flag("deleted") or not dek.get("deleted")})

    def create_dek(self, call: Call) -> Any:
        kek = self._kek(call)
        body = json.loads(call.body)
        subject = call.part("subject") if call.has("subject") else str(body.get("subject", ""))
        if not subject:
            raise KeyRefusal(42271, "Invalid or missing key info: subject")
        algorithm, version = body.get("algorithm") or "AES256_GCM", int(body.get("version") or 1)
        material = body.get("encryptedKeyMaterial")
        if not material and not kek.content["shared"]:
            raise KeyRefusal(42271, "Invalid or missing key info: encryptedKeyMaterial")
        known = kek.deks.get((subject, algorithm, version))
        if known and not (known.get("deleted") and material in (None, known["encryptedKeyMaterial"])):
            raise KeyRefusal(40971, f"Key '{subject}' already exists; use a different value")
        dek = {"kekName": call.part("name"), "subject": subject, "version": version, "algorithm": algorithm}
        dek |= {"encryptedKeyMaterial": material or _random(), "ts": _now_ms()}
        # a shared key is one the registry may use itself: it then tells what it decrypts to
        dek |= {"keyMaterial": _random()} if kek.content["shared"] else {}
        kek.deks[subject, algorithm, version] = dek
        return dek

    def read_dek(self, call: Call) -> Any:
        return self._deks(call, deleted=call.flag("deleted"))[-1]

    def list_versions(self, call: Call) -> Any:
        return [dek["version"] for dek in self._deks(call, deleted=call.flag("deleted"))]

    def delete_deks(self, call: Call) -> Any:
        for dek in self._deks(call, deleted=True):
            if not call.flag("permanent"):
                dek["deleted"] = True
            elif not dek.get("deleted"):
                message = f"Key '{dek['subject']}' was not deleted first before being permanently deleted"
                raise KeyRefusal(40471, message)
            else:
                del self._kek(call, deleted=True).deks[dek["subject"], dek["algorithm"], dek["version"]]
        return None

    def _kek(self, call: Call, *, deleted: bool = False) -> Kek:
        kek = self.keks.get(call.part("name"))
        if kek is None or (kek.deleted and not deleted):
            raise KeyRefusal(40470, f"Key '{call.part('name')}' not found")
        return kek

    def _deks(self, call: Call, *, deleted: bool) -> list[dict[str, Any]]:
        """Of one subject and algorithm, oldest first; one version alone if the path names it."""
        subject, algorithm = call.part("subject"), call.query.get("algorithm") or "AES256_GCM"
        wanted = call.part("version") if call.has("version") else "latest"
        found = [
            dek
            for (one, kind, version), dek in sorted(self._kek(call, deleted=True).deks.items())
            if (one, kind) == (subject, algorithm)
            and (deleted or not dek.get("deleted"))
            and wanted in ("latest", "-1", str(version))
        ]
        if not found:
            raise KeyRefusal(40470, f"Key '{subject}' not found")
        return found


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


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise KeyRefusal(42271, "Invalid or missing key info: name")
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

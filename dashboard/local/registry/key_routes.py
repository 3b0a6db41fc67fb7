"""The DEK registry's HTTP API, beside the schema registry's: keks by name, and the deks they encrypt by subject.

Source: the OpenAPI description in github.com/confluentinc/schema-registry (dek-registry/generated/swagger-ui) and
DekRegistryResource.java @794611bd.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from dashboard.local.registry.calls import Call
from dashboard.local.registry.key_store import Dek, DekId, Kek
from dashboard.local.registry.keys import ALGORITHMS, Keys
from dashboard.local.registry.refusals import BadRequest, KeyInvalid, NotPermitted
from dashboard.local.registry.subjects import LATEST, version_number

_FIRST_VERSION = 1
_UNSHARED = "This registry knows no key of any KMS: leave it false, and let each client use the KMS itself."
_KEKS = "/dek-registry/v1/keks"
_KEK = f"{_KEKS}/{{name}}"
_DEKS = f"{_KEK}/deks"
_DEK = f"{_DEKS}/{{subject}}"
_VERSIONS = f"{_DEK}/versions"
_VERSION = f"{_VERSIONS}/{{version}}"

KeyWork = Callable[[Keys, Call], object]


def list_keks(keys: Keys, call: Call) -> object:
    """Names, not objects; with `subjectPrefix` those that have deks of such subjects."""
    deleted, prefixes = call.flag("deleted"), tuple(call.query.getlist("subjectPrefix"))
    if prefixes:
        having = keys.store.keks_of_subjects()
        names = [kek for kek, subject, gone in having if subject.startswith(prefixes) and (deleted or not gone)]
        return call.page(list(dict.fromkeys(names)))
    return call.page([kek.name for kek in keys.store.keks() if deleted or not kek.deleted])


def create_kek(keys: Keys, call: Call) -> object:
    content = _content(call)
    _check_unshared(content)
    kms_key_id, kms_type = _text(content, "kmsKeyId"), _text(content, "kmsType")
    kek = Kek(_text(content, "name"), kms_type, kms_key_id, _props(content), _doc(content), ts_ms=0)
    return described_kek(keys.create_kek(kek))


def get_kek(keys: Keys, call: Call) -> object:
    return described_kek(keys.kek(call.part("name"), deleted=call.flag("deleted")))


def change_kek(keys: Keys, call: Call) -> object:
    content = _content(call)
    _check_unshared(content)
    read = {"kmsProps": ("kms_props", _props), "doc": ("doc", _doc)}
    changes = {name: part(content) for field, (name, part) in read.items() if field in content}
    return described_kek(keys.change_kek(call.part("name"), changes))


def delete_kek(keys: Keys, call: Call) -> None:
    keys.delete_kek(call.part("name"), permanent=call.flag("permanent"))


def undelete_kek(keys: Keys, call: Call) -> None:
    keys.undelete_kek(call.part("name"))


def test_kek(keys: Keys, call: Call) -> object:
    keys.kek(call.part("name"))
    raise KeyInvalid("shared", "Only a shared key could be tested, and this registry knows no key of any KMS.")


def list_dek_subjects(keys: Keys, call: Call) -> object:
    name, deleted = call.part("name"), call.flag("deleted")
    return call.page(keys.subjects(keys.kek(name, deleted=deleted).name, deleted=deleted))


def create_dek(keys: Keys, call: Call) -> object:
    """The subject is in the path; older clients send it in the body."""
    content = _content(call)
    subject = call.part("subject") or _text(content, "subject")
    version = content.get("version")
    if version is not None and (type(version) is not int or version < _FIRST_VERSION):
        raise KeyInvalid("version", "It is a whole number from 1 on.")
    wanted = DekId(call.part("name"), subject, _algorithm(content.get("algorithm")), version or _FIRST_VERSION)
    material = content.get("encryptedKeyMaterial")
    if material is not None and not isinstance(material, str):
        raise KeyInvalid("encryptedKeyMaterial", "It is text.")
    return described_dek(keys.create_dek(Dek(wanted, material or "", ts_ms=0), rewrap=call.flag("rewrap")))


def get_dek(keys: Keys, call: Call) -> object:
    """Without a version the first one, as the registry of Confluent has it."""
    latest = call.part("version") in LATEST
    return described_dek(keys.dek(_dek_id(call), latest=latest, deleted=call.flag("deleted")))


def list_dek_versions(keys: Keys, call: Call) -> object:
    return call.page(keys.dek_versions(_dek_id(call), deleted=call.flag("deleted")))


def delete_deks(keys: Keys, call: Call) -> None:
    keys.delete_deks(_numbered(call), every_version=not call.part("version"), permanent=call.flag("permanent"))


def undelete_deks(keys: Keys, call: Call) -> None:
    keys.undelete_deks(_numbered(call), every_version=not call.part("version"))


def described_kek(kek: Kek) -> dict[str, Any]:
    """What is null is left out; the properties are sorted."""
    where = {"name": kek.name, "kmsType": kek.kms_type, "kmsKeyId": kek.kms_key_id}
    kept = where | {"kmsProps": dict(sorted(kek.kms_props.items())), "doc": kek.doc, "shared": False, "ts": kek.ts_ms}
    return {key: part for key, part in kept.items() if part is not None} | _bin(kek)


def described_dek(dek: Dek) -> dict[str, Any]:
    """The key as it was sent, encrypted: what it decrypts to is never known here."""
    own = {"kekName": dek.id.kek, "subject": dek.id.subject, "version": dek.id.version, "algorithm": dek.id.algorithm}
    return own | {"encryptedKeyMaterial": dek.encrypted_material, "ts": dek.ts_ms} | _bin(dek)


def _bin(key: Kek | Dek) -> dict[str, bool]:
    return {"deleted": True} if key.deleted else {}


def _in_no_context(work: KeyWork) -> KeyWork:
    """Keys of a context of their own are refused, or they would be mixed with all others."""

    def answer(keys: Keys, call: Call) -> object:
        if call.query.get("context", ".") not in ("", ".", ":.:"):
            raise NotPermitted("This registry has no contexts; leave `context` out.")
        return work(keys, call)

    return answer


def _table(*routes: tuple[str, str, KeyWork]) -> tuple[tuple[str, str, KeyWork], ...]:
    return tuple((method, path, _in_no_context(work)) for method, path, work in routes)


KEY_ROUTES = _table(
    ("GET", _KEKS, list_keks),
    ("POST", _KEKS, create_kek),
    ("GET", _KEK, get_kek),
    ("PUT", _KEK, change_kek),
    ("DELETE", _KEK, delete_kek),
    ("POST", f"{_KEK}/undelete", undelete_kek),
    ("POST", f"{_KEK}/test", test_kek),
    ("GET", _DEKS, list_dek_subjects),
    ("POST", _DEKS, create_dek),
    ("GET", _DEK, get_dek),
    ("POST", _DEK, create_dek),
    ("DELETE", _DEK, delete_deks),
    ("POST", f"{_DEK}/undelete", undelete_deks),
    ("GET", _VERSIONS, list_dek_versions),
    ("GET", _VERSION, get_dek),
    ("DELETE", _VERSION, delete_deks),
    ("POST", f"{_VERSION}/undelete", undelete_deks),
)


def _dek_id(call: Call) -> DekId:
    version = call.part("version")
    number = _FIRST_VERSION if not version or version in LATEST else version_number(version)
    return DekId(call.part("name"), call.part("subject"), _algorithm(call.query.get("algorithm")), number)


def _numbered(call: Call) -> DekId:
    if call.part("version") in LATEST:
        raise KeyInvalid("version", "What is deleted or undeleted is named by its number.")
    return _dek_id(call)


def _algorithm(name: object) -> str:
    if name is not None and name not in ALGORITHMS:
        raise KeyInvalid("algorithm", f"Known are {', '.join(ALGORITHMS)}.")
    return str(name or ALGORITHMS[0])


def _content(call: Call) -> dict[str, Any]:
    content = call.content()
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise BadRequest("The body holds half of a surrogate pair, which is no text.") from exc
    return content


def _check_unshared(content: Mapping[str, Any]) -> None:
    if content.get("shared"):
        raise KeyInvalid("shared", _UNSHARED)


def _text(content: Mapping[str, Any], field: str) -> str:
    value = content.get(field)
    if not isinstance(value, str) or not value:
        raise KeyInvalid(field)
    return value


def _props(content: Mapping[str, Any]) -> dict[str, str]:
    props = content.get("kmsProps")
    if props is None:
        return {}
    if not isinstance(props, dict) or not all(isinstance(value, str) for value in props.values()):
        raise KeyInvalid("kmsProps", "It is an object of texts.")
    return props


def _doc(content: Mapping[str, Any]) -> str | None:
    doc = content.get("doc")
    if doc is not None and not isinstance(doc, str):
        raise KeyInvalid("doc", "It is text.")
    return doc

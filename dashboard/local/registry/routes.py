"""The registry's HTTP API: what confluent-kafka-python and the Java client inside Flink's avro-confluent call.

Paths arrive still percent-encoded (see `registry_and_catalog`), so a subject with a slash stays one segment.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.local.registry.answers import (
    Text,
    answered,
    described,
    described_contract,
    fail,
    refuse,
    refuse_depth,
    refuse_path,
    verdict,
)
from dashboard.local.registry.calls import LARGEST_BODY_BYTES, Call, read_body
from dashboard.local.registry.key_routes import KEY_ROUTES
from dashboard.local.registry.key_store import KeyStore
from dashboard.local.registry.keys import Keys
from dashboard.local.registry.refusals import (
    CompatibilityNotSet,
    ModeNotSet,
    RegistryRefusal,
    SchemaUnknown,
    SubjectUnknown,
)
from dashboard.local.registry.store import Registered, Store
from dashboard.local.registry.subjects import Subjects

_LARGEST_ID = 2**31 - 1
_MOST_SCHEMAS = 1000

Work = Callable[[Subjects, Call], object]
T = TypeVar("T")


def register(subjects: Subjects, call: Call) -> object:
    return described(subjects.register(call.part("subject"), call.candidate()))


def look_up(subjects: Subjects, call: Call) -> object:
    found = subjects.look_up(call.part("subject"), call.candidate(), deleted=call.flag("deleted"))
    return described(found)


def list_subjects(subjects: Subjects, call: Call) -> object:
    prefix = call.query.get("subjectPrefix", ":*:").removeprefix(":*:")
    everything = subjects.store.subjects().items()
    return call.page([s for s, deleted in everything if s.startswith(prefix) and call.wants(deleted=deleted)])


def list_schemas(subjects: Subjects, call: Call) -> object:
    """Versions by the beginning of their subject's name, at most 1,000 of them.

    Source: SchemasResource.java of Confluent Schema Registry @794611bd.
    """
    prefix = call.query.get("subjectPrefix", "").removeprefix(":*:")
    found = []
    for subject in subjects.store.subjects():
        if subject.startswith(prefix):
            known = [one for one in subjects.store.versions(subject) if call.flag("deleted") or not one.deleted]
            found += known[-1:] if call.flag("latestOnly") else known
    return [described(one) for one in call.page(found)[:_MOST_SCHEMAS]]


def delete_subject(subjects: Subjects, call: Call) -> object:
    return subjects.delete(call.part("subject"), permanent=call.flag("permanent"))


def list_versions(subjects: Subjects, call: Call) -> object:
    subject = call.part("subject")
    wanted = [v.version for v in subjects.store.versions(subject) if call.wants(deleted=v.deleted)]
    if not wanted:
        raise SubjectUnknown(subject)
    return call.page(wanted)


def get_version(subjects: Subjects, call: Call) -> object:
    return described(_version(subjects, call))


def get_version_text(subjects: Subjects, call: Call) -> object:
    return Text(_version(subjects, call).contract.text)


def list_referrers(subjects: Subjects, call: Call) -> object:
    target = subjects.version(call.part("subject"), call.part("version"), deleted=True)
    referrers = subjects.store.referrers(target.subject, target.version)
    return call.page(list(dict.fromkeys(r.schema_id for r in referrers if call.flag("deleted") or not r.deleted)))


def delete_version(subjects: Subjects, call: Call) -> object:
    return subjects.delete_version(call.part("subject"), call.part("version"), permanent=call.flag("permanent"))


def change_tags(subjects: Subjects, call: Call) -> object:
    return described(subjects.change_tags(call.part("subject"), call.part("version"), call.tag_change()))


def get_latest_with_metadata(subjects: Subjects, call: Call) -> object:
    properties = dict(zip(call.query.getlist("key"), call.query.getlist("value"), strict=False))
    return described(subjects.latest_with(call.part("subject"), properties, deleted=call.flag("deleted")))


def get_schema(subjects: Subjects, call: Call) -> object:
    return described_contract(_uses(subjects, call.part("id"))[0].contract)


def get_schema_text(subjects: Subjects, call: Call) -> object:
    return Text(_uses(subjects, call.part("id"))[0].contract.text)


def list_schema_subjects(subjects: Subjects, call: Call) -> object:
    return call.page(list(dict.fromkeys(use.subject for use in _wanted_uses(subjects, call))))


def list_schema_versions(subjects: Subjects, call: Call) -> object:
    return call.page([{"subject": use.subject, "version": use.version} for use in _wanted_uses(subjects, call)])


def get_schema_by_guid(subjects: Subjects, call: Call) -> object:
    guid = call.part("guid")
    schema_id = subjects.store.id_of(guid)
    if schema_id is None:
        raise SchemaUnknown(guid)
    return described_contract(_uses(subjects, str(schema_id))[0].contract)


def test_against_version(subjects: Subjects, call: Call) -> object:
    reasons = subjects.reasons_against(call.part("subject"), call.candidate(), call.part("version"))
    return verdict(reasons, verbose=call.flag("verbose"))


def test_against_all(subjects: Subjects, call: Call) -> object:
    reasons = subjects.reasons_against(call.part("subject"), call.candidate(), None)
    return verdict(reasons, verbose=call.flag("verbose"))


def get_level(subjects: Subjects, call: Call) -> object:
    subject = call.part("subject")
    if subject and not call.flag("defaultToGlobal") and subjects.store.setting("compatibility", subject) is None:
        raise CompatibilityNotSet(subject)
    return {"compatibilityLevel": subjects.level(subject)}


def set_level(subjects: Subjects, call: Call) -> object:
    level = call.level()
    subjects.set_level(level, call.part("subject"))
    return {"compatibility": level}


def delete_level(subjects: Subjects, call: Call) -> object:
    subject = call.part("subject")
    if subject and subjects.store.setting("compatibility", subject) is None:
        raise SubjectUnknown(subject)
    former = subjects.level(subject)
    subjects.store.set_setting("compatibility", None, subject)
    return {"compatibilityLevel": former}


def get_mode(subjects: Subjects, call: Call) -> object:
    subject = call.part("subject")
    if subject and not call.flag("defaultToGlobal") and subjects.store.setting("mode", subject) is None:
        raise ModeNotSet(subject)
    return {"mode": subjects.mode(subject)}


def set_mode(subjects: Subjects, call: Call) -> object:
    mode = call.mode()
    subjects.set_mode(mode, call.part("subject"))
    return {"mode": mode}


def delete_mode(subjects: Subjects, call: Call) -> object:
    subject = call.part("subject")
    if subject and subjects.store.setting("mode", subject) is None:
        raise SubjectUnknown(subject)
    former = subjects.mode(subject)
    subjects.store.set_setting("mode", None, subject)
    return {"mode": former}


def _constant(value: object) -> Work:
    return lambda subjects, call: value


ROUTES: tuple[tuple[str, str, Work], ...] = (
    ("GET", "/subjects", list_subjects),
    ("POST", "/subjects/{subject}", look_up),
    ("DELETE", "/subjects/{subject}", delete_subject),
    ("GET", "/subjects/{subject}/metadata", get_latest_with_metadata),
    ("GET", "/subjects/{subject}/versions", list_versions),
    ("POST", "/subjects/{subject}/versions", register),
    ("GET", "/subjects/{subject}/versions/{version}", get_version),
    ("DELETE", "/subjects/{subject}/versions/{version}", delete_version),
    ("POST", "/subjects/{subject}/versions/{version}/tags", change_tags),
    ("GET", "/subjects/{subject}/versions/{version}/schema", get_version_text),
    ("GET", "/subjects/{subject}/versions/{version}/referencedby", list_referrers),
    ("GET", "/schemas", list_schemas),
    ("GET", "/schemas/types", _constant(["AVRO"])),
    ("GET", "/schemas/ids/{id}", get_schema),
    ("GET", "/schemas/ids/{id}/schema", get_schema_text),
    ("GET", "/schemas/ids/{id}/subjects", list_schema_subjects),
    ("GET", "/schemas/ids/{id}/versions", list_schema_versions),
    ("GET", "/schemas/guids/{guid}", get_schema_by_guid),
    ("POST", "/compatibility/subjects/{subject}/versions", test_against_all),
    ("POST", "/compatibility/subjects/{subject}/versions/{version}", test_against_version),
    ("GET", "/config", get_level),
    ("PUT", "/config", set_level),
    ("DELETE", "/config", delete_level),
    ("GET", "/config/{subject}", get_level),
    ("PUT", "/config/{subject}", set_level),
    ("DELETE", "/config/{subject}", delete_level),
    ("GET", "/mode", get_mode),
    ("PUT", "/mode", set_mode),
    ("DELETE", "/mode", delete_mode),
    ("GET", "/mode/{subject}", get_mode),
    ("PUT", "/mode/{subject}", set_mode),
    ("DELETE", "/mode/{subject}", delete_mode),
    ("GET", "/contexts", _constant(["."])),
    ("GET", "/associations/resources/{namespace}/{name}", _constant([])),
)


def create_registry(store: Store) -> Starlette:
    """The registry as an application of its own; `store` stays the caller's to close."""
    routes = [*_routes(ROUTES, Subjects(store)), *_routes(KEY_ROUTES, Keys(KeyStore(store)))]
    handlers = {RegistryRefusal: refuse, HTTPException: refuse_path, RecursionError: refuse_depth, Exception: fail}
    return Starlette(routes=routes, exception_handlers=handlers)


def _routes(table: Sequence[tuple[str, str, Callable[[T, Call], object]]], things: T) -> list[Route]:
    return [Route(path, _endpoint(things, work), methods=[method]) for method, path, work in table]


def _endpoint(things: T, work: Callable[[T, Call], object]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await read_body(request, LARGEST_BODY_BYTES)
        result = await run_in_threadpool(work, things, Call(request, body))
        return answered(result)

    return answer


def _version(subjects: Subjects, call: Call) -> Registered:
    return subjects.version(call.part("subject"), call.part("version"), deleted=call.flag("deleted"))


def _uses(subjects: Subjects, schema_id: str) -> list[Registered]:
    known = schema_id.isascii() and schema_id.isdecimal() and int(schema_id[:11]) <= _LARGEST_ID
    uses = subjects.store.uses(int(schema_id)) if known else []
    if not uses:
        raise SchemaUnknown(schema_id)
    return uses


def _wanted_uses(subjects: Subjects, call: Call) -> list[Registered]:
    subject = call.query.get("subject")
    uses = _uses(subjects, call.part("id"))
    return [use for use in uses if (call.flag("deleted") or not use.deleted) and subject in (None, use.subject)]

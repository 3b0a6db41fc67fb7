"""What the registry answers: versions and contracts in its JSON, errors in its error form."""

from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboard.local.registry.refusals import RegistryRefusal
from dashboard.local.registry.store import Contract, Registered

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_NO_CONTENT = 204


class Text(str):
    """A schema's own text, answered as it is."""

    __slots__ = ()


def answered(result: object, status: int = 200) -> Response:
    """None is no content: what was asked is done, and there is nothing to tell of it."""
    if result is None:
        return Response(status_code=_NO_CONTENT)
    if isinstance(result, Text):
        return Response(result, media_type=CONTENT_TYPE)
    return JSONResponse(result, status_code=status, media_type=CONTENT_TYPE)


def described_contract(contract: Contract) -> dict[str, Any]:
    """Metadata and rule set exactly as they were sent; the type is left out, which means Avro."""
    references = list(contract.references) or None
    parts = {"metadata": contract.metadata, "ruleSet": contract.rule_set, "references": references}
    kept = {key: part for key, part in parts.items() if part is not None}
    return {"guid": contract.guid, "schema": contract.text} | kept


def described(registered: Registered) -> dict[str, Any]:
    place = {"subject": registered.subject, "version": registered.version, "id": registered.schema_id}
    return place | described_contract(registered.contract)


def verdict(reasons: Sequence[str], *, verbose: bool) -> dict[str, Any]:
    """Whether a schema may follow; the reasons why not only for those who ask."""
    answer: dict[str, Any] = {"is_compatible": not reasons}
    return answer | {"messages": list(reasons)} if verbose else answer


async def refuse(request: Request, exc: Exception) -> Response:
    refusal = exc if isinstance(exc, RegistryRefusal) else RegistryRefusal(str(exc))
    return answered({"error_code": refusal.error_code, "message": str(refusal)}, refusal.status)


async def refuse_path(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    message = f"HTTP {status}: {request.method} {request.url.path} is not part of this registry."
    return answered({"error_code": status, "message": message}, status)


async def refuse_depth(request: Request, exc: Exception) -> Response:
    """JSON that nests deeper than Python follows."""
    return answered({"error_code": 400, "message": "The body nests too deeply."}, 400)


async def fail(request: Request, exc: Exception) -> Response:
    """A fault of ours: told to the caller here, and in full in the log by the server."""
    return answered({"error_code": 50001, "message": f"{type(exc).__name__}: {exc}"}, 500)

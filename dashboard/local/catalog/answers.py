"""What the catalog answers: tables as the specification loads them, errors in its form."""

import json

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboard.local.catalog.metadata import Version
from dashboard.local.catalog.refusals import CatalogRefusal, Unsupported


def tag_of(version: Version, *, referenced: bool) -> str:
    """What a client shows to be told that nothing is new."""
    return f'"{version.tag}-refs"' if referenced else f'"{version.tag}"'


def loaded(version: Version, *, referenced: bool = False) -> Response:
    """A table as the specification loads it; a staged one has no file and so no tag."""
    metadata = version.text_with_referenced_snapshots() if referenced else version.text
    if not version.location:
        return Response(f'{{"metadata":{metadata},"config":{{}}}}', media_type="application/json")
    text = f'{{"metadata-location":{json.dumps(version.location)},"metadata":{metadata},"config":{{}}}}'
    headers = {"etag": tag_of(version, referenced=referenced)}
    return Response(text, media_type="application/json", headers=headers)


async def refuse_login(request: Request) -> Response:
    """In the form that the specification has for logins alone."""
    told = "This catalog has no login; leave out credential and token."
    return JSONResponse({"error": "unsupported_grant_type", "error_description": told}, status_code=400)


async def refuse_path(request: Request) -> Response:
    raise Unsupported(f"{request.method} {request.url.path} is not supported by this catalog.")


async def refuse(request: Request, exc: Exception) -> Response:
    if isinstance(exc, CatalogRefusal):
        return _error(request, exc.status, exc.kind, str(exc))
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    return _error(request, status, "UnsupportedOperationException", f"{request.method} {request.url.path}: {exc}")


async def refuse_depth(request: Request, exc: Exception) -> Response:
    """A schema that nests deeper than Python follows."""
    return _error(request, CatalogRefusal.status, CatalogRefusal.kind, "The body nests too deeply.")


async def fail(request: Request, exc: Exception) -> Response:
    return _error(request, 500, type(exc).__name__, f"{type(exc).__name__}: {exc}")


def _error(request: Request, status: int, kind: str, message: str) -> Response:
    if request.method == "HEAD":
        return Response(status_code=status)
    return JSONResponse({"error": {"message": message, "type": kind, "code": status}}, status_code=status)

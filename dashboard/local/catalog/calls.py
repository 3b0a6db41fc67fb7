"""One request to the catalog, decoded."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from dashboard.local.catalog.names import LEVEL_SEPARATOR, Levels, TableName
from dashboard.local.catalog.refusals import TooLarge

LARGEST_BODY_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Call:
    """What the caller names, asks and sends."""

    namespace: Levels
    name: str
    query: QueryParams
    headers: Headers
    body: bytes

    @classmethod
    async def received(cls, request: Request) -> Self:
        """The request once its body is here; raises TooLarge."""
        return cls(
            namespace=levels_of(unquote(request.path_params.get("namespace", ""))),
            name=unquote(request.path_params.get("table", "")),
            query=request.query_params,
            headers=request.headers,
            body=await _body(request),
        )

    @property
    def table(self) -> TableName:
        return TableName(self.namespace, self.name)


def levels_of(joined: str) -> Levels:
    """The levels of a namespace as paths and queries carry them; none for the empty text."""
    return tuple(joined.split(LEVEL_SEPARATOR)) if joined else ()


async def _body(request: Request) -> bytes:
    """The body; one beyond the limit is read to its end and thrown away, so that the client hears why."""
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST_BODY_BYTES:
            body += chunk
    if size > LARGEST_BODY_BYTES:
        raise TooLarge(LARGEST_BODY_BYTES)
    return bytes(body)

"""What machines ask the dashboard: /metrics, /healthz and /readyz. They tell the last look, and never look themselves.

The address that decides who may ask is the one the server listens on: what a request says of where it comes from,
X-Forwarded-For for one, is its sender's to choose.
"""

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, asynccontextmanager

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard.addresses import on_this_machine
from dashboard.errors import SettingsError
from dashboard.freshness.exposition import CONTENT_TYPE, exposition
from dashboard.freshness.readings import Readings
from dashboard.freshness.verdict import State, Verdict
from dashboard.wording import iso

Newest = Callable[[], tuple[Verdict, Readings] | None]
"""The last look; None before the first one."""
Background = Callable[[], AbstractContextManager[object]]
"""Something that runs beside the pages: begun when it is entered, ended when it is left."""

_NOT_CACHED = {"Cache-Control": "no-store"}


def endpoints(
    newest: Newest, *, listens_on: Callable[[], str | None], token: Callable[[], SecretStr]
) -> list[BaseRoute]:
    """`listens_on` is the server's address, None for all of them; `token` is what /metrics asks for, empty for none.

    Both are asked at every request; `token` may raise SettingsError.
    """

    def metrics(request: Request) -> Response:
        try:
            refused = _refusal(request.headers.get("authorization", ""), listens_on(), token())
        except SettingsError:
            # what is wrong may name files and values, and nobody has shown yet who asks
            refused = "The dashboard's settings are wrong; `sales-trends doctor` tells how."
        if refused:
            return PlainTextResponse(f"{refused}\n", status_code=403, headers=_NOT_CACHED)
        return Response(exposition(newest()), headers={"Content-Type": CONTENT_TYPE, **_NOT_CACHED})

    def ready(_request: Request) -> Response:
        answer = _readiness(newest())
        return JSONResponse(answer, status_code=200 if answer["ready"] else 503, headers=_NOT_CACHED)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NOT_CACHED)

    return [Route("/metrics", metrics), Route("/readyz", ready), Route("/healthz", health)]


def lifespan(*backgrounds: Background) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Begins each before the first request is answered, and ends them after the last, the last one first.

    What one raises at its end keeps none of the others from ending.
    """

    @asynccontextmanager
    async def span(_app: object) -> AsyncIterator[None]:
        with ExitStack() as begun:
            for background in backgrounds:
                await run_in_threadpool(begun.enter_context, background())
            ending = begun.pop_all()
        try:
            yield
        finally:
            # beside the event loop: pages may still be asked for an answer while a thread comes to its end
            await run_in_threadpool(ending.close)

    return span


def _refusal(authorization: str, listens_on: str | None, token: SecretStr) -> str:
    """Why these metrics are not told; empty when they are."""
    wanted = token.get_secret_value()
    if not wanted:
        if listens_on is not None and on_this_machine(listens_on):
            return ""
        return (
            "The dashboard listens beyond this machine, so /metrics needs a token: set SALES_WEB__METRICS_TOKEN, and "
            "ask with the header Authorization: Bearer and that token."
        )
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), wanted.encode()):
        return ""
    return "/metrics needs the header Authorization: Bearer with the token of SALES_WEB__METRICS_TOKEN."


def _readiness(known: tuple[Verdict, Readings] | None) -> dict[str, object]:
    """Ready as long as everything could be looked at; late data is no reason to take a dashboard out of service."""
    if known is None:
        return {"ready": False, "reason": "not looked yet"}
    verdict, readings = known
    silent = [part for part in readings.parts_told if readings.silence(part) is not None]
    ready = not silent and verdict.state is not State.UNKNOWN
    return {
        "ready": ready,
        "reason": f"no answer from {', '.join(silent)}" if silent else "" if ready else "data age unknown",
        "state": verdict.state.value,
        "looked_at": iso(readings.at),
        "dependencies": {part.value: "silent" if part in silent else "ok" for part in readings.parts_told},
    }

"""Confluent Cloud's REST interfaces: what Flink, Tableflow and Schema Registry have in common.

Source: docs.confluent.io/cloud/current/api.html, sections "Authentication", "Rate Limits" and "Pagination".
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from dashboard.addresses import is_encrypted, on_this_machine
from dashboard.errors import SettingsError, UnreachableError
from dashboard.remotes.cloud_errors import ApiKey, Passing, TooMany, refusal

REPEAT_SECONDS = 60
"""How long a request is repeated, pauses and all; one that the service puts off for longer is given up at once."""
_backoff = wait_exponential(multiplier=0.5, max=20) + wait_random(0, 0.5)


@dataclass(frozen=True)
class Pace:
    """How time passes."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    repeat_seconds: float = REPEAT_SECONDS
    request_seconds: float = 30
    """How long a service may be silent within one request."""

    @property
    def at_a_glance(self) -> "Pace":
        """For who looks again in a moment: every request is made once, and a service that hangs is soon given up."""
        return replace(self, repeat_seconds=0, request_seconds=5)


REAL_TIME = Pace()


class CloudApi:
    """One service by its address; a connection is opened for each request and closed after it.

    Every call names in `doing` what it is for, as an infinitive: `stop the statement x`.
    """

    def __init__(
        self,
        address: str,
        api_key: ApiKey,
        *,
        content_type: str = "application/json",
        transport: httpx.BaseTransport | None = None,
        pace: Pace = REAL_TIME,
    ) -> None:
        self.pace = pace
        self._api_key = api_key
        self._content_type = content_type
        self.address, loopback = _checked(address, api_key.role)
        self._client = httpx.Client(
            base_url=self.address,
            auth=(api_key.key.get_secret_value(), api_key.secret.get_secret_value()),
            timeout=pace.request_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=not loopback,
            # plain http, which is for this machine alone: no need to load what a server's certificate is checked with
            verify=is_encrypted(self.address),
            transport=transport,
        )

    def get(self, path: str, doing: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._object(self._repeated("GET", path, doing, params=params), doing)

    def names(self, path: str, doing: str, params: Mapping[str, str] | None = None) -> list[str]:
        """What is answered with a plain list of names."""
        return [str(name) for name in self._list(path, doing, params)]

    def objects(self, path: str, doing: str, params: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """What is answered with a plain list of objects."""
        return [self._object(one, doing) for one in self._list(path, doing, params)]

    def items(self, path: str, doing: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page to its end."""
        query = dict(params or {})
        seen: set[str | None] = {None}
        token: str | None = None
        while True:
            page = self.get(path, doing, query)
            yield from page.get("data") or []
            token = next_page(page)
            if token is None:
                return
            if token in seen:
                raise self._not_understood(doing, "the same page again")
            seen.add(token)
            query["page_token"] = token

    def create(
        self,
        path: str,
        doing: str,
        body: Mapping[str, Any],
        find: Callable[[], dict[str, Any] | None],
    ) -> dict[str, Any]:
        """Creates one thing, once.

        When the answer got lost or was put off, `find` looks for the thing before the service is asked again.
        """

        def attempt() -> dict[str, Any]:
            if repeating.statistics["attempt_number"] > 1 and (found := find()) is not None:
                return found
            return self.post(path, doing, body)

        repeating = self._repeating(UnreachableError, TooMany)
        return repeating(attempt)

    def post(self, path: str, doing: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Asked once, whatever comes of it."""
        return self._object(self._once("POST", path, doing, body=body), doing)

    def ask(
        self, path: str, doing: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A POST that leaves nothing behind, and so may be repeated."""
        return self._object(self._repeated("POST", path, doing, params=params, body=body), doing)

    def put(self, path: str, doing: str, body: Mapping[str, Any]) -> None:
        self._repeated("PUT", path, doing, body=body)

    def patch(self, path: str, doing: str, body: Mapping[str, Any]) -> None:
        """Asked once, whatever comes of it."""
        self._once("PATCH", path, doing, body=body)

    def delete(self, path: str, doing: str, params: Mapping[str, str] | None = None, *, once: bool = False) -> None:
        """Raises NotFound also where a repeated request finds that the one before it was carried out."""
        (self._once if once else self._repeated)("DELETE", path, doing, params=params)

    def _repeating(self, *errors: type[Exception]) -> Retrying:
        began = self.pace.clock()

        def too_late(state: RetryCallState) -> bool:
            return self.pace.clock() - began + state.upcoming_sleep > self.pace.repeat_seconds

        return Retrying(
            retry=retry_if_exception_type(errors), wait=_pause, stop=too_late, sleep=self.pace.sleep, reraise=True
        )

    def _repeated(self, method: str, path: str, doing: str, **request: Any) -> Any:
        return self._repeating(Passing, TooMany)(self._once, method, path, doing, **request)

    def _once(
        self,
        method: str,
        path: str,
        doing: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": self._content_type}
        try:
            response = self._client.request(
                method, path, params=dict(params or {}), content=content, headers=headers, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise Passing(
                f"{self.address} did not answer the request to {doing}: {type(error).__name__}.",
                "Check the address and the network, then run the command again.",
            ) from error
        if not response.is_success:
            raise refusal(response, self.address, self._api_key, doing)
        if not response.content:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise self._not_understood(doing, "something that is not JSON") from error

    def _list(self, path: str, doing: str, params: Mapping[str, str] | None) -> list[Any]:
        answer = self._repeated("GET", path, doing, params=params)
        if not isinstance(answer, list):
            raise self._not_understood(doing, "something that is not a list")
        return answer

    def _object(self, answer: Any, doing: str) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise self._not_understood(doing, "something that is not an object")
        return answer

    def _not_understood(self, doing: str, seen: str) -> UnreachableError:
        return UnreachableError(
            f"{self.address} answered the request to {doing} with {seen}.",
            "Check the address; a proxy may have answered in the service's place.",
        )


def next_page(page: Mapping[str, Any]) -> str | None:
    """The token of the page after this one; None at the end.

    The link is absolute, but the address that is asked stays the one from the settings.
    """
    link = (page.get("metadata") or {}).get("next")
    return parse_qs(urlsplit(link).query).get("page_token", [None])[0] if link else None


def _checked(address: str, role: str) -> tuple[str, bool]:
    """The address without a slash at its end, and whether it is on this machine."""
    shown = address.rpartition("@")[2].partition("?")[0]
    try:
        url = httpx.URL(address.strip())
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or (url.port or 1) > 65_535 or url.userinfo or url.query:
        raise SettingsError(
            f"{shown!r} is not an address that can be asked with {role}.",
            "Give it as https://service.confluent.cloud, without user, password and parameters.",
        )
    loopback = on_this_machine(url.host)
    if url.scheme == "http" and not loopback:
        raise SettingsError(
            f"{shown} is plain http, which would send {role} unencrypted.",
            "Use https; plain http is for addresses of this machine alone, such as http://127.0.0.1:8090.",
        )
    return address.strip().rstrip("/"), loopback


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(getattr(error, "retry_after_seconds", 0), _backoff(state))

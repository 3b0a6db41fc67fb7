"""Requests over HTTP whose every one ends after a while, and what keeps them from an answer told as one of our errors.

PyIceberg 0.12 sets no time limit on its requests and offers no property for one.
"""

from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as HttpConnectionError
from requests.exceptions import ProxyError, RequestException, SSLError, Timeout
from requests.utils import select_proxy

from dashboard.addresses import on_this_machine
from dashboard.errors import ReadError, SalesTrendsError, UnreachableError

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 10.0
"""How long a service may take to accept a connection, and to begin its answer."""
_START = "Start it with `sales-trends up`."
_NETWORK = "Check its address, its name in DNS and the network, then try again."
_WRONG = "Another program may use its port; `sales-trends status` says what runs."


class _Patient(HTTPAdapter):
    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_SECONDS, ANSWER_SECONDS)
        if is_local(request.url or ""):
            kwargs["proxies"] = {}  # a proxy set for the internet cannot reach this machine's loopback address
        return super().send(request, *args, **kwargs)


def patient(session: Session) -> Session:
    """The same session; certificates are checked with those that requests comes with, or REQUESTS_CA_BUNDLE's."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Patient())
    return session


def nobody(request: PreparedRequest) -> PreparedRequest:
    """The `auth` of a session that shows no key; without one requests takes a password from ~/.netrc."""
    return request


def is_local(address: str) -> bool:
    """Whether this machine itself is asked."""
    return on_this_machine(urlsplit(address).hostname or "")


def unanswered(what: str, address: str, error: RequestException) -> SalesTrendsError:
    """Why there is no answer that could be judged; `what` begins a sentence, such as `The catalog`."""
    start = _START if is_local(address) else _NETWORK
    if isinstance(error, ProxyError):
        return UnreachableError(
            f"{what} at {address} cannot be reached through the proxy{_proxy(error)}.",
            "HTTPS_PROXY or HTTP_PROXY names it; NO_PROXY with the host's name goes past it.",
        )
    if isinstance(error, SSLError):
        return UnreachableError(
            f"The certificate of {address} is not trusted: {_reason(error)}.",
            "Where a proxy or an own authority signs it, name its certificates in REQUESTS_CA_BUNDLE; else the address "
            "may be another's, or a clock wrong.",
        )
    if isinstance(error, Timeout):
        return UnreachableError(f"{what} at {address} did not answer in time.", start)
    if isinstance(error, HttpConnectionError):
        return UnreachableError(f"{what} at {address} cannot be reached.", start)
    return ReadError(f"What answers at {address} is not an Iceberg catalog.", _wrong(address))


def _wrong(address: str) -> str:
    return _WRONG if is_local(address) else "Check the address, its path included."


def _proxy(error: ProxyError) -> str:
    """Its host and port alone: the address may hold a password."""
    request = error.request
    if not isinstance(request, PreparedRequest) or not request.url:
        return ""
    from requests.utils import get_environ_proxies

    proxy = urlsplit(select_proxy(request.url, get_environ_proxies(request.url)) or "")
    return f" {proxy.hostname}:{proxy.port or 80}" if proxy.hostname else ""


def _reason(error: Exception) -> str:
    """The innermost fault, which is the one that says something."""
    innermost: BaseException = error
    while innermost.args and isinstance(innermost.args[-1], BaseException):
        innermost = innermost.args[-1]
    reason = getattr(innermost, "reason", innermost)
    if isinstance(reason, BaseException) and reason is not innermost:
        return _reason(reason) if isinstance(reason, Exception) else str(reason)
    return " ".join(str(innermost).split()).rstrip(".")[:200]

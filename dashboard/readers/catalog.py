"""The Iceberg catalog, through PyIceberg: how it is reached, and what it raises told as one of our errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import ValidationError
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import RESTError, ServerError, ServiceUnavailableError, TooManyRequestsError
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as HttpConnectionError
from requests.exceptions import RequestException, Timeout

from dashboard.errors import ReadError, UnreachableError

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 10.0
"""How long a catalog may take to accept a connection, and to begin its answer."""

_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_START = "Start it with `sales-trends up`."
_LATER = "Try again; `sales-trends status` says what runs."
_WRONG = "Another program may use its port; `sales-trends status` says what runs."


@dataclass(frozen=True)
class CatalogAccess:
    """Where the tables are and how they are reached."""

    uri: str
    """Of the Iceberg REST catalog, without a slash at its end."""
    namespace: str
    """On Confluent Cloud and here the id of the Kafka cluster; one level, whatever dots are in it."""
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What PyIceberg takes besides; may hold secrets."""


def open_catalog(access: CatalogAccess) -> Catalog:
    """A REST catalog whose every request ends after a while; asks it for its configuration at once."""
    return _PatientCatalog("lake", uri=access.uri, **access.properties)


class _Adapter(HTTPAdapter):
    """PyIceberg 0.12 sets no time limit on its requests and offers no property for one."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (CONNECT_SECONDS, ANSWER_SECONDS)
        return super().send(request, *args, **kwargs)


class _PatientCatalog(RestCatalog):
    def _create_session(self) -> Session:
        session = super()._create_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter())
        if self.uri.startswith(_LOOPBACK):
            session.trust_env = False  # a proxy set for the internet cannot reach this machine's loopback address
        return session


@contextmanager
def translated(uri: str, thing: str) -> Iterator[None]:
    """What PyIceberg, requests, pydantic and pyarrow raise, as one of ours."""
    try:
        yield
    except Timeout as error:
        raise UnreachableError(f"The catalog at {uri} did not answer in time.", _START) from error
    except HttpConnectionError as error:
        raise UnreachableError(f"The catalog at {uri} cannot be reached.", _START) from error
    except (ServerError, ServiceUnavailableError, TooManyRequestsError) as error:
        raise UnreachableError(f"The catalog at {uri} cannot serve {thing} now: {error}", _LATER) from error
    except (RESTError, NotImplementedError) as error:
        raise ReadError(f"The catalog at {uri} refuses to serve {thing}: {error}", _WRONG) from error
    except (RequestException, ValidationError) as error:
        raise ReadError(f"What answers at {uri} is not an Iceberg catalog.", _WRONG) from error
    except FileNotFoundError as error:
        raise ReadError(
            f"A file of {thing} is gone: {error.filename or error}.", "It may just have been replaced; read again."
        ) from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise ReadError(f"{thing} cannot be read: {error}", "Check the table's files and columns.") from error

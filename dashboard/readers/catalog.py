"""The Iceberg catalog, through PyIceberg: how it is reached, and what it raises told as one of our errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.rest.auth import AuthManagerAdapter
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    ForbiddenError,
    NoSuchPropertyException,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)
from requests import Session
from requests.exceptions import RequestException
from requests.utils import get_environ_proxies

from dashboard.errors import ReadError, SettingsError, UnreachableError
from dashboard.readers.catalog_login import BearerToken, ClientCredentials, FixedLogin, Login, OAuthLogin
from dashboard.readers.http_session import ANSWER_SECONDS, CONNECT_SECONDS, is_local, patient, unanswered
from dashboard.readers.lake_faults import arrow_fault, lake_fault

_LATER = "Try again; `sales-trends status` says what runs."
_LATER_ELSEWHERE = "Try again in a few minutes."
_WRONG = "Another program may use its port; `sales-trends status` says what runs."
_WRONG_ELSEWHERE = "Check the catalog's address; `sales-trends doctor` says more."
_KEY = "Check its key or token; `sales-trends doctor` says more."
_RIGHT = "Let whoever runs the catalog give the key's owner the right to read it; `sales-trends doctor` says more."
_GLUE_RIGHTS = (
    "The AWS credentials need glue:GetDatabase, glue:GetDatabases, glue:GetTable and glue:GetTables on the catalog, "
    "the database and its tables, and in Lake Formation DESCRIBE and SELECT."
)
_DELEGATION = "X-Iceberg-Access-Delegation"
_LONGEST_REASON = 300
_FILE_SECONDS = 5.0
"""So long S3 may be silent; Arrow asks three times."""


@dataclass(frozen=True)
class FileAccess:
    """How the files of the tables are read, where they are in S3."""

    lent: bool = True
    """Whether the catalog is asked for keys to them (vended credentials); else AWS's usual places have ours."""
    region: str = ""
    """Of the bucket; empty leaves it to the catalog's answer."""
    endpoint: str = ""
    """Where S3 is reached; empty for AWS's own address."""

    def properties(self) -> dict[str, str]:
        """What PyIceberg and Arrow take; may hold a proxy's password."""
        address = self.endpoint or f"https://s3.{self.region or 'us-east-1'}.amazonaws.com"
        scheme = address.partition(":")[0]
        # Arrow does not look for a proxy by itself
        proxy = None if is_local(address) else get_environ_proxies(address).get(scheme)
        given = {
            "s3.region": self.region,
            "s3.endpoint": self.endpoint,
            "s3.proxy-uri": _proxy_uri(proxy, f"{scheme.upper()}_PROXY") if proxy else "",
            "s3.connect-timeout": str(CONNECT_SECONDS),
            "s3.request-timeout": str(_FILE_SECONDS),
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class CatalogAccess:
    """Where the tables are and how they are reached: the same for every engine."""

    uri: str
    """Of the Iceberg REST catalog, without a slash at its end; of AWS Glue its usual address in the region."""
    namespace: str
    """On Confluent Cloud and here the id of the Kafka cluster; one level, whatever dots are in it."""
    kind: Literal["rest", "glue"] = "rest"
    login: ClientCredentials | BearerToken | None = None
    """Of a REST catalog; Glue takes AWS's usual credentials."""
    warehouse: str = ""
    """What a REST catalog with several of them wants to be asked for."""
    files: FileAccess = field(default_factory=FileAccess)


def _proxy_uri(proxy: str, variable: str) -> str:
    """As Arrow can parse it, with a scheme and quoted: what it cannot parse it repeats, with the password."""
    try:
        taken = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = taken.hostname, taken.port
    except ValueError:
        host = port = None
    # a sign of its own in a password ends the host there
    if not host or taken.path not in ("", "/") or taken.query or taken.fragment:
        raise SettingsError(
            f"The proxy in {variable} is no address that can be read.",
            "It looks like http://name:password@host:port; signs in name and password are percent-encoded, / as %2F.",
        )
    login = ":".join(quote(unquote(one), safe="") for one in (taken.username, taken.password) if one is not None)
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    return f"{taken.scheme}://{login}{'@' if login else ''}{place}{'' if port is None else f':{port}'}"


def open_catalog(access: CatalogAccess) -> Catalog:
    """A catalog whose every request ends after a while; a REST catalog is asked for its configuration at once."""
    return _glue(access) if access.kind == "glue" else _PatientCatalog(access)


class _PatientCatalog(RestCatalog):
    def __init__(self, access: CatalogAccess) -> None:
        self._access = access
        self._login: Login = (
            OAuthLogin(access.login) if isinstance(access.login, ClientCredentials) else FixedLogin(access.login)
        )
        given = {"uri": access.uri, "warehouse": access.warehouse, **access.files.properties()}
        super().__init__("lake", auth={"type": "noop"}, **{name: value for name, value in given.items() if value})  # type: ignore[arg-type]

    def _create_session(self) -> Session:
        session = patient(super()._create_session())
        session.auth = AuthManagerAdapter(self._login)  # type: ignore[arg-type]
        if not self._access.files.lent:
            del session.headers[_DELEGATION]
        return session

    def _refresh_token(self) -> None:
        """Before the one repetition of a request that was refused with 401 or 419."""
        self._login.forget()


def _glue(access: CatalogAccess) -> Catalog:
    # half a second that nobody else waits for
    import boto3
    from botocore.config import Config
    from pyiceberg.catalog.glue import GlueCatalog

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    client = boto3.session.Session().client("glue", region_name=access.files.region or None, config=config)
    return GlueCatalog("lake", client=client, **access.files.properties())


@contextmanager
def translated(uri: str, thing: str) -> Iterator[None]:
    """What PyIceberg, requests, pydantic, botocore and pyarrow raise, as one of ours."""
    here = is_local(uri)
    try:
        yield
    except RequestException as error:
        raise unanswered("The catalog", uri, error) from error
    except (ServerError, ServiceUnavailableError, TooManyRequestsError) as error:
        later = _LATER if here else _LATER_ELSEWHERE
        raise UnreachableError(f"The catalog at {uri} cannot serve {thing} now: {_brief(error)}", later) from error
    except (UnauthorizedError, AuthorizationExpiredError) as error:
        raise ReadError(f"The catalog at {uri} refuses to serve {thing}: {_brief(error)}", _KEY) from error
    except ForbiddenError as error:
        raise ReadError(f"The catalog at {uri} refuses to serve {thing}: {_brief(error)}", _RIGHT) from error
    except (RESTError, NotImplementedError) as error:
        wrong = _WRONG if here else _WRONG_ELSEWHERE
        raise ReadError(f"The catalog at {uri} refuses to serve {thing}: {_brief(error)}", wrong) from error
    except ValidationError as error:
        wrong = _WRONG if here else _WRONG_ELSEWHERE
        raise ReadError(f"What answers at {uri} is not an Iceberg catalog.", wrong) from error
    except (ClientError, BotoCoreError) as error:
        raise lake_fault(error, f"show {thing}", uri, _GLUE_RIGHTS) from None
    except FileNotFoundError as error:
        raise ReadError(
            f"A file of {thing} is gone: {error.filename or error}.", "It may just have been replaced; read again."
        ) from error
    except OSError as error:
        raise arrow_fault(error, thing) or _unreadable(error, thing) from _cause(error)
    except (pa.ArrowException, ValueError, KeyError, NoSuchPropertyException) as error:
        raise _unreadable(error, thing) from _cause(error)


def _unreadable(error: Exception, thing: str) -> ReadError:
    return ReadError(f"{thing} cannot be read: {error}", "Check the table's files and columns.")


def _cause(error: Exception) -> Exception | None:
    """None where there is a proxy, whose password its text may hold."""
    return None if getproxies().keys() - {"no"} else error


def _brief(error: Exception) -> str:
    """One line: a proxy's answer is a whole page."""
    said = " ".join(str(error).split())
    return said if len(said) <= _LONGEST_REASON else f"{said[:_LONGEST_REASON]}…"

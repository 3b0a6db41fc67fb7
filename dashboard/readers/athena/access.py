"""Where Athena is asked, as whom, and the clients that ask it."""

import logging
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from boto3.session import Session
from botocore.config import Config
from pyathena.connection import Connection
from pyathena.cursor import Cursor
from pyathena.util import RetryConfig
from pydantic import SecretStr

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 10.0
"""How long AWS may take to accept a connection, and to answer one request."""
_THROTTLING = ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")
_PASSING = (
    *_THROTTLING,
    "InternalServerException",
    "InternalServiceException",
    "InternalError",
    "ServiceUnavailable",
)
"""What AWS says when the same request may well be answered a little later."""
RETRIES = RetryConfig(exceptions=_PASSING, attempt=3, multiplier=1, max_delay=2)
"""Of one request, beside the one that botocore makes after a lost connection; six seconds at most."""
QUERY_RETRIES = RetryConfig(exceptions=_THROTTLING, attempt=3, multiplier=1, max_delay=2)
"""Of a query: whatever else is said, it may run already, and a second one would be paid for too."""

# PyAthena logs every error with the answer of AWS, which for a wrong signature holds the session token; each of them is
# raised as well, and told by errors.py without it
_logger = logging.getLogger("pyathena")
_logger.setLevel(logging.CRITICAL + 1)
_logger.addHandler(logging.NullHandler())
_logger.propagate = False


@dataclass(frozen=True)
class AthenaAccess:
    """One Glue database that Athena reads. Without keys boto3 looks for them where it always does."""

    region: str
    database: str
    """In Glue; Tableflow keeps one for each Kafka cluster, named after the cluster's id."""
    workgroup: str = "primary"
    """Its engine must be version 3."""
    output_location: str | None = None
    """An s3:// address that Athena writes answers to; None is for a workgroup that has one of its own."""
    catalog: str = "AwsDataCatalog"
    """What Athena calls the Glue catalog of the account."""
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    """Only of keys that expire."""
    endpoint_url: str | None = None
    """One address in place of those of Athena, Glue and S3."""


@dataclass(frozen=True)
class Clients:
    """Safe to share between threads."""

    athena: Connection[Cursor]
    glue: Any
    s3: Any


@dataclass
class AthenaSession:
    """The clients of one access, made at first use: looking for credentials may ask AWS already."""

    access: AthenaAccess
    _clients: Clients | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def clients(self) -> Clients:
        """Raises what botocore raises for a profile or a region that there is not."""
        with self._lock:
            if self._clients is None:
                self._clients = self._made()
            return self._clients

    def close(self) -> None:
        with self._lock:
            if self._clients is not None:
                self._clients.athena.close()
                self._clients.athena.client.close()
                self._clients.glue.close()
                self._clients.s3.close()

    def _made(self) -> Clients:
        access = self.access
        session = Session(
            aws_access_key_id=access.access_key_id,
            aws_secret_access_key=_clear(access.secret_access_key),
            aws_session_token=_clear(access.session_token),
            region_name=access.region,
        )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        athena = Connection(
            session=session,
            region_name=access.region,
            schema_name=access.database,
            catalog_name=access.catalog,
            work_group=access.workgroup,
            # an empty text keeps PyAthena from looking for one in the environment
            s3_staging_dir=access.output_location or "",
            config=config,
            retry_config=RETRIES,
            endpoint_url=access.endpoint_url,
        )
        glue, s3 = (session.client(one, config=config, endpoint_url=access.endpoint_url) for one in ("glue", "s3"))
        return Clients(athena, glue, s3)


def _clear(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()

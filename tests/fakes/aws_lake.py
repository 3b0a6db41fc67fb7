"""AWS Glue and S3 on one loopback address: moto's, before which refusals stand that a test orders.

Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; docs.aws.amazon.com/glue/latest/webapi/
CommonErrors.html, in the AWS JSON 1.1 protocol. S3 answers HEAD without a body, so without a reason.
"""

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, cast

import boto3
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from pyiceberg.catalog.glue import GlueCatalog
from werkzeug.serving import make_server

REGION = "eu-central-1"
DATABASE = "lkc-abc123"
BUCKET = "sales-tables"
KEY, SECRET = "AKIAMAKER", "makers-secret-key"


@dataclass
class _Refusal:
    what: re.Pattern[str]
    code: str
    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)


class AwsLake:
    """A WSGI application."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        """Glue's actions as `GetTable`, S3's requests as `GET /bucket/key`."""
        self.access_keys: set[str] = set()
        """Who has asked S3."""
        self.clock_seconds = 0.0
        """How far the clock that every answer tells is ahead of this machine's."""
        self._refusals: list[_Refusal] = []
        self._moto = DomainDispatcherApplication(create_backend_app)

    def refuse(self, what: str, code: str, status: int = 400, message: str = "the text of AWS", **headers: str) -> None:
        """Whatever is asked that matches, as `asked` writes it, until `forget`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self._refusals.append(_Refusal(re.compile(what), code, status, message, told))

    def forget(self) -> None:
        self.clock_seconds = 0
        self._refusals.clear()
        self.asked.clear()
        self.access_keys.clear()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def catalog(self) -> GlueCatalog:
        """What writes tables there, each under its name in the bucket."""
        return GlueCatalog("maker", client=self.client("glue"), warehouse=f"s3://{BUCKET}", **self.keys())

    def keys(self) -> dict[str, str]:
        """What a catalog would lend of a table's files."""
        lent = {"s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.session-token": "makers-token"}
        return lent | {"s3.endpoint": self.url, "s3.region": REGION, "s3.path-style-access": "true"}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        what = action or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        self.asked.append(what)
        if not action:
            signed = environ.get("HTTP_AUTHORIZATION", "")
            self.access_keys.add(signed.partition("Credential=")[2].partition("/")[0])
        for refusal in self._refusals:
            if refusal.what.search(what):
                return _refused(start_response, refusal, head=what.startswith("HEAD "), in_json=bool(action))
        answer: Iterable[bytes] = self._moto.get_application(environ)(environ, start_response)
        return answer


def _refused(start_response: Any, refusal: _Refusal, *, head: bool, in_json: bool) -> Iterable[bytes]:
    kind = "application/x-amz-json-1.1" if in_json else "application/xml"
    start_response(f"{refusal.status} Refused", [("Content-Type", kind), *refusal.headers.items()])
    if in_json:
        return [json.dumps({"__type": refusal.code, "message": refusal.message}).encode()]
    text = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
    return [] if head else [text.encode()]


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + cast(Any, self.server).app.clock_seconds, usegmt=True)


@contextmanager
def aws_lake() -> Iterator[AwsLake]:
    """With a bucket and a database, and nothing in either."""
    BackendDict.reset()
    fake = AwsLake()
    server = make_server("127.0.0.1", 0, fake, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        fake.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        fake.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        fake.forget()
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""AWS on one loopback address: Glue and S3 are moto's, Athena is ours, and each can be told to refuse.

Source: docs.aws.amazon.com/athena/latest/APIReference, and the AWS JSON 1.1 protocol that it is spoken in.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto3.session import Session
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from pyiceberg.table import Table
from werkzeug.serving import make_server

from tests.fakes.athena import Athena, AthenaFault
from tests.fakes.athena_spark import Spark

REGION = "eu-central-1"
DATABASE = "lkc-test"
BUCKET = "shop-lake"
OUTPUT = f"s3://{BUCKET}/answers/"


@dataclass
class Fault:
    code: str
    message: str
    status: int
    times: int


class Aws:
    """A WSGI application. Actions are called as AWS does: StartQueryExecution, GetTable; GetObject is any GET of S3."""

    def __init__(self) -> None:
        self.url = ""
        self._clients: dict[str, Any] = {}
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._clear()

    def _clear(self) -> None:
        self.calls: Counter[str] = Counter()
        self.athena = Athena()
        self.spark = Spark()
        self._faults: dict[str, Fault] = {}

    def begin_anew(self) -> None:
        """As for the first test of all: with a Glue database and a bucket that are empty."""
        BackendDict.reset()
        self._clear()
        self.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        self.calls.clear()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.athena.go.set()

    def refuse(self, action: str, code: str, message: str = "no", status: int = 400, times: int = 1000) -> None:
        """The next answers to the action."""
        self._faults[action] = Fault(code, message, status, times)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = Session("maker", "makes").client(
                service, region_name=REGION, endpoint_url=self.url
            )
        return self._clients[service]

    def publish(self, table: Table) -> None:
        """The table as it is now, in Glue and S3, as Tableflow puts it there; its rows for Athena."""
        name = table.name()[-1]
        key = f"{name}/metadata/{table.metadata.current_snapshot_id}.metadata.json"
        text = table.metadata.model_dump_json(exclude_none=True)
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        entry = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"table_type": "ICEBERG", "metadata_location": f"s3://{BUCKET}/{key}"},
        }
        glue = self.client("glue")
        if name in self.athena.tables:
            glue.update_table(DatabaseName=DATABASE, TableInput=entry)
        else:
            glue.create_table(DatabaseName=DATABASE, TableInput=entry)
        self.athena.tables[name] = table

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        action = target.partition(".")[2] or f"{environ['REQUEST_METHOD'].capitalize()}Object"
        self.calls[action] += 1
        fault = self._faults.get(action)
        if fault is not None and fault.times:
            fault.times -= 1
            return _refused(start_response, fault, of_s3=not target)
        if not target.startswith("AmazonAthena."):
            answer: Iterable[bytes] = self._moto.get_application(environ)(environ, start_response)
            return answer
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        try:
            part = self.athena if hasattr(self.athena, action) else self.spark
            return _told(start_response, 200, getattr(part, action)(**asked))
        except AthenaFault as refusal:
            return _refused(start_response, Fault("InvalidRequestException", str(refusal), 400, 1))


def _refused(start_response: Any, fault: Fault, of_s3: bool = False) -> Iterable[bytes]:
    if of_s3:
        text = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
        start_response(f"{fault.status} Refused", [("Content-Type", "application/xml")])
        return [text.encode()]
    return _told(start_response, fault.status, {"__type": fault.code, "message": fault.message})


def _told(start_response: Any, status: int, answer: dict[str, Any]) -> Iterable[bytes]:
    start_response(f"{status} Told", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps(answer).encode()]


@contextmanager
def aws() -> Iterator[Aws]:
    fake = Aws()
    server = make_server("127.0.0.1", 0, fake, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
    finally:
        fake.close()
        server.shutdown()
        thread.join(10)
        server.server_close()


class _QuietHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass

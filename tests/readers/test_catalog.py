"""Catalogs that ask for a login, and what stands between them and us; S3 and Glue are in test_catalog_on_aws.py."""

import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr

from dashboard.errors import ReadError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.readers import http_session
from dashboard.readers.catalog import CatalogAccess
from dashboard.readers.catalog_login import BearerToken, ClientCredentials
from dashboard.readers.lake import Lake
from tests.fakes.confluent_cloud import FakeConfluentCloud
from tests.guarded_broker import make_certificate
from tests.iceberg_tables import append, revenue_table
from tests.readers.lake_world import NOON, SETTING, logins, tableflow

HUSHED = "hush-hush-hush"


@pytest.fixture
def cloud() -> Iterator[FakeConfluentCloud]:
    with FakeConfluentCloud() as cloud:
        append(revenue_table(cloud.iceberg_catalog, namespace=cloud.cluster_id), [(NOON, "1.10")])
        yield cloud


@pytest.fixture
def lake(cloud: FakeConfluentCloud) -> Lake:
    return Lake.reached_by(tableflow(cloud))


def fault(lake: Lake) -> SalesTrendsError:
    with pytest.raises(SalesTrendsError) as caught:
        lake.snapshot()
    assert caught.value.hint
    return caught.value


# tokens


def test_key_and_secret_become_one_token_for_all_that_is_asked(cloud: FakeConfluentCloud, lake: Lake) -> None:
    for _ in range(3):
        assert lake.revenue().num_rows == 1

    assert logins(cloud) == 1


def test_a_token_that_is_refused_in_mid_session_is_renewed_and_nobody_notices(
    cloud: FakeConfluentCloud, lake: Lake
) -> None:
    lake.snapshot()
    cloud.tableflow_catalog.expire_tokens()

    assert lake.revenue().num_rows == 1
    assert logins(cloud) == 2


def test_a_token_said_to_have_timed_out_is_renewed(cloud: FakeConfluentCloud, lake: Lake) -> None:
    lake.snapshot()
    cloud.tableflow_catalog.refuse(419, "AuthenticationTimeoutException")

    assert lake.revenue().num_rows == 1
    assert logins(cloud) == 2


def test_a_token_is_renewed_before_it_ends(cloud: FakeConfluentCloud, lake: Lake) -> None:
    cloud.tableflow_catalog.token_seconds = 0  # it ends as it is given
    lake.snapshot()
    before = logins(cloud)

    lake.snapshot()

    assert logins(cloud) == before + 1


def test_a_token_without_an_end_is_kept(cloud: FakeConfluentCloud, lake: Lake) -> None:
    cloud.tableflow_catalog.token_seconds = None
    lake.snapshot()
    lake.snapshot()

    assert logins(cloud) == 1


def test_a_token_that_somebody_else_renews_is_shown_as_it_is(cloud: FakeConfluentCloud) -> None:
    uri = cloud.tableflow_catalog_url
    access = CatalogAccess(uri, cloud.cluster_id, login=BearerToken(SecretStr(HUSHED)))

    said = fault(Lake.reached_by(access))

    assert isinstance(said, ReadError)
    assert "Credentials are required" in said.message
    assert "token" in said.hint
    assert logins(cloud) == 0


# refusals


def test_a_wrong_secret_is_told_by_its_setting_and_shown_nowhere(cloud: FakeConfluentCloud) -> None:
    lake = Lake.reached_by(tableflow(cloud, secret=HUSHED))

    said = fault(lake)

    assert isinstance(said, SettingsError)
    assert "invalid_client" in said.message
    assert SETTING in said.hint
    shown = "".join(traceback.format_exception(said)) + repr(lake.access) + str(lake.access)
    assert HUSHED not in shown
    assert cloud.tableflow_key[1] not in repr(tableflow(cloud))


def test_a_wrong_scope_is_told_with_the_one_that_tableflow_knows(cloud: FakeConfluentCloud) -> None:
    said = fault(Lake.reached_by(tableflow(cloud, scope="PRINCIPAL_ROLE:ALL")))

    assert isinstance(said, SettingsError)
    assert "invalid_scope" in said.message
    assert "'PRINCIPAL_ROLE:ALL'; Tableflow's is 'catalog'" in said.hint


@pytest.mark.parametrize(
    ("status", "kind", "family", "hint"),
    [
        (401, "NotAuthorizedException", ReadError, "key or token"),
        (403, "ForbiddenException", ReadError, "right to read"),
        (400, "BadRequestException", ReadError, "its port"),
        (429, "TooManyRequestsException", UnreachableError, "again"),
        (500, "InternalServerError", UnreachableError, "again"),
        (503, "SlowDownException", UnreachableError, "again"),
    ],
)
def test_what_the_catalog_refuses_is_one_sentence_and_the_next_step(
    cloud: FakeConfluentCloud, lake: Lake, status: int, kind: str, family: type[SalesTrendsError], hint: str
) -> None:
    cloud.tableflow_catalog.refuse(status, kind, times=2)

    said = fault(lake)

    assert type(said) is family
    assert kind in said.message
    assert hint in said.hint


def test_a_table_that_is_not_there_is_none_and_a_topic_with_dots_is_one(cloud: FakeConfluentCloud, lake: Lake) -> None:
    rows = pa.table({"id": [1, 2]})
    name = "shiftleft.public.orders"
    cloud.iceberg_catalog.create_table((cloud.cluster_id, name), rows.schema).append(rows)

    assert lake.table("payments") is None
    found = lake.table(name)
    assert found is not None
    assert found.read(["id"]).num_rows == 2
    assert lake.table_names() == ["revenue_summary", name]


# what stands between


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answer: Answer, certificate: Path | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server that says the same to everybody: its address, and what was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://localhost:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def of_login(uri: str) -> Lake:
    login = ClientCredentials(SecretStr("key"), SecretStr(HUSHED), f"{uri}/v1/oauth/tokens", setting=SETTING)
    return Lake.reached_by(CatalogAccess(uri, "lkc-1", login=login))


@pytest.mark.parametrize(
    ("answer", "family", "said"),
    [
        ((200, {}, b"<html>hello</html>"), ReadError, "gives no token"),
        ((200, {}, b'{"token": "x"}'), ReadError, "gives no token"),
        ((404, {}, b"not here"), ReadError, r"Not Found \(404\)"),
        ((401, {}, b"<html>"), SettingsError, r"Unauthorized \(401\)"),
        ((400, {}, f'{{"error":"invalid_client","error_description":"{HUSHED}"}}'.encode()), SettingsError, r"\*\*\*"),
        ((429, {}, b""), UnreachableError, r"\(429\)"),
        ((503, {}, b""), UnreachableError, r"\(503\)"),
    ],
)
def test_an_answer_that_holds_no_token_is_told_without_the_secret(
    answer: Answer, family: type[SalesTrendsError], said: str
) -> None:
    with answering(answer) as (uri, _), pytest.raises(family, match=said) as caught:
        of_login(uri).snapshot()

    assert HUSHED not in "".join(traceback.format_exception(caught.value))


def test_a_secret_does_not_follow_a_redirect() -> None:
    with answering((200, {}, b"{}")) as (elsewhere, asked):
        redirect = (307, {"Location": f"{elsewhere}/tokens"}, b"")
        with answering(redirect) as (uri, _), pytest.raises(ReadError, match="gives no token"):
            of_login(uri).snapshot()

        assert asked == []


def test_a_token_endpoint_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        with pytest.raises(UnreachableError, match=r"The token endpoint at .* did not answer in time"):
            of_login(f"http://127.0.0.1:{silent.getsockname()[1]}").snapshot()


def test_a_proxy_in_the_way_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{HUSHED}@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)

    with pytest.raises(UnreachableError, match=r"through the proxy 127\.0\.0\.1:9") as caught:
        Lake("https://catalog.example.com", "sales").snapshot()

    assert "NO_PROXY" in caught.value.hint
    assert HUSHED not in str(caught.value)


def test_a_certificate_that_nobody_trusts_is_told_as_such_and_nothing_is_sent(tmp_path: Path) -> None:
    make_certificate(tmp_path / "server.pem", tmp_path / "ca.pem")
    with answering((200, {}, b"{}"), tmp_path / "server.pem") as (uri, asked):
        with pytest.raises(UnreachableError, match=r"is not trusted: .*self[- ]signed certificate") as caught:
            of_login(uri).snapshot()

        assert asked == []
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_an_own_authority_is_trusted_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificate(tmp_path / "server.pem", tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    with answering((404, {}, b"not here"), tmp_path / "server.pem") as (uri, asked), pytest.raises(ReadError):
        of_login(uri).snapshot()

    assert asked == ["/v1/oauth/tokens"]

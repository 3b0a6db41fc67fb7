"""A registry that asks for a user: it is given user and password, and a refusal is said without them."""

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from dashboard.errors import SettingsError
from dashboard.remotes.registry import Registry

RIGHT = "me:right-password"
WRONG = SecretStr("wrong-password")


class _Guarded(BaseHTTPRequestHandler):
    """Knows the schema 1 alone, and one user."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_DELETE = do_GET

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        expected = "Basic " + base64.b64encode(RIGHT.encode()).decode()
        allowed = self.headers.get("Authorization") == expected
        body = b'{"schema": "\\"string\\""}' if allowed else b'{"error_code": 401, "message": "Unauthorized"}'
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_of_a_request: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_right_user_is_answered(url: str) -> None:
    user, password = RIGHT.split(":")

    assert Registry(url, user, SecretStr(password)).schema(1) == '"string"'


@pytest.mark.parametrize(
    "call",
    [
        lambda registry: registry.schema(1),
        lambda registry: registry.latest("payments-value"),
        lambda registry: registry.register("payments-value", {"type": "string"}),
        lambda registry: registry.check("payments-value", {"type": "string"}),
        lambda registry: registry.delete("payments-value"),
    ],
    ids=["schema", "latest", "register", "check", "delete"],
)
@pytest.mark.parametrize("user", ["me", ""])
def test_a_refused_user_is_one_clear_sentence(url: str, user: str, call: Callable[[Registry], object]) -> None:
    registry = Registry(url, user, WRONG)

    with pytest.raises(SettingsError) as refused:
        call(registry)

    assert refused.value.message == f"The schema registry at {url} refused the user or key (401)."
    assert WRONG.get_secret_value() not in repr(refused.value) + repr(refused.value.__cause__) + repr(registry)

"""ECS on the loopback address: what is asked of it in its JSON-1.1 form, and what becomes of its refusals."""

import json
import socket
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dashboard.errors import DeployError, SettingsError, UnreachableError
from dashboard.remotes import ecs

APP = ("shop-cluster", "payment-app-service", "us-east-1")


class FakeEcs(ThreadingHTTPServer):
    """Knows one cluster and one service."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.faults: list[tuple[int, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, target: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((target, body))
        if self.faults:
            status, code, message = self.faults.pop(0)
            return status, {"__type": code, "message": message}
        if body["cluster"] != APP[0]:
            return 400, {"__type": "ClusterNotFoundException", "message": "Cluster not found."}
        if body["service"] != APP[1]:
            return 400, {"__type": "ServiceNotFoundException", "message": "Service not found."}
        return 200, {"service": {"serviceName": body["service"], "deployments": []}}


class _Handler(BaseHTTPRequestHandler):
    server: FakeEcs

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(self.headers["X-Amz-Target"], body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcs]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-s3cr3t")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with FakeEcs() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", server.url)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_new_deployment_of_the_service_as_it_is(cloud: FakeEcs) -> None:
    ecs.restart(*APP)
    ((target, body),) = cloud.asked
    assert target == "AmazonEC2ContainerServiceV20141113.UpdateService"
    assert body == {"cluster": APP[0], "service": APP[1], "forceNewDeployment": True}


def test_the_command_does_the_same_and_can_be_copied() -> None:
    assert ecs.command(*APP) == (
        "aws ecs update-service --cluster shop-cluster --service payment-app-service --force-new-deployment "
        "--region us-east-1"
    )
    assert "'a; rm -rf b'" in ecs.command("a; rm -rf b", "s", "r")


@pytest.mark.parametrize(
    ("cluster", "service", "said"), [("other", APP[1], "Cluster not found"), (APP[0], "other", "Service not found")]
)
def test_a_cluster_or_service_that_is_not_there_is_named(cloud: FakeEcs, cluster: str, service: str, said: str) -> None:
    with pytest.raises(DeployError, match=f"refused to restart {service} of {cluster}: {said}") as refused:
        ecs.restart(cluster, service, APP[2])
    assert ecs.command(cluster, service, APP[2]) in refused.value.hint


def test_without_credentials_it_says_how_to_give_them(cloud: FakeEcs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SettingsError, match="no AWS credentials to restart payment-app-service") as refused:
        ecs.restart(*APP)
    assert "AWS_PROFILE" in refused.value.hint
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ExpiredTokenException", SettingsError),
        ("UnrecognizedClientException", SettingsError),
        ("AccessDeniedException", DeployError),
    ],
)
def test_what_is_not_allowed_is_said_without_the_secret(cloud: FakeEcs, code: str, error: type[Exception]) -> None:
    cloud.faults.append((400, code, "The security token is expired."))
    with pytest.raises(error, match=code) as refused:
        ecs.restart(*APP)
    assert "s3cr3t" not in str(refused.value)


def test_a_wrong_signature_is_told_without_the_signed_headers(cloud: FakeEcs) -> None:
    signed = "The Canonical String for this request should have been 'POST\n/\n\nx-amz-security-token:t0k3n\n'"
    cloud.faults.append((400, "InvalidSignatureException", f"The signature does not match. {signed}"))
    with pytest.raises(SettingsError, match="the secret is not the access key's") as refused:
        ecs.restart(*APP)
    assert "t0k3n" not in "".join(traceback.format_exception(refused.value)) + refused.value.hint


def test_a_passing_fault_is_tried_again(cloud: FakeEcs) -> None:
    cloud.faults.append((500, "ServerException", "try again"))
    ecs.restart(*APP)
    assert len(cloud.asked) == 2


def test_one_that_stays_is_said(cloud: FakeEcs) -> None:
    cloud.faults += [(500, "ServerException", "try again")] * 3
    with pytest.raises(UnreachableError, match="ServerException"):
        ecs.restart(*APP)


def test_who_does_not_answer_is_unreachable(cloud: FakeEcs, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="did not answer"):
            ecs.restart(*APP)


def test_a_profile_that_does_not_exist_is_a_setting(cloud: FakeEcs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        ecs.restart(*APP)

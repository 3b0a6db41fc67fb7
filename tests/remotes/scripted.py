"""Answers of a service, given in the order of the test, and time that passes only where it is slept."""

import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from dashboard.remotes.cloud_api import Pace

KEY = SecretStr("KEYKEYKEY")
SECRET = SecretStr("s3cr3t-s3cr3t")
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Script:
    """Gives its answers one after the other; a request more or fewer than those fails the test."""

    def __init__(self, *answers: Answer) -> None:
        self.left = list(answers)
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)
        self.slept: list[float] = []
        self.now = 0.0
        self.pace = Pace(lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self.left, f"one request too many: {request.method} {request.url}"
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def asked(self) -> list[str]:
        """Method and last part of the path of each request."""
        assert not self.left, f"{len(self.left)} answers were not asked for"
        return [f"{one.method} {one.url.path.rpartition('/')[2]}" for one in self.requests]

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)

    def params(self, index: int = -1) -> dict[str, str]:
        return dict(self.requests[index].url.params)


def refused(status: int, *details: str, **headers: str) -> httpx.Response:
    """As a real one: status is a string, id, code and title are missing."""
    errors = [{"status": str(status), "detail": detail, "source": {}} for detail in details]
    return httpx.Response(status, json={"errors": errors}, headers=headers)


def registry_refused(status: int, code: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error_code": code, "message": message})


def done(**answer: Any) -> httpx.Response:
    return httpx.Response(200, json=answer)


CUT = httpx.RemoteProtocolError("Server disconnected without sending a response.")

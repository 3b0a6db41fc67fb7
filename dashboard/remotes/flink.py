"""A Flink session cluster: statements through its SQL gateway, jobs through its JobManager's REST interface.

Source: nightlies.apache.org/flink/flink-docs-release-2.1, pages "REST Endpoint" of the SQL gateway and "REST API".
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from dashboard.addresses import is_encrypted, silence_hint
from dashboard.errors import DeployError, UnreachableError

_TIMEOUT_SECONDS = 30
_STATEMENT_SECONDS = 120
_POLL_SECONDS = 0.05
_SERVER_SIDE = "<Exception on server side:"
_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})


@dataclass(frozen=True)
class Job:
    """One job as the JobManager lists it."""

    id: str
    name: str
    state: str
    """Flink's word: CREATED, RUNNING, RESTARTING, FAILING, FAILED, CANCELLING, CANCELED, FINISHED, …"""
    tasks_running: int
    tasks: int
    started: datetime | None = None
    """UTC."""

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    @property
    def running(self) -> bool:
        """Every task of it runs; a job without slots is RUNNING with no running task."""
        return self.state == "RUNNING" and self.tasks_running == self.tasks > 0


@dataclass(frozen=True)
class Result:
    """What a statement answered."""

    columns: list[str]
    rows: list[list[Any]]
    job_id: str | None


class Session:
    """An open gateway session: statements run in order and see the tables created before them."""

    def __init__(self, client: httpx.Client, path: str) -> None:
        self._client = client
        self._path = path

    def execute(self, statement: str) -> Result:
        """Runs one statement to its end (a streaming INSERT: until its job is submitted).

        Raises DeployError with Flink's own reason when the statement is refused.
        """
        operation = _call(self._client, "POST", f"{self._path}/statements", json={"statement": statement})
        operation_path = f"{self._path}/operations/{operation['operationHandle']}"
        columns: list[str] = []
        rows: list[list[Any]] = []
        job_id = None
        uri: str | None = f"{operation_path}/result/0"
        deadline = time.monotonic() + _STATEMENT_SECONDS
        while uri:
            page = _call(self._client, "GET", uri, params={"rowFormat": "JSON"})
            job_id = page.get("jobID") or job_id
            results = page.get("results", {"columns": [], "data": []})
            columns = [column["name"] for column in results["columns"]] or columns
            rows += [row["fields"] for row in results["data"]]
            # not ready, or nothing yet: the same page or an empty next one
            if page["resultType"] != "EOS" and not results["data"]:
                if time.monotonic() > deadline:
                    raise DeployError(f"Flink gave no answer within {_STATEMENT_SECONDS} s to: {statement[:80]}…")
                time.sleep(_POLL_SECONDS)
            uri = uri if page["resultType"] == "NOT_READY" else page.get("nextResultUri")
        return Result(columns, rows, job_id)


class Flink:
    """One session cluster by the addresses of its JobManager (`rest`) and its SQL gateway."""

    def __init__(self, rest: str, gateway: str) -> None:
        self.rest = rest
        self.gateway = gateway
        # no connection is kept between calls, so there is none to close; no proxy leads to one's own cluster
        self._rest, self._gateway = (
            httpx.Client(
                base_url=address,
                timeout=_TIMEOUT_SECONDS,
                limits=httpx.Limits(max_keepalive_connections=0),
                trust_env=False,
                # loading what a server's certificate is checked with takes longer than a call of plain http
                verify=is_encrypted(address),
            )
            for address in (rest, f"{gateway}/v3")
        )

    def slots(self) -> int | None:
        """Slots of all registered TaskManagers; None when the JobManager does not answer within a second."""
        try:
            return int(self._rest.get("/overview", timeout=1).json()["slots-total"])
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    def gateway_version(self) -> str:
        """The gateway's version; empty when it does not answer within a second."""
        try:
            return str(self._gateway.get("/info", timeout=1).json()["version"])
        except (httpx.HTTPError, ValueError, KeyError):
            return ""

    @contextmanager
    def session(self, properties: Mapping[str, str]) -> Iterator[Session]:
        """A session of its own, closed at the end; jobs submitted in it go on."""
        handle = _call(self._gateway, "POST", "/sessions", json={"properties": dict(properties)})["sessionHandle"]
        try:
            yield Session(self._gateway, f"/sessions/{handle}")
        finally:
            _call(self._gateway, "DELETE", f"/sessions/{handle}")

    def jobs(self) -> list[Job]:
        """All jobs the JobManager knows, newest first."""
        listed = _call(self._rest, "GET", "/jobs/overview")["jobs"]
        listed.sort(key=lambda job: job["start-time"], reverse=True)
        return [
            Job(
                job["jid"],
                job["name"],
                job["state"],
                job["tasks"]["running"],
                job["tasks"]["total"],
                datetime.fromtimestamp(job["start-time"] / 1000, UTC),
            )
            for job in listed
        ]

    def job_failure(self, job_id: str) -> str:
        """The newest exception of a job in one line, or an empty string."""
        history = _call(self._rest, "GET", f"/jobs/{job_id}/exceptions").get("exceptionHistory", {})
        entries = history.get("entries", [])
        return _root_cause(entries[0]["stacktrace"]) if entries else ""

    def completed_checkpoints(self, job_id: str) -> int:
        """How many checkpoints and savepoints a job has completed since it was submitted, also if it has ended."""
        return int(_call(self._rest, "GET", f"/jobs/{job_id}/checkpoints")["counts"]["completed"])

    def failed_commits(self, job_id: str) -> int:
        """How many prepared transactions a job's sinks could not commit since it last (re)started: their data is lost.

        Flink itself only counts them and goes on.
        """
        lost = 0
        vertices = _call(self._rest, "GET", f"/jobs/{job_id}")["vertices"]
        for vertex in (one for one in vertices if "Committer" in one["name"]):
            path = f"/jobs/{job_id}/vertices/{vertex['id']}/metrics"
            names = [one["id"] for one in _call(self._rest, "GET", path) if one["id"].endswith(".failedCommittables")]
            if names:
                lost += sum(
                    int(one["value"]) for one in _call(self._rest, "GET", path, params={"get": ",".join(names)})
                )
        return lost

    def stop_with_savepoint(self, job_id: str, folder: str, within_seconds: float) -> str:
        """Stops a job after a savepoint and returns the savepoint's address.

        Raises DeployError when the savepoint fails or takes too long; the job then goes on.
        """
        request = {"targetDirectory": folder, "drain": False, "formatType": "NATIVE"}
        trigger = _call(self._rest, "POST", f"/jobs/{job_id}/stop", json=request)["request-id"]
        deadline = time.monotonic() + within_seconds
        while time.monotonic() < deadline:
            answer = _call(self._rest, "GET", f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                operation = answer["operation"]
                if "failure-cause" in operation:
                    cause = _root_cause(operation["failure-cause"].get("stack-trace", ""))
                    raise DeployError(f"The savepoint of job {job_id} failed: {cause}.")
                return str(operation["location"])
            time.sleep(_POLL_SECONDS)
        raise DeployError(f"The savepoint of job {job_id} was not complete within {within_seconds:.0f} s.")

    def cancel(self, job_id: str) -> None:
        """Asks a job to end at once, without a savepoint."""
        _call(self._rest, "PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})


def _call(client: httpx.Client, method: str, path: str, **request: Any) -> Any:
    try:
        # result pages are named by their whole path, version included
        response = client.request(method, path.removeprefix("/v3"), **request)
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"Flink at {client.base_url} did not answer: {type(error).__name__}.",
            silence_hint(client.base_url.host),
        ) from error
    if response.is_success:
        return response.json() if response.content else {}
    try:
        errors = response.json().get("errors", [])
    except ValueError:
        errors = []
    raise DeployError(f"Flink refused: {_root_cause(errors[-1] if errors else response.text)}.")


def _root_cause(trace: str) -> str:
    """The innermost reason of a Java stack trace, in one line; the JobManager's, where the gateway repeats it."""
    trace = trace.rpartition(_SERVER_SIDE)[2].partition("End of exception on server side>")[0]
    causes = [line.strip() for line in trace.splitlines() if line.strip() and not line.startswith(("\t", " "))]
    named = [line.removeprefix("Caused by: ") for line in causes if line.startswith("Caused by: ")]
    reason = (named or [line for line in causes if not line.startswith("<")] or [trace.strip()])[-1]
    name, _, text = reason.partition(": ")
    return (text if text and "." in name and " " not in name else reason).rstrip(".")[:500]

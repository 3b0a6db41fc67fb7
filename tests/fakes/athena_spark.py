"""Athena for Apache Spark, as far as a session and its calculations go; no code that is sent ever runs.

Source: API_StartSession, API_StartCalculationExecution and their neighbours.
"""

from typing import Any

_STATISTICS = {"DpuExecutionInMillis": 1000, "Progress": "1/1"}


class Spark:
    """Each public method in capitals is an action of the API, its words those of the request."""

    def __init__(self) -> None:
        self.sessions: list[dict[str, Any]] = []
        self.calculations: list[str] = []
        """The code of each."""
        self.ended: list[str] = []

    def StartSession(self, **asked: Any) -> dict[str, Any]:
        self.sessions.append(asked)
        return {"SessionId": f"session-{len(self.sessions)}", "State": "CREATING"}

    def GetSessionStatus(self, SessionId: str) -> dict[str, Any]:
        return {"SessionId": SessionId, "Status": {"State": "IDLE"}}

    def TerminateSession(self, SessionId: str) -> dict[str, Any]:
        self.ended.append(SessionId)
        return {"State": "TERMINATING"}

    def StartCalculationExecution(self, **asked: Any) -> dict[str, Any]:
        self.calculations.append(asked["CodeBlock"])
        return {"CalculationExecutionId": f"calculation-{len(self.calculations)}", "State": "CREATING"}

    def GetCalculationExecutionStatus(self, CalculationExecutionId: str) -> dict[str, Any]:
        return {"Status": {"State": "COMPLETED"}, "Statistics": _STATISTICS}

    def GetCalculationExecution(self, CalculationExecutionId: str) -> dict[str, Any]:
        return {
            "CalculationExecutionId": CalculationExecutionId,
            "SessionId": f"session-{len(self.sessions)}",
            "Status": {"State": "COMPLETED"},
            "Statistics": _STATISTICS,
            "Result": {"ResultType": "text/plain"},
        }

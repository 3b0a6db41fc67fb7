import httpx
import pytest

from dashboard.errors import DeployError
from dashboard.remotes.flink import Flink

REFUSED_BY_THE_JOBMANAGER = """org.apache.flink.table.gateway.api.utils.SqlGatewayException: Failed to fetchResults.
\tat org.apache.flink.table.gateway.rest.handler.statement.FetchResultsHandler.handleRequest(Fetch.java:91)
Caused by: org.apache.flink.table.api.TableException: Failed to execute sql
\t... 1 more
Caused by: org.apache.flink.runtime.rest.util.RestClientException: [Internal server error., <Exception on server side:
org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.
\tat org.apache.flink.runtime.client.DuplicateJobSubmissionException.of(DuplicateJobSubmissionException.java:35)

End of exception on server side>]
\tat org.apache.flink.runtime.rest.RestClient.parseResponse(RestClient.java:676)
\t... 4 more
"""


def test_the_jobmanagers_reason_is_told_where_the_gateway_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    flink = Flink("http://127.0.0.1:1", "http://127.0.0.1:1")
    answer = {"errors": ["Internal server error.", REFUSED_BY_THE_JOBMANAGER]}
    transport = httpx.MockTransport(lambda _request: httpx.Response(500, json=answer))
    monkeypatch.setattr(flink, "_gateway", httpx.Client(base_url="http://127.0.0.1:1", transport=transport))
    with pytest.raises(DeployError, match=r"^Flink refused: Job has already been submitted\.$"), flink.session({}):
        pass

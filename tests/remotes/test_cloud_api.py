"""The layer below every Confluent client: retries, pages, errors and addresses."""

import socketserver
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from dashboard.errors import DeployError, SalesTrendsError, SettingsError, UnreachableError
from dashboard.remotes.cloud_api import REPEAT_SECONDS, CloudApi
from dashboard.remotes.cloud_errors import ApiKey, Conflict, NotFound, Refused, TooMany
from tests.remotes.scripted import CUT, KEY, SECRET, Script, done, refused, registry_refused

ADDRESS = "https://api.confluent.cloud"
API_KEY = ApiKey("the Flink API key", "SALES_KEY", KEY, SECRET)


def api(script: Script, address: str = ADDRESS) -> CloudApi:
    return CloudApi(address, API_KEY, transport=script.transport, pace=script.pace)


def test_a_request_carries_key_and_secret() -> None:
    script = Script(done(name="x"))
    assert api(script).get("/x", "look") == {"name": "x"}
    assert (
        script.requests[0].headers["Authorization"]
        == httpx.BasicAuth(KEY.get_secret_value(), SECRET.get_secret_value())._auth_header
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_a_success_with_and_without_a_body(status: int) -> None:
    script = Script(httpx.Response(status), httpx.Response(status, json={"a": 1}))
    api(script).put("/x", "write", {})
    api(script).delete("/x", "delete")
    assert script.asked == ["PUT x", "DELETE x"]


# errors


def test_all_details_of_a_refusal_become_one_sentence() -> None:
    script = Script(refused(422, "The name is wrong.", "The pool\n  is unknown"))
    with pytest.raises(Refused) as caught:
        api(script).get("/x", "create the thing")
    assert (
        caught.value.message == f"{ADDRESS} refused to create the thing: The name is wrong; The pool is unknown (422)."
    )


def test_schema_registrys_own_kind_of_error_is_understood() -> None:
    script = Script(registry_refused(404, 40401, "Subject 'x' not found."))
    with pytest.raises(NotFound, match=r"Subject 'x' not found \(404\)") as caught:
        api(script).get("/x", "look")
    assert (caught.value.status, caught.value.code) == (404, 40401)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no</html>", b"[]", b'{"errors": {"detail": "x"}}', b'{"errors": [7, null]}', b'{"errors": null}'],
)
def test_an_error_without_a_reason_is_still_a_sentence(body: bytes) -> None:
    script = Script(httpx.Response(400, content=body))
    with pytest.raises(Refused, match=r"refused to look: Bad Request \(400\)\.$"):
        api(script).get("/x", "look")


def test_an_unknown_status_and_a_redirect_are_refusals() -> None:
    script = Script(httpx.Response(499), httpx.Response(302, headers={"Location": "https://elsewhere.example"}))
    for _ in range(2):
        with pytest.raises(Refused):
            api(script).get("/x", "look")
    assert {request.url.host for request in script.requests} == {"api.confluent.cloud"}


def test_a_key_that_is_not_taken_is_named_with_its_setting() -> None:
    with pytest.raises(SettingsError) as caught:
        api(Script(refused(401, "unauthorized"))).get("/x", "look")
    assert "the Flink API key in SALES_KEY" in caught.value.hint
    with pytest.raises(Refused) as forbidden:
        api(Script(refused(403, "no role"))).get("/x", "look")
    assert "the Flink API key in SALES_KEY" in forbidden.value.hint


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (429, TooMany), (422, Refused), (403, Refused)]
)
def test_a_caller_can_tell_refusals_apart(status: int, kind: type[Refused]) -> None:
    with pytest.raises(DeployError) as caught:
        api(Script(refused(status, "no"))).post("/x", "make", {})
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
def test_key_and_secret_are_in_no_error_and_no_repr(status: int) -> None:
    echo = f"The key {KEY.get_secret_value()} with {SECRET.get_secret_value()} is wrong"
    client = api(Script(refused(status, echo)))
    with pytest.raises(SalesTrendsError) as caught:
        client.post("/x", "make", {})
    assert "The key *** with *** is wrong" in caught.value.message
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(client) + repr(API_KEY)
    assert KEY.get_secret_value() not in shown
    assert SECRET.get_secret_value() not in shown


def test_a_proxys_page_is_one_sentence() -> None:
    script = Script(httpx.Response(200, html="<html>Please log in</html>"), httpx.Response(200, json=["x"]))
    with pytest.raises(UnreachableError, match="with something that is not JSON") as caught:
        api(script).get("/x", "look")
    assert "proxy" in caught.value.hint
    with pytest.raises(UnreachableError, match="something that is not an object"):
        api(script).get("/x", "look")


# repeats


@pytest.mark.parametrize("trouble", [CUT, httpx.ConnectTimeout("late"), httpx.Response(500), httpx.Response(503)])
def test_what_changes_nothing_twice_is_repeated(trouble: httpx.Response | Exception) -> None:
    script = Script(trouble, done(name="x"), trouble, done(), trouble, done(), trouble, done())
    client = api(script)
    client.get("/x", "look")
    client.put("/x", "write", {})
    client.delete("/x", "delete")
    client.ask("/x", "ask", {})
    assert script.asked == ["GET x"] * 2 + ["PUT x"] * 2 + ["DELETE x"] * 2 + ["POST x"] * 2
    assert all(0 < seconds <= 1.5 for seconds in script.slept)


@pytest.mark.parametrize("trouble", [CUT, httpx.Response(500), httpx.Response(429)])
def test_a_post_and_a_patch_are_asked_once(trouble: httpx.Response | Exception) -> None:
    script = Script(trouble, trouble)
    for ask in (api(script).post, api(script).patch):
        with pytest.raises(SalesTrendsError):
            ask("/x", "make", {})
    assert script.asked == ["POST x", "PATCH x"]
    assert script.slept == []


def test_repeats_end_in_time_and_get_rarer() -> None:
    script = Script(*[CUT] * 100)
    with pytest.raises(UnreachableError, match="did not answer the request to look: RemoteProtocolError"):
        api(script).get("/x", "look")
    assert script.now <= REPEAT_SECONDS
    assert len(script.requests) < 12
    assert max(script.slept) > 5 * script.slept[0]


@pytest.mark.parametrize("status", [429, 503])
def test_the_service_says_when_to_ask_again(status: int) -> None:
    script = Script(httpx.Response(status, headers={"Retry-After": "17"}), done())
    api(script).get("/x", "look")
    assert script.slept == [17]


def test_the_service_may_say_so_with_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    script = Script(httpx.Response(429, headers={"Retry-After": at}), done())
    api(script).get("/x", "look")
    assert 30 < script.slept[0] <= 40


@pytest.mark.parametrize("text", ["0", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_pause_is_never_empty(text: str) -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": text}), done())
    api(script).get("/x", "look")
    assert script.slept[0] >= 0.5


def test_one_that_puts_us_off_for_too_long_is_not_waited_for() -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(TooMany) as caught:
        api(script).get("/x", "look")
    assert "3600 s" in caught.value.hint
    assert script.slept == []


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    script = Script(refused(status, "no"))
    with pytest.raises(Refused):
        api(script).get("/x", "look")
    assert script.asked == ["GET x"]


# creating


@pytest.mark.parametrize("trouble", [CUT, httpx.Response(502), httpx.Response(429), httpx.Response(200, text="<p>")])
def test_after_a_lost_answer_it_looks_before_it_asks_again(trouble: httpx.Response | Exception) -> None:
    script = Script(trouble, refused(404, "none"), trouble, done(name="x"))
    client = api(script)

    def find() -> dict[str, str] | None:
        try:
            return client.get("/things/x", "look")
        except NotFound:
            return None

    assert client.create("/things", "make x", {}, find) == {"name": "x"}
    assert script.asked == ["POST things", "GET x", "POST things", "GET x"]


@contextmanager
def server(answers: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Reads a request and gives the next answer; an empty one cuts the connection."""
    heard: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.rfile.readline()
            heard.append(head.split(b" HTTP")[0])
            self.wfile.write(answers.pop(0))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}", heard
        finally:
            serving.shutdown()
            thread.join()


def test_a_connection_cut_under_way_is_survived_without_a_second_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    half = b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"name": "x"'
    whole = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"name": "x"}'
    with server([half, b"", whole]) as (address, heard):
        client = CloudApi(address, API_KEY, pace=Script().pace)
        made = client.create("/things", "make x", {}, lambda: client.get("/things/x", "look"))
    assert made == {"name": "x"}
    assert heard == [b"POST /things", b"GET /things/x", b"GET /things/x"]


# pages


def test_pages_are_followed_at_the_address_of_the_settings() -> None:
    def link(token: str) -> dict[str, str]:
        return {"next": f"https://other.example/v9/things?page_size=7&page_token={token}"}

    script = Script(
        done(data=[{"n": 1}], metadata=link("a%2Bb%3D")),
        done(data=[], metadata=link("c")),
        done(data=None, metadata=link("d")),
        done(data=[{"n": 2}], metadata={"next": ""}),
    )
    items = api(script).items("/things", "list", {"page_size": "100"})
    assert [item["n"] for item in items] == [1, 2]
    assert [request.url.host for request in script.requests] == ["api.confluent.cloud"] * 4
    assert [script.params(at).get("page_token") for at in range(4)] == [None, "a+b=", "c", "d"]
    assert {script.params(at)["page_size"] for at in range(4)} == {"100"}


@pytest.mark.parametrize("end", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"next": None}}])
def test_a_list_ends_where_no_page_follows(end: dict[str, object]) -> None:
    assert list(api(Script(done(data=[{"n": 1}], **end))).items("/things", "list")) == [{"n": 1}]


def test_pages_that_turn_in_a_circle_are_an_error() -> None:
    page = done(data=[], metadata={"next": f"{ADDRESS}/things?page_token=a"})
    with pytest.raises(UnreachableError, match="the same page again"):
        list(api(Script(page, page)).items("/things", "list"))


# addresses


@pytest.mark.parametrize("address", ["http://127.0.0.1:8090", "http://[::1]:8090/", "http://localhost", ADDRESS])
def test_plain_http_is_for_this_machine(address: str) -> None:
    script = Script(done())
    api(script, address).get("/x", "look")
    assert script.requests[0].url.path == "/x"


@pytest.mark.parametrize("address", ["http://api.confluent.cloud", "http://10.0.0.1", "http://127.0.0.1.example"])
def test_plain_http_to_others_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="would send the Flink API key unencrypted"):
        api(Script(), address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "flink.example",
        "ftp://flink.example",
        "https://",
        "https://x:99999",
        f"https://u:{SECRET.get_secret_value()}@x",
        "https://x?a=b",
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_password(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        api(Script(), address)
    assert SECRET.get_secret_value() not in str(caught.value)


def test_a_path_in_the_address_stays() -> None:
    script = Script(done())
    api(script, "https://gateway.example/confluent/").get("/x", "look")
    assert str(script.requests[0].url) == "https://gateway.example/confluent/x"

"""A webhook gets each alert with its id and the secret, is asked again when it is away, and leads nowhere else."""

import logging
import ssl
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from dashboard.errors import AlertError, UnreachableError
from dashboard.freshness.alerts import Notice, Rules, Watches, step
from dashboard.freshness.verdict import State
from dashboard.freshness.webhook import Webhook
from dashboard.remotes.flink import Flink
from dashboard.remotes.flink_metrics import FlinkMetrics
from dashboard.sql_files import ROOT
from tests.conftest import free_ports
from tests.freshness.looks import AT, verdict
from tests.freshness.receivers import Hook, web_server

SECRET = "s3cr3t-of-the-test"  # noqa: S105


@pytest.fixture
def hook() -> Iterator[Hook]:
    with web_server() as hook:
        yield hook


def notice() -> Notice:
    nothing = AT - AT
    _, (raised,) = step(Watches(), verdict(State.LATE), Rules(nothing, nothing, nothing))
    return raised


def webhook(url: str, secret: str = SECRET, slept: list[float] | None = None) -> Webhook:
    return Webhook(SecretStr(url), SecretStr(secret), sleep=(slept if slept is not None else []).append)


def test_an_alert_is_posted_with_its_id_and_the_secret(hook: Hook) -> None:
    webhook(hook.url).tell(notice())

    ((headers, body),) = hook.posted
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["idempotency-key"] == body["id"] == "pipeline-2026-03-01T14:05:52Z-1"
    assert headers["content-type"] == "application/json"
    assert body["text"] == (
        "Late: Iceberg commit of revenue_summary. Data as of 14:05:10, 22 s late, "
        "held at: Iceberg commit of revenue_summary."
    )
    assert (body["kind"], body["state"], body["hop"]) == ("raised", "late", "commit:revenue_summary")
    assert (body["since"], body["until"]) == ("2026-03-01T14:05:52Z", None)


def test_the_documents_name_every_field(hook: Hook) -> None:
    webhook(hook.url).tell(notice())
    text = (ROOT / "docs" / "alerts.md").read_text()

    assert [name for name in hook.posted[0][1] if f"| `{name}` |" not in text] == []


def test_without_a_secret_no_login_is_sent(hook: Hook) -> None:
    webhook(hook.url, "").tell(notice())

    assert "authorization" not in hook.posted[0][0]


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_one_that_is_busy_is_asked_again_with_growing_pauses(hook: Hook, status: int) -> None:
    slept: list[float] = []
    hook.statuses.extend([status, status])

    webhook(hook.url, slept=slept).tell(notice())

    assert len(hook.posted) == 1
    assert len(slept) == 2
    assert slept[0] <= slept[1]


def test_one_that_stays_busy_is_left_for_later(hook: Hook) -> None:
    hook.statuses.extend([503] * 3)

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 answered 503"):
        webhook(hook.url).tell(notice())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hook: Hook, status: int) -> None:
    hook.statuses.append(status)

    with pytest.raises(AlertError, match="wants to be asked elsewhere"):
        webhook(hook.url).tell(notice())

    assert (hook.posted, hook.others) == ([], [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_told_and_not_tried_again_at_once(hook: Hook, status: int) -> None:
    slept: list[float] = []
    hook.statuses.append(status)

    with pytest.raises(AlertError, match=f"refused an alert with {status}"):
        webhook(hook.url, slept=slept).tell(notice())

    assert slept == []


def test_neither_address_nor_secret_stands_in_a_fault_or_a_log(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpcore")
    hook.statuses.extend([503] * 3 + [404])
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}/hook?token=hook-t0ken"

    faults = []
    for url in (hook.url, hook.url, nobody):
        with pytest.raises((AlertError, UnreachableError)) as caught:
            webhook(url).tell(notice())
        faults.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")

    assert all("hook-t0ken" not in text and SECRET not in text for text in [*faults, caplog.text])


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda url: webhook(url).tell(notice()),
        lambda url: FlinkMetrics(url).task_managers(),
        lambda url: Flink(url, url).jobs(),
    ],
    ids=["webhook", "metrics", "flink"],
)
def test_a_server_whose_certificate_nobody_vouches_for_is_asked_nothing_however_https_is_written(
    server_tls: ssl.SSLContext, scheme: str, ask: Callable[[str], object]
) -> None:
    with web_server(server_tls) as hook:
        with pytest.raises(UnreachableError):
            ask(hook.url.partition("?")[0].replace("https", scheme))

        assert (hook.posted, hook.others) == ([], [])


@pytest.mark.parametrize(("host", "secret"), [("127.0.0.1", "schlüssel"), ("a..b", SECRET)])
def test_settings_that_cannot_be_asked_with_are_a_refusal_that_does_not_show_them(host: str, secret: str) -> None:
    with pytest.raises(AlertError, match="cannot be asked") as caught:
        webhook(f"https://{host}:1/hook?key=t0ken", secret).tell(notice())

    assert "t0ken" not in str(caught.value)
    assert secret not in str(caught.value)
    assert secret not in f"{caught.value.__cause__!r} {caught.value.__context__!r}"

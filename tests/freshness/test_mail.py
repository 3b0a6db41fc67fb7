"""E-mails reach a real mail server, encrypted and after a login where settings say so, once each."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pydantic import SecretStr

from dashboard.errors import AlertError, UnreachableError
from dashboard.freshness.alerts import Notice, Rules, Watches, step
from dashboard.freshness.mail import Mail
from dashboard.freshness.verdict import Concern, State
from tests.conftest import free_ports
from tests.freshness.looks import AT, hop, verdict
from tests.freshness.receivers import Box, mail_server

PASSWORD = "pa55word-of-the-test"  # noqa: S105
RULES = Rules(timedelta(), timedelta(), timedelta(hours=1))


@pytest.fixture
def box() -> Iterator[Box]:
    with mail_server(free_ports(1)[0]) as box:
        yield box


def mail(port: int, to: str = "ada@example.com", **more: Any) -> Mail:
    wanted = {"host": "127.0.0.1", "security": "none", "user": "", "password": SecretStr(PASSWORD), **more}
    return Mail(to, sender="sales@example.com", port=port, **wanted)


def story() -> list[Notice]:
    """One alert from its first message to its last."""
    watches, told = Watches(), list[Notice]()
    for state in (State.LATE, State.STALE, State.FRESH):
        watches, notices = step(watches, verdict(state, at=AT + timedelta(seconds=10 * len(told))), RULES)
        told += notices
    return told


def check_login(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == (b"alerts", PASSWORD.encode()), handled=False)


def test_a_mail_says_what_is_late_since_when_and_what_to_do(box: Box) -> None:
    mail(box.port).tell(story()[0])

    (got,) = box.mails
    assert got["Subject"] == "[Sales Trends] Late: Iceberg commit of revenue_summary"
    assert (got["To"], got["From"]) == ("ada@example.com", "sales@example.com")
    assert got.get_content().splitlines() == [
        "Data as of 14:05:10, 22 s late, held at: Iceberg commit of revenue_summary.",
        "Nothing was committed.",
        "Start it.",
        "Since 2026-03-01T14:05:52Z.",
        "",
        "To hear no more of it for a while: sales-trends alerts snooze pipeline",
    ]


def test_the_mails_of_one_alert_are_one_thread_and_a_second_sending_has_the_same_id(box: Box) -> None:
    for notice in (*story(), story()[0]):
        mail(box.port).tell(notice)

    raised, changed, resolved, again = box.mails
    assert len({one["Message-ID"] for one in (raised, changed, resolved)}) == 3
    assert changed["References"] == resolved["In-Reply-To"] == raised["Message-ID"]
    assert again["Message-ID"] == raised["Message-ID"]
    assert "Good again since 2026-03-01T14:06:12Z." in resolved.get_content()


def test_what_a_cluster_said_makes_no_header(box: Box) -> None:
    evil = replace(hop(state=State.LATE), title="x\r\nBcc: all@example.com\r\n\r\nhello")
    _, (notice,) = step(Watches(), verdict(State.LATE, evil), RULES)

    mail(box.port).tell(notice)

    assert box.mails[0]["Bcc"] is None
    assert "\\r\\nBcc" in box.mails[0]["Subject"]


def test_a_concern_of_many_words_has_a_short_subject(box: Box) -> None:
    seen = verdict(State.FRESH, None, AT, Concern("quality", "revenue_summary is wrong. " * 40))
    _, (notice,) = step(Watches(), seen, RULES)

    mail(box.port).tell(notice)

    assert len(box.mails[0]["Subject"]) < 160


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_and_after_a_login(
    security: str, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    options = (
        {"ssl_context": server_tls} if security == "tls" else {"tls_context": server_tls, "require_starttls": True}
    )
    login = {"authenticator": check_login, "auth_required": True, "auth_require_tls": security == "starttls"}
    with mail_server(free_ports(1)[0], **options, **login) as box:
        mail(box.port, security=security, user="alerts").tell(story()[0])

        assert len(box.mails) == 1
        # of a server that speaks nothing but TLS the library does not tell it
        assert box.was_encrypted == [security == "starttls"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_neither_mail_nor_password(
    security: str, server_tls: ssl.SSLContext
) -> None:
    options = {"ssl_context": server_tls} if security == "tls" else {"tls_context": server_tls}
    with mail_server(free_ports(1)[0], **options) as box:
        with pytest.raises(UnreachableError, match=r"could not be talked to: .*certificate verify failed"):
            mail(box.port, security=security, user="alerts").tell(story()[0])

        assert box.mails == []


def test_a_server_that_cannot_encrypt_is_not_sent_to_in_the_clear(box: Box) -> None:
    with pytest.raises(UnreachableError, match="STARTTLS extension not supported"):
        mail(box.port, security="starttls").tell(story()[0])

    assert box.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
def test_a_wrong_password_is_a_refusal_that_does_not_show_it() -> None:
    login = {"authenticator": check_login, "auth_required": True, "auth_require_tls": False}
    with mail_server(free_ports(1)[0], **login) as box:
        with pytest.raises(AlertError, match="answered 535") as caught:
            mail(box.port, user="alerts", password=SecretStr("wr0ng-pa55word")).tell(story()[0])

        assert "wr0ng" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_a_refusal_for_now_may_work_later_and_one_for_ever_is_told(box: Box) -> None:
    box.replies.extend(["451 try later", "550 no such \x1b[31m person"])

    with pytest.raises(UnreachableError, match=r"answered 451 to an alert for ada@example\.com: try later"):
        mail(box.port).tell(story()[0])
    with pytest.raises(AlertError, match="answered 550") as caught:
        mail(box.port).tell(story()[0])

    assert caught.value.message.isprintable()


def test_a_server_that_is_away_is_named() -> None:
    with pytest.raises(UnreachableError, match=r"The mail server 127\.0\.0\.1:\d+ did not answer"):
        mail(free_ports(1)[0]).tell(story()[0])


def test_a_password_that_the_protocol_cannot_say_is_a_refusal_that_does_not_show_it(box: Box) -> None:
    with pytest.raises(AlertError, match="must be ASCII") as caught:
        mail(box.port, user="alerts", password=SecretStr("schlüssel")).tell(story()[0])

    assert "ü" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_a_host_that_is_no_name_is_a_refusal() -> None:
    with pytest.raises(AlertError, match=r"mail server a\.\.b:1 cannot be asked"):
        mail(1, host="a..b").tell(story()[0])

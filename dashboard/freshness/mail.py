"""Alerts by e-mail, a message for each person: an address that is refused keeps nobody else from being told."""

import hashlib
import smtplib
import ssl
from contextlib import closing, suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from pydantic import SecretStr

from dashboard.errors import AlertError, UnreachableError
from dashboard.freshness.alerts import Kind, Notice
from dashboard.wording import iso, printable

_SECONDS = 10
_PERMANENT = 500
"""Replies from here on are for ever (RFC 5321, 4.2.1)."""
_LONGEST_SUBJECT = 120


class Mail:
    """To one person."""

    def __init__(
        self,
        to: str,
        *,
        sender: str,
        host: str,
        port: int,
        security: Literal["starttls", "tls", "none"],
        user: str,
        password: SecretStr,
    ) -> None:
        self.name = f"mail to {to}"
        self._to, self._sender = to, sender
        self._host, self._port, self._security = host, port, security
        self._user, self._password = user, password

    def tell(self, notice: Notice) -> None:
        """Sends it; raises UnreachableError when that may work later, AlertError when it was refused for ever.

        Sent again it has the same Message-ID, which is made of its id.
        """
        password = self._password.get_secret_value()
        if not f"{self._user}{password}".isascii():
            # beforehand: the error of the attempt would hold the password
            raise AlertError(
                f"{self._title} cannot be asked: user and password must be ASCII, which is all that its protocol has.",
                "Correct SALES_ALERTS__SMTP_USER or SALES_ALERTS__SMTP_PASSWORD.",
            )
        try:
            with closing(self._connected()) as server:
                if self._user:
                    server.login(self._user, password)
                server.send_message(self._message(notice), self._sender, [self._to])
                # it is taken: what goes wrong at the goodbye must not send it again
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(*error.recipients.get(self._to, (_PERMANENT, b""))) from None
        except smtplib.SMTPResponseException as error:
            raise self._refused(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, ssl.SSLError) as error:
            raise UnreachableError(
                f"{self._title} could not be talked to: {_words(error)}.",
                "Check SALES_ALERTS__SMTP_SECURITY, port and certificate.",
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"{self._title} did not answer: {_words(error)}.", "Check SALES_ALERTS__SMTP_HOST and the network."
            ) from error
        except ValueError:
            raise AlertError(
                f"{self._title} cannot be asked: that is no name of a host, or an address of the mail is none.",
                "Check SALES_ALERTS__SMTP_HOST, MAIL_FROM and MAIL_TO.",
            ) from None

    def _connected(self) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(self._host, self._port, timeout=_SECONDS)
        if self._security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    @property
    def _title(self) -> str:
        return f"The mail server {self._host}:{self._port}"

    def _refused(self, code: int, text: bytes | str) -> AlertError | UnreachableError:
        said = printable(text.decode("utf-8", "replace") if isinstance(text, bytes) else text, 200)
        message = f"{self._title} answered {code} to an alert for {self._to}: {said}."
        if code < _PERMANENT:
            return UnreachableError(message, "It is asked again later.")
        return AlertError(message, "Check SALES_ALERTS__MAIL_TO, MAIL_FROM and SMTP_USER.")

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._sender, self._to
        message["Subject"] = f"[Sales Trends] {printable(notice.title, _LONGEST_SUBJECT)}"
        message["Date"] = format_datetime(notice.at)
        message["Message-ID"] = self._id(notice.id)
        if notice.kind is not Kind.RAISED:
            # of the first one, so that mail programs show them as one thread
            message["References"] = message["In-Reply-To"] = self._id(f"{notice.alert}-1")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(as_text(notice))
        return message

    def _id(self, text: str) -> str:
        return f"<{hashlib.sha256(f'{text} {self._to}'.encode()).hexdigest()[:32]}@{self._sender.rpartition('@')[2]}>"


def as_text(notice: Notice) -> str:
    """What the mail says."""
    trouble = notice.trouble
    lines = [
        notice.headline,
        *(one for one in (trouble.sentence, trouble.hint) if one and notice.kind is not Kind.RESOLVED),
    ]
    ended = [f"Good again since {iso(notice.until)}."] if notice.until else []
    quiet = (
        ""
        if notice.kind is Kind.RESOLVED
        else f"\nTo hear no more of it for a while: sales-trends alerts snooze {notice.subject}"
    )
    return "\n".join([*dict.fromkeys(lines), f"Since {iso(notice.since)}.", *ended, quiet])


def _words(error: OSError | smtplib.SMTPException) -> str:
    return printable(str(error) or type(error).__name__, 200).rstrip(".")

"""Alerts as JSON to one address: Slack, Mattermost and others show the field `text`; docs/alerts.md has all fields."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from dashboard.addresses import is_encrypted, on_this_machine
from dashboard.errors import AlertError, UnreachableError
from dashboard.freshness.alerts import Notice
from dashboard.wording import iso

# it tells the whole address of every request, which here may be a key
logging.getLogger("httpx").setLevel(logging.WARNING)

_SECONDS = 10
_ATTEMPTS = 3
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class Webhook:
    name = "webhook"

    def __init__(self, url: SecretStr, secret: SecretStr, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is asked yet; the address was checked with the settings, and may itself be a key."""
        self._url, self._secret = url.get_secret_value(), secret.get_secret_value()
        host = urlsplit(self._url).hostname or ""
        self._trusts_environment = not on_this_machine(host)
        self._title = f"The webhook at {host}"
        self._retrying = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=5),
            reraise=True,
            sleep=sleep,
        )

    def tell(self, notice: Notice) -> None:
        """Posts it; raises UnreachableError when that may work later, AlertError when it was refused.

        Sent again it has the same `Idempotency-Key`, which is its id.
        """
        self._retrying(self._post, notice)

    def _post(self, notice: Notice) -> None:
        headers = {"Idempotency-Key": quote(notice.id, safe=":")}
        if not self._secret.isascii():
            # beforehand: the error of the attempt would hold the secret
            raise AlertError(
                f"{self._title} cannot be asked: the secret must be ASCII, as a header is.",
                "Correct SALES_ALERTS__WEBHOOK_SECRET.",
            )
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        try:
            with httpx.Client(
                timeout=_SECONDS,
                # a redirect would take the alert, and the secret, to an address that nobody set
                follow_redirects=False,
                trust_env=self._trusts_environment,
                verify=is_encrypted(self._url),
            ) as client:
                status = client.post(self._url, json=as_json(notice), headers=headers).status_code
        except httpx.HTTPError as error:
            # without the cause, whose text may hold the address
            raise UnreachableError(
                f"{self._title} did not answer: {type(error).__name__}.",
                "Check SALES_ALERTS__WEBHOOK_URL and the network.",
            ) from None
        except (httpx.InvalidURL, ValueError):
            raise AlertError(
                f"{self._title} cannot be asked: that is no address.", "Check SALES_ALERTS__WEBHOOK_URL."
            ) from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in _PASSING:
            raise UnreachableError(f"{self._title} answered {status}.", "It is asked again later.")
        if 300 <= status < 400:
            raise AlertError(
                f"{self._title} answered {status}: it wants to be asked elsewhere.",
                "Set SALES_ALERTS__WEBHOOK_URL to the address that takes alerts; redirects are not followed.",
            )
        raise AlertError(
            f"{self._title} refused an alert with {status}.",
            "Check SALES_ALERTS__WEBHOOK_URL and SALES_ALERTS__WEBHOOK_SECRET.",
        )


def as_json(notice: Notice) -> dict[str, Any]:
    """Version 1 of the message; fields may be added, none is taken away."""
    trouble = notice.trouble
    return {
        "version": 1,
        "text": f"{notice.title}. {notice.headline}",
        "id": notice.id,
        "alert": notice.alert,
        "kind": notice.kind.value,
        "subject": notice.subject,
        "state": trouble.state,
        "hop": trouble.hop,
        "title": notice.title,
        "headline": notice.headline,
        "reason": trouble.sentence,
        "hint": trouble.hint,
        "at": iso(notice.at),
        "since": iso(notice.since),
        "until": iso(notice.until) if notice.until else None,
    }

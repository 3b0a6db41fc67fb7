"""The payment app's way to the wire: the contract of its topic, whatever it says, and patience with what is away."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, TypeVar

from pydantic import SecretStr

from dashboard.enforcement.enforcement import Enforcement
from dashboard.enforcement.self_check import ScratchRegistry
from dashboard.errors import UnreachableError
from dashboard.local.kms import local_kms_secret
from dashboard.local.shop.sales import payment_value
from dashboard.local.shop.topics import REPEAT_SECONDS
from dashboard.local.worker import Interrupted, Stop
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry
from dashboard.remotes.registry import Registry
from dashboard.settings import LocalSettings
from dashboard.topic_names import PAYMENTS_TOPIC

log = logging.getLogger(__name__)

_TRY_SECONDS = 0.5
_SAMPLE_ID = 1
_NOBODY = SecretStr("")

Made = TypeVar("Made")


class Contracted:
    """Turns payments into bytes; waits, however long it takes, for a registry or a key that does not answer."""

    def __init__(self, enforcement: Enforcement, stop: Stop) -> None:
        self._enforcement = enforcement
        self._stop = stop

    def begin(self) -> None:
        """Returns when the contract is proven to be enforced; raises ContractError when it is not."""
        self._patiently(self._enforcement.begin)

    def __call__(self, value: dict[str, Any]) -> bytes:
        """The bytes to send; `value` stays what it is.

        Raises Refused when the contract refuses this one payment, and ContractError when no payment can be made.
        """
        return self._patiently(lambda: self._enforcement(value))

    @property
    def dead_letter_topics(self) -> frozenset[str]:
        return self._enforcement.dead_letter_topics

    def _patiently(self, work: Callable[[], Made]) -> Made:
        """Raises Interrupted when told to stop while it waits."""
        said = -float("inf")
        while True:
            try:
                return work()
            except UnreachableError as error:
                if time.monotonic() - said >= REPEAT_SECONDS:
                    log.warning("%s No payment is made without it; trying again.", error)
                    said = time.monotonic()
            if self._stop.wait(_TRY_SECONDS):
                raise Interrupted


@contextmanager
def contract_of_payments(local: LocalSettings, seed: int, stop: Stop, cache_seconds: float) -> Iterator[Contracted]:
    """What this stack's payment app writes by; closed at the end."""
    address = f"http://127.0.0.1:{local.registry_port}"
    registry = CloudRegistry(address, _NOBODY, _NOBODY, key_setting="", pace=Pace(repeat_seconds=0))
    # one app a stack: its journal sees to that
    app = blake2b(f"{socket.gethostname()} {local.home}".encode(), digest_size=6).hexdigest()
    with Enforcement(
        Registry(address),
        PAYMENTS_TOPIC,
        kms_secret=local_kms_secret(local.home),
        scratch=ScratchRegistry(registry, app),
        sample=payment_value(_SAMPLE_ID, 0, number=1, seed=seed),
        cache_seconds=cache_seconds,
    ) as enforcement:
        yield Contracted(enforcement, stop)

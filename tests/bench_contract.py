"""Payments through a contract in the real registry, for `make bench`."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from dashboard.deploy.contract import Declaration
from dashboard.enforcement.enforcement import Enforcement
from dashboard.local.shop.sales import payment_value
from dashboard.remotes.cloud_api import Pace
from dashboard.remotes.cloud_registry import CloudRegistry
from tests.enforcement.conftest import DECLARED, NOBODY, Topic
from tests.registry_server import registry_at

_PAYMENTS = 2_000
# only such as no rule refuses: a refused one costs a letter
_VALUES = [payment_value(number, 1_795_366_800_000, number=1, seed=1) for number in range(_PAYMENTS)]
_CONTRACTS = {
    "without rules": Declaration("payments-value", DECLARED.schema),
    "with a condition": DECLARED.unencrypted(),
    "with condition and encryption": DECLARED,
}


@contextmanager
def contracts() -> Iterator[list[tuple[str, Callable[[], object]]]]:
    """What is measured, by its name."""
    with tempfile.TemporaryDirectory() as folder, registry_at(Path(folder)) as address, ExitStack() as closes:
        registry = CloudRegistry(address, NOBODY, NOBODY, key_setting="", pace=Pace(repeat_seconds=0))
        measured: list[tuple[str, Callable[[], object]]] = []
        for words, declared in _CONTRACTS.items():
            topic = Topic(address, registry, closes)
            topic.make_key()
            topic.promise(declared)
            writer = topic.writer(cache_seconds=3_600)
            writer.begin()
            measured.append((f"{_PAYMENTS:,} payments, a contract {words}", partial(_write, writer)))
        yield measured


def _write(writer: Enforcement) -> None:
    for value in _VALUES:
        writer(value)

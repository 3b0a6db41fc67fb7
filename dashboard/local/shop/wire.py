"""How the shop speaks with the registry: values to and from the wire format, by its newest schema and rules."""

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from httpx2 import HTTPError

from dashboard.card_numbers import without_card_numbers
from dashboard.enforcement.outcomes import Refused
from dashboard.errors import ContractError, UnreachableError
from dashboard.local.worker import Interrupted, Stop
from dashboard.remotes.wire_format import HEADER_BYTES, Decoder
from dashboard.settings import LocalSettings

log = logging.getLogger(__name__)

REGISTRY_WAIT_SECONDS = 120.0
_OUTAGES = (HTTPError, OSError)
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def registry_client(local: LocalSettings) -> SchemaRegistryClient:
    return SchemaRegistryClient.new_client({"url": f"http://127.0.0.1:{local.registry_port}"})


class Wire:
    """Turns values into the registry's wire format, for topics whose contract is a schema alone.

    The schema is fetched once and kept for the life of the process, as the client does.
    """

    def __init__(self, registry: SchemaRegistryClient, topic: str, field: MessageField, stop: Stop) -> None:
        self._serializer = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
        self._context = SerializationContext(topic, field)
        self._stop = stop

    def __call__(self, value: dict[str, Any]) -> bytes:
        """The bytes to send.

        Raises Refused when a rule refuses this one record, and ContractError when no record can be made at all.
        """
        patience = _Patience(self._stop)
        while True:
            try:
                return bytes(self._serializer(value, self._context) or b"")
            except SerializationError as error:
                raise Refused("the contract", without_card_numbers(str(error) or str(error.__cause__))) from None
            except _OUTAGES as error:
                patience.wait(f"the contract of {self._context.topic}", error)
            except Exception as error:
                # from None and by name: the library's messages and frames hold the value, card number and all
                raise ContractError(
                    f"A record for {self._context.topic} could not be made: "
                    f"{type(error).__name__}: {without_card_numbers(str(error))}.",
                    "Compare the subject's newest schema and rules with the shop's records.",
                ) from None


def decoder(registry: SchemaRegistryClient, topic: str, stop: Stop) -> Decoder:
    """Reads a topic's values; waits for a registry that is away, and raises Interrupted when told to stop."""

    def schema_text(schema_id: int) -> str | None:
        patience = _Patience(stop)
        while True:
            try:
                text: str | None = registry.get_schema(schema_id).schema_str
                return text
            except SchemaRegistryError as error:
                if error.http_status_code == HTTPStatus.NOT_FOUND:
                    return None
                patience.wait(f"the schema of {topic}", error)
            except _OUTAGES as error:
                patience.wait(f"the schema of {topic}", error)

    return Decoder(schema_text)


def wait_for_schemas(
    registry: SchemaRegistryClient, subjects: Iterable[str], stop: Stop, within_seconds: float = REGISTRY_WAIT_SECONDS
) -> None:
    """Returns when the registry has every subject; raises UnreachableError when it takes too long."""
    patience = _Patience(stop, within_seconds)
    for subject in subjects:
        while True:
            try:
                registry.get_latest_version(subject)
                break
            except (SchemaRegistryError, *_OUTAGES) as error:
                patience.wait(f"the subject {subject}", error)


class _Patience:
    """Waits between tries, and ends them."""

    def __init__(self, stop: Stop, within_seconds: float = REGISTRY_WAIT_SECONDS) -> None:
        self._stop = stop
        self._within_seconds = within_seconds
        self._since: float | None = None

    def wait(self, what: str, error: Exception) -> None:
        """Raises UnreachableError when it has been too long since the first failure, Interrupted when told to stop."""
        if self._since is None:
            self._since = time.monotonic()
            log.warning("The registry does not give %s yet; trying again: %s", what, error)
        if time.monotonic() - self._since > self._within_seconds:
            raise UnreachableError(
                f"The schema registry did not give {what} in {self._within_seconds:.0f} s: {error}.",
                "`sales-trends status` shows whether it runs; the deployment registers the subjects.",
            ) from error
        if self._stop.wait(0.5):
            raise Interrupted


def orderid_of(key: bytes) -> int:
    """The order's id from the key's wire format: a zero, four bytes of schema id, one Avro int (zigzag, 7 bits a byte).

    By hand, so that a settlement needs no registry. Source: https://avro.apache.org/docs/1.12.0/specification/
    """
    number = shift = 0
    for byte in key[HEADER_BYTES:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return (number >> 1) ^ -(number & 1)


def order_id_of(key: bytes) -> int:
    """The order's id from a payment's key; -1, which no order has, from a key of somebody else's."""
    return int(key) if key.isdigit() else -1


def milliseconds(time: datetime) -> int:
    """A timestamp as the deserializer gives it, as the milliseconds it came from."""
    return (time - _EPOCH) // _MILLISECOND

"""Schema Registry: registers the schemas of topics that have them in files."""

import json
from typing import Any

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from dashboard.errors import ContractError, UnreachableError


class Registry:
    """One registry by its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def register(self, subject: str, avro: dict[str, Any]) -> int:
        """Registers a schema unless it is the subject's already, and returns its id.

        Raises ContractError when it is not compatible with the versions before it.
        """
        try:
            with SchemaRegistryClient({"url": self.url}) as client:
                return int(client.register_schema(subject, Schema(json.dumps(avro), "AVRO")))
        except SchemaRegistryError as error:
            raise ContractError(
                f"The schema of {subject} was refused: {error.error_message}.",
                "A change must let old records be read; give a new field a default.",
            ) from error
        except httpx2.HTTPError as error:
            raise UnreachableError(
                f"The schema registry at {self.url} did not answer: {type(error).__name__}.",
                "`sales-trends status` shows what runs; `sales-trends up` starts it.",
            ) from error

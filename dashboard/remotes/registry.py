"""Schema Registry: registers the schemas of topics that have them in files, and gives a schema by its id."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from pydantic import SecretStr

from dashboard.addresses import silence_hint
from dashboard.errors import ContractError, SettingsError, UnreachableError

_NOT_FOUND = 404
_KEY_REFUSED = (401, 403)
_COMPATIBLE = "A change must let old records be read; give a new field a default."
_NO_PASSWORD = SecretStr("")


@dataclass(frozen=True)
class Registry:
    """One registry by its address, with a user and password where it asks for them."""

    url: str
    user: str = ""
    password: SecretStr = _NO_PASSWORD

    def client_config(self) -> dict[str, str]:
        """What Confluent's client is configured with; holds the password."""
        config = {"url": self.url}
        if self.user:
            config["basic.auth.user.info"] = f"{self.user}:{self.password.get_secret_value()}"
        return config

    def register(self, subject: str, avro: dict[str, Any]) -> int:
        """Registers a schema unless it is the subject's already, and returns its id.

        Raises ContractError when it is not compatible with the versions before it.
        """
        with self._client(subject) as client:
            return int(client.register_schema(subject, Schema(json.dumps(avro), "AVRO")))

    def latest(self, subject: str) -> dict[str, Any] | None:
        """The newest schema of a subject; None when there is none."""
        text: str | None = None
        with self._client() as client:
            text = client.get_latest_version(subject).schema.schema_str
        schema: dict[str, Any] | None = json.loads(text or "null")
        return schema

    def check(self, subject: str, avro: dict[str, Any]) -> None:
        """Raises ContractError when the registry would refuse this as the subject's next version."""
        with self._client(subject) as client:
            compatible = client.test_compatibility(subject, Schema(json.dumps(avro), "AVRO"))
        if not compatible:
            raise ContractError(f"The schema of {subject} is not compatible with the version before it.", _COMPATIBLE)

    def delete(self, subject: str) -> None:
        """Deletes a subject for good; one that does not exist is no error."""
        for permanent in (False, True):
            with self._client() as client:
                client.delete_subject(subject, permanent)

    def schema(self, schema_id: int) -> str | None:
        """The text of the schema with this id; None when the registry knows of none."""
        text: str | None = None
        with self._client() as client:
            text = client.get_schema(schema_id).schema_str
        return text

    @contextmanager
    def _client(self, subject: str = "") -> Iterator[SchemaRegistryClient]:
        """For one call: with a subject one that gives it a schema, without one that passes by what is not there.

        Raises ContractError for a schema that is refused, SettingsError for a user or key that is, UnreachableError.
        """
        try:
            with SchemaRegistryClient(self.client_config()) as client:
                yield client
        except SchemaRegistryError as error:
            if error.http_status_code in _KEY_REFUSED:
                raise SettingsError(
                    f"The schema registry at {self.url} refused the user or key ({error.http_status_code}).",
                    "Check the user of the schema registry and the password beside it.",
                ) from error
            if subject:
                raise ContractError(
                    f"The schema of {subject} was refused: {error.error_message}.", _COMPATIBLE
                ) from error
            if error.http_status_code != _NOT_FOUND:
                raise self._unreachable(error) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(
            f"The schema registry at {self.url} did not answer: {type(error).__name__}.",
            silence_hint(urlsplit(self.url).hostname or ""),
        )

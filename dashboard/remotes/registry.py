"""Schema Registry: registers the schemas of topics that have them in files, and gives a schema by its id."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from pydantic import SecretStr

from dashboard.addresses import silence_hint
from dashboard.errors import ContractError, SalesTrendsError, SettingsError, UnreachableError

_NOT_FOUND = 404
_KEY_REFUSED = (401, 403)
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

    def _client(self) -> SchemaRegistryClient:
        return SchemaRegistryClient(self.client_config())

    def register(self, subject: str, avro: dict[str, Any]) -> int:
        """Registers a schema unless it is the subject's already, and returns its id.

        Raises ContractError when it is not compatible with the versions before it.
        """
        try:
            with self._client() as client:
                return int(client.register_schema(subject, Schema(json.dumps(avro), "AVRO")))
        except SchemaRegistryError as error:
            if error.http_status_code in _KEY_REFUSED:
                raise self._unreachable(error) from error
            raise ContractError(
                f"The schema of {subject} was refused: {error.error_message}.",
                "A change must let old records be read; give a new field a default.",
            ) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def latest(self, subject: str) -> dict[str, Any] | None:
        """The newest schema of a subject; None when there is none."""
        try:
            with self._client() as client:
                text = client.get_latest_version(subject).schema.schema_str
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise self._unreachable(error) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        schema: dict[str, Any] = json.loads(text or "null")
        return schema

    def check(self, subject: str, avro: dict[str, Any]) -> None:
        """Raises ContractError when the registry would refuse this as the subject's next version."""
        try:
            with self._client() as client:
                compatible = client.test_compatibility(subject, Schema(json.dumps(avro), "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code in _KEY_REFUSED:
                raise self._unreachable(error) from error
            raise ContractError(f"The schema of {subject} was refused: {error.error_message}.") from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if not compatible:
            raise ContractError(
                f"The schema of {subject} is not compatible with the version before it.",
                "A change must let old records be read; give a new field a default.",
            )

    def delete(self, subject: str) -> None:
        """Deletes a subject for good; one that does not exist is no error."""
        for permanent in (False, True):
            try:
                with self._client() as client:
                    client.delete_subject(subject, permanent)
            except SchemaRegistryError as error:
                if error.http_status_code != _NOT_FOUND:
                    raise self._unreachable(error) from error
            except httpx2.HTTPError as error:
                raise self._unreachable(error) from error

    def schema(self, schema_id: int) -> str | None:
        """The text of the schema with this id; None when the registry knows of none."""
        try:
            with self._client() as client:
                text: str | None = client.get_schema(schema_id).schema_str
                return text
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise self._unreachable(error) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> SalesTrendsError:
        if isinstance(error, SchemaRegistryError) and error.http_status_code in _KEY_REFUSED:
            return SettingsError(
                f"The schema registry at {self.url} refused the user or key ({error.http_status_code}).",
                "Check the user of the schema registry and the password beside it.",
            )
        return UnreachableError(
            f"The schema registry at {self.url} did not answer: {type(error).__name__}.",
            silence_hint(urlsplit(self.url).hostname or ""),
        )

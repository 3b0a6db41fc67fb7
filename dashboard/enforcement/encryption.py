"""The client's encryption of fields, which lets pass what is encrypted already."""

import threading
from typing import Any

from confluent_kafka.schema_registry.rules.encryption.awskms.aws_driver import AwsKmsDriver
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
from confluent_kafka.schema_registry.rules.encryption.localkms.local_driver import LocalKmsDriver
from confluent_kafka.schema_registry.serde import FieldContext, FieldTransform, RuleContext
from pydantic import SecretStr

from dashboard.enforcement.outcomes import Ciphertext
from dashboard.errors import ContractError

_lock = threading.Lock()
_secret: SecretStr | None = None


class Encryption(FieldEncryptionExecutor):
    """In the place of the client's executor of ENCRYPT."""

    def new_transform(self, ctx: RuleContext) -> FieldTransform:
        encrypt = super().new_transform(ctx)

        def transform(ctx: RuleContext, field: FieldContext, value: Any) -> Any:
            return str(value) if isinstance(value, Ciphertext) else encrypt(ctx, field, value)

        return transform


def open_key_stores(local_secret: SecretStr | None) -> None:
    """Lets the client use keys of AWS KMS, and of the local key management made of this secret.

    The client keeps the first secret for the whole process, whatever another serializer is given; so another one is
    refused here. Raises ContractError.
    """
    global _secret
    with _lock:
        if _secret is None:
            LocalKmsDriver.register()
            AwsKmsDriver.register()
            _secret = SecretStr("")
        if local_secret is None or local_secret == _secret:
            return
        if _secret.get_secret_value():
            raise ContractError(
                "This process uses another secret of the local key management already.",
                "Give each stack a process of its own.",
            )
        _secret = local_secret

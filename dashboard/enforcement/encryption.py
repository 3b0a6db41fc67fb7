"""The client's encryption of fields, which lets pass what is encrypted already, and does not walk where nothing is."""

import json
from typing import Any

from confluent_kafka.schema_registry import RuleMode
from confluent_kafka.schema_registry.rules.encryption import encrypt_executor
from confluent_kafka.schema_registry.rules.encryption.awskms.aws_driver import AwsKmsDriver
from confluent_kafka.schema_registry.rules.encryption.encrypt_executor import FieldEncryptionExecutor
from confluent_kafka.schema_registry.rules.encryption.kms_driver_registry import get_kms_driver
from confluent_kafka.schema_registry.rules.encryption.localkms.local_driver import LocalKmsDriver
from confluent_kafka.schema_registry.serde import FieldContext, FieldTransform, FieldType, RuleContext

from dashboard.enforcement.field_tags import record_name, tags_beside, tags_within
from dashboard.enforcement.outcomes import Ciphertext


class Encryption(FieldEncryptionExecutor):
    """In the place of the client's executor of ENCRYPT."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[tuple[str, str, tuple[str, ...]], tuple[tuple[str, str], ...] | None] = {}

    def new_transform(self, ctx: RuleContext) -> FieldTransform:
        encrypt = super().new_transform(ctx)

        def transform(ctx: RuleContext, field: FieldContext, value: Any) -> Any:
            return str(value) if isinstance(value, Ciphertext) else encrypt(ctx, field, value)

        return transform

    def transform(self, ctx: RuleContext, message: Any) -> Any:
        """As the client's, which visits each field of a record to find the few that are tagged: most of its work."""
        texts = self._tagged_texts(ctx) if ctx.rule_mode == RuleMode.WRITE and type(message) is dict else None
        if texts is None or any(not isinstance(message.get(name), str) for _, name in texts):
            return super().transform(ctx, message)
        encrypt = self.new_transform(ctx)
        for full_name, name in texts:
            field = ctx.enter_field(message, full_name, name, FieldType.STRING, None)
            try:
                message[name] = encrypt(ctx, field, message[name])
            finally:
                ctx.exit_field()  # type: ignore[no-untyped-call]
        return message

    def _tagged_texts(self, ctx: RuleContext) -> tuple[tuple[str, str], ...] | None:
        """Full and own names of the tagged fields; None where one of them is more than a text of the record's own.

        None also where another rule encrypts too, since the client leaves out the second one of the same tags.
        """
        if ctx.target is None or sum(rule.type == self.type() for rule in ctx.rules) != 1:
            return None
        # a new version may have the same text, and other tags beside it
        asked = (ctx.target.schema_str or "", repr(tags_beside(ctx.target)), tuple(ctx.rule.tags or ()))
        if asked not in self._texts:
            self._texts[asked] = _tagged_texts(ctx)
        return self._texts[asked]


def _tagged_texts(ctx: RuleContext) -> tuple[tuple[str, str], ...] | None:
    schema = json.loads((ctx.target.schema_str if ctx.target else None) or "null")
    if not isinstance(schema, dict) or schema.get("type") != "record" or tags_beside(ctx.target):
        return None
    wanted, found = set(ctx.rule.tags or ()), []
    for field in schema.get("fields", []):
        if not isinstance(field["type"], str) and not _is_plain(field["type"]):
            # what is nested may hold tagged fields of its own
            return None
        if wanted & tags_within(field):
            if field["type"] != "string":
                return None
            found.append((f"{record_name(schema)}.{field['name']}", field["name"]))
    return tuple(found)


def _is_plain(avro: Any) -> bool:
    """A single value with a logical type, such as a time."""
    return isinstance(avro, dict) and avro.get("type") in ("int", "long", "string", "bytes", "double", "float")


class _OwnKeys(encrypt_executor.AeadWrapper):
    """Opens keys with what its own serializer was given.

    The client keeps one key management for each address and the whole process: the first local secret and the first
    credentials would count for every serializer, whatever it is given.
    """

    def _get_kms_client(self, config: dict[str, Any], kek_url: str) -> Any:
        return get_kms_driver(kek_url).new_kms_client(config, kek_url)


# the client makes it by this name, and offers no other place to say so
encrypt_executor.AeadWrapper = _OwnKeys  # type: ignore[misc]
LocalKmsDriver.register()
AwsKmsDriver.register()

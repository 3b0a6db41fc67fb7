"""The Kafka cluster and the schema registry of each kind of target, by its settings: for whoever reads or writes."""

from dashboard.addresses import bootstrap_hosts, on_this_machine
from dashboard.remotes.kafka import Kafka
from dashboard.remotes.kafka_access import KafkaAccess
from dashboard.remotes.registry import Registry
from dashboard.settings import LocalSettings, Settings, load_settings
from dashboard.target_fields import ConfluentTargetSettings, OpenSourceTargetSettings
from dashboard.targets import LOCAL, TargetKind, load_target


def kafka_and_registry(settings: Settings) -> tuple[Kafka, Registry]:
    """Those of the target that the settings name; nothing is asked of them yet.

    Raises SettingsError when a key is missing.
    """
    if settings.target == LOCAL:
        return local_clusters(settings.local)
    target = load_target(settings.target, settings)
    return confluent_clusters(target) if isinstance(target, ConfluentTargetSettings) else own_clusters(target)


def local_clusters(local: LocalSettings) -> tuple[Kafka, Registry]:
    """Those of the local stack."""
    return Kafka(f"127.0.0.1:{local.kafka_port}"), Registry(f"http://127.0.0.1:{local.registry_port}")


def confluent_clusters(target: ConfluentTargetSettings) -> tuple[Kafka, Registry]:
    """Those on Confluent Cloud; raises SettingsError when a key is missing."""
    # Confluent Cloud always encrypts; on this machine stands what takes its place in a test
    local = all(map(on_this_machine, bootstrap_hosts(target.kafka_bootstrap)))
    key, secret = target.key_for("kafka")
    access = KafkaAccess(
        target.kafka_bootstrap,
        "SASL_PLAINTEXT" if local else "SASL_SSL",
        "PLAIN",
        key.get_secret_value(),
        secret,
        setting=target.key_setting("kafka"),
    )
    user, password = target.key_for("schema_registry")
    return Kafka(access), Registry(target.schema_registry_url, user.get_secret_value(), password)


def own_clusters(target: OpenSourceTargetSettings) -> tuple[Kafka, Registry]:
    """Those that somebody runs themselves."""
    access = KafkaAccess(
        target.kafka_bootstrap,
        target.kafka_security_protocol,
        target.kafka_sasl_mechanism,
        target.kafka_username.get_secret_value(),
        target.kafka_password,
        target.kafka_ca_file,
        f"{target.prefix}KAFKA_USERNAME",
    )
    registry = Registry(
        target.schema_registry_url,
        target.schema_registry_username.get_secret_value(),
        target.schema_registry_password,
    )
    return Kafka(access), registry


def kind_of(target: str) -> TargetKind:
    """What a target is made of; raises SettingsError for one that nothing describes."""
    if target == LOCAL:
        return "local"
    described = load_target(target, load_settings())
    return "Confluent Cloud" if isinstance(described, ConfluentTargetSettings) else "own clusters"

"""How one Kafka cluster is reached: address, encryption, user and password."""

from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError
from pydantic import SecretStr

from dashboard.addresses import bootstrap_hosts, silence_hint
from dashboard.errors import SalesTrendsError, SettingsError, UnreachableError

_REFUSED = (
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.ILLEGAL_SASL_STATE,
)


class Refusal:
    """What the library tells of a connection beside its answers: a call on a refused one only times out."""

    def __init__(self) -> None:
        self.authentication = False
        self.encryption = False

    def __call__(self, error: KafkaError) -> None:
        self.authentication |= error.code() in _REFUSED
        self.encryption |= error.code() == KafkaError._SSL

    def __bool__(self) -> bool:
        return self.authentication or self.encryption


@dataclass(frozen=True)
class KafkaAccess:
    """One cluster, and the key that opens it; without a mechanism's user it is open to everybody."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str = "PLAIN"
    """Of the two SASL protocols alone."""
    username: str = ""
    password: SecretStr = field(default=SecretStr(""), repr=False)
    ca_file: str = ""
    """A file of certificates to trust; empty stands for those of the system."""
    setting: str = ""
    """The setting that holds the user, for what is said when it is not taken."""

    def config(self) -> dict[str, Any]:
        """The library's options; they hold the password, so they are shown nowhere."""
        options: dict[str, Any] = {"bootstrap.servers": self.bootstrap, "log_level": 0}
        if self.security_protocol != "PLAINTEXT":
            options["security.protocol"] = self.security_protocol
        if self.security_protocol.startswith("SASL_"):
            options["sasl.mechanism"] = self.mechanism
            options["sasl.username"] = self.username
            options["sasl.password"] = self.password.get_secret_value()
        if self.security_protocol.endswith("SSL") and self.ca_file:
            options["ssl.ca.location"] = self.ca_file
        return options

    @property
    def silence_hint(self) -> str:
        """What to do when it does not answer."""
        return silence_hint(bootstrap_hosts(self.bootstrap)[0])

    def java_config(self) -> dict[str, str]:
        """The same for Kafka's client inside Flink's connector, whose classes are renamed there; as secret.

        Certificates are those that Flink's own machines trust: a file of this one is none of theirs.
        """
        options: dict[str, str] = {}
        if self.security_protocol != "PLAINTEXT":
            options["security.protocol"] = self.security_protocol
        if self.security_protocol.startswith("SASL_"):
            login = "scram.ScramLoginModule" if self.mechanism.startswith("SCRAM") else "plain.PlainLoginModule"
            user, password = (_quoted(text) for text in (self.username, self.password.get_secret_value()))
            options["sasl.mechanism"] = self.mechanism
            options["sasl.jaas.config"] = (
                f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{login} required "
                f"username={user} password={password};"
            )
        return options

    def fault(self, refusal: Refusal, reason: str) -> SalesTrendsError:
        """The error for a call that failed, by what was heard beside it."""
        if refusal.authentication:
            where = f" in {self.setting}" if self.setting else ""
            return SettingsError(
                f"Kafka at {self.bootstrap} refused the user or key.", f"Check the user or key{where} and its secret."
            )
        if refusal.encryption:
            return UnreachableError(
                f"Kafka at {self.bootstrap} cannot be reached encrypted: its certificate is not trusted, or it does "
                "not speak TLS.",
                "Check its address, its security protocol and the file of certificates.",
            )
        return UnreachableError(f"Kafka at {self.bootstrap} did not answer: {reason}.", self.silence_hint)


def _quoted(text: str) -> str:
    """As a value of a JAAS configuration."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def kafka_access(access: KafkaAccess | str) -> KafkaAccess:
    """The access that was given; a bootstrap address alone stands for a cluster without security."""
    return KafkaAccess(access) if isinstance(access, str) else access

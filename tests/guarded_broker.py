"""A real broker with two more listeners that ask for a user and password, one of them encrypted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from rich.console import Console

from dashboard.local import services
from dashboard.local.jars import fetch_jars
from dashboard.local.processes import ProcessTable
from dashboard.narration import Narrator, Step
from dashboard.remotes.kafka_access import KafkaAccess
from dashboard.settings import Settings
from tests.conftest import free_ports, stack_settings

USER = "shop"
RIGHT = "right-password"
_LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded},TLS://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded},TLS://localhost:{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT,TLS:SASL_SSL
listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_shop="{password}";
listener.name.tls.sasl.enabled.mechanisms=PLAIN
listener.name.tls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_shop="{password}";
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location={keystore}
"""


@dataclass(frozen=True)
class Guarded:
    plain: str
    """Where no password is asked for."""
    bootstrap: str
    settings: Settings
    """Of the stack whose broker it is."""
    encrypted: str
    """Where it also asks for TLS."""
    ca_file: Path
    """The certificate that makes it trusted."""

    def by_tls(self, password: str, *, trusted: bool = True) -> KafkaAccess:
        ca_file = str(self.ca_file) if trusted else ""
        return KafkaAccess(self.encrypted, "SASL_SSL", "PLAIN", USER, SecretStr(password), ca_file)

    def by(self, password: str, protocol: str = "SASL_PLAINTEXT") -> KafkaAccess:
        return KafkaAccess(self.bootstrap, protocol, "PLAIN", USER, SecretStr(password), setting="SALES_X__KEY")


@contextmanager
def guarded_broker(home: Path) -> Iterator[Guarded]:
    """The broker, in this home."""
    settings = stack_settings(home)
    settings.local.home.mkdir()
    port, tls = free_ports(2)
    keystore, ca_file = settings.local.home / "keystore.pem", settings.local.home / "ca.pem"
    make_certificate(keystore, ca_file)
    console = Console(file=StringIO())
    kafka = services.all_services(settings, fetch_jars(settings.local.cache, Narrator(console)))["kafka"]

    def prepare() -> None:
        kafka.prepare()
        with (settings.local.home / "kafka" / "server.properties").open("a") as properties:
            properties.write(
                _LISTENERS.format(
                    port=settings.local.kafka_port,
                    controller=settings.local.kafka_controller_port,
                    guarded=port,
                    tls=tls,
                    keystore=keystore,
                    password=RIGHT,
                )
            )

    processes = ProcessTable(settings.local.home)
    guarded_kafka = replace(kafka, prepare=prepare)
    try:
        processes.launch(guarded_kafka)
        processes.wait_ready(guarded_kafka, Step("Kafka", console, None))
        yield Guarded(kafka.address, f"127.0.0.1:{port}", settings, f"localhost:{tls}", ca_file)
    finally:
        processes.stop("kafka", 20)


def make_certificate(keystore: Path, ca_file: Path) -> None:
    """One that signs itself, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(Encoding.PEM)
    keystore.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)
    ca_file.write_bytes(certificate)

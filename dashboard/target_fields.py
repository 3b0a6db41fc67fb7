"""What a target is made of: the fields of the two kinds, and which values of them can be."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dashboard.addresses import address_fault, bootstrap_hosts, on_this_machine
from dashboard.errors import SettingsError
from dashboard.setting_kinds import CatalogInterval
from dashboard.settings import PipelineSettings, target_variables_prefix

Service = Literal["cloud", "flink", "kafka", "schema_registry", "tableflow"]
"""What asks for a key; `cloud` is the control plane and the metrics, which only a global key opens."""


def _address_with_key(address: str) -> str:
    return _checked_address(address, gets_key=True)


def _address(address: str) -> str:
    return _checked_address(address, gets_key=False)


def _checked_address(address: str, *, gets_key: bool) -> str:
    trimmed = address.strip().rstrip("/")
    if trimmed and (fault := address_fault(trimmed, gets_key=gets_key)):
        raise ValueError(fault)
    return trimmed


def _bootstrap(servers: str) -> str:
    bootstrap_hosts(servers)
    return servers.strip()


KeyedAddress = Annotated[str, AfterValidator(_address_with_key)]
Address = Annotated[str, AfterValidator(_address)]
Bootstrap = Annotated[str, AfterValidator(_bootstrap)]
NO_SECRET = SecretStr("")


class _Target(BaseSettings):
    """Values come from the environment, then `.env`, then the arguments."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        dotenv_filtering="only_existing",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    name: str
    pipeline: PipelineSettings = Field(
        PipelineSettings(), description="A table that overrides `SALES_PIPELINE__…` for this target"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, dotenv_settings, init_settings

    @property
    def prefix(self) -> str:
        """What the variables of this target begin with."""
        return target_variables_prefix(self.name)


class ConfluentTargetSettings(_Target):
    """An environment and a Kafka cluster on Confluent Cloud."""

    kind: Literal["confluent"] = "confluent"
    organization: str = Field(min_length=1, description="Id of the organization, a UUID")
    environment: str = Field(pattern=r"^env-[a-z0-9]+$", description="Id of the environment, `env-…`")
    environment_name: str = Field("", description="Its name, where people know it by that")
    compute_pool: str = Field(pattern=r"^lfcp-[a-z0-9]+$", description="Id of Flink's compute pool, `lfcp-…`")
    kafka_cluster: str = Field(pattern=r"^lkc-[a-z0-9]+$", description="Id of the Kafka cluster, `lkc-…`")
    kafka_cluster_name: str = Field(min_length=1, description="Its name, which is Flink's database")
    principal: str = Field(
        "",
        pattern=r"^((sa|u|pool)-[A-Za-z0-9]+)?$",
        description="Who the statements run as, `sa-…`, `u-…` or `pool-…`; empty for the key's owner",
    )
    region: str = Field("", description="Region of the cluster, such as us-east-1")
    cloud_provider: Literal["aws", "azure", "gcp"] = Field("aws", description="Cloud of the cluster: aws, azure or gcp")
    kafka_bootstrap: Bootstrap = Field(description="Kafka's bootstrap servers, host:port")
    flink_endpoint: KeyedAddress = Field(min_length=1, description="Flink's REST interface in the region")
    control_plane_endpoint: KeyedAddress = Field(
        "https://api.confluent.cloud", min_length=1, description="Control plane and Tableflow"
    )
    schema_registry_url: KeyedAddress = Field(min_length=1, description="Schema Registry of the environment")
    metrics_endpoint: KeyedAddress = Field("https://api.telemetry.confluent.cloud", min_length=1, description="Metrics")
    tableflow_catalog: KeyedAddress = Field(
        "", description="Tableflow's Iceberg REST catalog; empty for its usual address in the region"
    )
    catalog: Literal["tableflow", "glue"] = Field(
        "tableflow", description="Which catalog the tables are read through: tableflow or glue"
    )
    catalog_interval: CatalogInterval = Field(
        timedelta(seconds=15), description="How often that is asked for a new snapshot"
    )
    s3_endpoint: Address = Field("", description="Where an own bucket is reached; empty for S3's usual address")
    bucket: str = Field("", description="Own S3 bucket of the tables; empty for Confluent's storage")
    provider_integration: str = Field("", description="How Confluent reaches that bucket, `cspi-…`")
    glue_provider_integration: str = Field("", description="How Confluent reaches AWS Glue; needs an own bucket")
    glue_database: str = Field("", description="Glue's database; empty for the one named after the Kafka cluster")
    athena_workgroup: str = Field("", description="Athena's workgroup; set, the engine athena can be used")
    athena_output: str = Field(
        "",
        pattern=r"^(s3://[^\s/]+(/\S*)?)?$",
        description="Where Athena writes answers, `s3://…`; empty for the workgroup's own place",
    )
    athena_database: str = Field("", description="Athena's database; empty for Glue's")
    athena_region: str = Field("", description="AWS region of Athena; empty for the cluster's")
    kms_type: str = Field("aws-kms", description="Kind of key store for encrypted fields")
    kms_key_id: str = Field("", description="The key in it; for aws-kms its ARN")
    ecs_cluster: str = Field("", description="ECS cluster of the payment app")
    ecs_service: str = Field("payment-app-service", description="Its ECS service")
    ecs_region: str = Field("", description="AWS region of that")
    api_key: SecretStr = Field(NO_SECRET, description="Global key, for every service without one of its own")
    api_secret: SecretStr = Field(NO_SECRET, description="Its secret")
    flink_api_key: SecretStr = Field(NO_SECRET, description="Key of Flink")
    flink_api_secret: SecretStr = Field(NO_SECRET, description="Its secret")
    kafka_api_key: SecretStr = Field(NO_SECRET, description="Key of the Kafka cluster")
    kafka_api_secret: SecretStr = Field(NO_SECRET, description="Its secret")
    schema_registry_api_key: SecretStr = Field(NO_SECRET, description="Key of the Schema Registry")
    schema_registry_api_secret: SecretStr = Field(NO_SECRET, description="Its secret")
    tableflow_api_key: SecretStr = Field(NO_SECRET, description="Key of Tableflow")
    tableflow_api_secret: SecretStr = Field(NO_SECRET, description="Its secret")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            _half(self, f"{service}api_key", f"{service}api_secret")
            for service in ("", "flink_", "kafka_", "schema_registry_", "tableflow_")
        ]
        if bool(self.bucket) != bool(self.provider_integration):
            faults.append("bucket and provider_integration belong together: an own bucket needs both")
        if (self.glue_provider_integration or self.glue_database) and not self.bucket:
            faults.append("Glue shows only tables in an own bucket; give bucket and provider_integration too")
        if self.glue_database and not self.glue_provider_integration:
            faults.append("glue_database needs glue_provider_integration")
        shown_in_glue = bool(self.glue_provider_integration)
        if self.catalog == "glue" and not (shown_in_glue and self.region):
            faults.append("catalog = glue needs glue_provider_integration and region")
        if self.athena_workgroup and not (shown_in_glue and (self.athena_region or self.region)):
            faults.append("athena_workgroup needs glue_provider_integration, and region or athena_region")
        if (self.athena_output or self.athena_database or self.athena_region) and not self.athena_workgroup:
            faults.append("Athena is used with athena_workgroup alone; its usual one is called primary")
        if self.kms_type == "aws-kms" and self.kms_key_id and not self.kms_key_id.startswith("arn:"):
            faults.append("kms_key_id of aws-kms must be an ARN, arn:aws:kms:…")
        _refuse(faults)
        return self

    def tableflow_address(self) -> str:
        """Of the Iceberg REST catalog; raises SettingsError where it cannot be told."""
        if self.tableflow_catalog:
            return self.tableflow_catalog
        if not self.region:
            raise SettingsError(
                f"The address of {self.name}'s Iceberg catalog is not known.",
                f"Set {self.prefix}REGION, or {self.prefix}TABLEFLOW_CATALOG to the address itself.",
            )
        return (
            f"https://tableflow.{self.region}.{self.cloud_provider}.confluent.cloud/iceberg/catalog"
            f"/organizations/{self.organization}/environments/{self.environment}"
        )

    def key_for(self, service: Service) -> tuple[SecretStr, SecretStr]:
        """Key and secret for a service: its own pair, else the global one; raises SettingsError when neither is set."""
        field = self._key_field(service)
        key: SecretStr = getattr(self, field)
        if not key.get_secret_value():
            own = "" if service == "cloud" else f"{self.prefix}{service.upper()}_API_KEY, or "
            raise SettingsError(
                f"The target {self.name} has no key for {_SPOKEN[service]}: {own}{self.prefix}API_KEY for all of them, "
                "is not set.",
                "Set the key and, beside it, …_API_SECRET in the environment or in .env.",
            )
        secret: SecretStr = getattr(self, field.replace("api_key", "api_secret"))
        return key, secret

    def key_setting(self, service: Service) -> str:
        """The variable that `key_for` takes a service's key from."""
        return f"{self.prefix}{self._key_field(service)}".upper()

    def _key_field(self, service: Service) -> str:
        own = f"{service}_api_key"
        return own if service != "cloud" and getattr(self, own).get_secret_value() else "api_key"


_SPOKEN: dict[Service, str] = {
    "cloud": "the control plane and the metrics",
    "flink": "Flink",
    "kafka": "Kafka",
    "schema_registry": "the Schema Registry",
    "tableflow": "Tableflow",
}


class OpenSourceTargetSettings(_Target):
    """Somebody's own Kafka, Flink, registry and Iceberg catalog."""

    kind: Literal["open-source"] = "open-source"
    kafka_bootstrap: Bootstrap = Field(description="Kafka's bootstrap servers, host:port")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_ca_file: str = Field("", description="Certificates that Kafka's is checked with; empty for the system's")
    schema_registry_url: Address = Field(min_length=1, description="Schema registry")
    flink_endpoint: Address = Field(min_length=1, description="REST interface of Flink's JobManager")
    sql_gateway_endpoint: Address = Field(min_length=1, description="Flink's SQL gateway")
    iceberg_catalog: Address = Field(min_length=1, description="Iceberg REST catalog")
    iceberg_namespace: str = Field(min_length=1, description="Namespace of the tables in it")
    iceberg_warehouse: str = Field("", description="Which of its warehouses, where it has several")
    iceberg_token_uri: Address = Field("", description="Where key and secret become a token; empty for its usual place")
    iceberg_scope: str = Field("catalog", min_length=1, description="Scope of that token")
    iceberg_lends_keys: bool = Field(True, description="It is asked for keys to the files; false for AWS's usual ones")
    catalog_interval: CatalogInterval = Field(
        timedelta(seconds=1), description="How often it is asked for a new snapshot"
    )
    s3_endpoint: Address = Field("", description="Where the bucket of the tables is reached; empty for AWS's S3")
    s3_region: str = Field("", description="Region of that bucket; empty where the catalog tells it")
    state: str = Field(
        pattern=r"^[a-z][a-z0-9+.-]*://[^@\s]+$",
        description="Folder of Flink's checkpoints, such as s3://bucket/flink or file:///mnt/flink",
    )
    kafka_username: SecretStr = Field(NO_SECRET, description="User at Kafka")
    kafka_password: SecretStr = Field(NO_SECRET, description="Its password")
    schema_registry_username: SecretStr = Field(NO_SECRET, description="User at the schema registry")
    schema_registry_password: SecretStr = Field(NO_SECRET, description="Its password")
    iceberg_client_id: SecretStr = Field(NO_SECRET, description="Key of the Iceberg catalog")
    iceberg_client_secret: SecretStr = Field(NO_SECRET, description="Its secret")
    iceberg_token: SecretStr = Field(NO_SECRET, description="A token of the Iceberg catalog, in place of the two")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [_half(self, f"{service}_username", f"{service}_password") for service in ("kafka", "schema_registry")]
        faults += [_half(self, "iceberg_client_id", "iceberg_client_secret"), *self._catalog_faults()]
        sasl, user = self.kafka_security_protocol.startswith("SASL_"), bool(self.kafka_username.get_secret_value())
        if sasl and not user:
            faults.append(f"{self.kafka_security_protocol} needs {self.prefix}KAFKA_USERNAME and KAFKA_PASSWORD")
        if user and not sasl:
            faults.append("a Kafka user is given, but kafka_security_protocol is not SASL_SSL or SASL_PLAINTEXT")
        in_clear = self.kafka_security_protocol == "SASL_PLAINTEXT" and self.kafka_sasl_mechanism == "PLAIN"
        if in_clear and not all(map(on_this_machine, bootstrap_hosts(self.kafka_bootstrap))):
            faults.append("SASL_PLAINTEXT with PLAIN would send Kafka's password unencrypted; use SASL_SSL")
        registry_user = bool(self.schema_registry_username.get_secret_value())
        if registry_user and (fault := address_fault(self.schema_registry_url, gets_key=True)):
            faults.append(f"schema_registry_url {fault}")
        _refuse(faults)
        return self

    def _catalog_faults(self) -> list[str]:
        key, token = self.iceberg_client_id.get_secret_value(), self.iceberg_token.get_secret_value()
        faults = ["iceberg_client_id and iceberg_token are two ways in; give one"] if key and token else []
        asked = {"iceberg_catalog": self.iceberg_catalog, "iceberg_token_uri": self.iceberg_token_uri}
        for field, address in asked.items():
            if address and (key or token) and (fault := address_fault(address, gets_key=True)):
                faults.append(f"{field} {fault}")
        return faults


def _half(target: _Target, key: str, secret: str) -> str:
    """What is missing of a pair of which one half is set."""
    is_set = {field: bool(getattr(target, field).get_secret_value()) for field in (key, secret)}
    if len(set(is_set.values())) == 1:
        return ""
    missing, there = (key, secret) if is_set[secret] else (secret, key)
    return f"{target.prefix}{missing.upper()} is missing beside {target.prefix}{there.upper()}"


def _refuse(faults: list[str]) -> None:
    if said := "; ".join(fault for fault in faults if fault):
        raise ValueError(said)

"""Integrations of the control plane: a provider's for access to a bucket, and catalogs that tables are synced to.

Sources: provider-integration/v1 and tableflow/v1 openapi.yaml of confluentinc/ccloud-sdk-go-v2.
"""

from typing import Any
from uuid import uuid4

from starlette.responses import JSONResponse, Response

from tests.fakes.calls import Call, Work
from tests.fakes.clock import Clock, Delays
from tests.fakes.refusals import CloudRefusal, invalid, missing
from tests.fakes.scopes import check_query_scope, check_spec_scope, page_of, references
from tests.fakes.tables import Place

_PROVIDERS = "/pim/v1/integrations"
_CATALOGS = "/tableflow/v1/catalog-integrations"
_CATALOG_KINDS: dict[str, tuple[str, ...]] = {
    "AwsGlue": ("provider_integration_id",),
    "Snowflake": ("endpoint", "client_id", "client_secret", "warehouse", "allowed_scope"),
    "Unity": ("workspace_endpoint", "catalog_name", "client_id", "client_secret"),
}


class Providers:
    """pim/v1: may be deleted only when nothing uses it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.integrations: dict[str, dict[str, Any]] = {}

    def table(self) -> list[tuple[str, str, Work]]:
        one = f"{_PROVIDERS}/{{id}}"
        works = (("POST", _PROVIDERS, self.create), ("GET", _PROVIDERS, self.list))
        return [*works, ("GET", one, self.read), ("DELETE", one, self.delete)]

    def create(self, call: Call) -> Response:
        body = call.object()
        config = body.get("config")
        if not isinstance(config, dict) or config.get("kind") != "AwsIntegrationConfig":
            raise invalid("/config/kind", "config is required, of the kind AwsIntegrationConfig")
        if (body.get("environment") or {}).get("id") != self._place.environment:
            raise invalid("/environment/id", "environment is required")
        name = str(body.get("display_name") or "")
        if any(one["display_name"] == name for one in self.integrations.values()):
            raise CloudRefusal(409, f"A provider integration with the name '{name}' already exists")
        identity = f"cspi-{uuid4().hex[:6]}"
        given = {"iam_role_arn": f"arn:aws:iam::000000000000:role/{identity}", "external_id": str(uuid4())}
        self.integrations[identity] = {
            "api_version": "pim/v1",
            "kind": "Integration",
            "id": identity,
            "display_name": name,
            "provider": body.get("provider", "AWS"),
            "config": config | given,
            "usages": [],
            "environment": references(call, self._place)["environment"],
        }
        headers = {"Location": f"{call.base}{_PROVIDERS}/{identity}"}
        return JSONResponse(self.integrations[identity], status_code=201, headers=headers)

    def list(self, call: Call) -> Response:
        self._check_environment(call)
        return page_of(call, "pim/v1", "IntegrationList", [self.integrations[one] for one in sorted(self.integrations)])

    def read(self, call: Call) -> Response:
        self._check_environment(call)
        return JSONResponse(self._identified(call.part("id")))

    def delete(self, call: Call) -> Response:
        self._check_environment(call)
        if self._identified(call.part("id"))["usages"]:
            raise CloudRefusal(409, f"The provider integration '{call.part('id')}' is in use")
        del self.integrations[call.part("id")]
        return Response(status_code=204)

    def use(self, identity: str, by: str) -> None:
        """Raises CloudRefusal when there is no such integration."""
        place = self._place
        crn = f"crn://confluent.cloud/organization={place.organization}/environment={place.environment}/{by}"
        self._identified(identity)["usages"].append(crn)

    def release(self, by: str) -> None:
        for integration in self.integrations.values():
            integration["usages"] = [one for one in integration["usages"] if not one.endswith(f"/{by}")]

    def _identified(self, identity: str) -> dict[str, Any]:
        if identity not in self.integrations:
            raise missing(f"Provider integration '{identity}'")
        return self.integrations[identity]

    def _check_environment(self, call: Call) -> None:
        given = call.query.get("environment")
        if not given:
            raise CloudRefusal(400, "The query parameter 'environment' is required", parameter="environment")
        if given != self._place.environment:
            raise missing(f"Environment '{given}'")


class CatalogsApi:
    """tableflow/v1 catalog integrations: PENDING, then CONNECTED, or FAILED when a test says so."""

    def __init__(self, place: Place, providers: Providers, clock: Clock, delays: Delays) -> None:
        self._place, self._providers = place, providers
        self._clock, self._delays = clock, delays
        self.catalogs: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, str] = {}
        """Display name to message."""
        self._due: dict[str, float] = {}

    def table(self) -> list[tuple[str, str, Work]]:
        one = f"{_CATALOGS}/{{id}}"
        works = (("POST", _CATALOGS, self.create), ("GET", _CATALOGS, self.list), ("GET", one, self.read))
        return [*works, ("PATCH", one, self.update), ("DELETE", one, self.delete)]

    def create(self, call: Call) -> Response:
        spec = check_spec_scope(call, self._place)
        config = _checked_config(spec.get("config"))
        name = spec.get("display_name")
        if not isinstance(name, str) or not name:
            raise invalid("/spec/display_name", "display_name is required")
        if any(one["spec"]["display_name"] == name for one in self.catalogs.values()):
            raise CloudRefusal(409, f"A catalog integration with the name '{name}' already exists")
        identity = f"tci-{uuid4().hex[:6]}"
        if config["kind"] == "AwsGlue":
            self._providers.use(config["provider_integration_id"], f"catalog-integration={identity}")
        where, now = f"{call.base}{_CATALOGS}/{identity}", self._clock.stamp()
        self._due[identity] = self._clock.now() + self._delays.tableflow
        self.catalogs[identity] = {
            "api_version": "tableflow/v1",
            "kind": "CatalogIntegration",
            "id": identity,
            "metadata": {"self": where, "created_at": now, "updated_at": now},
            "spec": {"display_name": name, "suspended": False, "config": config, **references(call, self._place)},
        }
        return JSONResponse(self._shown(identity), status_code=202, headers={"Location": where})

    def list(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        return page_of(call, "tableflow/v1", "CatalogIntegrationList", [self._shown(one) for one in self.catalogs])

    def read(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        return JSONResponse(self._shown(self._identity(call)))

    def update(self, call: Call) -> Response:
        spec = check_spec_scope(call, self._place)
        catalog = self.catalogs[self._identity(call)]
        if spec.get("suspended"):
            raise invalid("/spec/suspended", "suspended can only be set to false")
        if "config" in spec and spec["config"].get("kind") != catalog["spec"]["config"]["kind"]:
            raise invalid("/spec/config/kind", "kind is immutable")
        catalog["spec"]["config"] = _checked_config(catalog["spec"]["config"] | spec.get("config", {}))
        catalog["spec"]["display_name"] = spec.get("display_name", catalog["spec"]["display_name"])
        return JSONResponse(self._shown(self._identity(call)))

    def delete(self, call: Call) -> Response:
        check_query_scope(call, self._place)
        identity = self._identity(call)
        self._providers.release(f"catalog-integration={identity}")
        del self.catalogs[identity]
        return Response(status_code=204)

    def _identity(self, call: Call) -> str:
        if call.part("id") not in self.catalogs:
            raise missing(f"Catalog integration '{call.part('id')}'")
        return call.part("id")

    def _shown(self, identity: str) -> dict[str, Any]:
        """Without the client's secret, which is written and never read."""
        catalog = self.catalogs[identity]
        config = {key: value for key, value in catalog["spec"]["config"].items() if key != "client_secret"}
        status: dict[str, Any] = {"phase": "PENDING"}
        if self._due[identity] <= self._clock.now():
            message = self.failures.get(catalog["spec"]["display_name"], "")
            connected = {"phase": "CONNECTED", "last_sync_at": self._clock.stamp()}
            status = {"phase": "FAILED", "error_message": message} if message else connected
        return catalog | {"spec": catalog["spec"] | {"config": config}, "status": status}


def _checked_config(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict) or config.get("kind") not in _CATALOG_KINDS:
        raise invalid("/spec/config/kind", f"kind is one of {', '.join(_CATALOG_KINDS)}")
    for needed in _CATALOG_KINDS[config["kind"]]:
        if not config.get(needed):
            raise invalid(f"/spec/config/{needed}", f"{needed} is required for {config['kind']}")
    return config

"""Where a resource of the control plane belongs: environment and cluster, in the query or in the body; and pages."""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.fakes.calls import Call
from tests.fakes.refusals import CloudRefusal, invalid, missing
from tests.fakes.tables import Place


def check_query_scope(call: Call, place: Place) -> None:
    """Both parameters are required; raises CloudRefusal."""
    for parameter, own in (("environment", place.environment), ("spec.kafka_cluster", place.cluster_id)):
        given = call.query.get(parameter)
        if not given:
            raise CloudRefusal(400, f"The query parameter '{parameter}' is required", parameter=parameter)
        if given != own:
            raise missing(f"{parameter} '{given}'")


def check_spec_scope(call: Call, place: Place) -> dict[str, Any]:
    """The `spec` of the body, which names both by id; raises CloudRefusal."""
    spec = call.object().get("spec")
    if not isinstance(spec, dict):
        raise CloudRefusal(400, "spec is required", pointer="/spec")
    for part, own in (("environment", place.environment), ("kafka_cluster", place.cluster_id)):
        reference = spec.get(part)
        if not isinstance(reference, dict) or not reference.get("id"):
            raise invalid(f"/spec/{part}/id", f"{part} is required, as an object with its id")
        if reference["id"] != own:
            raise missing(f"{part} '{reference['id']}'")
    return spec


def references(call: Call, place: Place) -> dict[str, Any]:
    """Environment and cluster as answers refer to them."""
    resource = f"{call.base}/organization={place.organization}/environment={place.environment}"
    environment = {
        "id": place.environment,
        "related": f"{call.base}/org/v2/environments/{place.environment}",
        "resource_name": resource,
    }
    cluster = {
        "id": place.cluster_id,
        "environment": place.environment,
        "related": f"{call.base}/cmk/v2/clusters/{place.cluster_id}",
        "resource_name": f"{resource}/cloud-cluster={place.cluster_id}",
    }
    return {"environment": environment, "kafka_cluster": cluster}


def page_of(call: Call, api_version: str, kind: str, everything: list[dict[str, Any]]) -> Response:
    """One page of a list; `next` is an absolute address."""
    token = call.query.get("page_token", "0")
    if not token.isdecimal():
        raise CloudRefusal(400, "The page token is not valid", parameter="page_token")
    first, size = int(token), call.page_size()
    metadata: dict[str, Any] = {"first": call.url, "total_size": len(everything)}
    if first + size < len(everything):
        kept = "&".join(f"{key}={value}" for key, value in call.query.multi_items() if key != "page_token")
        metadata["next"] = f"{call.url.partition('?')[0]}?{kept}&page_token={first + size}"
    answer = {"api_version": api_version, "kind": kind, "metadata": metadata}
    return JSONResponse(answer | {"data": everything[first : first + size]})

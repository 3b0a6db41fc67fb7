"""The payment app on Amazon ECS: restarted, since its serializer reads a contract once and keeps it.

Source: docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html.
"""

import shlex

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dashboard.errors import DeployError, SalesTrendsError, UnreachableError
from dashboard.remotes.aws_faults import no_answer, refusal_of, signing_fault

_SECONDS = 10
_TRIES = 3
_NOT_THERE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"})


def command(cluster: str, service: str, region: str) -> str:
    """What does the same in a shell."""
    words = ["--cluster", cluster, "--service", service, "--force-new-deployment", "--region", region]
    return shlex.join(["aws", "ecs", "update-service", *words])


def restart(cluster: str, service: str, region: str) -> None:
    """Begins a new deployment of the service as it is; its old tasks go when the new ones run.

    Raises SettingsError for credentials that are missing or not taken, DeployError for a cluster or service that is
    not there or not ours to restart, UnreachableError when ECS does not answer.
    """
    try:
        config = Config(
            connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": _TRIES}
        )
        client = boto3.session.Session().client("ecs", region_name=region, config=config)
        client.update_service(cluster=cluster, service=service, forceNewDeployment=True)
    except (BotoCoreError, ClientError) as error:
        fault = _fault(error, cluster, service, region)
        by_hand = f"Or run where it may be done: {command(cluster, service, region)}"
        raise type(fault)(fault.message, f"{fault.hint} {by_hand}") from None


def _fault(error: BotoCoreError | ClientError, cluster: str, service: str, region: str) -> SalesTrendsError:
    if isinstance(error, BotoCoreError):
        return no_answer(error, f"restart {service}", f"ECS in {region}")
    refusal = refusal_of(error)
    if (fault := signing_fault(refusal, f"restart {service}")) is not None:
        return fault
    message = f"ECS in {region} refused to restart {service} of {cluster}: {refusal.said} ({refusal.code})."
    if refusal.code in _NOT_THERE:
        return DeployError(message, "See which cluster and service the app runs in.")
    if refusal.passes:
        return UnreachableError(message, "Run the command again in a few minutes.")
    return DeployError(message, "The credentials need ecs:UpdateService.")

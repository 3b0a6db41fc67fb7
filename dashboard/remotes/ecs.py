"""The payment app on Amazon ECS: restarted, since its serializer reads a contract once and keeps it.

Source: docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html.
"""

import shlex

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection

from dashboard.errors import DeployError, SalesTrendsError, SettingsError, UnreachableError

_SECONDS = 10
_TRIES = 3
_NOT_TAKEN = frozenset(
    {
        "ExpiredTokenException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_NOT_THERE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"})
_PASSING = frozenset({"ServerException", "ThrottlingException", "InternalFailure", "ServiceUnavailable"})
_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `aws sso login` renews a session."


def command(cluster: str, service: str, region: str) -> str:
    """What does the same in a shell."""
    words = ["--cluster", cluster, "--service", service, "--force-new-deployment", "--region", region]
    return shlex.join(["aws", "ecs", "update-service", *words])


def restart(cluster: str, service: str, region: str) -> None:
    """Begins a new deployment of the service as it is; its old tasks go when the new ones run.

    Raises SettingsError for credentials that are missing or not taken, DeployError for a cluster or service that is
    not there or not ours to restart, UnreachableError when ECS does not answer.
    """
    by_hand = f"Or run where it may be done: {command(cluster, service, region)}"
    try:
        config = Config(
            connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": _TRIES}
        )
        client = boto3.session.Session().client("ecs", region_name=region, config=config)
        client.update_service(cluster=cluster, service=service, forceNewDeployment=True)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise SettingsError(
            f"There are no AWS credentials to restart {service} with.", f"{_CREDENTIALS} {by_hand}"
        ) from error
    except (HTTPClientError, NoConnection) as error:
        raise UnreachableError(
            f"ECS in {region} did not answer the request to restart {service}: {type(error).__name__}.", by_hand
        ) from error
    except ClientError as error:
        raise _refusal(error, cluster, service, region, by_hand) from error
    except BotoCoreError as error:
        # such as a profile that does not exist, or a region that is no name
        raise SettingsError(
            f"AWS cannot be asked to restart {service}: {error}.".replace("..", "."), by_hand
        ) from error


def _refusal(error: ClientError, cluster: str, service: str, region: str, by_hand: str) -> SalesTrendsError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = str(error.response.get("Error", {}).get("Message", "")).rstrip(".") or "no reason given"
    message = f"ECS in {region} refused to restart {service} of {cluster}: {said} ({code})."
    if code in _NOT_TAKEN:
        return SettingsError(message, f"{_CREDENTIALS} {by_hand}")
    if code in _NOT_THERE:
        return DeployError(message, f"See which cluster and service the app runs in. {by_hand}")
    if code in _PASSING:
        return UnreachableError(message, f"Run the command again in a few minutes. {by_hand}")
    return DeployError(message, f"The credentials need ecs:UpdateService. {by_hand}")

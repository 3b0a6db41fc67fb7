"""One byte of a table's file in S3, by the same keys: what S3 refuses, it says only in the answer to a GET."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from dashboard.readers.http_session import ANSWER_SECONDS, CONNECT_SECONDS, is_local
from dashboard.readers.lake_faults import lake_fault

_LENT = ("s3.access-key-id", "s3.secret-access-key", "s3.session-token")


def is_in_s3(location: str) -> bool:
    """Whether a location of Iceberg names a file there."""
    return location.startswith(("s3://", "s3a://", "s3n://"))


def keys_are_lent(properties: Mapping[str, str]) -> bool:
    """Whether the properties of a table's files hold keys that its catalog gave."""
    return bool(properties.get(_LENT[0]))


def check_readable(location: str, properties: Mapping[str, str]) -> None:
    """Asks for its first byte with the keys in the table's properties, else with AWS's usual ones.

    Raises SettingsError, ReadError or UnreachableError with what S3 said.
    """
    # half a second that only doctor waits for
    import boto3
    from botocore.config import Config

    place = urlsplit(location)
    bucket, key = place.netloc, place.path.lstrip("/")
    endpoint = properties.get("s3.endpoint")
    region = properties.get("s3.region") or properties.get("client.region")
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        proxies={} if endpoint and is_local(endpoint) else None,
        s3={"addressing_style": "path"} if endpoint else None,
    )
    lent = keys_are_lent(properties)
    needs = (
        f"The keys that the catalog lent do not open {key}; whoever runs the catalog must look at what it lends."
        if lent
        else f"The AWS credentials need s3:GetObject on arn:aws:s3:::{bucket}/* and s3:ListBucket on "
        f"arn:aws:s3:::{bucket}."
    )
    try:
        session = boto3.session.Session(*(properties.get(name) for name in _LENT))
        s3 = session.client("s3", region_name=region, endpoint_url=endpoint, config=config)
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close()
    except (ClientError, BotoCoreError) as error:
        where = endpoint or f"S3 in {region or 'a region that nothing names'}"
        raise lake_fault(error, f"read s3://{bucket}/{key}", where, needs, lent=lent) from None

"""Keys of AWS KMS: the same code as in the cloud, against an endpoint on this machine."""

from collections.abc import Iterator

import pytest

from dashboard.enforcement.enforcement import Enforcement
from dashboard.errors import ContractError, UnreachableError
from tests.enforcement.aws_kms import KEY, AwsKms, aws_kms
from tests.enforcement.conftest import GOOD, Topic

CARD = GOOD["cc_number"].encode()
SECRET = "the-secret-of-aws"  # noqa: S105  # of nobody
_OF_WHOEVER_RUNS_THE_TESTS = ("AWS_PROFILE", "AWS_ROLE_ARN", "AWS_SESSION_TOKEN")


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsKms]:
    with aws_kms() as kms:
        for name in _OF_WHOEVER_RUNS_THE_TESTS:
            monkeypatch.delenv(name, raising=False)
        settings = {
            "AWS_ENDPOINT_URL_KMS": kms.url,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_ACCESS_KEY_ID": "AKIDMINE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield kms


@pytest.fixture
def topic(address: str, topic_at: object, kms: AwsKms) -> Topic:
    """Its key is one of AWS, and another one for each test: the client keeps what it has opened by the key's name."""
    assert callable(topic_at)
    topic: Topic = topic_at(address)
    topic.make_key("aws-kms", f"{KEY}{topic.name}")
    topic.promise()
    return topic


def writer_of(topic: Topic) -> Enforcement:
    return topic.writer(kms_secret=None)


def test_a_card_is_encrypted_under_a_key_of_aws(topic: Topic, kms: AwsKms) -> None:
    writer = writer_of(topic)
    assert CARD not in writer(GOOD)
    assert {key for _, key in kms.asked} == {"AKIDMINE"}
    assert "Encrypt" in {action for action, _ in kms.asked}
    asked = len(kms.asked)
    writer(GOOD)
    assert len(kms.asked) == asked, "the key of fields is opened once"
    # another process: the key of fields is opened by AWS
    assert CARD not in writer_of(topic)(GOOD)
    assert "Decrypt" in {action for action, _ in kms.asked[asked:]}


@pytest.mark.parametrize(
    "fault", ["AccessDeniedException", "DisabledException", "NotFoundException", "KMSInvalidStateException"]
)
def test_a_key_that_may_not_be_used_ends_it_by_its_name(topic: Topic, kms: AwsKms, fault: str) -> None:
    kms.fault = fault
    writer = writer_of(topic)
    with pytest.raises(ContractError, match=fault) as caught:
        writer(GOOD)
    assert SECRET not in str(caught.value)
    kms.fault = ""
    assert CARD not in writer(GOOD)


@pytest.mark.parametrize(("fault", "status"), [("ThrottlingException", 400), ("KMSInternalException", 500)])
def test_a_key_management_that_is_busy_is_waited_for(topic: Topic, kms: AwsKms, fault: str, status: int) -> None:
    kms.fault, kms.status = fault, status
    writer = writer_of(topic)
    with pytest.raises(UnreachableError, match="the key management does not answer"):
        writer(GOOD)
    kms.fault = ""
    assert CARD not in writer(GOOD)


def test_a_key_management_that_does_not_answer_is_waited_for(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="the key management does not answer"):
        writer_of(topic)(GOOD)


def test_no_credentials_are_told(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ContractError, match="NoCredentialsError"):
        writer_of(topic)(GOOD)

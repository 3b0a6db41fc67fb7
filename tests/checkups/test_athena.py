"""Doctor on Athena: a real question, and what keeps it from an answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.checkups.lake import examine_athena
from tests.fakes.aws import Aws
from tests.iceberg_tables import WINDOW
from tests.readers.athena_world import START, World, served_aws, world


@pytest.fixture(scope="module")
def fake() -> Iterator[Aws]:
    with served_aws() as fake:
        yield fake


@pytest.fixture
def of_athena(fake: Aws, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, fake) as made:
        made.revenue((START, "1.10"))
        yield made


def test_a_workgroup_that_answers_tells_what_that_took(of_athena: World) -> None:
    found = examine_athena(of_athena.access(), WINDOW)

    assert found.ok
    assert "the workgroup primary answers in" in found.detail
    assert "bytes scanned" in found.detail


def test_a_right_that_is_missing_is_named(of_athena: World) -> None:
    message = "User is not authorized to perform: athena:StartQueryExecution on resource: arn:aws:athena:x"
    of_athena.aws.refuse("StartQueryExecution", "AccessDeniedException", message)

    found = examine_athena(of_athena.access(), WINDOW)

    assert not found.ok
    assert "athena:StartQueryExecution" in found.detail
    assert found.remedy

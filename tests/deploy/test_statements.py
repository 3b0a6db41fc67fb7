from pathlib import Path

import pytest

from dashboard.deploy.open_source import Addresses
from dashboard.deploy.pipeline import load_pipeline
from dashboard.deploy.skipped import SkipList
from dashboard.deploy.statements import DEDUPLICATION, JOIN, Deployment
from dashboard.remotes.flink import Flink
from dashboard.settings import PipelineSettings


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    nowhere = "http://127.0.0.1:1"
    return Deployment(
        Flink(nowhere, nowhere),
        load_pipeline(PipelineSettings()),
        PipelineSettings(),
        Addresses("127.0.0.1:1", nowhere, nowhere, "lkc-1", tmp_path.as_uri()),
        tmp_path,
        SkipList(tmp_path / "skipped.json"),
        tmp_path / "hold",
    )


@pytest.mark.parametrize(
    ("topic", "readers"),
    [
        ("payments", [DEDUPLICATION, "tableflow-payments"]),
        ("shiftleft.public.orders", [JOIN, "tableflow-shiftleft-public-orders"]),
        ("error-payments", []),
    ],
)
def test_a_topics_readers_are_the_statements_that_name_it(
    deployment: Deployment, topic: str, readers: list[str]
) -> None:
    assert deployment.readers(topic) == readers

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboard import pipeline_reading
from dashboard.deploy.pipeline import load_pipeline
from dashboard.pipeline_reading import reading_of, secret_names
from dashboard.remotes.kafka import Record
from dashboard.settings import PROJECT, PipelineSettings


@pytest.mark.parametrize("encrypt", [True, False])
def test_what_the_lake_withholds_is_hidden_in_records_too(
    encrypt: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pipeline_sql"
    shutil.copytree(PROJECT / "pipeline_sql", folder)
    contract = folder / "contracts" / "payments-value.toml"
    tags = '[tags]\nproduct_id = ["Sensitive"]\nexpiration = ["private"]\namount = ["PUBLIC"]\n'
    contract.write_text(contract.read_text().replace("[tags]\n", tags))
    monkeypatch.setattr(pipeline_reading, "load_pipeline", partial(load_pipeline, folder=folder))

    pipeline = PipelineSettings(encrypt_fields=encrypt)
    value: dict[str, Any] = {"Product_ID": 7, "expiration": "11/27", "cc_number": "clear", "amount": 1.5}
    seen = reading_of(pipeline, "payments", lambda _wire: value)(Record(0, 0, 0, b"\0"))
    assert secret_names(pipeline) == {"product_id", "expiration", "cc_number"}
    assert [name for name, shown in seen.value.items() if shown == value[name]] == ["amount"]

"""The dashboard as it is started: pages and what machines ask come from one process, which ends in order."""

from pathlib import Path

import httpx

from tests.browser import dashboard_process
from tests.conftest import eventually
from tests.openmetrics import families

TOKEN = "t0ken-of-the-test"  # noqa: S105


def test_pages_and_endpoints_come_from_one_process_that_closes_what_pages_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (tmp_path / "sitecustomize.py").write_text(
        "import gc\nfrom pathlib import Path\nfrom dashboard.opened import opened\n"
        f"opened.callback(lambda: Path({str(closed)!r}).write_text(str(gc.get_freeze_count())))\n"
    )

    environment = {
        "PYTHONPATH": str(tmp_path),
        "SALES_LOCAL__HOME": str(tmp_path / "home"),
        "SALES_LAKE__MIRROR": str(tmp_path / "mirror"),
        **dict.fromkeys(("SALES_LOCAL__KAFKA_PORT", "SALES_LOCAL__REGISTRY_PORT", "SALES_LOCAL__FLINK_PORT"), "1"),
    }
    with dashboard_process(tmp_path, environment) as url, httpx.Client(base_url=url) as http:
        assert '<div id="root">' in http.get("/").text
        assert http.get("/healthz").text == "ok\n"
        assert http.get("/readyz").status_code == 503, "there is no stack to look at"
        names = set(families(http.get("/metrics").text))
        assert "process_resident_memory_bytes" in names
        # the pipeline is looked at as soon as what that takes is loaded
        told = eventually(lambda: ready if "state" in (ready := http.get("/readyz").json()) else None, 60)
        assert (told["ready"], told["state"]) == (False, "unknown")
        assert "sales_trends_state" in set(families(http.get("/metrics").text))
        assert not closed.exists()

    assert int(closed.read_text()) > 100_000, "what was loaded is not collected again and again"


def test_beyond_this_machine_metrics_need_the_token_of_the_settings(tmp_path: Path) -> None:
    settings = {"SALES_WEB__METRICS_TOKEN": TOKEN, "SALES_LOCAL__HOME": str(tmp_path / "home")}
    everywhere = "--server.address=0.0.0.0"
    with dashboard_process(tmp_path, settings, everywhere) as url:
        # the flag decides, not the setting, which still says 127.0.0.1
        assert httpx.get(f"{url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
        assert httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert TOKEN not in (tmp_path / "streamlit.log").read_text()


def test_settings_that_are_corrected_while_the_server_runs_begin_the_watch(tmp_path: Path) -> None:
    targets = tmp_path / "targets.toml"
    targets.write_text("broken [")
    environment = {
        "SALES_TARGETS_FILE": str(targets),
        "SALES_LOCAL__HOME": str(tmp_path / "home"),
        "SALES_LAKE__MIRROR": str(tmp_path / "mirror"),
        **dict.fromkeys(("SALES_LOCAL__KAFKA_PORT", "SALES_LOCAL__REGISTRY_PORT", "SALES_LOCAL__FLINK_PORT"), "1"),
    }
    log = tmp_path / "streamlit.log"
    with dashboard_process(tmp_path, environment) as url, httpx.Client(base_url=url) as http:
        eventually(lambda: "is not watched" in log.read_text(), 20)
        targets.write_text("")
        eventually(lambda: "state" in http.get("/readyz").json(), 60)
    assert log.read_text().count("is not watched") == 1

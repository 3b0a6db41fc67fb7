import threading
from pathlib import Path

import pytest

from dashboard.local import log_file
from dashboard.local.log_file import open_log, opened, reason_of_end


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.log"


def last_lines(path: Path, count: int) -> list[str]:
    with opened(path) as log:
        return log.last_lines(count)


def start(path: Path, text: str) -> None:
    with open_log(path) as log:
        log.write(text.encode())


@pytest.mark.parametrize("lines", [0, 1, 3, 20_000, 30_000])
def test_the_last_lines_are_given_however_long_the_log_is(path: Path, lines: int) -> None:
    written = [f"line {number}" for number in range(20_000)]
    path.write_text("\n".join(written) + "\n")
    assert last_lines(path, lines) == written[max(0, 20_000 - lines) :]


def test_a_last_line_without_an_end_counts_too(path: Path) -> None:
    path.write_text("one\ntwo\nthree")
    assert last_lines(path, 2) == ["two", "three"]


def test_a_log_that_is_too_large_is_set_aside_at_the_next_start_and_only_one_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "_LARGEST_BYTES", 100)
    start(path, "small\n")
    start(path, "large" * 100)
    assert "small" in path.read_text(), "a small log is kept whole"
    start(path, "third\n")
    assert "large" in path.with_suffix(".log.1").read_text()
    assert path.read_text().endswith("third\n")
    assert "large" not in path.read_text()
    start(path, "fourth" * 100)
    start(path, "fifth\n")
    assert "fourth" in path.with_suffix(".log.1").read_text()
    assert sorted(one.name for one in path.parent.iterdir()) == ["it.log", "it.log.1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("first\nlast\n\n", "last"),
        ("ERROR disk is full\nshutting down\n", "ERROR disk is full"),
        ("java.lang.Error: a\n\tat b.c(D:1)\nCaused by: java.io.IOException: why\n\tat e\n\t... 3 more\n", None),
        ("Traceback (most recent call last):\n  File x\nValueError: five\n", "ValueError: five"),
        ("", ""),
    ],
)
def test_the_reason_of_an_end_is_its_most_telling_line(path: Path, text: str, reason: str | None) -> None:
    start(path, text)
    assert reason_of_end(path) == ("java.io.IOException: why" if reason is None else reason)


def test_an_earlier_start_gives_no_reason(path: Path) -> None:
    start(path, "ERROR of yesterday\n")
    start(path, "")
    assert reason_of_end(path) == ""


def test_without_a_log_there_is_no_reason(path: Path) -> None:
    assert reason_of_end(path) == ""


def test_a_log_is_followed_into_the_one_of_the_next_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_LARGEST_BYTES", 1)
    start(path, "one\n")
    with opened(path) as log:
        assert log.last_lines(1) == ["one"]
        texts = log.followed()
        with path.open("a") as file:
            file.write("two\n")
        assert next(texts) == "two\n"
        later = threading.Timer(0.3, start, (path, "three\n"))
        later.start()
        text = next(texts)
        while "three" not in text:
            text += next(texts)
        assert text.startswith("=== started")
        later.join()

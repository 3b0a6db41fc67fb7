"""Jars are taken only when they are what the lock names. Every first start of the stack does the real download."""

import hashlib
import os
from io import StringIO
from pathlib import Path

import pytest
import requests
from rich.console import Console

from dashboard.errors import StackError, UnreachableError
from dashboard.local import jars
from dashboard.local.jars import Jar, fetch_jars, jars_to_download, locked_jars
from dashboard.narration import Narrator

CONTENT = b"not really a jar"
JAR = Jar("kafka", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), maven="org.example:an-artifact:1.0")


@pytest.fixture
def narrator() -> Narrator:
    return Narrator(Console(file=StringIO()))


@pytest.fixture(autouse=True)
def one_locked_jar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "locked_jars", lambda: [JAR])


def cached(cache: Path, content: bytes) -> Path:
    path = cache / "jars" / "an-artifact-1.0.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_jar_in_the_cache_is_used_without_a_network(tmp_path: Path, narrator: Narrator) -> None:
    path = cached(tmp_path, CONTENT)
    assert jars_to_download(tmp_path) == []
    assert fetch_jars(tmp_path, narrator).kafka == str(path)


def test_a_jar_with_another_hash_is_refused_with_the_file_to_remove(tmp_path: Path, narrator: Narrator) -> None:
    path = cached(tmp_path, CONTENT[:-1])
    with pytest.raises(StackError, match=r"org.example:an-artifact:1.0 has SHA-256") as refusal:
        fetch_jars(tmp_path, narrator)
    assert str(path) in refusal.value.hint


def test_without_a_network_nothing_half_loaded_is_left(
    tmp_path: Path, narrator: Narrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests.Session, "send", refuse)
    with pytest.raises(UnreachableError, match=r"org.example:an-artifact:1.0 could not be downloaded"):
        fetch_jars(tmp_path, narrator)
    assert [path.name for path in (tmp_path / "jars").iterdir() if path.name != ".lock"] == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, narrator: Narrator) -> None:
    (tmp_path / "jars").write_text("a file where the folder should be")
    with pytest.raises(StackError, match=str(tmp_path / "jars")):
        fetch_jars(tmp_path, narrator)


def test_the_lock_names_each_jar_once_with_its_hash_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    locked = locked_jars()
    assert len({jar.name for jar in locked}) == len(locked) > 60
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in locked)
    assert all(bool(jar.maven) != bool(jar.package) for jar in locked)
    assert not any(os.sep in jar.maven for jar in locked)

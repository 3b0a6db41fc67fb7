import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from dashboard.deploy.snapshots import Snapshots
from dashboard.errors import DeployError

STATEMENT = "completed-orders-materializer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # a space, as in a home folder with one: URIs write it in another way
    folder = tmp_path / "some state"
    folder.mkdir()
    return folder


@pytest.fixture
def snapshots(folder: Path) -> Snapshots:
    return Snapshots(folder.as_uri())


def complete(folder: Path, snapshot: str, at: int) -> Path:
    path = folder / STATEMENT / snapshot
    path.mkdir(parents=True)
    (path / "_metadata").write_text("x")
    os.utime(path / "_metadata", (at, at))
    return path


def test_a_statement_without_a_folder_has_no_snapshot(snapshots: Snapshots) -> None:
    assert snapshots.newest(STATEMENT) is None
    assert not snapshots.has_any(STATEMENT)


def test_the_newest_complete_one_is_found_among_checkpoints_and_savepoints(folder: Path, snapshots: Snapshots) -> None:
    complete(folder, "job-a/chk-9", 200)
    complete(folder, "savepoint-1", 300)
    newest = complete(folder, "job-b/chk-2", 400)
    (folder / STATEMENT / "job-b" / "chk-3").mkdir()
    assert snapshots.newest(STATEMENT) == newest.as_uri()
    shutil.rmtree(newest)
    assert snapshots.newest(STATEMENT) == (folder / STATEMENT / "savepoint-1").as_uri()


def test_of_checkpoints_of_one_second_the_later_is_newest(folder: Path, snapshots: Snapshots) -> None:
    complete(folder, "job-a/chk-9", 200)
    newest = complete(folder, "job-a/chk-10", 200)
    assert snapshots.newest(STATEMENT) == newest.as_uri()


def test_of_earlier_jobs_only_the_one_with_the_newest_is_kept(folder: Path, snapshots: Snapshots) -> None:
    complete(folder, "job-a/chk-9", 200)
    complete(folder, "savepoint-1", 300)
    newest = complete(folder, "job-b/chk-2", 400)
    (newest.parent / "shared").mkdir()
    snapshots.forget_old(STATEMENT)
    assert [path.name for path in (folder / STATEMENT).iterdir()] == ["job-b"]
    assert (newest.parent / "shared").exists(), "what its checkpoints share"


def test_without_a_complete_one_nothing_is_forgotten(folder: Path, snapshots: Snapshots) -> None:
    (folder / STATEMENT / "job-a" / "chk-1").mkdir(parents=True)
    snapshots.forget_old(STATEMENT)
    assert (folder / STATEMENT / "job-a" / "chk-1").exists()


def test_one_that_is_removed_is_gone_with_its_identity_and_no_other(folder: Path, snapshots: Snapshots) -> None:
    complete(folder, "job-a/chk-9", 200)
    first, other = snapshots.identity(STATEMENT), snapshots.identity("another")
    assert snapshots.identity(STATEMENT) == first
    snapshots.remove(STATEMENT)
    snapshots.remove(STATEMENT)
    assert not snapshots.has_any(STATEMENT)
    assert snapshots.identity(STATEMENT) != first
    assert snapshots.identity("another") == other


def test_what_flink_deletes_meanwhile_is_no_fault(
    folder: Path, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = complete(folder, "job-a/chk-1", 200)
    kept = complete(folder, "job-a/chk-2", 300)
    listed = LocalFileSystem.ls

    def ls(self: LocalFileSystem, path: str, **options: Any) -> Any:
        answer = listed(self, path, **options)
        shutil.rmtree(gone, ignore_errors=True)
        return answer

    monkeypatch.setattr(LocalFileSystem, "ls", ls)
    assert snapshots.newest(STATEMENT) == kept.as_uri()


def test_a_folder_that_may_not_be_read_is_a_fault_and_not_an_empty_one(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ls(_self: LocalFileSystem, _path: str, **_options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "ls", ls)
    with pytest.raises(DeployError, match=r"Flink's state in file:.* cannot be used: Permission denied\."):
        snapshots.newest(STATEMENT)


def test_an_object_store_is_asked_by_the_same_rules() -> None:
    store = MemoryFileSystem(skip_instance_cache=True)
    store.store = {}
    store.pseudo_dirs = [""]
    snapshots = Snapshots("s3://bucket/flink", store)
    assert snapshots.newest(STATEMENT) is None
    for snapshot in ("job-a/chk-9", "savepoint-1", "job-b/chk-2"):
        store.pipe_file(f"bucket/flink/{STATEMENT}/{snapshot}/_metadata", b"x")
    store.pipe_file(f"bucket/flink/{STATEMENT}/job-b/chk-3/part", b"x")
    assert snapshots.newest(STATEMENT) == f"s3://bucket/flink/{STATEMENT}/job-b/chk-2"
    snapshots.forget_old(STATEMENT)
    assert [path.rpartition("/")[2] for path in store.ls(f"bucket/flink/{STATEMENT}", detail=False)] == ["job-b"]
    identity = snapshots.identity(STATEMENT)
    snapshots.remove(STATEMENT)
    assert snapshots.newest(STATEMENT) is None
    assert snapshots.identity(STATEMENT) != identity


def test_a_uri_that_no_store_has_is_a_fault_and_shows_no_password() -> None:
    with pytest.raises(DeployError, match=r"Flink's state in nowhere://bucket/flink cannot be used") as caught:
        Snapshots("nowhere://key:secret@bucket/flink").newest(STATEMENT)
    assert "secret" not in str(caught.value)

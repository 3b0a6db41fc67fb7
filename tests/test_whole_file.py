import errno
import os
from pathlib import Path

import pytest

from dashboard.whole_file import write_whole


def test_a_file_that_cannot_be_written_to_its_end_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stack.json"
    write_whole(file, "before")

    def full(_file: int) -> None:
        assert file.read_text() == "before", "what is not on the disk yet is not shown"
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_whole(file, "after")
    assert file.read_text() == "before"
    write_whole(file, "after")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("stack.json", "after")]

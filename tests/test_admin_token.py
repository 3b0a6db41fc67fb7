"""The local user's token: a file of theirs alone."""

import stat
from pathlib import Path

import pytest

from dashboard.admin_token import admin_token, renew_admin_token
from dashboard.errors import StackError


def test_it_is_made_once_and_long_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    token = admin_token(tmp_path)
    assert len(token) >= 32
    assert admin_token(tmp_path) == token
    (file,) = (tmp_path / "run").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_one_ends_the_one_before(tmp_path: Path) -> None:
    before = admin_token(tmp_path)
    after = renew_admin_token(tmp_path)
    assert after != before
    assert admin_token(tmp_path) == after
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(StackError):
        renew_admin_token(tmp_path)

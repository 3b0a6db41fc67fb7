"""The secret of the local key management: made once, read by its owner alone."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard.errors import ContractError, StackError
from dashboard.local.kms import KMS_SECRET, local_kms_secret, make_local_kms_secret


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_local_kms_secret(home)
    first = local_kms_secret(home)
    make_local_kms_secret(home)

    assert local_kms_secret(home) == first
    assert len(first.get_secret_value()) >= 32
    assert first.get_secret_value() not in repr(first)
    assert stat.S_IMODE((home / KMS_SECRET).stat().st_mode) == 0o600
    assert os.listdir(home) == [KMS_SECRET]


def test_of_many_that_make_it_at_once_one_counts(tmp_path: Path) -> None:
    def make(_: int) -> str:
        make_local_kms_secret(tmp_path)
        return local_kms_secret(tmp_path).get_secret_value()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(32)))) == 1
    assert os.listdir(tmp_path) == [KMS_SECRET]


def test_each_home_has_its_own(tmp_path: Path) -> None:
    for name in ("one", "other"):
        make_local_kms_secret(tmp_path / name)
    assert local_kms_secret(tmp_path / "one") != local_kms_secret(tmp_path / "other")


def test_a_secret_that_is_lost_is_said_and_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="kms-secret, cannot be read: No such file"):
        local_kms_secret(tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("fault", ["mode", "empty", "link", "folder", "pipe"])
def test_a_file_that_others_could_have_made_or_read_is_not_taken(tmp_path: Path, fault: str) -> None:
    make_local_kms_secret(tmp_path)
    file = tmp_path / KMS_SECRET
    secret = file.read_text()
    if fault == "mode":
        file.chmod(0o640)
    elif fault == "empty":
        file.write_text("\n")
    else:
        file.rename(tmp_path / "elsewhere")
        if fault == "link":
            file.symlink_to("elsewhere")
        elif fault == "folder":
            file.mkdir()
        else:
            os.mkfifo(file, 0o600)

    make_local_kms_secret(tmp_path)

    with pytest.raises(ContractError) as caught:
        local_kms_secret(tmp_path)
    assert secret not in str(caught.value)


def test_a_home_that_cannot_be_written_is_a_fault_of_the_stack(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StackError, match="could not be written"):
        make_local_kms_secret(tmp_path / "home")

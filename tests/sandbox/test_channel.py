"""What two ends say to each other, one of which is not trusted."""

import os

import pytest

from dashboard.sandbox.channel import Channel


def test_a_message_that_is_too_long_is_told_from_an_end_that_is_gone() -> None:
    reads, writes = os.pipe()
    here, there = Channel(reads, os.dup(writes), 100), Channel(os.dup(reads), writes)

    there.say({"rows": 1}, bytes(100))
    assert here.hear() == ({"rows": 1}, bytes(100))
    there.say({"rows": 1}, bytes(101))
    with pytest.raises(ValueError, match="more than 100 bytes"):
        here.hear()
    here.close()
    there.close()

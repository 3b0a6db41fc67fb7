"""Every error says what failed and what to do next, and ends a command with one of the agreed codes."""

import re

import pytest

from dashboard import errors
from dashboard.errors import ExitCode, SalesTrendsError, SettingsError, UnreachableError

FAMILIES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SalesTrendsError)]


def test_exit_codes_are_the_agreed_ones() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "CHANGES": 2,
        "USAGE": 64,
        "UNREACHABLE": 69,
        "INTERRUPTED": 130,
    }


def test_an_error_reads_as_its_message_and_then_the_next_step() -> None:
    error = SalesTrendsError("Port 9092 is taken.", "Set another one.")

    assert str(error) == "Port 9092 is taken. Set another one."
    assert (error.message, error.hint) == ("Port 9092 is taken.", "Set another one.")


def test_an_error_without_a_next_step_is_its_message_alone() -> None:
    assert str(SalesTrendsError("It failed.")) == "It failed."


def test_wrong_settings_and_unreachable_systems_have_codes_of_their_own() -> None:
    assert SettingsError("").exit_code == ExitCode.USAGE
    assert UnreachableError("").exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize("family", [kind for kind in FAMILIES if kind is not SalesTrendsError])
def test_the_tree_in_the_docstring_names_each_family_with_its_code(family: type[SalesTrendsError]) -> None:
    codes = {name: int(code) for name, code in re.findall(r"(\w+Error) +\((\d+)\)", errors.__doc__ or "")}

    assert codes.get(family.__name__) == family.exit_code


def test_the_docstring_names_no_family_that_is_gone() -> None:
    named = set(re.findall(r"\w+Error\b", errors.__doc__ or ""))

    assert named == {family.__name__ for family in FAMILIES}

"""Every error a user can meet, and the exit code each one ends a command with.

SalesTrendsError                 message: what failed, on which thing, seen and wanted; hint: the next step
├── SettingsError       (64)     a setting or an argument is missing or wrong
│   └── StatementError  (64)     SQL of somebody's is refused or at fault; it tells their words and our names alone
├── ContractError       (1)      a record or a schema breaks what a topic promises
├── DeployError         (1)      a topic, table or statement could not be made, stopped or resumed
├── ReadError           (1)      the lake, a topic or the journal could not be read
├── AccessError         (1)      somebody may not do what they asked for
├── AlertError          (1)      an alert could not be kept, or somebody who is told of it refused it
├── KeepError           (1)      what somebody wants kept on the page, a note or a view, could not be
├── StackError          (1)      a part of the local stack could not be started, used or stopped
└── UnreachableError    (69)     a remote system did not answer
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What every command ends with, now and later."""

    OK = 0
    FAILED = 1
    CHANGES = 2
    """Also late and drift: the command worked, and found something to act on."""
    USAGE = 64
    UNREACHABLE = 69
    INTERRUPTED = 130


class SalesTrendsError(Exception):
    """The root: one clear sentence, and the next step."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SettingsError(SalesTrendsError):
    exit_code = ExitCode.USAGE


class StatementError(SettingsError):
    pass


class ContractError(SalesTrendsError):
    pass


class DeployError(SalesTrendsError):
    pass


class ReadError(SalesTrendsError):
    pass


class AccessError(SalesTrendsError):
    pass


class AlertError(SalesTrendsError):
    pass


class KeepError(SalesTrendsError):
    pass


class StackError(SalesTrendsError):
    pass


class UnreachableError(SalesTrendsError):
    exit_code = ExitCode.UNREACHABLE

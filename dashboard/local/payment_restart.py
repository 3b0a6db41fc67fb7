"""Restarts the shop's payment app beside everything else that runs; for whoever holds the stack's lock."""

from dataclasses import replace
from pathlib import Path

from dashboard.errors import StackError
from dashboard.local import services
from dashboard.local.processes import ProcessTable
from dashboard.local.worker import beat_file
from dashboard.narration import Step
from dashboard.settings import Settings

_ENDS_WITHIN_SECONDS = 20


def restart_payment_app(settings: Settings, processes: ProcessTable, step: Step) -> None:
    """Ends it, starts it with the settings that it had, and waits for its first sign of work.

    It counts as died in between: when whoever does this is killed, the supervisor or `up` brings it back. Its journal
    tells the next run what became of the payments in flight. Raises StackError where none was started.
    """
    name, service = services.PAYMENT_APP, services.payment_app_service(settings)
    before = processes.settings_of(name)
    if before is None and not processes.died(name):
        raise StackError("No payment app was started on this stack.", "`sales-trends up` starts one.")
    # a shell that only restarts it has not the options that it was started with, such as its rate
    environment = service.environment | (before or {})
    step.waits_for("its end")
    if not processes.end_all([name], _ENDS_WITHIN_SECONDS):
        raise StackError("The payment app does not end.", f"`sales-trends logs {name}` shows what it does.")
    beat = beat_file(settings.local.home, name)
    last = _beaten(beat)
    again = replace(
        service,
        environment=environment,
        ready=lambda: "" if _beaten(beat) > last else "its first sign of work",
    )
    processes.launch(again)
    processes.wait_ready(again, step)


def _beaten(beat: Path) -> float:
    try:
        return beat.stat().st_mtime
    except FileNotFoundError:
        return 0.0

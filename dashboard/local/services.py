"""Every program of the local stack, in the order in which they start."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from dashboard.addresses import is_encrypted
from dashboard.local.broker import broker_service
from dashboard.local.flink_cluster import flink_services
from dashboard.local.interceptors import compiled_interceptors
from dashboard.local.jars import Classpaths
from dashboard.local.java import python_module
from dashboard.local.processes import Service
from dashboard.local.shop.progress import read_progress
from dashboard.local.worker import silence
from dashboard.login_provider import secrets_files
from dashboard.settings import PREFIX, Settings

STORAGE = ("kafka", "registry")
FLINK = ("jobmanager", "taskmanager", "gateway")
PLATFORM = (*STORAGE, *FLINK)
ORDER_FEED = "order-feed"
PAYMENT_APP = "payment-app"
SHOP = (ORDER_FEED, PAYMENT_APP)
DASHBOARD = "dashboard"
SUPERVISOR = "supervisor"
NAMES = (*PLATFORM, *SHOP, DASHBOARD, SUPERVISOR)
STOP_ORDER = (SUPERVISOR, DASHBOARD, *reversed(SHOP), *reversed(PLATFORM))

_ACCESS = f"{PREFIX}ACCESS__"
_PIPELINE = f"{PREFIX}PIPELINE__"
_MADE_WITH = (f"{_PIPELINE}WINDOW_SIZE", f"{_PIPELINE}ENCRYPT_FIELDS")
"""As a stack is recorded to be in its home."""
_WEB = Path(__file__).parents[1] / "web.py"


def all_services(settings: Settings, classpaths: Classpaths) -> dict[str, Service]:
    """Every program by its name; raises StackError when our Java classes do not compile."""
    interceptors = compiled_interceptors(settings.local.cache, classpaths)
    everything = [
        broker_service(settings.local, classpaths.kafka),
        _registry_service(settings),
        *flink_services(settings.local, os.pathsep.join((classpaths.flink, interceptors))),
        _order_feed_service(settings),
        payment_app_service(settings),
        _dashboard_service(settings),
        supervisor_service(settings),
    ]
    return {service.name: service for service in everything}


def _registry_service(settings: Settings) -> Service:
    url = f"http://127.0.0.1:{settings.local.registry_port}"
    return Service(
        name="registry",
        title="Schema registry and catalog",
        command=python_module("dashboard.local.registry_and_catalog"),
        environment=_variables(settings),
        ready=lambda: "" if answers(f"{url}/health") else "its health page",
        ports={settings.local.registry_port: "SALES_LOCAL__REGISTRY_PORT"},
        address=url,
    )


def _order_feed_service(settings: Settings) -> Service:
    """Ready when its whole past is written and it is live."""

    def waits_for() -> str:
        progress = read_progress(settings.local.home)
        if progress.orders_live_since is not None:
            return ""
        return f"{progress.orders_sent:,} of {progress.orders_planned:,} past orders"

    return Service(
        name=ORDER_FEED,
        title="Shop: order feed",
        command=python_module("dashboard.local.shop.order_feed"),
        environment=_variables(settings),
        ready=waits_for,
        ready_within_seconds=300,
        silence=partial(silence, settings.local.home, ORDER_FEED),
    )


def payment_app_service(settings: Settings) -> Service:
    return Service(
        name=PAYMENT_APP,
        title="Shop: payment app",
        command=python_module("dashboard.local.shop.payment_app"),
        environment=_variables(settings),
        ready=lambda: "",
        silence=partial(silence, settings.local.home, PAYMENT_APP),
    )


def _dashboard_service(settings: Settings) -> Service:
    return Service(
        name=DASHBOARD,
        title="Dashboard",
        command=[
            *python_module("streamlit"),
            "run",
            str(_WEB),
            f"--server.address={settings.web.address}",
            f"--server.port={settings.web.port}",
            "--server.headless=true",
            # so that it finds a login provider where `up` found it, or none where `up` found none
            *(f"--secrets.files={file}" for file in secrets_files()),
        ],
        environment=_variables(settings),
        ready=lambda: "" if answers(f"{settings.web.url}/_stcore/health") else "its health page",
        ports={settings.web.port: "SALES_WEB__PORT"},
        address=settings.web.url,
    )


def supervisor_service(settings: Settings, before: Mapping[str, str] | None = None) -> Service:
    """Last to start and first to stop: it would bring back what a command stops.

    `before` are the variables of the one that ran before, which count but for what the stack is made with: a shell that
    changes one thing has not the options of the `up` that started the stack, such as the shop's rate.
    """
    variables = _variables(settings)
    made_with = {name: variables[name] for name in _MADE_WITH}
    return Service(
        name=SUPERVISOR,
        title="Supervisor",
        command=python_module("dashboard.supervisor"),
        environment={**variables, **(before or {}), **made_with},
        ready=lambda: "",
    )


def but_for_pipeline(variables: Mapping[str, str]) -> dict[str, str]:
    """For whoever has just made the pipeline by settings of its own."""
    return {name: value for name, value in variables.items() if not name.startswith(_PIPELINE)}


def _variables(settings: Settings) -> dict[str, str]:
    """What a program is given; not who may do what, which the dashboard reads from `.env` again at every act."""
    return {name: value for name, value in settings.as_environment().items() if not name.startswith(_ACCESS)}


def answers(url: str, within_seconds: float = 1) -> bool:
    """Whether a GET of this address succeeds."""
    try:
        # loading what a server's certificate is checked with takes longer than a call of plain http
        return httpx.get(url, timeout=within_seconds, trust_env=False, verify=is_encrypted(url)).is_success
    except httpx.HTTPError:
        return False

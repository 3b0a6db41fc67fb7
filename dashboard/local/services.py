"""Every program of the local stack, in the order in which they start."""

from pathlib import Path

import httpx

from dashboard.local.broker import broker_service
from dashboard.local.java import python_module
from dashboard.local.processes import Service
from dashboard.local.shop.progress import read_progress
from dashboard.settings import Settings

PLATFORM = ("kafka", "registry", "jobmanager", "taskmanager", "gateway")
SHOP = ("order-feed", "payment-app")
DASHBOARD = "dashboard"
SUPERVISOR = "supervisor"
NAMES = (*PLATFORM, *SHOP, DASHBOARD, SUPERVISOR)
STOP_ORDER = (SUPERVISOR, DASHBOARD, *reversed(SHOP), *reversed(PLATFORM))

_APP = Path(__file__).parents[1] / "app.py"


def storage_services(settings: Settings, kafka_classpath: str) -> list[Service]:
    """Kafka, registry and catalog: what data and their contracts are kept in; writes their configuration."""
    broker = broker_service(settings.local, kafka_classpath)
    url = f"http://127.0.0.1:{settings.local.registry_port}"
    registry = Service(
        name="registry",
        title="Schema registry and catalog",
        command=python_module("dashboard.local.registry_and_catalog"),
        environment=settings.as_environment(),
        ready=lambda: "" if _answers(f"{url}/health") else "its health page",
        ports={settings.local.registry_port: "SALES_LOCAL__REGISTRY_PORT"},
        address=url,
    )
    return [broker, registry]


def order_feed_service(settings: Settings) -> Service:
    """Ready when its whole past is written and it is live."""

    def waits_for() -> str:
        progress = read_progress(settings.local.home)
        if progress.orders_live_since is not None:
            return ""
        return f"{progress.orders_sent:,} of {progress.orders_planned:,} past orders"

    return Service(
        name="order-feed",
        title="Shop: order feed",
        command=python_module("dashboard.local.shop.order_feed"),
        environment=settings.as_environment(),
        ready=waits_for,
        ready_within_seconds=300,
    )


def payment_app_service(settings: Settings) -> Service:
    return Service(
        name="payment-app",
        title="Shop: payment app",
        command=python_module("dashboard.local.shop.payment_app"),
        environment=settings.as_environment(),
        ready=lambda: "",
    )


def dashboard_service(settings: Settings) -> Service:
    url = f"http://{settings.web.address}:{settings.web.port}"
    return Service(
        name=DASHBOARD,
        title="Dashboard",
        command=[
            *python_module("streamlit"),
            "run",
            str(_APP),
            f"--server.address={settings.web.address}",
            f"--server.port={settings.web.port}",
            "--server.headless=true",
        ],
        environment=settings.as_environment(),
        ready=lambda: "" if _answers(f"{url}/_stcore/health") else "its health page",
        ports={settings.web.port: "SALES_WEB__PORT"},
        address=url,
    )


def supervisor_service(settings: Settings) -> Service:
    """Last to start and first to stop: it would bring back what a command stops."""
    return Service(
        name=SUPERVISOR,
        title="Supervisor",
        command=python_module("dashboard.supervisor"),
        environment=settings.as_environment(),
        ready=lambda: "",
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False

"""The page of revenue without a browser, and a catalog that a test can take away."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pyiceberg.catalog import Catalog
from streamlit.testing.v1 import AppTest

from dashboard import cached
from dashboard.errors import UnreachableError

MINUTE = timedelta(minutes=1)
WINDOW = timedelta(seconds=5)


class Catalogs:
    """Stands where the page opens the catalog at its address: a real one that can be taken away."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.reachable = True

    def open(self, uri: str) -> "Catalogs":
        return self

    def __getattr__(self, name: str) -> object:
        if not self.reachable:
            raise UnreachableError("The catalog at http://127.0.0.1:1 cannot be reached.", "Start it with `…`.")
        return getattr(self.catalog, name)


def run(page: AppTest) -> AppTest:
    """What the timer does: asks the catalog again and draws."""
    cached._glance.clear()
    page.run()
    assert not page.exception
    return page


def now() -> datetime:
    moment = datetime.now(UTC).replace(microsecond=0)
    return moment - timedelta(seconds=moment.second % 5)


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption])


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in page.metric}


def charts(page: AppTest) -> int:
    return len(page.get("plotly_chart"))


def control(page: AppTest, name: str) -> Any:
    """One of the row above the chart."""
    [found] = [one for one in page.main if f"{getattr(one, 'key', '')}_".startswith(f"revenue_control_{name}_")]
    return found

"""What Confluent Cloud measures of Flink statements: watermarks, records in and out, late and pending ones.

Values come one a minute and some minutes late, so more than one question in half a minute learns nothing. The service
takes 60 requests a minute from one address, whoever asks, and one metric a request; so all statements are asked for
at once, and every look of this process counts against one budget.

Source: api.telemetry.confluent.cloud/docs, sections "Rate Limiting", "Metric Data Latency" and "Version 2", and
docs.confluent.io/cloud/current/monitoring/monitor-faq.html for how long values are kept.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import httpx
from pydantic import SecretStr

from dashboard.errors import SalesTrendsError, UnreachableError
from dashboard.remotes.cloud_api import REAL_TIME, CloudApi, Pace
from dashboard.remotes.cloud_errors import ApiKey, Refused, TooMany
from dashboard.remotes.cloud_measures import PREFIX, SPELLINGS, STATEMENT, Measure, StatementMetrics, statement_metrics

_DESCRIPTORS = "/v2/metrics/cloud/descriptors/metrics"
_QUERY = "/v2/metrics/cloud/query"
_POOL = "resource.compute_pool.id"
_TABLE = "table_name"
_REQUESTS, _WITHIN_SECONDS = 60, 60
_EVERY_SECONDS = 30
_LATEST = "now-10m|m/now|m"
"""By the service's clock; values are there within 5 minutes."""
_COUNTED_AT_LEAST, _COUNTED_AT_MOST = timedelta(minutes=5), timedelta(days=6)
_MOST_GROUPS = 1000


class Budget:
    """How many requests may still be made. A bucket that fills again by the second would let twice as many through."""

    def __init__(self, requests: int = _REQUESTS) -> None:
        self._requests = requests
        self._spent: deque[float] = deque()
        self._lock = Lock()

    def take(self, count: int, now: float) -> bool:
        """Whether that many are left of the last minute; if so they are spent. `now` is on a clock of seconds."""
        with self._lock:
            while self._spent and self._spent[0] <= now - _WITHIN_SECONDS:
                self._spent.popleft()
            if len(self._spent) + count > self._requests:
                return False
            self._spent.extend([now] * count)
            return True


OF_THIS_PROCESS = Budget()


@dataclass(frozen=True)
class Metrics:
    """One look at all statements."""

    statements: Mapping[str, StatementMetrics]
    """By name; one of which nothing is told yet is not in it."""
    counted_since: datetime
    """UTC; a statement that was made anew since is counted together with the one before of its name."""
    missing: tuple[Measure, ...] = ()
    """What the service knows under no name that we know."""
    age: timedelta = timedelta()
    """How long ago the service was asked."""


@dataclass(frozen=True)
class _Metric:
    name: str
    by_table: bool
    """It tells of which table it is; the statement's own is the smallest or the sum."""


class CloudMetrics:
    """The metrics of Flink statements. One for all who look: it remembers what it was last told."""

    def __init__(
        self,
        address: str,
        key: SecretStr,
        secret: SecretStr,
        *,
        key_setting: str,
        transport: httpx.BaseTransport | None = None,
        pace: Pace = REAL_TIME.at_a_glance,
        budget: Budget = OF_THIS_PROCESS,
    ) -> None:
        self._api = CloudApi(
            address, ApiKey("the Cloud API key", key_setting, key, secret), transport=transport, pace=pace
        )
        self._pace = pace
        self._budget = budget
        self._lock = Lock()
        self._known: Mapping[Measure, _Metric] | None = None
        self._outcome: Metrics | SalesTrendsError = UnreachableError(f"{address} was not asked yet.")
        self._asked_at = 0.0
        self._next_at = float("-inf")

    @property
    def address(self) -> str:
        return self._api.address

    def look(self, statements: Collection[str], pools: Collection[str], since: datetime) -> Metrics:
        """What is measured of statements in compute pools; records are counted from `since` on, up to 7 days.

        The last values with their age where the service was asked less than 30 s ago or takes no more requests for
        now. Raises SettingsError for a key that is not taken, UnreachableError or Refused where nothing is to be had;
        a failure is told again, and not asked for again, for 30 s.
        """
        with self._lock:
            if self._pace.clock() >= self._next_at:
                self._outcome = self._asked(statements, pools, since)
            if isinstance(self._outcome, SalesTrendsError):
                raise self._outcome.with_traceback(None)
            return replace(self._outcome, age=timedelta(seconds=self._pace.clock() - self._asked_at))

    def _asked(
        self, statements: Collection[str], pools: Collection[str], since: datetime
    ) -> Metrics | SalesTrendsError:
        self._next_at = self._pace.clock() + _EVERY_SECONDS
        try:
            found = self._measured(statements, pools, since)
        except SalesTrendsError as error:
            self._next_at = self._pace.clock() + max(_EVERY_SECONDS, getattr(error, "retry_after_seconds", 0))
            if isinstance(error, TooMany):
                return self._outcome if isinstance(self._outcome, Metrics) else error
            if isinstance(error, Refused):
                # a metric may have got another name meanwhile
                self._known = None
            return error
        self._asked_at = self._pace.clock()
        return found

    def _measured(self, statements: Collection[str], pools: Collection[str], since: datetime) -> Metrics:
        known = self._names()
        self._spend(len(known))
        since = _counted_since(since.astimezone(UTC), datetime.now(UTC))
        where = _filter(statements, pools)
        with ThreadPoolExecutor(len(Measure)) as threads:
            asked = {one: threads.submit(self._query, one, metric, where, since) for one, metric in known.items()}
        found = statement_metrics({one: answer.result() for one, answer in asked.items()})
        return Metrics(found, since, tuple(one for one in Measure if one not in known))

    def _names(self) -> Mapping[Measure, _Metric]:
        if self._known is None:
            labels = {str(one.get("name")): one.get("labels") or [] for one in self._descriptors()}
            self._known = {
                measure: _Metric(name, any(label.get("key") == _TABLE for label in labels[name]))
                for measure, spellings in SPELLINGS.items()
                if (name := next((PREFIX + one for one in spellings if PREFIX + one in labels), None))
            }
        return self._known

    def _descriptors(self) -> Iterator[dict[str, Any]]:
        query = {"page_size": "1000"}
        while True:
            self._spend(1)
            page = self._api.get(_DESCRIPTORS, "list the metrics", query)
            yield from page.get("data") or []
            token = ((page.get("meta") or {}).get("pagination") or {}).get("next_page_token")
            if not token or token == query.get("page_token"):
                return
            query["page_token"] = token

    def _spend(self, requests: int) -> None:
        if not self._budget.take(requests, self._pace.clock()):
            raise TooMany(
                f"{self.address} is not asked for now: its {_REQUESTS} requests a minute are spent.",
                "Look again in a minute.",
                status=429,
            )

    def _query(self, measure: Measure, metric: _Metric, where: Mapping[str, Any], since: datetime) -> list[Any]:
        counted = measure.is_counted
        body = {
            "aggregations": [{"metric": metric.name}],
            "filter": where,
            "group_by": [STATEMENT, *([f"metric.{_TABLE}"] if metric.by_table else [])],
            "granularity": "ALL" if counted else "PT1M",
            "intervals": [f"{since:%Y-%m-%dT%H:%M:%SZ}/now|m" if counted else _LATEST],
            "limit": _MOST_GROUPS,
            "format": "GROUPED",
        }
        return list(self._api.post(_QUERY, f"tell the {measure}", body).get("data") or [])


def _counted_since(since: datetime, now: datetime) -> datetime:
    """A minute. Values are kept for 7 days, and a beginning that moved on in every look would hide what is new."""
    oldest = (now - _COUNTED_AT_MOST).replace(hour=0, minute=0)
    # an interval that is empty, by whatever clock, is refused
    return min(max(since, oldest), now - _COUNTED_AT_LEAST).replace(second=0, microsecond=0)


def _filter(statements: Collection[str], pools: Collection[str]) -> dict[str, Any]:
    """Without a resource the service asks nobody; of other statements in the pool there may be many."""
    return {"op": "AND", "filters": [_any(_POOL, pools), *([_any(STATEMENT, statements)] if statements else [])]}


def _any(label: str, values: Collection[str]) -> dict[str, Any]:
    filters = [{"field": label, "op": "EQ", "value": value} for value in sorted(values)]
    return filters[0] if len(filters) == 1 else {"op": "OR", "filters": filters}

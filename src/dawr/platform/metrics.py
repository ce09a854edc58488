"""The figures of one process, in a registry of their own, as Prometheus reads them.

Labels come from small closed sets (route patterns, limit names, outcomes), never from what a caller sends: a label
value is a time series for ever, and a path or an address would name a person.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OUTCOMES = ("committed", "rolled_back", "failed", "deadlocked")


class Metrics:
    """Each figure is an attribute. Counters are exported with ``_total``, as their kind asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._http()
        self._database()
        self._streams_and_work()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def _http(self) -> None:
        self.request = _Requests(self.registry).answered
        self.rate_limited = self._counter("rate_limited", "Requests refused by a rate limit", "limit")
        self.requests_refused = self._counter("requests_refused", "Requests refused because of overload", "lane")
        self.lane_limit = Gauge("lane_limit", "Requests worked on at once, at most", ["lane"], registry=self.registry)
        self.lane_inside = Gauge("lane_inside", "Requests being worked on", ["lane"], registry=self.registry)

    def _database(self) -> None:
        self.db_transactions = self._counter("db_transactions", "Transactions by their end", "outcome")
        for outcome in _OUTCOMES:
            # A series that appears only with the first failure cannot be alerted on.
            self.db_transactions.labels(outcome=outcome)
        self.db_slow_queries = self._counter("db_slow_queries", "Statements that took longer than 100 ms")
        self.db_pool = Gauge("db_pool", "Database connections by state", ["state"], registry=self.registry)

    def _streams_and_work(self) -> None:
        self.streams_open = Gauge("streams_open", "Live streams being served", registry=self.registry)
        self.stream_events = self._counter("stream_events", "Events sent on live streams")
        self.jobs = self._counter("jobs", "Background jobs run", "name", "outcome")
        self.outbox_pending = Gauge("outbox_pending", "Outbox rows not yet done", registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def render(self) -> tuple[bytes, str]:
        """Everything in the text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Requests(Collector):
    """Requests answered, and the time that took. Counted plainly and made into figures when somebody looks: the library's own
    counters would be a twentieth of a ticket."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered: dict[tuple[str, str, int], int] = defaultdict(int)
        self._within: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = defaultdict(float)
        registry.register(self)

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """One request answered. ``route`` is the pattern (``/api/v1/queue/enter``), never the path that was asked."""
        self._answered[route, method if method in _METHODS else "other", status] += 1
        if route not in self._within:
            self._within[route] = [0] * (len(_SECONDS) + 1)
        self._within[route][bisect_left(_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("http_requests", "Requests answered", labels=["route", "method", "status"])
        for (route, method, status), count in self._answered.items():
            requests.add_metric([route, method, str(status)], count)
        yield requests
        times = HistogramMetricFamily("http_request_seconds", "Time to answer", labels=["route"])
        for route, within in self._within.items():
            bounds = [*map(str, _SECONDS), "+Inf"]
            times.add_metric([route], list(zip(bounds, accumulate(within), strict=True)), self._seconds[route])
        yield times

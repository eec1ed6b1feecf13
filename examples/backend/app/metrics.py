"""Prometheus metrics. Labels come from route templates and fixed words only."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pymongo.monitoring import ConnectionPoolListener

# 1 ms to 10 s, dense around the 500 ms objective for the 95th percentile.
LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10,
)  # fmt: skip


class Metrics:
    """All metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests_total",
            "Requests answered, by method, route template and status code.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request's arrival to its last byte, by route template.",
            ["route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "http_requests_in_flight",
            "Requests admitted and not yet answered; probes and scrapes are not counted.",
            registry=registry,
        )
        self.shed = Counter(
            "http_requests_shed_total",
            "Requests refused because MAX_IN_FLIGHT was reached.",
            registry=registry,
        )
        self.cache_hits = Counter(
            "redis_cache_hits_total", "Answers found in the cache.", registry=registry
        )
        self.cache_misses = Counter(
            "redis_cache_misses_total", "Answers not in the cache.", registry=registry
        )
        self.cache_bypasses = Counter(
            "redis_cache_bypasses_total",
            "Answers given without the cache because Redis did not answer.",
            registry=registry,
        )
        self.store_errors = Counter(
            "store_errors_total", "Store calls that failed.", ["store"], registry=registry
        )
        self.mongodb_open = Gauge(
            "mongodb_pool_connections",
            "Open pooled connections, over all replica-set members.",
            registry=registry,
        )
        self.mongodb_in_use = Gauge(
            "mongodb_pool_connections_in_use",
            "Pooled connections checked out by an operation.",
            registry=registry,
        )
        self.mongodb_max_size = Gauge(
            "mongodb_pool_max_size",
            "Most pooled connections allowed per replica-set member.",
            registry=registry,
        )
        self.mongodb_checkout_failures = Counter(
            "mongodb_pool_checkout_failures_total",
            "Operations that got no connection from the pool.",
            registry=registry,
        )
        for store in ("mongodb", "redis"):
            self.store_errors.labels(store)  # so that rate() sees the first failure


class MongoPoolMetrics(ConnectionPoolListener):
    """Feeds the pool gauges from the driver's connection events."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def connection_created(self, _event: Any) -> None:
        self._metrics.mongodb_open.inc()

    def connection_closed(self, _event: Any) -> None:
        self._metrics.mongodb_open.dec()

    def connection_checked_out(self, _event: Any) -> None:
        self._metrics.mongodb_in_use.inc()

    def connection_checked_in(self, _event: Any) -> None:
        self._metrics.mongodb_in_use.dec()

    def connection_check_out_failed(self, _event: Any) -> None:
        self._metrics.mongodb_checkout_failures.inc()

    def pool_created(self, _event: Any) -> None:
        """Nothing to count."""

    def pool_ready(self, _event: Any) -> None:
        """Nothing to count."""

    def pool_cleared(self, _event: Any) -> None:
        """Nothing to count."""

    def pool_closed(self, _event: Any) -> None:
        """Nothing to count."""

    def connection_ready(self, _event: Any) -> None:
        """Nothing to count."""

    def connection_check_out_started(self, _event: Any) -> None:
        """Nothing to count."""

"""The figures: complete from the start, apart from each other, and readable by Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from dawr.platform.metrics import Metrics

EXPECTED = {
    "http_requests_total",
    "http_request_seconds_count",
    "db_transactions_total",
    "db_slow_queries_total",
    "db_pool",
    "streams_open",
    "stream_events_total",
    "jobs_total",
    "outbox_pending",
    "rate_limited_total",
}


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.render()[0].decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


def use_everything(metrics: Metrics) -> None:
    metrics.request(route="/api/v1/queue/enter", method="POST", status=201, seconds=0.02)
    metrics.db_pool.labels(state="idle").set(4)
    metrics.jobs.labels(name="sweep", outcome="done").inc()
    metrics.rate_limited.labels(limit="enter_device").inc()


def test_every_figure_is_exported_under_its_name() -> None:
    metrics = Metrics()
    use_everything(metrics)
    assert {name for name, _ in samples(metrics)} >= EXPECTED


def test_ends_of_transactions_are_there_before_the_first_one() -> None:
    for outcome in ("committed", "rolled_back", "failed", "deadlocked"):
        assert value(Metrics(), "db_transactions_total", outcome=outcome) == 0


def test_a_request_is_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.request(route="/t/{secret}", method="GET", status=200, seconds=0.15)
    metrics.request(route="/t/{secret}", method="GET", status=200, seconds=0.25)
    assert value(metrics, "http_requests_total", route="/t/{secret}", method="GET", status="200") == 2
    assert value(metrics, "http_request_seconds_bucket", route="/t/{secret}", le="0.2") == 1
    assert value(metrics, "http_request_seconds_sum", route="/t/{secret}") == 0.4


def test_made_up_methods_make_no_series() -> None:
    metrics = Metrics()
    for number in range(5):
        metrics.request(route="/", method=f"X{number}", status=405, seconds=0.001)
    assert value(metrics, "http_requests_total", route="/", method="other", status="405") == 5


def test_two_in_one_process_do_not_share_anything() -> None:
    one, other = Metrics(), Metrics()
    one.db_slow_queries.inc()
    assert (value(one, "db_slow_queries_total"), value(other, "db_slow_queries_total")) == (1, 0)


def test_the_process_itself_is_measured_and_the_type_is_prometheus_text() -> None:
    content, content_type = Metrics().render()
    assert b"process_resident_memory_bytes" in content
    assert content_type.startswith("text/plain; version=")

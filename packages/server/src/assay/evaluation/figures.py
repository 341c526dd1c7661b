"""Figures of delivery, counted in plain numbers: Prometheus' own counters cost as much as an evaluation.

For the same reason there is no log line per request; failures are logged.
"""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BOUNDS = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)


class _Counts:
    """One route and status: how often, how long together, how many up to each bound and beyond."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.buckets = [0] * (len(BOUNDS) + 1)


class Figures(Collector):
    """Requests of delivery by route and status; a stream counts when it ends, however long it lasted."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], _Counts] = {}

    def note(self, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        counts = self._counts.get((route, status))
        if counts is None:
            counts = self._counts[route, status] = _Counts()
        counts.seconds += seconds
        counts.buckets[bisect_left(BOUNDS, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """Everything counted, in Prometheus' terms."""
        requests = CounterMetricFamily(
            "assay_delivery_requests", "Requests of delivery answered.", labels=["route", "status"]
        )
        times = HistogramMetricFamily(
            "assay_delivery_seconds", "Time to answer them.", labels=["route", "status"]
        )
        for (route, status), counts in list(self._counts.items()):
            labels = [route, str(status)]
            cumulative = _cumulative(counts.buckets)
            requests.add_metric(labels, cumulative[-1][1])
            times.add_metric(labels, cumulative, counts.seconds)
        yield requests
        yield times


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    summed: list[tuple[str, float]] = []
    for bound, count in zip((*(str(bound) for bound in BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        summed.append((bound, total))
    return summed

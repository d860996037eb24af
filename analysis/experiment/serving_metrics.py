"""What the model server counts, in the format that Prometheus reads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

KEPT_PACKAGES = 8
"""Packages that no longer serve whose counts are still shown; older ones are forgotten, so the page stays small."""

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """Counts of one server. ``package`` is empty for requests that were refused before any package saw them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "inspection_requests", "Requests by HTTP status (499: the client left)", ["package", "status"], **self._in
        )
        self.seconds = Histogram(
            "inspection_request_seconds", "From header to answer", ["package"], buckets=BUCKETS, **self._in
        )
        self.failures = Counter("inspection_failures", "The project's code raised", ["package"], **self._in)
        self.refused = Counter("inspection_refused", "Requests that were not served", ["reason"], **self._in)
        self.swaps = Counter("inspection_package_changes", "Changes of what serves", ["kind", "outcome"], **self._in)
        self.in_flight = Gauge("inspection_requests_in_flight", "Requests between header and answer", **self._in)
        self.share = Gauge("inspection_candidate_share", "Share of requests that the candidate is given", **self._in)
        self.package = Gauge("inspection_package", "Packages that serve", ["package", "role"], **self._in)
        self._gone: OrderedDict[str, None] = OrderedDict()

    @property
    def _in(self) -> dict:
        return {"registry": self.registry}

    def follow(self, in_flight: Callable[[], float], share: Callable[[], float]) -> None:
        """Where the two gauges read their values from."""
        self.in_flight.set_function(in_flight)
        self.share.set_function(share)

    def serving(self, live: Iterable[tuple[str, str]]) -> None:
        """Digest and role of each package that serves from now on."""
        self.package.clear()
        for digest, role in live:
            self.package.labels(digest, role).set(1)
            self._gone.pop(digest, None)

    def forget(self, digest: str) -> None:
        """A package has left memory; its counts stay until a few more have."""
        self._gone[digest] = None
        self._gone.move_to_end(digest)
        while len(self._gone) > KEPT_PACKAGES:
            oldest, _ = self._gone.popitem(last=False)
            for metric in (self.requests, self.seconds, self.failures):
                metric.remove_by_labels({"package": oldest})

    def page(self) -> bytes:
        return generate_latest(self.registry)

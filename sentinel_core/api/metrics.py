"""The status in Prometheus' text format. What is not known is left out; it is not zero."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from sentinel_core.health.finding import State
from sentinel_core.health.status import HostUse, Status


def exposition(found: Status) -> bytes:
    """The metrics of this status."""
    registry = CollectorRegistry()

    def gauge(name: str, about: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"sentinel_{name}", about, registry=registry).set(value)

    gauge("health_score", "The score of the installation, 0 to 100.", found.score)
    states = Gauge(
        "sentinel_component_state",
        "1 for the state that a component is in.",
        ("component", "state"),
        registry=registry,
    )
    for one in found.components:
        for state in State:
            states.labels(one.name, state.value).set(one.state is state)
    _hosts(registry, found.hosts)
    backlog = found.component("backlog").data
    gauge("notifications_due", "Notifications that may be sent now.", backlog.get("due"))
    if (rates := found.rates) is None:
        return generate_latest(registry)
    gauge("evaluations_per_minute", "Evaluations in a minute.", rates.evaluations_per_minute)
    gauge("run_error_ratio", "The share of runs without a result.", rates.error_rate)
    gauge("lateness_p50_seconds", "From planned until started, median.", rates.lateness_p50_seconds)
    gauge("lateness_p95_seconds", "The same, 95th percentile.", rates.lateness_p95_seconds)
    return generate_latest(registry)


def _hosts(registry: CollectorRegistry, found: Sequence[HostUse]) -> None:
    """The newest sample of each host. Of one that is silent only its time: its use is not known."""
    if not found:
        return
    at = Gauge(
        "sentinel_host_sample_timestamp_seconds",
        "When the newest sample of a host was taken.",
        ("host",),
        registry=registry,
    )
    for host in found:
        at.labels(host.host).set(host.at.timestamp())
    for part, about in (
        ("cpu", "The share of a host's processors that is in use."),
        ("memory", "The share of a host's memory that is in use."),
        ("disk", "The share of a host's root file system that is in use."),
    ):
        gauge = Gauge(f"sentinel_host_{part}_ratio", about, ("host",), registry=registry)
        for host in found:
            if not host.silent and (used := getattr(host, part)) is not None:
                gauge.labels(host.host).set(used / 100)

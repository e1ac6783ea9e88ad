"""How often a client may ask."""

from sentinel_core.api.rates import Rates


def test_a_client_has_a_burst_and_then_its_rate() -> None:
    rates = Rates(per_second=10, burst=3)
    assert [rates.wait("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert rates.wait("a", 0.0) == 0.1
    assert rates.wait("a", 0.05) == 0.05  # asking too early costs nothing
    assert rates.wait("a", 0.1) == 0
    assert rates.wait("b", 0.1) == 0
    assert [rates.wait("a", 100.0) for _ in range(3)] == [0, 0, 0]
    assert rates.wait("a", 100.0) > 0  # no more than the burst is saved up


def test_clients_are_forgotten_not_kept_for_ever() -> None:
    rates = Rates(per_second=1, burst=1)
    for client in range(5_000):
        assert rates.wait(client, 0.0) == 0
    assert len(rates._buckets) == 1_000
    assert rates.wait(4_999, 0.0) == 1

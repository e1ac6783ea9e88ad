"""How often a client may ask: a bucket for each, which fills by itself."""

from dataclasses import dataclass

PER_SECOND = 50.0
BURST = 100
_MOST_CLIENTS = 1_000  # remembered; the one that asked longest ago is forgotten first


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """The buckets of all clients. Knows no clock."""

    def __init__(self, per_second: float = PER_SECOND, burst: int = BURST) -> None:
        self._per_second, self._burst = per_second, burst
        self._buckets: dict[object, _Bucket] = {}

    def wait(self, client: object, now: float) -> float:
        """0 if the client may ask now, which is counted; else the seconds until it may."""
        bucket = self._buckets.pop(client, None) or _Bucket(self._burst, now)
        self._buckets[client] = bucket  # now the newest
        if len(self._buckets) > _MOST_CLIENTS:
            del self._buckets[next(iter(self._buckets))]
        filled = bucket.left + (now - bucket.at) * self._per_second
        bucket.left, bucket.at = min(filled, self._burst), now
        if bucket.left < 1:
            return (1 - bucket.left) / self._per_second
        bucket.left -= 1
        return 0.0

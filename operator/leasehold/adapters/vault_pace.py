"""How fast we mint: a fleet that rotates at once must not trip a Vault's quotas, which would also throttle
the revocations. Requests are delayed in the order in which they came, never dropped."""


class TokenBucket:
    """`rate` requests a second on average, `burst` at once. Times are monotonic seconds."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._free = float(burst)
        self._seen = now

    def reserve(self, now: float, requests: int = 1) -> float:
        """Take the next places in the queue; the seconds until they are due."""
        self._free = min(self._burst, self._free + (now - self._seen) * self._rate)
        self._seen = now
        self._free -= requests
        return max(0.0, -self._free / self._rate)

"""A token-bucket rate limiter."""

import time


class TokenBucket:
    """Holds up to ``capacity`` tokens and gains ``rate`` of them per second."""

    def __init__(self, capacity, rate, clock=time.monotonic):
        if capacity <= 0 or rate <= 0:
            raise ValueError("capacity and rate must be positive")
        self._capacity = float(capacity)
        self._rate = float(rate)
        self._clock = clock
        self._tokens = float(capacity)
        self._seen = clock()

    def try_take(self, n=1):
        """Take ``n`` tokens if they are there; say whether they were."""
        if n <= 0:
            raise ValueError("n must be positive")
        self._refill()
        if self._tokens < n:
            return False
        self._tokens -= n
        return True

    def wait_time(self, n=1):
        """Seconds until ``n`` tokens are there."""
        if n > self._capacity:
            raise ValueError(f"the bucket never holds {n} tokens")
        self._refill()
        return max(0.0, n - self._tokens)

    def level(self):
        """Tokens that are there now."""
        self._refill()
        return self._tokens

    def _refill(self):
        now = self._clock()
        self._tokens += (now - self._seen) * self._rate
        self._seen = now

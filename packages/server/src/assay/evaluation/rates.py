"""Token buckets: how much one key may ask of one process."""

import math


class Bucket:
    """Allows `rate` requests a second on average and one second's worth at once."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, *, now: float) -> None:
        self._rate = rate
        self._left = self._burst
        self._at = now

    @property
    def _burst(self) -> float:
        return max(1.0, self._rate)

    def take(self, now: float) -> int:
        """Zero when the request may pass, else the whole seconds to wait.

        Whole seconds, because clients read any other `Retry-After` wrongly.
        """
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= 1.0:
            self._left -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self._left) / self._rate))

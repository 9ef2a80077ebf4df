"""A value that each process caches for some seconds, because reading it is slow."""

import time
from typing import Generic, TypeVar

T = TypeVar("T")


class ProcessCopy(Generic[T]):
    """Holds one value; threads may share it, since it is only replaced as a whole."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: tuple[float, T | None] = 0.0, None

    def get(self) -> T | None:
        """The value; None once it is `seconds` old."""
        until, value = self._held
        return value if time.monotonic() < until else None

    def keep(self, value: T) -> None:
        self._held = time.monotonic() + self._seconds, value

    def correct(self, value: T) -> None:
        """Replace the value, but not its time of expiry."""
        self._held = self._held[0], value

    def forget(self) -> None:
        self._held = 0.0, None

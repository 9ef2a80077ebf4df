"""What long work shows itself by."""

from collections.abc import Callable
from contextlib import AbstractContextManager

#: A bar for so many bytes of what is named, as a function that advances it.
Bar = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]

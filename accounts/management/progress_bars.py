"""Progress bars for long commands, on stderr, because stdout is for the result."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from tqdm import tqdm


def bar(total: int, what: str) -> "tqdm[NoReturn]":
    """Return a progress bar in bytes; it is rarely redrawn if stderr is not a terminal."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, desc=what, unit="B", unit_scale=True, file=sys.stderr, mininterval=pause
    )


@contextmanager
def lazy_bar(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances a bar; the bar appears on the first call."""
    with ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def advance(count: int) -> None:
            if not bars:
                bars.append(stack.enter_context(bar(total, what)))
            bars[0].update(count)

        yield advance

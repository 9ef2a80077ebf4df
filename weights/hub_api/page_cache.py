"""Answers about what never changes, kept ready in this process and bounded by their bytes.

Only what follows from a commit alone may be kept here, never whether somebody may see it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple


class Page(NamedTuple):
    """A page of a listing as JSON, and whether another follows."""

    body: bytes
    more: bool


class Kept:
    """The pages asked for last, `most` bytes of them; one that takes a quarter is not kept."""

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self._pages: OrderedDict[Hashable, Page] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Page]) -> Page:
        """The page kept under `key`, else what `make` makes."""
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
                return page
        page = make()
        if len(page.body) * 4 <= self.most:
            self._keep(key, page)
        return page

    def clear(self) -> None:
        with self._lock:
            self._pages.clear()
            self.size = 0

    def _keep(self, key: Hashable, page: Page) -> None:
        with self._lock:
            if key in self._pages:  # another thread made it meanwhile
                return
            self._pages[key] = page
            self.size += len(page.body)
            while self.size > self.most:
                _, oldest = self._pages.popitem(last=False)
                self.size -= len(oldest.body)


#: A listing of 992 files takes about 0.3 MB.
trees = Kept(most=32 * 1024 * 1024)

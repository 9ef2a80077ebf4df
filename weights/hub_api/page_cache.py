"""An LRU cache of rendered listing pages in this process, bounded by their bytes.

Cache only what a commit determines, never anything that depends on the caller's access.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple


class Page(NamedTuple):
    """A rendered page: its JSON, and whether another page follows."""

    body: bytes
    has_next: bool


class PageCache:
    """At most `max_bytes` of pages; a page larger than a quarter of that is not cached."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.size = max_bytes, 0
        self._pages: OrderedDict[Hashable, Page] = OrderedDict()
        self._lock = Lock()

    def get_or_render(self, key: Hashable, render: Callable[[], Page]) -> Page:
        """The page cached under `key`; renders and caches it first if there is none."""
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
                return page
        page = render()
        if len(page.body) * 4 <= self.max_bytes:
            self._store(key, page)
        return page

    def clear(self) -> None:
        with self._lock:
            self._pages.clear()
            self.size = 0

    def _store(self, key: Hashable, page: Page) -> None:
        with self._lock:
            if key in self._pages:  # another thread rendered it meanwhile
                return
            self._pages[key] = page
            self.size += len(page.body)
            while self.size > self.max_bytes:
                _, oldest = self._pages.popitem(last=False)
                self.size -= len(oldest.body)


#: A listing of 992 files takes about 0.3 MB.
tree_pages = PageCache(max_bytes=32 * 1024 * 1024)

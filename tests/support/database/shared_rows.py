"""Rows that the tests of one module share: each test is rolled back to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def kept_for_a_module(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Undo at the end whatever is written from now on, after each test has undone its own.

    The transactions of the tests are savepoints within this one. So no test of the module may be
    a transactional one or close the connection, as `prepare_install` does.
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may be within
    with blocker.unblock():
        around.__enter__()
    try:
        yield
    finally:
        with blocker.unblock():
            transaction.set_rollback(True)
            around.__exit__(None, None, None)

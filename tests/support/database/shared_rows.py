"""Rows shared by the tests of one module; each test is rolled back to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def kept_for_a_module(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Roll back at the end everything written from now on.

    The tests' transactions are savepoints within this one. So no test of the module may be
    transactional or close the connection, like `prepare_install`.
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

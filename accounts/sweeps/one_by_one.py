"""Take rows one by one, each under its lock and in its own transaction."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import models, transaction

log = logging.getLogger(__name__)

R = TypeVar("R", bound=models.Model)


def one_by_one(rows: "models.QuerySet[R]", act: Callable[[R], bool]) -> int:
    """Do `act` to each row that still belongs to `rows` once it is locked; how often it acted.

    A row that another worker holds is left to that worker. One that fails is logged and
    stops no other; the next sweep finds it again.
    """
    acted = 0
    for pk in list(rows.order_by().values_list("pk", flat=True).distinct()):
        try:
            with transaction.atomic():
                locked = rows.select_for_update(skip_locked=True, of=("self",))
                row = locked.filter(pk=pk).first()
                acted += row is not None and act(row)
        except Exception:  # whatever is wrong with one row is no reason to leave the others
            log.exception("a sweep could not settle %s %s", rows.model._meta.model_name, pk)
    return acted

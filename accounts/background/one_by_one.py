"""Take rows one by one, each under its lock and in its own transaction."""

from collections.abc import Callable
from typing import TypeVar

from django.db import models, transaction

from accounts.background.periodic import each

R = TypeVar("R", bound=models.Model)


def one_by_one(step: str, rows: "models.QuerySet[R]", act: Callable[[R], bool]) -> int:
    """Do `act` to each row that still belongs to `rows` once it is locked; how often it acted.

    A row that another worker holds is left to that worker.
    """

    @transaction.atomic
    def act_locked(pk: int) -> bool:
        row = rows.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
        return row is not None and act(row)

    return each(step, list(rows.order_by().values_list("pk", flat=True).distinct()), act_locked)

"""The decorator of every transition of an application."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.db import transaction

from accounts.applications.models import Application
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused

P = ParamSpec("P")
R = TypeVar("R")


def transition(
    function: Callable[Concatenate[Application, P], R],
) -> Callable[Concatenate[Application, P], R]:
    """Run a transition in a transaction; a refused one leaves only an audit event.

    The event is written after the rollback, under the function's name. It is lost if the caller
    rolls back an outer transaction.
    """

    action = AccountsEvent.of_application(function.__name__)

    @wraps(function)
    def run(application: Application, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return function(application, *args, **kwargs)
        except (TransitionRefused, NotAllowed) as error:
            AuditEvent.record(
                action,
                actor=kwargs.get("by"),  # type: ignore[arg-type]
                target=application,
                result=error.code,
                details={"status": application.status},
            )
            raise

    return run  # type: ignore[return-value]

"""Refusals of services, as the owner's pages show them."""

from django.utils.text import capfirst

from accounts.errors import DomainError, RecentAuthenticationRequired


def sentence_of(error: DomainError) -> str:
    """The refusal as a sentence for the page.

    Raises RecentAuthenticationRequired again, for which the middleware shows a page of its own.
    """
    if isinstance(error, RecentAuthenticationRequired):
        raise error
    return f"{capfirst(str(error))}."

"""Errors while starting, backing up or moving an install; each message names a remedy."""

from accounts.errors import DomainError


class QuickstartError(DomainError):
    """The embedded install cannot be started or kept running."""


class BackupError(DomainError):
    """A backup cannot be created, read or restored."""


class MoveError(DomainError):
    """The database cannot be moved, or its copy differs."""


class DemoError(DomainError):
    """The demo install cannot be filled."""
